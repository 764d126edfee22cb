package checkout

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

// Cancel implements orders.Service.
func (c *Checkout) Cancel(ctx context.Context, req orders.CancelRequest) (orders.Placement, error) {
	if claim, err := store.FindClaim(c.Store.Read(ctx), req.Key, c.Now()); err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	var r *record
	var claim *store.Claim
	err := c.Store.Write(ctx, func(tx *gorm.DB) (err error) {
		if claim, err = store.FindClaim(tx, req.Key, c.Now()); err != nil || claim != nil {
			return err
		}
		if r, err = c.load(tx, req.ID); err != nil {
			return err
		}
		return c.startCancel(tx, r, req)
	})
	if err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	if r.order.State == refunding && !r.leaseUntil.IsZero() {
		return orders.Placement{Order: c.finish(ctx, r)}, nil
	}
	return orders.Placement{Order: r.order}, nil
}

// startCancel makes the wish to cancel durable. A completed order becomes a saga again, with this request as its runner; one
// that is under way is marked, and its runner turns it at its next stored decision.
func (c *Checkout) startCancel(tx *gorm.DB, r *record, req orders.CancelRequest) error {
	now := c.Now()
	switch r.order.State {
	case rejected, declined, needsReview:
		return orders.ErrNotCancelable.About(r.order.ID)
	case completed:
		r.order.State, r.key, r.cancelReason = refunding, req.Key, req.Reason
		r.leaseUntil = now.Add(c.policy.Lease)
		if err := c.update(tx, r); err != nil {
			return err
		}
		return store.SaveClaim(tx, req.Key, r.order.ID, nil, now)
	case cancelled, refunding, releasing:
		// It is done, or under way already.
	default:
		r.cancelRequested = true
		if err := tx.Exec("UPDATE sagas SET cancel_requested = 1, cancel_reason = ? WHERE order_id = ?", req.Reason, r.order.ID).Error; err != nil {
			return err
		}
	}
	return store.SaveClaim(tx, req.Key, r.order.ID, r.order, now)
}
