package checkout

import (
	"context"
	"errors"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
)

// step is the work of a state: it asks one module, and returns where that leads. An error means that nothing definite is known
// and the step is to be repeated.
type step struct {
	module string
	work   func(*Checkout, context.Context, *record) (move, error)
}

// move is the end of a step.
type move struct {
	to        string
	reference string          // of what the step made
	failure   *fault.Error    // why it did not, for the timeline
	order     *orders.Failure // why the order fails, if it does
}

func stepOf(state string) step {
	switch state {
	case allocating:
		return step{inventory.Module, (*Checkout).allocate}
	case pricingState:
		return step{pricing.Module, (*Checkout).price}
	case charging, chargeUnknown, awaitingAction: // a repeat finds out what became of the first
		return step{payments.Module, (*Checkout).charge}
	case sealing:
		return step{payments.Module, (*Checkout).seal}
	case finalisingStock:
		return step{inventory.Module, (*Checkout).finaliseStock}
	case finalisingOrder:
		return step{orders.Module, (*Checkout).finaliseOrder}
	case capturing:
		return step{payments.Module, (*Checkout).capture}
	case refunding:
		return step{payments.Module, (*Checkout).refund}
	case refundingPart:
		return step{payments.Module, (*Checkout).refundPart}
	case restocking:
		return step{inventory.Module, (*Checkout).restock}
	case markingPaid:
		return step{payments.Module, (*Checkout).markPaid}
	default:
		return step{inventory.Module, (*Checkout).release}
	}
}

func (c *Checkout) allocate(ctx context.Context, r *record) (move, error) {
	request := inventory.ReserveRequest{OrderID: r.order.ID, HoldID: r.hold, Lines: make([]inventory.Line, len(r.order.Lines))}
	for i, l := range r.order.Lines {
		request.Lines[i] = inventory.Line{SKU: l.SKU, Quantity: l.Quantity}
	}
	reservation, err := c.Inventory.Reserve(ctx, request)
	switch f := fault.From(err); {
	case err == nil:
		return move{to: pricingState, reference: reservation.ID}, nil
	case definite(f):
		return fail(rejected, f), nil // nothing is held: all lines or none
	default:
		return move{}, err
	}
}

func (c *Checkout) price(ctx context.Context, r *record) (move, error) {
	calculation, err := c.Pricing.Price(ctx, pricing.PriceRequest{
		OrderID: r.order.ID, Customer: r.order.Customer.Email, CalculateRequest: r.calculateRequest(),
	})
	switch f := fault.From(err); {
	case err == nil:
	case definite(f):
		r.ending = rejected
		return fail(releasing, f), nil
	default:
		return move{}, err
	}
	r.setPrice(calculation)
	if f := r.unexpectedTotal(); f != nil {
		r.ending = rejected
		return fail(releasing, f), nil
	}
	if r.order.Totals.Total.Amount == 0 {
		return move{to: finalisingStock}, nil
	}
	return move{to: charging}, nil
}

func (c *Checkout) charge(ctx context.Context, r *record) (move, error) {
	payment, err := c.Payments.Charge(ctx, payments.ChargeRequest{
		OrderID: r.order.ID, Amount: r.order.Totals.Total, Token: r.token, Capture: r.capture,
	})
	if err != nil {
		return undecided(err)
	}
	r.setPayment(payment)
	switch payment.Status {
	case payments.StatusRequiresAction, payments.StatusPending:
		if r.order.State == awaitingAction {
			return move{}, payments.ErrUnknownOutcome.Saying("the customer has not acted yet, or the provider not answered")
		}
		return move{to: awaitingAction, reference: payment.ID}, nil
	default:
		return c.charged(r, payment)
	}
}

// charged is where a payment leads that is at an end.
func (c *Checkout) charged(r *record, payment payments.Payment) (move, error) {
	switch payment.Status {
	case payments.StatusSucceeded, payments.StatusAuthorised:
		return move{to: finalisingStock, reference: payment.ID}, nil
	case payments.StatusDeclined:
		f := payments.ErrDeclined
		if payment.Failure != nil {
			f = f.Saying("%s", payment.Failure.Message)
		}
		r.ending = declined
		m := fail(releasing, f)
		m.reference = payment.ID
		return m, nil
	default: // sealed, or given back already
		r.ending = cancelled
		return move{to: releasing, reference: payment.ID}, nil
	}
}

// undecided is where an error leads once money may have moved: to an operator, if no repeat can change it.
func undecided(err error) (move, error) {
	if f := fault.From(err); definite(f) {
		return fail(needsReview, f), nil
	}
	return move{}, err
}

