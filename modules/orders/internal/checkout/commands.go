package checkout

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
)

// command makes an order that rests a saga again. start decides whether it may, and changes the record; the change, the lease and
// the key are one commit, after which the command is under way whatever happens to its runner. A start that only left word for the
// runner of an order that is under way reports false.
func (c *Checkout) command(ctx context.Context, key idempotency.Key, orderID string, start func(*gorm.DB, *record) (bool, error)) (orders.Placement, error) {
	if claim, err := store.FindClaim(c.Store.Read(ctx), key, c.Now()); err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	var r *record
	var claim *store.Claim
	var started bool
	err := c.Store.Write(ctx, func(tx *gorm.DB) (err error) {
		if claim, err = store.FindClaim(tx, key, c.Now()); err != nil || claim != nil {
			return err
		}
		if r, err = c.load(tx, orderID); err != nil {
			return err
		}
		if started, err = start(tx, r); err != nil {
			return err
		}
		if started {
			r.key, r.leaseUntil, r.nextAttempt = key, c.Now().Add(c.policy.Lease), time.Time{}
			err = c.update(tx, r)
		}
		if err != nil {
			return err
		}
		var answer any
		if started && resting(r.order.State) { // nobody had to be asked
			answer = r.order
		}
		return store.SaveClaim(tx, key, orderID, answer, c.Now())
	})
	if err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	if !started {
		return c.takeOver(ctx, orderID)
	}
	return orders.Placement{Order: c.finish(ctx, r)}, nil
}

// takeOver runs an order that is under way, unless somebody does already.
func (c *Checkout) takeOver(ctx context.Context, orderID string) (orders.Placement, error) {
	r, err := c.claimLease(ctx, orderID)
	if errors.Is(err, errOvertaken) {
		current, err := c.load(c.Store.Read(ctx), orderID)
		if err != nil {
			return orders.Placement{}, err
		}
		return orders.Placement{Order: current.order}, nil
	} else if err != nil {
		return orders.Placement{}, err
	}
	return orders.Placement{Order: c.finish(ctx, r)}, nil
}
