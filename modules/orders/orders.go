// Package orders is the contract of the orders module: it takes orders and brings each to an end.
//
// Orders is the source of truth for orders and for their progress. It knows the other three modules by their contracts alone:
//
//	make order row -> allocate inventory -> calculate price -> charge card -> finalise inventory -> finalise order
//
// An order whose row was stored is never forgotten: it is brought to one of its final states, by the request that placed it
// or, after that, in the background. What an unfinished order holds or took is given back before it ends.
package orders

import (
	"context"
	"time"

	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
)

// Faults of this contract. Errors of the pricing and inventory contracts pass through Place and Quote unchanged.
var (
	ErrOrderNotFound = fault.New(fault.NotFound, "orders.order_not_found", "there is no such order")
	ErrTotalChanged  = fault.New(fault.Conflict, "pricing.total_changed", "the total differs from the expected one")
	ErrCancelled     = fault.New(fault.Conflict, "orders.cancelled", "this order was cancelled before it was complete")
	ErrNotCancelable = fault.New(fault.Conflict, "orders.not_cancelable", "this order has ended without success; there is nothing to cancel")
	ErrNotCapturable = fault.New(fault.Conflict, "orders.not_capturable", "this order does not wait for its payment to be captured")
	ErrCaptureAmount = fault.New(fault.Conflict, "orders.capture_amount", "this is more than is left of what was authorised")
	ErrOneCapture    = fault.New(fault.Conflict, "orders.one_capture", "the payment provider lets this payment be captured once only: say final, and what the capture leaves is free")
	ErrNotRefundable = fault.New(fault.Conflict, "orders.not_refundable", "only a completed order that was paid can be refunded")
	ErrRefundAmount  = fault.New(fault.Conflict, "orders.refund_amount", "this is more than is left of what was captured")
	ErrBusy          = fault.New(fault.Conflict, "orders.busy", "another command of this order is still running; repeat it later").WithRetryAfter(time.Second)
	ErrNotInReview   = fault.New(fault.Conflict, "orders.not_in_review", "this order is not in review")
	ErrEventsPruned  = fault.New(fault.Gone, "orders.events_pruned", "events after this position are not kept any more")
	ErrNoExit        = fault.New(fault.Conflict, "orders.no_exit", "this exit does not lead out of the order's state")
)

// Bounds of an order.
const (
	MaxLines    = 200
	MaxQuantity = 1_000_000 // units of one line
	MaxMetadata = 50        // entries

	MaxHold          = 64  // bytes of a hold's id, and of a quote's
	MaxGroup         = 64  // bytes of a customer group
	MaxMetadataKey   = 64  // bytes
	MaxMetadataValue = 500 // bytes
)

// Service is what orders promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// Place stores an order and brings it as far as it gets within the request's patience: to a final state, in nearly all
	// cases. Whatever happens after the row is stored is told by the order itself (Status, Failure), not by an error. A repeat
	// with the same key returns the first answer, marked as replayed. Errors, all before anything is stored:
	// idempotency.ErrReused, idempotency.ErrInUse, inventory.ErrUnknownSKU, pricing.ErrNoPrice, pricing.ErrUnknownCoupon,
	// pricing.ErrUnknownShippingMethod, pricing.ErrQuoteExpired, pricing.ErrQuoteMismatch.
	Place(context.Context, PlaceRequest) (Placement, error)

	// Quote prices a basket and holds nothing. Until the quote ends, an order that names it and asks for the same gets its figures,
	// whatever the rules of pricing have become. A repeat makes another quote. Errors: as for Place, but for the idempotency key's.
	Quote(context.Context, QuoteRequest) (Quote, error)

	// Order returns one order, with its PriceTrace. Errors: ErrOrderNotFound.
	Order(context.Context, OrderRequest) (Order, error)

	// Orders lists orders, newest first.
	Orders(context.Context, OrdersRequest) (OrderPage, error)

	// Timeline returns the steps that an order took, oldest first. Errors: ErrOrderNotFound.
	Timeline(context.Context, OrderRequest) (Timeline, error)

	// Cancel undoes an order: money is given back, then stock. An order that is under way is stopped at its next safe point, and
	// the answer may come before that. Repeating it changes nothing. Errors: ErrOrderNotFound, ErrNotCancelable, ErrShipped,
	// idempotency.ErrReused.
	Cancel(context.Context, CancelRequest) (Placement, error)

	// Capture takes the money of an order that was placed with manual capture, all of it or a part. After a part the order waits for
	// the next, unless it was the final one. Errors: ErrOrderNotFound, ErrNotCapturable, ErrCaptureAmount, ErrOneCapture (a part that is
	// not final, where Payment.Multicapture is not set), ErrBusy, idempotency.ErrReused.
	Capture(context.Context, CaptureRequest) (Placement, error)

	// Refund gives back an amount of a completed order, what was paid for some units of it, or all that is left. Its stock stays sold,
	// but for units that were not sent, where the request says so. Errors: ErrOrderNotFound, ErrNotRefundable, ErrRefundAmount,
	// ErrQuantity, ErrRestock, ErrTooMany, ErrBusy, idempotency.ErrReused.
	Refund(context.Context, RefundRequest) (Placement, error)

	// Resolve leads an order out of review; see the exits of ResolveRequest. Errors: ErrOrderNotFound, ErrNotInReview, ErrNoExit,
	// idempotency.ErrReused.
	Resolve(context.Context, ResolveRequest) (Placement, error)

	// Events lists what happened to orders, oldest first. A reader keeps the Position of the last one, and sees each event once
	// it is committed, in the order of positions, the events of one order in the order of their sequence. Old events may be deleted, from the
	// beginning of the feed on: 0 is before the oldest that is kept. Errors: ErrEventsPruned for a reader who has missed some.
	Events(context.Context, EventsRequest) (EventPage, error)

	// Sagas lists orders that are not at an end yet, or wait for an operator, those that have waited longest first.
	Sagas(context.Context, SagasRequest) (SagaPage, error)

	// Audit checks a page of orders against themselves; see package audit.
	Audit(context.Context, audit.Request) (audit.Page, error)

	Aftersales
}

