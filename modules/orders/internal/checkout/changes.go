package checkout

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// changesPage is how many changes of payments are taken up in one commit.
const changesPage = 100

// followPayments reads what payments learned by itself: the result of a charge that came late, or by a webhook. Waiting orders
// become due; money on a dead order starts its way back. The place in the feed moves in the commit of what was made of it, from where it
// was when the page was read: so each change is taken up once, by whichever instance is first. It reports whether there is more.
func (c *Checkout) followPayments(ctx context.Context) (more bool, err error) {
	after, err := cursor(c.Store.Read(ctx), payments.Module)
	if err != nil {
		return false, err
	}
	page, err := c.Payments.Changes(ctx, payments.ChangesRequest{After: after, Limit: changesPage})
	if err != nil || len(page.Changes) == 0 {
		return false, err
	}
	err = c.Store.Write(ctx, func(tx *gorm.DB) error {
		moved, err := moveCursor(tx, payments.Module, after, page.Changes[len(page.Changes)-1].Sequence)
		if err != nil || !moved {
			return err
		}
		for _, change := range page.Changes {
			if err := c.takeUp(tx, change); err != nil {
				return err
			}
		}
		return nil
	})
	return page.More && err == nil, err
}

// takeUp does what a change of its payment means for an order. It needs no lease: an order that is under way is only made due.
func (c *Checkout) takeUp(tx *gorm.DB, change payments.Change) error {
	r, err := c.load(tx, change.OrderID)
	if errors.Is(err, orders.ErrOrderNotFound) {
		return nil // an audit finds a payment without an order
	} else if err != nil {
		return err
	}
	if change.Reason != "" {
		return c.passOn(tx, r, change.Reason)
	}
	took := change.Status == payments.StatusSucceeded || change.Status == payments.StatusAuthorised
	switch state := r.order.State; {
	case !resting(state):
		now := store.Micros(c.Now())
		return tx.Exec("UPDATE sagas SET next_attempt_at = CASE WHEN next_attempt_at < ? THEN next_attempt_at ELSE ? END WHERE order_id = ?", now, now, r.order.ID).Error
	case dead(state) && took: // a fact, though late: the order stays dead, the money goes back
		r.startRefund(c.NewID("ref"), state)
		r.to(refunding, c.Now())
	case state == needsReview && r.order.Failure != nil && r.order.Failure.Code == payments.ErrKeyExpired.Code: // the answer came after all
		r.order.Failure = nil
		r.to(r.reviewFrom, c.Now())
	default:
		return nil
	}
	r.nextAttempt = c.Now()
	return c.update(tx, r)
}

// passOn tells of what a payment's reason asks to look at. It changes nothing about what the order does. A runner that has the order just
// now is overtaken by it, and the sweeper goes on for it.
func (c *Checkout) passOn(tx *gorm.DB, r *record, reason string) error {
	p := &r.order.Payment
	switch reason {
	case reasonDispute + payments.DisputeOpen:
		p.Disputed = payments.DisputeOpen
		r.tell("", orders.EventDisputed)
	case reasonDispute + payments.DisputeWon:
		p.Disputed = payments.DisputeWon
		r.tell("", orders.EventDisputeWon)
	case reasonDispute + payments.DisputeLost:
		p.Disputed = payments.DisputeLost
		r.tell("", orders.EventDisputeLost)
	case payments.ReasonAuthorisationExpiring:
		r.tellWhileAuthorised(orders.EventAuthorisationExpiring)
	case payments.ReasonAuthorisationExpired:
		r.tellWhileAuthorised(orders.EventAuthorisationExpired)
	}
	if len(r.happened) == 0 { // or a reason of a later version of payments
		return nil
	}
	return c.update(tx, r)
}

// tellWhileAuthorised notes an event that is of interest only until the money is captured or given free.
func (r *record) tellWhileAuthorised(event string) {
	if r.order.Payment.Status == payments.StatusAuthorised {
		r.tell("", event)
	}
}

// reasonDispute is how the reasons begin that tell of a dispute, before its status.
const reasonDispute = "dispute_"
