package checkout

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

// Cancel implements orders.Service. An order that rests becomes a saga again, as with any command. One that is under way is marked,
// without its lease: its runner turns it at its next decision, and this request is its runner if there is none.
func (c *Checkout) Cancel(ctx context.Context, req orders.CancelRequest) (orders.Placement, error) {
	return c.command(ctx, req.Key, req.ID, func(tx *gorm.DB, r *record) (bool, error) {
		if r.order.FulfilmentStatus != orders.Unfulfilled {
			return false, orders.ErrShipped.About(r.order.ID)
		}
		switch r.order.State {
		case rejected, declined, needsReview:
			return false, orders.ErrNotCancelable.About(r.order.ID)
		case completed, awaitingCapture:
			r.cancelRequested, r.reason = true, req.Reason
			r.startRefund(c.NewID("ref"), cancelled)
			r.to(refunding, c.Now())
			return true, nil
		case cancelled, refunding, releasing: // it is done, or comes to its end anyway
			return false, nil
		}
		now := store.Micros(c.Now())
		err := tx.Exec(`UPDATE sagas SET cancel_requested = 1, reason = ?,
			next_attempt_at = CASE WHEN next_attempt_at < ? THEN next_attempt_at ELSE ? END WHERE order_id = ?`,
			req.Reason, now, now, r.order.ID).Error
		return false, err
	})
}
