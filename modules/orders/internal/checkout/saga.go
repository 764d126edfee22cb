package checkout

import (
	"context"
	"errors"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
)

// The states of a checkout, and where each leads. D is a definite refusal by the module that was asked. What is not definite
// (no answer, no capacity, a failure of code) is asked again, for ever, with growing pauses.
//
//	(received) ──> allocating ──> pricing ──> charging ──> finalising_stock ──> finalising_order ──> completed
//	                   │ D           │ D         │ D            │ D                                    │ cancel
//	                   v             v           v              v                                      v
//	               rejected       releasing <────┘         needs_review <── D ───────────────────── refunding
//	                                 │                                                                 │
//	                                 v                                                                 v
//	                   rejected, declined or cancelled  <──────────────────────────────────────── releasing
//
// A total of nothing skips charging. A cancellation that arrives under way turns the saga at its next stored decision: before
// the charge into releasing, after it, once the order is complete, into refunding.
const (
	received        = "received" // only in timelines: a saga is stored when the order is received
	allocating      = "allocating"
	pricingState    = "pricing"
	charging        = "charging"
	finalisingStock = "finalising_stock"
	finalisingOrder = "finalising_order"
	releasing       = "releasing"
	refunding       = "refunding"
	needsReview     = "needs_review"

	completed = "completed"
	rejected  = "rejected"
	declined  = "declined"
	cancelled = "cancelled"
)

// statusOf tells clients about a state.
func statusOf(state string) string {
	switch state {
	case completed, rejected, declined, cancelled:
		return state
	case needsReview:
		return orders.StatusReview
	default:
		return orders.StatusProcessing
	}
}

// final reports whether nothing is left to do by itself.
func final(state string) bool { return statusOf(state) != orders.StatusProcessing }

// stored reports whether a state is committed when it is entered. The others can be reached again by asking again.
func stored(state string) bool {
	return final(state) || state == charging || state == releasing || state == refunding
}

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
	case charging:
		return step{payments.Module, (*Checkout).charge}
	case finalisingStock:
		return step{inventory.Module, (*Checkout).finaliseStock}
	case finalisingOrder:
		return step{orders.Module, (*Checkout).finaliseOrder}
	case refunding:
		return step{payments.Module, (*Checkout).refund}
	default:
		return step{inventory.Module, (*Checkout).release}
	}
}

func (c *Checkout) allocate(ctx context.Context, r *record) (move, error) {
	request := inventory.ReserveRequest{OrderID: r.order.ID, Lines: make([]inventory.Line, len(r.order.Lines))}
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
	calculation, err := c.Pricing.Calculate(ctx, r.calculateRequest())
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
		OrderID: r.order.ID, Amount: r.order.Totals.Total, Token: r.token,
	})
	if err != nil {
		if f := fault.From(err); definite(f) || errors.Is(err, payments.ErrWrongAmount) {
			return fail(needsReview, f), nil // money may have moved in a way that was not asked for
		}
		return move{}, err
	}
	r.setPayment(payment)
	switch payment.Status {
	case payments.StatusSucceeded:
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
	default:
		return move{}, payments.ErrUnknownOutcome
	}
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

// finaliseOrder has nobody to ask: entering the state that follows is the commit.
func (c *Checkout) finaliseOrder(context.Context, *record) (move, error) {
	return move{to: completed}, nil
}

func (c *Checkout) refund(ctx context.Context, r *record) (move, error) {
	payment, err := c.Payments.Refund(ctx, payments.RefundRequest{OrderID: r.order.ID, Reason: r.cancelReason})
	switch f := fault.From(err); {
	case err == nil && payment.Status == payments.StatusSucceeded: // the provider keeps the money
		return fail(needsReview, payments.ErrRefundDeclined), nil
	case err == nil:
		r.setPayment(payment)
	case errors.Is(err, payments.ErrNotCharged): // an order of nothing
	case definite(f) || errors.Is(err, payments.ErrWrongAmount):
		return fail(needsReview, f), nil
	default:
		return move{}, err
	}
	r.ending = cancelled
	return move{to: releasing, reference: payment.ID}, nil
}

func (c *Checkout) release(ctx context.Context, r *record) (move, error) {
	reservation, err := c.Inventory.Release(ctx, inventory.ReleaseRequest{OrderID: r.order.ID})
	if err != nil {
		return move{}, err // whatever it is: stock that is held for nobody must not stay so
	}
	return move{to: r.ending, reference: reservation.ID}, nil
}

// definite reports whether a fault is the answer of a module that did its work, as against a failure on the way to it.
func definite(f *fault.Error) bool {
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Timeout, fault.Limited:
		return false
	}
	return true
}

func fail(to string, f *fault.Error) move {
	return move{to: to, failure: f, order: &orders.Failure{Code: f.Code, Message: f.Message}}
}

// run advances a saga whose lease is held until it is final, or, if a step gets no definite answer, until the time is up: then
// the saga is parked for the sweeper. It returns errOvertaken, or the error of the store.
func (c *Checkout) run(ctx context.Context, r *record, until time.Time) error {
	for !final(r.order.State) {
		if r.cancelRequested && (r.order.State == allocating || r.order.State == pricingState) {
			r.ending, r.order.State = cancelled, releasing
		}
		s, started := stepOf(r.order.State), c.Now()
		m, err := s.work(c, ctx, r)
		if err != nil {
			r.attempts++
			wait := c.backoff(r.attempts)
			if c.Now().Add(wait).After(until) || !pause(ctx, wait) {
				return c.park(ctx, r, wait, err)
			}
			continue
		}
		r.note(s.module, started, c.Now(), m)
		if m.order != nil {
			r.order.Failure = m.order
		}
		r.order.State, r.attempts = m.to, 0
		if stored(m.to) {
			if err := c.save(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// backoff doubles with each attempt, up to its limit, and is spread over its upper half so that sagas which failed together
// don't come back together.
func (c *Checkout) backoff(attempts int64) time.Duration {
	d := c.policy.BackoffMin << min(attempts-1, 20)
	d = min(d, c.policy.BackoffMax)
	return d/2 + time.Duration(c.Random()*float64(d/2))
}

// pause waits, or reports that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
