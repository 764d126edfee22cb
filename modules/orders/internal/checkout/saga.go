package checkout

import (
	"context"
	"errors"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
)

// The states of a checkout, and where each leads. D is a definite refusal by the module that was asked. What is not definite
// (no answer, no capacity) is asked again, for ever, with growing pauses.
//
//	(received) ──> allocating ──> pricing ──────> charging ──────────────────> finalising_stock ──> finalising_order
//	                   │ D           │ D           │ │ │ no answer                ^  ^   │ D           │         │ manual
//	                   v             v           D │ │ └──> charge_unknown ───────┤  │   │             v         v
//	               rejected       releasing <──────┤ └────> awaiting_action ──────┤  │   │         completed <─ awaiting_capture
//	                              │     ^  ^       │             │ limit, cancel   │  │   │           ^   │        ^ │ capture
//	                              v     │  │       │             v                 │  │   │ refund    │   │ cancel │ v
//	       rejected, declined, cancelled│  └───────┴────────── sealing ────────────┘  │   │  refunding_part        capturing
//	                                    │                        │ it had succeeded   │   │  restocking   v
//	                                    └──── refunding <────────┴── cancel ──────────┼───┼───────────────┘
//	                                              │ D                                 │   v
//	                                              └────> needs_review <───────────────┼── any state, for an operator
//	                                                          └──── marking_paid ─────┘
//
// The charge is the pivot. Before it every step can be undone, and a cancellation turns the saga into releasing; after it every step
// is repeated until it is done, and a cancellation waits until the order is complete. While nobody but the provider knows whether
// money moved, stock stays held: the charge is looked up, never made anew, and given up only when it is sealed. A total of nothing skips
// charging. A refund or a return leads through refunding_part, restocking, or the one and then the other, back to completed; a capture of
// a part leads back to awaiting_capture. A charge that succeeds after all on an order that is dead is a fact: it is refunded, and the
// order stays dead.
const (
	received        = "received" // only in timelines: a saga is stored when the order is received
	allocating      = "allocating"
	pricingState    = "pricing"
	charging        = "charging"
	chargeUnknown   = "charge_unknown"
	awaitingAction  = "awaiting_action"
	sealing         = "sealing"
	finalisingStock = "finalising_stock"
	finalisingOrder = "finalising_order"
	awaitingCapture = "awaiting_capture"
	capturing       = "capturing"
	releasing       = "releasing"
	refunding       = "refunding"      // all of it, and the order ends
	refundingPart   = "refunding_part" // an amount, and the order stays complete
	restocking      = "restocking"     // what a refund or a return leaves to do; see restock.go
	markingPaid     = "marking_paid"
	needsReview     = "needs_review"

	completed = "completed"
	rejected  = "rejected"
	declined  = "declined"
	cancelled = "cancelled"
)

// statusOf tells clients about an order's state.
func statusOf(o *orders.Order) string {
	switch o.State {
	case completed, rejected, declined, cancelled:
		return o.State
	case awaitingCapture:
		return orders.StatusCompleted
	case needsReview:
		return orders.StatusReview
	case awaitingAction:
		if o.Payment.Action != nil {
			return orders.StatusRequiresAction
		}
	}
	return orders.StatusProcessing
}

// resting reports whether nothing is left to do by itself: the order is at an end, or waits for a command.
func resting(state string) bool {
	switch state {
	case completed, rejected, declined, cancelled, awaitingCapture, needsReview:
		return true
	}
	return false
}

// dead reports whether an order ended without success.
func dead(state string) bool {
	return state == rejected || state == declined || state == cancelled
}

// stored reports whether a state is committed when it is entered. The others can be reached again by asking again.
func stored(state string) bool {
	switch state {
	case charging, awaitingAction, sealing, releasing, refunding:
		return true
	}
	return resting(state)
}

// looksUp reports whether only the payment provider knows how the state ends. Asking it costs it something: less often.
func looksUp(state string) bool {
	switch state {
	case chargeUnknown, awaitingAction, sealing:
		return true
	}
	return false
}

// mayFail reports whether failures of code lead a state to an operator. From these, nothing else would lead out: they are tried
// for ever.
func mayFail(state string) bool {
	return state != releasing && state != finalisingStock && state != finalisingOrder && state != restocking
}

// turnsBack reports whether a wish to cancel leads a state another way at once. From the others the way is the same: they are tried
// again after the usual pause.
func turnsBack(state string) bool {
	switch state {
	case allocating, pricingState, charging, chargeUnknown, awaitingAction:
		return true
	}
	return false
}

