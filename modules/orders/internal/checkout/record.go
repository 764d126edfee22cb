package checkout

import (
	"slices"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
)

// record is an order and its saga in memory: what one runner works on, and what save makes durable.
type record struct {
	order    orders.Order // State and Version are the saga's
	placedBy string
	repriced bool          // lines and totals are not those that are stored
	trace    pricing.Trace // of them, if they are not

	hold     string // of a cart, whose stock the order takes over
	token    string
	capture  string
	expected *money.Money
	key      idempotency.Key // waits for the end; Digest is not kept here

	since           time.Time // when the state was entered
	attempts        int64     // at this state, without a definite answer
	failures        int64     // the last of them that failed for their code
	lastError       string
	ending          string // the final state that a compensation leads to
	reviewFrom      string // the state that review was entered from
	cancelRequested bool
	cancelStored    bool   // the same as it was read: the fence of an update
	reason          string // of a cancellation or refund
	operationID     string // of the refund or capture under way: the key under which payments knows it
	operationAmount int64  // 0: all that is left
	reference       string // by which an operator says that the order was paid

	steps       int64                  // timeline entries stored
	entries     []orders.TimelineEntry // and those that are not
	events      int64                  // events stored
	happened    []string               // types of events that are not
	subject     string                 // of what these tell, beside the order
	leaseUntil  time.Time
	nextAttempt time.Time // zero: as soon as the lease is free
}

// newRecord is an order that was received just now, priced as quoted.
func newRecord(orderID string, req orders.PlaceRequest, quote pricing.Calculation, correlationID string, now time.Time) *record {
	d := req.Draft
	r := &record{
		order: orders.Order{
			ID: orderID, State: allocating, Currency: d.Currency, Customer: d.Customer, Coupon: d.Coupon, Quote: d.Quote,
			Shipping:      d.Shipping,
			Payment:       orders.Payment{Captured: money.Of(0, d.Currency), Refunded: money.Of(0, d.Currency)},
			CorrelationID: correlationID, CreatedAt: now, UpdatedAt: now, Version: 1, Metadata: d.Metadata,
			FulfilmentStatus: orders.Unfulfilled,
		},
		placedBy: req.Key.Caller, hold: d.Hold, token: d.Payment.Token, capture: d.Payment.Capture, expected: d.ExpectedTotal, key: req.Key,
		since: now, happened: []string{orders.EventReceived},
	}
	if r.capture == "" {
		r.capture = payments.CaptureAutomatic
	}
	if r.order.Metadata == nil {
		r.order.Metadata = map[string]string{}
	}
	r.setPrice(quote)
	r.entries = []orders.TimelineEntry{{
		State: received, Module: orders.Module, Attempt: 1, StartedAt: now, EndedAt: now,
		Outcome: outcomeSucceeded, CorrelationID: correlationID, Reference: orderID,
	}}
	return r
}

const outcomeSucceeded = "succeeded"

// to enters a state, and notes what others will be told of it.
func (r *record) to(state string, now time.Time) {
	from := r.order.State
	if state == from {
		return
	}
	if state == needsReview {
		r.reviewFrom = from
	}
	r.order.State, r.since, r.attempts, r.failures = state, now, 0, 0
	if event := r.eventOf(from); event != "" {
		r.happened = append(r.happened, event)
	}
}

// startRefund prepares that all that is left is given back, under a key of its own, before the order ends as told.
func (r *record) startRefund(operationID, ending string) {
	r.operationID, r.operationAmount, r.ending = operationID, 0, ending
}

// note adds a step that ended to the timeline.
func (r *record) note(module string, started, ended time.Time, m move) {
	outcome := outcomeSucceeded
	if m.failure != nil {
		outcome = m.failure.Code
	}
	r.entries = append(r.entries, orders.TimelineEntry{
		State: r.order.State, Module: module, Attempt: r.attempts + 1, StartedAt: started, EndedAt: ended,
		Outcome: outcome, CorrelationID: r.order.CorrelationID, Reference: m.reference,
	})
}

func (r *record) calculateRequest() pricing.CalculateRequest {
	req := pricing.CalculateRequest{
		Currency: r.order.Currency, Coupon: r.order.Coupon, Quote: r.order.Quote, CustomerGroup: r.order.Customer.Group,
		Lines: make([]pricing.Line, len(r.order.Lines)),
	}
	if r.order.Shipping != nil {
		req.ShippingMethod = r.order.Shipping.Method
		if a := r.order.Shipping.Address; a != nil {
			req.Country, req.Region = a.Country, a.Region
		}
	}
	for i, l := range r.order.Lines {
		req.Lines[i] = pricing.Line{SKU: l.SKU, Quantity: l.Quantity}
	}
	return req
}

func (r *record) setPrice(c pricing.Calculation) {
	lines, totals := priced(c)
	if totals == r.order.Totals && slices.Equal(lines, r.order.Lines) {
		return // the trace that is stored leads to the same figures
	}
	r.order.Lines, r.order.Totals, r.trace, r.repriced = lines, totals, c.Trace, true
}

// priced says in the words of this contract what pricing calculated.
func priced(c pricing.Calculation) ([]orders.PricedLine, orders.Totals) {
	lines := make([]orders.PricedLine, len(c.Lines))
	for i, l := range c.Lines {
		lines[i] = orders.PricedLine{
			SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Tax: l.Tax, Total: l.Total, TaxIncluded: l.TaxIncluded,
		}
	}
	return lines, orders.Totals{
		Subtotal: c.Subtotal, Discount: c.Discount, Shipping: c.Shipping, Tax: c.Tax, Total: c.Total,
		ShippingTax: c.ShippingTax, TaxIncluded: c.TaxIncluded,
	}
}

// unexpectedTotal is the fault of an order whose total is not the one that the client expects.
func (r *record) unexpectedTotal() *fault.Error {
	if r.expected == nil || *r.expected == r.order.Totals.Total {
		return nil
	}
	return orders.ErrTotalChanged.Saying("the total is %v, the expected one is %v", r.order.Totals.Total, *r.expected)
}

func (r *record) setPayment(p payments.Payment) {
	r.order.Payment = orders.Payment{
		ID: p.ID, Status: p.Status, Captured: p.Captured, Refunded: p.Refunded, Multicapture: p.Multicapture, Disputed: r.order.Payment.Disputed,
	}
	if p.Action != nil {
		r.order.Payment.Action = &orders.Action{Type: p.Action.Type, URL: p.Action.URL}
	}
}
