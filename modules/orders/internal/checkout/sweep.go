package checkout

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/channel"
	"cutpoint/platform/store"
)

// Sweep advances, until ctx is done, the orders that are due and have no runner: those whose runner died, that were parked, or
// that were accepted without waiting. It returns when the last of its own runners has stopped.
func (c *Checkout) Sweep(ctx context.Context) {
	ticker := time.NewTicker(c.policy.SweepEvery)
	defer ticker.Stop()
	for {
		if more := c.sweep(ctx); more {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-c.wake:
		}
	}
}

// Inherit ends the leases of earlier processes, whose runners are dead: nobody else has this store. Without it their orders would wait
// until the leases are over.
func (c *Checkout) Inherit(ctx context.Context) error {
	var left int64
	err := c.Store.Read(ctx).Raw("SELECT count(*) FROM sagas WHERE next_attempt_at > 0 AND lease_until > 0").Row().Scan(&left)
	if err != nil || left == 0 {
		return err
	}
	return c.Store.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE sagas SET lease_until = 0, version = version + 1 WHERE next_attempt_at > 0 AND lease_until > 0").Error
	})
}

// nudge lets the sweeper look at once.
func (c *Checkout) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// sweep runs one batch side by side, and reports whether it was a full one that got somewhere.
func (c *Checkout) sweep(ctx context.Context) (more bool) {
	behind, err := c.followPayments(ctx)
	if err != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "read the changes of payments", "error", err) // orders also ask by themselves
	}
	cleaning := c.clean(ctx)
	taken, err := c.takeDue(ctx)
	if err != nil {
		c.Log.ErrorContext(ctx, "take up due orders", "error", err)
		return false
	}
	var runners sync.WaitGroup
	var further atomic.Bool
	for _, r := range taken {
		runners.Go(func() {
			if c.resume(ctx, r) {
				further.Store(true)
			}
		})
	}
	runners.Wait()
	return (behind || cleaning || further.Load() && len(taken) == c.policy.SweepBatch) && ctx.Err() == nil
}

// clean does a batch of each sort of what is kept no longer, and reports whether there is more.
func (c *Checkout) clean(ctx context.Context) (more bool) {
	for _, job := range []struct {
		what string
		do   func(context.Context) (bool, error)
	}{
		{"erase personal data", c.eraseDue}, {"delete old events", c.pruneEvents}, {"delete old idempotency keys", c.forgetKeys},
	} {
		again, err := job.do(ctx)
		if err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, job.what, "error", err)
		}
		more = more || again && err == nil
	}
	return more
}

// takeDue takes the leases of a batch of orders that are due and have no runner. It finds and takes them in one transaction: of several
// instances that sweep at once, each has orders of its own. It looks before it writes.
func (c *Checkout) takeDue(ctx context.Context) (taken []*record, err error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	if due, err := c.dueOrders(c.Store.Read(ctx)); err != nil || len(due) == 0 {
		return nil, err
	}
	err = c.Store.Write(ctx, func(tx *gorm.DB) error {
		due, err := c.dueOrders(tx)
		if err != nil {
			return err
		}
		for _, orderID := range due {
			r, err := c.load(tx, orderID)
			if err == nil {
				err = c.lease(tx, r)
			}
			if err != nil { // the others need not wait for it
				c.Log.ErrorContext(ctx, "take up an order", "order", orderID, "error", err)
				continue
			}
			taken = append(taken, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

func (c *Checkout) dueOrders(db *gorm.DB) (due []string, err error) {
	now := store.Micros(c.Now())
	err = db.Raw(
		"SELECT order_id FROM sagas WHERE next_attempt_at > 0 AND next_attempt_at <= ? AND lease_until <= ? ORDER BY next_attempt_at LIMIT ?",
		now, now, c.policy.SweepBatch).Scan(&due).Error
	return due, err
}

// resume runs an order whose lease was taken, and reports whether it came further with it: where the store takes no writes, to look again
// at once would find the same order.
func (c *Checkout) resume(ctx context.Context, r *record) bool {
	running := channel.WithHeader(ctx, channel.Header{CorrelationID: r.order.CorrelationID})
	err := c.run(running, r, c.Now()) // a step that must be repeated is parked at once, others are waiting
	if err != nil && !errors.Is(err, errOvertaken) && ctx.Err() == nil {
		c.Log.ErrorContext(running, "resume an order", "order", r.order.ID, "error", err)
	}
	return err == nil
}