// run advances a saga whose lease is held until it rests, or, if a step gets no definite answer, until the time is up: then
// the saga is parked for the sweeper. It returns errOvertaken, or the error of the store.
func (c *Checkout) run(ctx context.Context, r *record, until time.Time) error {
	for !resting(r.order.State) {
		if turned, err := c.turn(ctx, r); err != nil {
			return err
		} else if turned {
			continue
		}
		s, started := stepOf(r.order.State), c.Now()
		m, err := s.work(c, ctx, r)
		if err != nil {
			wait := c.failed(r, s, started, err)
			if resting(r.order.State) {
				return c.save(ctx, r)
			}
			if r.order.State == awaitingAction || c.Now().Add(wait).After(until) || !pause(ctx, wait) {
				return c.park(ctx, r, wait, err)
			}
			continue
		}
		r.note(s.module, started, c.Now(), m)
		if err := c.enter(ctx, r, m); err != nil || r.order.State == awaitingAction {
			return err
		}
	}
	return nil
}

// enter takes a saga to where a step led it.
func (c *Checkout) enter(ctx context.Context, r *record, m move) error {
	if m.order != nil {
		r.order.Failure = m.order
	}
	r.to(m.to, c.Now())
	if !stored(m.to) {
		return nil
	}
	return c.save(ctx, r)
}

// turn takes another way than the next step where a cancellation or the policy asks for it, and reports whether it did.
func (c *Checkout) turn(ctx context.Context, r *record) (bool, error) {
	to := ""
	switch state := r.order.State; {
	case r.cancelRequested && (state == allocating || state == pricingState):
		r.ending, to = cancelled, releasing
	case r.cancelRequested && turnsBack(state):
		to = sealing
	case state == awaitingAction && c.passed(r, c.policy.ActionLimit), state == chargeUnknown && c.passed(r, c.policy.UnknownLimit):
		r.order.Failure = &orders.Failure{Code: errGaveUp.Code, Message: errGaveUp.Message}
		to = sealing
	default:
		return false, nil
	}
	r.to(to, c.Now())
	return true, c.save(ctx, r)
}

// errGaveUp is why an order ends whose payment took too long.
var errGaveUp = fault.New(fault.Declined, "orders.payment_timeout", "the payment was not completed in time")

func (c *Checkout) passed(r *record, limit time.Duration) bool {
	return !r.since.IsZero() && c.Now().Sub(r.since) >= limit
}

// failed takes note of an attempt that got no definite answer, and returns how long to wait before the next. A charge of which
// nobody knows where it went is a state of its own; a failure of code that stays leads to an operator.
func (c *Checkout) failed(r *record, s step, started time.Time, err error) (wait time.Duration) {
	f, failures, next := fault.From(err), int64(0), ""
	if f.Kind == fault.Internal {
		failures = r.failures + 1
	}
	switch {
	case failures >= c.policy.MaxFailures && mayFail(r.order.State):
		next = needsReview
		r.order.Failure = &orders.Failure{Code: f.Code, Message: f.Message}
	case r.order.State == charging && f.Outcome != fault.NotExecuted && !errors.Is(f, payments.ErrNotSent):
		next = chargeUnknown
	default:
		r.attempts, r.failures = r.attempts+1, failures
		return c.backoff(r.order.State, r.attempts)
	}
	r.note(s.module, started, c.Now(), move{failure: f})
	r.to(next, c.Now())
	return c.backoff(next, 1)
}

// backoff doubles with each attempt, up to its limit, and is spread over its upper half so that sagas which failed together
// don't come back together.
func (c *Checkout) backoff(state string, attempts int64) time.Duration {
	d, limit := c.policy.BackoffMin, c.policy.BackoffMax
	if looksUp(state) {
		d, limit = c.policy.LookupMin, c.policy.LookupMax
	}
	d = min(d<<min(max(attempts-1, 0), 20), limit)
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

// definite reports whether a fault is the answer of a module that did its work, as against a failure on the way to it. What can't be
// settled without an operator is definite too.
func definite(f *fault.Error) bool {
	if errors.Is(f, payments.ErrWrongAmount) {
		return true
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Timeout, fault.Limited:
		return false
	}
	return true
}

func fail(to string, f *fault.Error) move {
	return move{to: to, failure: f, order: &orders.Failure{Code: f.Code, Message: f.Message}}
}
