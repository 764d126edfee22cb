package checkout

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
)

// Resolve implements orders.Service: the exits of needs_review. Which of them are open depends on where the order came from:
//
//	retry      from everywhere: the state that led to review is tried again, a declined refund or capture as a new operation
//	mark_paid  from a charge of which nobody knows, and from a refund that can't be made: the money is ours, the order goes on
//	seal       from a charge of which nobody knows, and before it: it is given up for good, and given back if it had succeeded
//	refund     wherever money may have moved: what was captured is given back, the order ends cancelled
func (c *Checkout) Resolve(ctx context.Context, req orders.ResolveRequest) (orders.Placement, error) {
	if req.Action == orders.ResolveMarkPaid && req.Reference == "" {
		return orders.Placement{}, fault.ErrInvalid.At("/reference", fault.ErrInvalid.Code, "say where the payment can be seen")
	}
	return c.command(ctx, req.Key, req.ID, func(_ *gorm.DB, r *record) (bool, error) {
		if r.order.State != needsReview {
			return false, orders.ErrNotInReview.About(r.order.ID)
		}
		if err := c.leaveReview(r, req); err != nil {
			return false, err
		}
		if req.Reason != "" {
			r.reason = req.Reason
		}
		return true, nil
	})
}

func (c *Checkout) leaveReview(r *record, req orders.ResolveRequest) error {
	from := r.reviewFrom
	early := from == allocating || from == pricingState
	unsure := slices.Contains([]string{charging, chargeUnknown, awaitingAction, sealing, markingPaid}, from)
	keeps := slices.Contains([]string{refunding, refundingPart, capturing}, from)
	switch {
	case req.Action == orders.ResolveRetry:
		if keeps && refused(r.order.Failure) { // the old key would only bring the old answer
			r.operationID = c.NewID(kindOf(from))
		}
		r.to(from, c.Now())
	case req.Action == orders.ResolveMarkPaid && (unsure || from == refunding):
		r.reference, r.cancelRequested = req.Reference, false
		r.to(markingPaid, c.Now())
	case req.Action == orders.ResolveMarkPaid && from == refundingPart: // the customer has it from elsewhere
		r.to(r.afterRefund(), c.Now())
	case req.Action == orders.ResolveSeal && (early || unsure):
		r.cancelRequested = true
		r.to(sealing, c.Now())
	case req.Action == orders.ResolveRefund && (unsure || keeps || from == finalisingStock):
		r.cancelRequested = true
		r.startRefund(c.NewID("ref"), cancelled)
		r.to(refunding, c.Now())
	default:
		return orders.ErrNoExit.Saying("%s does not lead out of review for an order that came from %s", req.Action, from).About(r.order.ID)
	}
	return nil
}

// refused reports whether review was entered for a definite answer of the payment provider, as against a failure of ours.
func refused(f *orders.Failure) bool {
	return f != nil && (f.Code == payments.ErrRefundDeclined.Code || f.Code == payments.ErrCaptureDeclined.Code)
}

// kindOf is the kind of the operation that a state repeats.
func kindOf(state string) string {
	if state == capturing {
		return "cap"
	}
	return "ref"
}