// Basket is what a customer wants.
type Basket struct {
	Currency      string            `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217 code" example:"EUR"`
	Lines         []Line            `json:"lines" minItems:"1" maxItems:"200"`
	Coupon        string            `json:"coupon,omitempty" maxLength:"64"`
	Quote         string            `json:"quote,omitempty" maxLength:"64" doc:"Id of a quote, whose figures the order gets"`
	Shipping      *Shipping         `json:"shipping,omitempty"`
	ExpectedTotal *money.Money      `json:"expected_total,omitempty" doc:"Refuse the order if its total differs"`
	Metadata      map[string]string `json:"metadata,omitempty" doc:"At most 50 entries, kept as they are"`
}

// Draft is an order that is not placed yet: a basket, and who pays for it how.
type Draft struct {
	Basket
	Customer Customer   `json:"customer"`
	Payment  Instrument `json:"payment"`
	Hold     string     `json:"hold,omitempty" maxLength:"64" doc:"Id of a cart's hold, whose stock the order takes over"`
}

// Customer is who orders.
type Customer struct {
	Email string `json:"email" format:"email" maxLength:"254" example:"ada@example.com"`
	ID    string `json:"id,omitempty" maxLength:"64" example:"cus_7"`
	Group string `json:"group,omitempty" maxLength:"64" doc:"Whose price lists and promotions apply besides everybody's" example:"trade"`
}

// Line is a quantity of an item.
type Line struct {
	SKU      string `json:"sku" minLength:"1" maxLength:"64" example:"MUG-1"`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1000000" doc:"Units" example:"2"`
}

// Shipping is where and how the order is sent.
type Shipping struct {
	Method  string   `json:"method,omitempty" maxLength:"64" example:"standard"`
	Address *Address `json:"address,omitempty"`
}

// Address is a postal address.
type Address struct {
	Name       string `json:"name,omitempty" maxLength:"200"`
	Line1      string `json:"line1,omitempty" maxLength:"200"`
	Line2      string `json:"line2,omitempty" maxLength:"200"`
	City       string `json:"city,omitempty" maxLength:"200"`
	Region     string `json:"region,omitempty" maxLength:"200"`
	PostalCode string `json:"postal_code,omitempty" maxLength:"32"`
	Country    string `json:"country,omitempty" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2"`
}

// Instrument is how the order is paid.
type Instrument struct {
	Token   string `json:"token" minLength:"1" maxLength:"255" doc:"The payment provider's token; card data never passes through here" example:"pm_card_visa"`
	Capture string `json:"capture,omitempty" enum:"automatic,manual" default:"automatic" doc:"manual: the money is reserved, and taken by a capture"`
}