// seal gives a charge up, for good. One that had succeeded goes on, unless the order is to be cancelled.
func (c *Checkout) seal(ctx context.Context, r *record) (move, error) {
	payment, err := c.Payments.Seal(ctx, payments.SealRequest{OrderID: r.order.ID, Amount: r.order.Totals.Total})
	if err != nil {
		return undecided(err)
	}
	r.setPayment(payment)
	paid := payment.Status == payments.StatusSucceeded || payment.Status == payments.StatusAuthorised
	switch {
	case paid && r.cancelRequested:
		r.startRefund(c.NewID("ref"), cancelled)
		return move{to: refunding, reference: payment.ID}, nil
	case paid:
		r.order.Failure = nil // it was in time after all
	}
	return c.charged(r, payment)
}

func (c *Checkout) finaliseStock(ctx context.Context, r *record) (move, error) {
	reservation, err := c.Inventory.Finalise(ctx, inventory.FinaliseRequest{OrderID: r.order.ID})
	switch f := fault.From(err); {
	case err == nil:
		return move{to: finalisingOrder, reference: reservation.ID}, nil
	case definite(f):
		return fail(needsReview, f), nil // paid, but the stock is not there: no automatic refund past the charge
	default:
		return move{}, err
	}
}

// finaliseOrder has somebody to ask only for a coupon: entering the state that follows is the commit.
func (c *Checkout) finaliseOrder(ctx context.Context, r *record) (move, error) {
	if r.order.Coupon != "" {
		if _, err := c.Pricing.FinaliseCoupon(ctx, pricing.FinaliseCouponRequest{OrderID: r.order.ID}); err != nil {
			return undecided(err)
		}
	}
	r.order.Failure = nil
	if r.order.Payment.Status == payments.StatusAuthorised {
		return move{to: awaitingCapture}, nil
	}
	return move{to: completed}, nil
}

// refund gives back all that is left, and leads the order to its end.
func (c *Checkout) refund(ctx context.Context, r *record) (move, error) {
	if err := c.freeRest(ctx, r); err != nil {
		return undecided(err)
	}
	payment, err := c.Payments.Refund(ctx, payments.RefundRequest{OrderID: r.order.ID, RefundID: r.operationID, Reason: r.reason})
	switch {
	case errors.Is(err, payments.ErrNotCharged): // an order of nothing
		return move{to: releasing}, nil
	case err != nil:
		return undecided(err)
	}
	r.setPayment(payment)
	if payment.Status == payments.StatusSucceeded || payment.Status == payments.StatusAuthorised { // the provider keeps the money
		return fail(needsReview, because(payments.ErrRefundDeclined, payment.Failure)), nil
	}
	return move{to: releasing, reference: r.operationID}, nil
}

// freeRest gives back what captures of parts left of an authorisation, before the parts, so that nobody captures it any more. What a
// provider does not give back ends by itself.
func (c *Checkout) freeRest(ctx context.Context, r *record) error {
	captured := r.order.Payment.Captured.Amount
	if captured == 0 || captured >= r.order.Totals.Total.Amount { // Refund voids all of it, or nothing is left
		return nil
	}
	_, err := c.Payments.Void(ctx, payments.VoidRequest{OrderID: r.order.ID, VoidID: r.operationID + "-rest", Reason: r.reason})
	return err
}

// refundPart gives back an amount; the order stays complete.
func (c *Checkout) refundPart(ctx context.Context, r *record) (move, error) {
	before := r.order.Payment.Refunded.Amount
	payment, err := c.Payments.Refund(ctx, payments.RefundRequest{
		OrderID: r.order.ID, RefundID: r.operationID, Amount: r.operationAmount, Reason: r.reason,
	})
	if err != nil {
		return undecided(err)
	}
	r.setPayment(payment)
	if payment.Refunded.Amount < before+r.operationAmount {
		return fail(needsReview, because(payments.ErrRefundDeclined, payment.Failure)), nil
	}
	return move{to: r.afterRefund(), reference: r.operationID}, nil
}

func (c *Checkout) markPaid(ctx context.Context, r *record) (move, error) {
	payment, err := c.Payments.MarkPaid(ctx, payments.MarkPaidRequest{OrderID: r.order.ID, Reference: r.reference})
	if err != nil {
		return undecided(err)
	}
	r.setPayment(payment)
	return move{to: finalisingStock, reference: r.reference}, nil
}

// release gives back what an order holds or took, whatever the answer: what is held for nobody must not stay so.
func (c *Checkout) release(ctx context.Context, r *record) (move, error) {
	reservation, err := c.Inventory.Release(ctx, inventory.ReleaseRequest{OrderID: r.order.ID})
	if err == nil && r.order.Coupon != "" {
		_, err = c.Pricing.ReleaseCoupon(ctx, pricing.ReleaseCouponRequest{OrderID: r.order.ID})
	}
	if err != nil {
		return move{}, err
	}
	return move{to: r.ending, reference: reservation.ID}, nil
}

// because is a fault with the provider's own words, if it had any.
func because(f *fault.Error, why *payments.Failure) *fault.Error {
	if why == nil {
		return f
	}
	return f.Saying("%s (%s)", why.Message, why.Code)
}
