package till

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// Run works off the inbox, and reconciles from time to time, until ctx is done.
func (t *Till) Run(ctx context.Context) {
	var workers sync.WaitGroup
	workers.Go(func() {
		Loop(ctx, t.arrived, t.policy.Idle, t.WorkInbox, func(err error) { t.log.WarnContext(ctx, "a webhook was not understood", "error", err) })
	})
	workers.Go(func() {
		Loop(ctx, nil, t.policy.WatchEvery, t.WatchExpiry, func(err error) { t.log.WarnContext(ctx, "the watch over authorisations", "error", err) })
	})
	if t.policy.ReconcileEvery > 0 {
		workers.Go(func() {
			Loop(ctx, nil, t.policy.ReconcileEvery, t.reconcileLately, func(err error) { t.log.WarnContext(ctx, "reconciliation", "error", err) })
		})
	}
	workers.Wait()
}

// Loop calls step when it is woken or after a pause, and again for as long as it has worked, until ctx is done. failed hears of
// errors, after which it pauses too.
func Loop(ctx context.Context, wake <-chan struct{}, pause time.Duration, step func(context.Context) (worked bool, err error), failed func(error)) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		timer.Reset(pause)
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		for worked := true; worked && ctx.Err() == nil; {
			var err error
			if worked, err = step(ctx); err != nil {
				if ctx.Err() == nil {
					failed(err)
				}
				break
			}
		}
	}
}

// reconcileLately compares the books of the last while, if it is this instance's turn. It never has more to do at once.
func (t *Till) reconcileLately(ctx context.Context) (worked bool, err error) {
	if ours, err := t.takeTurn(ctx, "reconcile", t.policy.ReconcileEvery); err != nil || !ours {
		return false, err
	}
	found, err := t.Reconcile(ctx, payments.ReconcileRequest{Since: t.now().Add(-t.policy.ReconcileWindow)})
	if err != nil {
		return false, err
	}
	for _, m := range found.Mismatches {
		t.log.WarnContext(ctx, "the provider's books differ from ours", "order", m.OrderID, "reference", m.Reference, "key", m.Key, "problem", m.Problem)
	}
	return false, t.forget(ctx)
}

// takeTurn reports whether this instance is to do what one of all does so often: the first who asks after the last turn is over. One that
// dies in its turn leaves the next to the others.
func (t *Till) takeTurn(ctx context.Context, what string, every time.Duration) (ours bool, err error) {
	now := t.now()
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		changed, err := store.Exec(tx, `INSERT INTO turns (what, next_at) VALUES (?, ?)
			ON CONFLICT (what) DO UPDATE SET next_at = excluded.next_at WHERE turns.next_at <= ?`, what, store.Micros(now.Add(every)), store.Micros(now))
		ours = changed == 1
		return err
	})
	return ours, err
}