// PlaceRequest places a draft. Without Wait the answer comes as soon as the order is stored.
type PlaceRequest struct {
	Key   idempotency.Key `json:"key"`
	Draft Draft           `json:"draft"`
	Wait  bool            `json:"wait"`
}

// Placement is the order as it stood when the command was answered.
type Placement struct {
	Order    Order `json:"order"`
	Replayed bool  `json:"replayed"`
}

// The statuses of an order, for clients. Only the first two can still change by themselves.
const (
	StatusProcessing     = "processing"
	StatusRequiresAction = "requires_action" // the customer must do what Payment.Action says
	StatusCompleted      = "completed"       // paid, or authorised where the capture is manual; the stock is sold
	StatusRejected       = "rejected"        // by a module: no stock, or another price than expected
	StatusDeclined       = "declined"        // by the payment provider
	StatusCancelled      = "cancelled"
	StatusReview         = "review" // an operator must look at it
)

// Order is an order as clients see it.
type Order struct {
	ID            string            `json:"id"`
	Status        string            `json:"status" enum:"processing,requires_action,completed,rejected,declined,cancelled,review"`
	State         string            `json:"state" doc:"The step of the checkout"`
	Currency      string            `json:"currency"`
	Lines         []PricedLine      `json:"lines"`
	Totals        Totals            `json:"totals"`
	Payment       Payment           `json:"payment"`
	Customer      Customer          `json:"customer"`
	Coupon        string            `json:"coupon"`
	Quote         string            `json:"quote,omitempty" doc:"Id of the quote whose figures these are"`
	Shipping      *Shipping         `json:"shipping"`
	Failure       *Failure          `json:"failure"`
	CorrelationID string            `json:"correlation_id"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
	Version       int64             `json:"version"`
	Metadata      map[string]string `json:"metadata"`

	FulfilmentStatus string      `json:"fulfilment_status" enum:"unfulfilled,partially_fulfilled,fulfilled"`
	ErasedAt         *time.Time  `json:"erased_at,omitempty" doc:"When its personal data were erased"`
	PriceTrace       *PriceTrace `json:"price_trace,omitempty" doc:"How its figures came about; told where one order is read"`
}

// PriceTrace is how the figures of an order came about, in pricing's words: pricing.Replay computes them again from its JSON, to the
// cent, whatever the rules have become. It is too large for lists and events, so Service.Order alone tells it.
type PriceTrace struct {
	Arithmetic int64         `json:"arithmetic" doc:"The version of the arithmetic"`
	At         time.Time     `json:"at"`
	Request    PriceRequest  `json:"request"`
	Rules      []RuleVersion `json:"rules"`
}

// PriceRequest is what pricing was asked.
type PriceRequest struct {
	Currency       string `json:"currency"`
	Lines          []Line `json:"lines"`
	Coupon         string `json:"coupon"`
	ShippingMethod string `json:"shipping_method"`
	Country        string `json:"country"`
	Region         string `json:"region"`
	CustomerGroup  string `json:"customer_group"`
	Quote          string `json:"quote"`
}

// RuleVersion names a rule of pricing as it was.
type RuleVersion struct {
	Kind    string `json:"kind" example:"tax_rate"`
	Code    string `json:"code"`
	Version int64  `json:"version"`
}

// PricedLine is a line with its figures: UnitPrice x Quantity - Discount + Tax = Total. TaxIncluded is contained in them already.
type PricedLine struct {
	SKU         string      `json:"sku"`
	Quantity    int64       `json:"quantity"`
	UnitPrice   money.Money `json:"unit_price"`
	Discount    money.Money `json:"discount"`
	Tax         money.Money `json:"tax"`
	Total       money.Money `json:"total"`
	TaxIncluded money.Money `json:"tax_included,omitzero"`
}

// Totals are the sums of the lines plus shipping: Subtotal - Discount + Shipping + Tax = Total. Tax is what is added to the prices,
// that of the lines and ShippingTax; TaxIncluded is contained in them already.
type Totals struct {
	Subtotal    money.Money `json:"subtotal"`
	Discount    money.Money `json:"discount"`
	Shipping    money.Money `json:"shipping"`
	Tax         money.Money `json:"tax" doc:"Added to the prices, that of shipping with it"`
	Total       money.Money `json:"total"`
	ShippingTax money.Money `json:"shipping_tax,omitzero" doc:"The part of the tax that is for shipping"`
	TaxIncluded money.Money `json:"tax_included,omitzero" doc:"Contained in the prices already"`
}

// Payment is the money side of an order. ID and Status are empty until the card is charged.
type Payment struct {
	ID       string      `json:"id"`
	Status   string      `json:"status"`
	Captured money.Money `json:"captured"`
	Refunded money.Money `json:"refunded"`
	Action   *Action     `json:"action,omitempty" doc:"What the customer must do"`

	Multicapture bool   `json:"multicapture,omitempty" doc:"What is authorised may be captured in parts"`
	Disputed     string `json:"disputed,omitempty" enum:"open,won,lost" doc:"The customer demanded the money from his bank: how that stands"`
}

// Action is what a customer must do before the order goes on.
type Action struct {
	Type string `json:"type" example:"redirect"`
	URL  string `json:"url"`
}

// Failure is why an order did not complete: a stable code, and a message that is safe to show.
type Failure struct {
	Code    string `json:"code" example:"inventory.out_of_stock"`
	Message string `json:"message"`
}

// QuoteRequest asks what a basket costs a customer of a group, or, without one, anybody.
type QuoteRequest struct {
	Basket        Basket `json:"basket"`
	CustomerGroup string `json:"customer_group"`
}

// Quote is what a basket costs, for an order that names it before ValidUntil.
type Quote struct {
	ID         string       `json:"id"` // "quo_..."
	ValidUntil time.Time    `json:"valid_until"`
	Currency   string       `json:"currency"`
	Lines      []PricedLine `json:"lines"`
	Totals     Totals       `json:"totals"`
}

// OrderRequest names an order; with PlacedBy it must be of that API key.
type OrderRequest struct {
	ID       string `json:"id"`
	PlacedBy string `json:"placed_by"`
}

// OrdersRequest asks for at most Limit orders that are older than the one named. Empty filters match all; of several, all must match.
type OrdersRequest struct {
	Status           string    `json:"status"`
	State            string    `json:"state"`
	FulfilmentStatus string    `json:"fulfilment_status"` // of completed orders; the others match none
	Customer         string    `json:"customer"`          // email address or customer id
	SKU              string    `json:"sku"`
	Coupon           string    `json:"coupon"`
	Metadata         string    `json:"metadata"`     // "key=value"
	Query            string    `json:"query"`        // words, each of which is the beginning of the id, the email address or a part of it, or a word of the name
	CreatedFrom      time.Time `json:"created_from"` // inclusive
	CreatedTo        time.Time `json:"created_to"`   // exclusive
	Currency         string    `json:"currency"`
	TotalMin         int64     `json:"total_min"` // minor units of Currency, inclusive; 0: any. It and TotalMax want Currency and CreatedFrom
	TotalMax         int64     `json:"total_max"` // inclusive; 0: any
	PlacedBy         string    `json:"placed_by"`
	IDs              []string  `json:"ids"` // these alone, at most 200
	Before           string    `json:"before"`
	Limit            int       `json:"limit"`
}

// OrderPage is a page of orders.
type OrderPage struct {
	Orders []Order `json:"orders"`
	More   bool    `json:"more"`
}

// Timeline is the steps of an order.
type Timeline struct {
	Entries []TimelineEntry `json:"entries"`
}

// TimelineEntry is one step that ended.
type TimelineEntry struct {
	State         string    `json:"state"`
	Module        string    `json:"module" doc:"Who did the work"`
	Attempt       int64     `json:"attempt"`
	StartedAt     time.Time `json:"started"`
	EndedAt       time.Time `json:"ended"`
	Outcome       string    `json:"outcome" doc:"succeeded, or the code of the failure"`
	CorrelationID string    `json:"correlation_id"`
	Reference     string    `json:"reference" doc:"Id of what the step made, e.g. the reservation"`
}

// CancelRequest names the order to undo.
type CancelRequest struct {
	Key    idempotency.Key `json:"key"`
	ID     string          `json:"id"`
	Reason string          `json:"reason"`
}

// CaptureRequest says what is taken of an order's money: an amount, or all that is left. After a Final one the rest is free, and the
// order is complete; one that takes all that is left is final.
type CaptureRequest struct {
	Key    idempotency.Key `json:"key"`
	ID     string          `json:"id"`
	Amount *money.Money    `json:"amount"`
	Final  bool            `json:"final"`
}

// RefundRequest says what is given back: an amount, or the share of some lines and of the shipping; nothing of these is all that is
// left. Units that are refunded before they were sent are withdrawn: they will not be sent any more.
type RefundRequest struct {
	Key      idempotency.Key `json:"key"`
	ID       string          `json:"id"`
	Amount   *money.Money    `json:"amount"`
	Lines    []LineQuantity  `json:"lines"`
	Shipping bool            `json:"shipping"` // what the shipping cost, with or without lines, once
	Restock  bool            `json:"restock"`  // put the units of the lines back, of which none may have been sent
	Reason   string          `json:"reason"`
}

// The exits of review.
const (
	ResolveRetry    = "retry"     // try again what failed
	ResolveMarkPaid = "mark_paid" // the money was received, as the reference proves: complete the order
	ResolveSeal     = "seal"      // see to it that nothing is charged any more, give back what was, and cancel
	ResolveRefund   = "refund"    // give back what was charged, and cancel
)

// ResolveRequest is an operator's decision on an order in review.
type ResolveRequest struct {
	Key       idempotency.Key `json:"key"`
	ID        string          `json:"id"`
	Action    string          `json:"action"`
	Reference string          `json:"reference"` // of the payment, for ResolveMarkPaid
	Reason    string          `json:"reason"`
}

// The types of events.
const (
	EventReceived       = "orders.received"
	EventRequiresAction = "orders.requires_action"
	EventCompleted      = "orders.completed"
	EventCaptured       = "orders.captured"
	EventRefunded       = "orders.refunded"
	EventRejected       = "orders.rejected"
	EventDeclined       = "orders.declined"
	EventCancelled      = "orders.cancelled"
	EventReview         = "orders.review"

	EventDisputed              = "orders.disputed" // the customer demands the money from his bank
	EventDisputeWon            = "orders.dispute_won"
	EventDisputeLost           = "orders.dispute_lost"
	EventAuthorisationExpiring = "orders.authorisation_expiring" // soon there is nothing left to capture
	EventAuthorisationExpired  = "orders.authorisation_expired"

	EventUpdated             = "orders.updated" // its metadata, or how it is sent
	EventErased              = "orders.erased"  // its personal data: a reader who keeps copies should erase them too
	EventFulfilmentCreated   = "orders.fulfilment_created"
	EventFulfilmentShipped   = "orders.fulfilment_shipped"
	EventFulfilmentDelivered = "orders.fulfilment_delivered"
	EventFulfilmentCancelled = "orders.fulfilment_cancelled"
	EventFulfilled           = "orders.fulfilled" // all of it was sent
	EventReturnRequested     = "orders.return_requested"
	EventReturnReceived      = "orders.return_received"
	EventReturnCancelled     = "orders.return_cancelled"
)

// Event is something that happened to an order. It was committed with what it tells.
type Event struct {
	ID            string    `json:"id"` // "evt_..."
	Position      int64     `json:"position" doc:"In the feed; only grows"`
	Type          string    `json:"type" example:"orders.completed"`
	OrderID       string    `json:"order_id"`
	Sequence      int64     `json:"sequence" doc:"Of this order's events, from 1 and without a gap"`
	At            time.Time `json:"at"`
	CorrelationID string    `json:"correlation_id"`
	Subject       string    `json:"subject,omitempty" doc:"Id of the fulfilment or return that it tells of"`
	Order         Order     `json:"order" doc:"As it was then"`
}

// EventsRequest asks for at most Limit events after a position; brief ones without the order, for a reader who only keeps his place.
type EventsRequest struct {
	After int64 `json:"after"`
	Limit int   `json:"limit"`
	Brief bool  `json:"brief"`
}

// EventPage is a page of events.
type EventPage struct {
	Events []Event `json:"events"`
	More   bool    `json:"more"`
}

// SagasRequest asks for at most Limit unfinished orders; with Stuck, those that wait for an operator or failed again and again.
type SagasRequest struct {
	Stuck bool `json:"stuck"`
	Limit int  `json:"limit"`
}

// SagaPage is a page of sagas.
type SagaPage struct {
	Sagas []Saga `json:"sagas"`
	More  bool   `json:"more"`
}

// Saga is how far an order has come, for operators.
type Saga struct {
	OrderID     string     `json:"order_id"`
	State       string     `json:"state"`
	Attempts    int64      `json:"attempts" doc:"At this state"`
	LastError   string     `json:"last_error"`
	LeaseOwner  string     `json:"lease_owner"`
	LeaseUntil  *time.Time `json:"lease_until"`
	NextAttempt *time.Time `json:"next_attempt"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}
