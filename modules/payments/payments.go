// Package payments is the contract of the payments module: what was asked of a customer's card, and what came of it.
//
// Payments is the source of truth for payments and their operations. It knows orders only as opaque ids. Card data never
// reaches it: a customer's instrument is a token of the payment provider.
//
// Every operation is committed before the provider is called and again with its result, and the provider sees the same key
// however often an operation is repeated, so that repeating moves no money twice. A decline is an answer, not an error. An
// error whose outcome is fault.Unknown means that money may have moved: repeat the same request until it is answered.
package payments

import (
	"context"
	"time"

	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Faults of this contract.
var (
	ErrDeclined        = fault.New(fault.Declined, "payments.declined", "the payment was declined")
	ErrPaymentNotFound = fault.New(fault.NotFound, "payments.payment_not_found", "there is no such payment")
	ErrUnknownOutcome  = fault.New(fault.Unavailable, "payments.unknown_outcome", "the payment provider gave no answer; money may have moved")
	ErrOtherRequest    = fault.New(fault.Conflict, "payments.other_request", "this order's payment was started with another amount or token")
	ErrNotCharged      = fault.New(fault.Conflict, "payments.not_charged", "this order was not charged")
	ErrRefundDeclined  = fault.New(fault.Conflict, "payments.refund_declined", "the payment provider declined the refund")
	ErrWrongAmount     = fault.New(fault.Internal, "payments.wrong_amount", "the payment provider moved another amount than it was asked to")
)

// Service is what payments promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// Charge takes an amount from a customer for an order, once: an order has one payment. A repeat returns the stored answer,
	// or, where the first attempt was never answered, asks the provider again with the same key. A declined payment is an
	// answer with StatusDeclined and a Failure. Errors: ErrUnknownOutcome, ErrOtherRequest, ErrWrongAmount.
	Charge(context.Context, ChargeRequest) (Payment, error)

	// Refund gives back what is left of an order's captured amount, once. An order that was never captured has nothing to give
	// back: its payment is returned as it is. So is one whose refund the provider declined: still StatusSucceeded, with a Failure.
	// Errors: ErrNotCharged; ErrUnknownOutcome and ErrWrongAmount also while that is the last word on the charge.
	Refund(context.Context, RefundRequest) (Payment, error)

	// Payment returns one payment with its operations. Errors: ErrPaymentNotFound.
	Payment(context.Context, PaymentRequest) (Payment, error)

	// Payments lists payments, newest first; with an order, that order's.
	Payments(context.Context, PaymentsRequest) (PaymentPage, error)
}

// TestGateway is what payments promises beside Service while its provider is the built-in test gateway.
type TestGateway interface {
	// Ledger lists the money that the test gateway moved, oldest first; with an order, for that order.
	Ledger(context.Context, LedgerRequest) (LedgerPage, error)
}

// ChargeRequest names the order that is paid for: the key that makes a charge safe to repeat.
type ChargeRequest struct {
	OrderID string      `json:"order_id"`
	Amount  money.Money `json:"amount"` // at least 1
	Token   string      `json:"token"`
}

// RefundRequest names the order whose payment is given back: the key that makes a refund safe to repeat.
type RefundRequest struct {
	OrderID string `json:"order_id"`
	Reason  string `json:"reason"`
}

// The statuses of a payment.
const (
	StatusPending   = "pending"   // asked, not answered
	StatusSucceeded = "succeeded" // captured
	StatusDeclined  = "declined"  // refused by the provider; nothing was taken
	StatusRefunded  = "refunded"  // captured and given back
)

// Payment is what an order's customer was asked to pay, and what came of it.
type Payment struct {
	ID         string      `json:"id"`
	OrderID    string      `json:"order_id"`
	Status     string      `json:"status" enum:"pending,succeeded,declined,refunded"`
	Amount     money.Money `json:"amount"`
	Captured   money.Money `json:"captured"`
	Refunded   money.Money `json:"refunded"`
	Provider   string      `json:"provider"`
	Reference  string      `json:"reference" doc:"The provider's id"`
	Failure    *Failure    `json:"failure"`
	Operations []Operation `json:"operations"`
	Version    int64       `json:"version"`
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
}

// Failure is why a provider refused.
type Failure struct {
	Code    string `json:"code" doc:"The provider's decline code" example:"insufficient_funds"`
	Message string `json:"message"`
}

// The kinds and statuses of an operation.
const (
	OperationCharge = "charge"
	OperationRefund = "refund"

	OperationPending   = "pending"
	OperationSucceeded = "succeeded"
	OperationDeclined  = "declined"
)

// Operation is one request to the provider, however often it was sent.
type Operation struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind" enum:"charge,refund"`
	Status    string      `json:"status" enum:"pending,succeeded,declined"`
	Amount    money.Money `json:"amount"`
	Key       string      `json:"key" doc:"The idempotency key that the provider sees"`
	Reference string      `json:"reference" doc:"The provider's id"`
	Attempts  int64       `json:"attempts"`
	StartedAt time.Time   `json:"started_at"`
	EndedAt   *time.Time  `json:"ended_at"`
}

// PaymentRequest names a payment.
type PaymentRequest struct {
	ID string `json:"id"`
}

// PaymentsRequest asks for the payments of an order, or, without one, for at most Limit payments that are older than the one named.
type PaymentsRequest struct {
	OrderID string `json:"order_id"`
	Before  string `json:"before"`
	Limit   int    `json:"limit"`
}

// PaymentPage is a page of payments.
type PaymentPage struct {
	Payments []Payment `json:"payments"`
	More     bool      `json:"more"`
}

// LedgerRequest asks for at most Limit entries after an id; with an order, of that order.
type LedgerRequest struct {
	OrderID string `json:"order_id"`
	After   string `json:"after"`
	Limit   int    `json:"limit"`
}

// LedgerPage is a page of the test gateway's ledger.
type LedgerPage struct {
	Entries []LedgerEntry `json:"entries"`
	More    bool          `json:"more"`
}

// LedgerEntry is money that moved at the test gateway.
type LedgerEntry struct {
	ID        string    `json:"id"`
	Operation string    `json:"operation" enum:"charge,refund"`
	OrderID   string    `json:"order_id"`
	Amount    int64     `json:"amount" doc:"Minor units"`
	Currency  string    `json:"currency"`
	Key       string    `json:"key" doc:"The idempotency key of the request"`
	Reference string    `json:"reference"`
	At        time.Time `json:"at"`
}
