// Package payments is the contract of the payments module: what was asked of a customer's card, and what came of it.
//
// Payments is the source of truth for payments and their operations. It knows orders only as opaque ids. Card data never
// reaches it: a customer's instrument is a token of the payment provider.
//
// Every operation is committed before the provider is called and again with its result, and the provider sees the same key
// however often an operation is repeated, so that repeating moves no money twice. A decline is an answer, not an error. An
// error whose outcome is fault.Unknown means that money may have moved: repeat the same request until it is answered. What a
// repeat does then is payments' own business: it looks the operation up at the provider, and sends it again, under the same
// key, only where that can't move money twice.
//
// What a provider tells later by itself (webhooks, reconciliation) changes payments too. Whoever needs to know reads Changes.
package payments

import (
	"context"
	"time"

	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Faults of this contract.
var (
	ErrDeclined         = fault.New(fault.Declined, "payments.declined", "the payment was declined")
	ErrPaymentNotFound  = fault.New(fault.NotFound, "payments.payment_not_found", "there is no such payment")
	ErrUnknownOutcome   = fault.New(fault.Unavailable, "payments.unknown_outcome", "the payment provider gave no answer; money may have moved")
	ErrNotSent          = fault.New(fault.Unavailable, "payments.not_sent", "the payment provider can't be reached at present; nothing was sent").WithOutcome(fault.NotExecuted)
	ErrKeyExpired       = fault.New(fault.Conflict, "payments.key_expired", "the payment provider never answered, and no longer tells a repeat from a new request")
	ErrOtherRequest     = fault.New(fault.Conflict, "payments.other_request", "this order's payment was started with another amount or token")
	ErrNotCharged       = fault.New(fault.Conflict, "payments.not_charged", "this order was not charged")
	ErrNotAuthorised    = fault.New(fault.Conflict, "payments.not_authorised", "this order's payment is not authorised, so there is nothing to capture")
	ErrAmountTooLarge   = fault.New(fault.Conflict, "payments.amount_too_large", "this is more than is left of the captured amount")
	ErrRefundDeclined   = fault.New(fault.Conflict, "payments.refund_declined", "the payment provider declined the refund")
	ErrCaptureDeclined  = fault.New(fault.Conflict, "payments.capture_declined", "the payment provider declined the capture")
	ErrWrongAmount      = fault.New(fault.Internal, "payments.wrong_amount", "the payment provider moved another amount than it was asked to")
	ErrUnknownProvider  = fault.New(fault.NotFound, "payments.unknown_provider", "no such payment provider is configured")
	ErrWebhookSignature = fault.New(fault.Malformed, "payments.webhook_signature", "the webhook is not signed by the payment provider, or was signed too long ago")
	ErrCardNumber       = fault.New(fault.Invalid, "payments.card_number", "this looks like the number of a card; send a token of the payment provider instead")
	ErrNoAction         = fault.New(fault.Conflict, "payments.no_action", "this payment waits for no action of its customer")
)

// MaxOrderIDs is how many orders EraseReasons takes at once.
const MaxOrderIDs = 200

// Service is what payments promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// Charge takes an amount from a customer for an order, or reserves it (Capture), once: an order has one payment. A repeat
	// returns what is known by now; where the provider has not answered yet, it finds out. The answer's status says what is known:
	// StatusSucceeded or StatusAuthorised; StatusDeclined or StatusCancelled (nothing was taken and nothing will be);
	// StatusRequiresAction (the customer must act) or StatusPending (the provider answers later): repeat, or wait for a change.
	// Errors: ErrUnknownOutcome (repeat), ErrNotSent (repeat), ErrKeyExpired, ErrOtherRequest, ErrWrongAmount.
	Charge(context.Context, ChargeRequest) (Payment, error)

	// Capture takes what was authorised, or a part of it, once for each CaptureID. A repeat returns what is known by now. All captures
	// together never take more than was authorised. Where the payment is not Multicapture, the first is final, whatever its amount: what
	// it leaves is free. A payment whose capture the provider declined (the authorisation expired, say) is what it was, with a
	// Failure. Errors: ErrUnknownOutcome, ErrNotSent, ErrKeyExpired, ErrNotCharged, ErrNotAuthorised (nothing is left),
	// ErrAmountTooLarge, ErrOtherRequest (the same CaptureID with another amount), ErrWrongAmount.
	Capture(context.Context, CaptureRequest) (Payment, error)

	// Seal sees to it that an order's charge can't succeed any more, and is for good: a Charge that arrives later is answered with
	// StatusCancelled. If the charge had succeeded before, that is the answer: StatusSucceeded or StatusAuthorised, and the
	// money must be given back with Refund. Errors: ErrUnknownOutcome and ErrNotSent while the provider confirms neither,
	// ErrWrongAmount.
	Seal(context.Context, SealRequest) (Payment, error)

	// Refund gives back an amount of what was captured, once for each RefundID, or all that is left. What was authorised and not
	// captured is voided instead, which ends in StatusCancelled. A payment that has nothing to give back is returned as it is. If the
	// provider declines, the answer carries a Failure and Refunded is what it was. Errors: ErrUnknownOutcome and ErrNotSent, also
	// while they are the last word on the charge; ErrKeyExpired, ErrNotCharged, ErrAmountTooLarge, ErrOtherRequest (the same RefundID with
	// another amount), ErrWrongAmount.
	Refund(context.Context, RefundRequest) (Payment, error)

	// Void gives free what is left of an authorisation, once for each VoidID: all of it, which ends in StatusCancelled, or what captures
	// left. A payment that has nothing left is returned as it is. If the provider declines, the answer carries a Failure. Errors:
	// ErrUnknownOutcome and ErrNotSent, also while they are the last word on the charge or a capture; ErrKeyExpired, ErrNotCharged,
	// ErrWrongAmount.
	Void(context.Context, VoidRequest) (Payment, error)

	// MarkPaid records an operator's word that an order's amount was received, with the reference that proves it: for a payment
	// whose outcome the provider never told, or told wrongly. Repeating it changes nothing. Errors: ErrNotCharged.
	MarkPaid(context.Context, MarkPaidRequest) (Payment, error)

	// Payment returns one payment with its operations. Errors: ErrPaymentNotFound.
	Payment(context.Context, PaymentRequest) (Payment, error)

	// Payments lists payments, newest first; with orders, theirs.
	Payments(context.Context, PaymentsRequest) (PaymentPage, error)

	// Changes lists, oldest first, the payments that changed otherwise than by the answer to a call: by a webhook, by
	// reconciliation, or because an answer came when nobody waited for it any more; and those that a Reason asks to look at. A
	// reader keeps the Sequence of the last one.
	Changes(context.Context, ChangesRequest) (ChangePage, error)

	// EraseReasons forgets the words in which callers said why the money of some orders was given back, at most MaxOrderIDs: a
	// person may be named in them. Figures, references and keys stay. Repeating it changes nothing.
	EraseReasons(context.Context, EraseReasonsRequest) (ReasonsErased, error)

	// ReceiveWebhook takes a provider's message into a durable inbox, once however often it comes, and returns before anything is
	// done about it. Errors: ErrUnknownProvider, ErrWebhookSignature.
	ReceiveWebhook(context.Context, WebhookRequest) (WebhookReceipt, error)

	// Reconcile compares what the provider has on its books since a time with the operations here, settles what was still
	// open, and reports what does not match.
	Reconcile(context.Context, ReconcileRequest) (Reconciliation, error)

	// Reconciliations lists the reports of the latest comparisons, newest first.
	Reconciliations(context.Context, ReconciliationsRequest) (ReconciliationPage, error)

	// Entries lists the ledger, oldest first; with an order, what its payment caused. Entries are never changed.
	Entries(context.Context, EntriesRequest) (EntryPage, error)

	// Accounts adds up the ledger. What all accounts hold of a currency is 0.
	Accounts(context.Context, AccountsRequest) (AccountList, error)

	// Audit checks a page of payments against their operations; see package audit.
	Audit(context.Context, audit.Request) (audit.Page, error)
}

// TestGateway is what payments promises beside Service while its provider is the built-in test gateway.
type TestGateway interface {
	// Ledger lists the money that the test gateway moved, oldest first; with an order, for that order.
	Ledger(context.Context, LedgerRequest) (LedgerPage, error)

	// Act does what the customer of an order's payment was asked to do, or fails to; or what happens to a payment later without
	// being asked for. The result arrives by webhook. Repeating it changes nothing. Errors: ErrNotCharged, ErrNoAction.
	Act(context.Context, ActRequest) (Acted, error)

	// Dispute lets an order's customer demand from his bank what was captured (DisputeOpen), or lets the bank decide. The news
	// comes by webhook. Repeating it changes nothing. Errors: ErrNotCharged.
	Dispute(context.Context, DisputeRequest) (Dispute, error)
}

// The ways to charge.
const (
	CaptureAutomatic = "automatic" // authorise and capture at once
	CaptureManual    = "manual"    // authorise; Capture takes the money later, or Refund gives it free
)

// ChargeRequest names the order that is paid for: the key that makes a charge safe to repeat.
type ChargeRequest struct {
	OrderID string      `json:"order_id"`
	Amount  money.Money `json:"amount"` // at least 1
	Token   string      `json:"token"`
	Capture string      `json:"capture"` // "": CaptureAutomatic
}

// CaptureRequest names the order whose authorised amount is taken.
type CaptureRequest struct {
	OrderID   string `json:"order_id"`
	CaptureID string `json:"capture_id,omitempty"` // the key that makes a capture safe to repeat; "" is one too
	Amount    int64  `json:"amount,omitempty"`     // minor units; 0: all that is left
	Final     bool   `json:"final,omitempty"`      // nothing will be captured after this, the rest is free
}

// SealRequest names the order whose charge must not succeed any more, and the amount of that charge.
type SealRequest struct {
	OrderID string      `json:"order_id"`
	Amount  money.Money `json:"amount"`
}

// RefundRequest names what is given back.
type RefundRequest struct {
	OrderID  string `json:"order_id"`
	RefundID string `json:"refund_id"` // the key that makes a refund safe to repeat
	Amount   int64  `json:"amount"`    // minor units; 0: all that is left
	Reason   string `json:"reason"`
}

// VoidRequest names the order whose authorisation is given free, as far as it was not captured.
type VoidRequest struct {
	OrderID string `json:"order_id"`
	VoidID  string `json:"void_id"` // the key that makes a void safe to repeat; no RefundID of the order's
	Reason  string `json:"reason"`
}

// EraseReasonsRequest names the orders whose reasons are to be forgotten.
type EraseReasonsRequest struct {
	OrderIDs []string `json:"order_ids"`
}

// ReasonsErased tells how many operations had a reason until now.
type ReasonsErased struct {
	Operations int64 `json:"operations"`
}

// MarkPaidRequest says that an order was paid.
type MarkPaidRequest struct {
	OrderID   string `json:"order_id"`
	Reference string `json:"reference"` // where the money can be seen, 1 to 255 bytes
}

// The statuses of a payment.
const (
	StatusPending        = "pending"         // asked, not answered: money may have moved
	StatusRequiresAction = "requires_action" // the customer must act
	StatusAuthorised     = "authorised"      // reserved, not captured
	StatusSucceeded      = "succeeded"       // captured; part of it may have been given back
	StatusDeclined       = "declined"        // refused by the provider; nothing was taken
	StatusCancelled      = "cancelled"       // sealed or voided; nothing was taken
	StatusRefunded       = "refunded"        // captured, and all of it given back
)

// Payment is what an order's customer was asked to pay, and what came of it.
type Payment struct {
	ID              string      `json:"id"`
	OrderID         string      `json:"order_id"`
	Status          string      `json:"status" enum:"pending,requires_action,authorised,succeeded,declined,cancelled,refunded"`
	Amount          money.Money `json:"amount"`
	Authorised      money.Money `json:"authorised"`
	Captured        money.Money `json:"captured"`
	Refunded        money.Money `json:"refunded"`
	Provider        string      `json:"provider"`
	Reference       string      `json:"reference" doc:"The provider's id"`
	Action          *Action     `json:"action" doc:"What the customer must do"`
	Failure         *Failure    `json:"failure"`
	Operations      []Operation `json:"operations"`
	Disputes        []Dispute   `json:"disputes,omitempty"`
	AuthorisedUntil *time.Time  `json:"authorised_until,omitempty" doc:"When the authorisation ends, while something of it can be captured and if the provider says so"`
	Multicapture    bool        `json:"multicapture,omitempty" doc:"It may be captured in parts"`
	Version         int64       `json:"version"`
	CreatedAt       time.Time   `json:"created_at"`
	UpdatedAt       time.Time   `json:"updated_at"`
}

// Action is what a customer must do before a payment goes on, 3-D Secure for instance.
type Action struct {
	Type string `json:"type" example:"redirect"`
	URL  string `json:"url"`
}

// Failure is why a provider refused.
type Failure struct {
	Code    string `json:"code" doc:"The provider's decline code" example:"insufficient_funds"`
	Message string `json:"message"`
}

// The kinds and statuses of an operation.
const (
	OperationCharge    = "charge"
	OperationAuthorise = "authorise"
	OperationCapture   = "capture"
	OperationVoid      = "void"
	OperationRefund    = "refund"
	OperationMarkPaid  = "mark_paid" // by an operator, not by the provider

	OperationPending   = "pending"
	OperationSucceeded = "succeeded"
	OperationDeclined  = "declined"
	OperationCancelled = "cancelled" // sealed before it succeeded
	OperationFailed    = "failed"    // of a refund: it had succeeded, and the money came back
)

// Operation is one request to the provider, however often it was sent.
type Operation struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind" enum:"charge,authorise,capture,void,refund,mark_paid"`
	Status    string      `json:"status" enum:"pending,succeeded,declined,cancelled,failed"`
	Amount    money.Money `json:"amount"`
	Key       string      `json:"key" doc:"The idempotency key that the provider sees"`
	Reference string      `json:"reference" doc:"The provider's id"`
	Attempts  int64       `json:"attempts"`
	StartedAt time.Time   `json:"started_at"`
	EndedAt   *time.Time  `json:"ended_at"`
}

// The statuses of a dispute.
const (
	DisputeOpen = "open"
	DisputeWon  = "won"  // the money stays, or came back
	DisputeLost = "lost" // the customer's bank keeps it
)

// Dispute is a customer's demand to his bank for money that was captured.
type Dispute struct {
	Reference string      `json:"reference" doc:"The provider's id"`
	Status    string      `json:"status" enum:"open,won,lost"`
	Amount    money.Money `json:"amount"`
	Reason    string      `json:"reason" example:"fraudulent"`
	OpenedAt  time.Time   `json:"opened_at"`
	UpdatedAt time.Time   `json:"updated_at"`
}

// PaymentRequest names a payment.
type PaymentRequest struct {
	ID string `json:"id"`
}

// PaymentsRequest asks for the payments of at most 200 orders, or, without any, for at most Limit payments that are older than the
// one named.
type PaymentsRequest struct {
	OrderIDs []string `json:"order_ids"`
	Before   string   `json:"before"`
	Limit    int      `json:"limit"`
}

// PaymentPage is a page of payments.
type PaymentPage struct {
	Payments []Payment `json:"payments"`
	More     bool      `json:"more"`
}

// ChangesRequest asks for at most Limit changes after a sequence number.
type ChangesRequest struct {
	After int64 `json:"after"`
	Limit int   `json:"limit"`
}

// ChangePage is a page of changes.
type ChangePage struct {
	Changes []Change `json:"changes"`
	More    bool     `json:"more"`
}

// Change says that an order's payment is not what its last caller was told. Sequence numbers only grow.
type Change struct {
	Sequence int64     `json:"sequence"`
	OrderID  string    `json:"order_id"`
	Status   string    `json:"status"`           // of the payment, then
	Reason   string    `json:"reason,omitempty"` // "": the payment changed; else one of the reasons below
	At       time.Time `json:"at"`
}

// Why a payment is worth a look although it may be what its last caller was told. The others are "dispute_" and its status.
const (
	ReasonAuthorisationExpiring = "authorisation_expiring"
	ReasonAuthorisationExpired  = "authorisation_expired"
	ReasonAuthorisationVoided   = "authorisation_voided" // by somebody else, in the provider's dashboard perhaps
	ReasonRefundFailed          = "refund_failed"        // it had succeeded
)

// WebhookRequest is a provider's message as it came.
type WebhookRequest struct {
	Provider string            `json:"provider"`
	Header   map[string]string `json:"header"` // names in lower case
	Body     []byte            `json:"body"`
}

// WebhookReceipt says that a message is in the inbox.
type WebhookReceipt struct {
	ID        string `json:"id"`        // of the provider's event
	Duplicate bool   `json:"duplicate"` // it was there before
}

// ReconcileRequest says since when the books are compared.
type ReconcileRequest struct {
	Since time.Time `json:"since"` // zero: a day ago
}

// Reconciliation is what a comparison of the books found.
type Reconciliation struct {
	ID         string     `json:"id"`
	Since      time.Time  `json:"since"`
	Compared   int64      `json:"compared"` // objects of the provider
	Settled    int64      `json:"settled"`  // operations that were open here and are answered now
	Mismatches []Mismatch `json:"mismatches"`
	At         time.Time  `json:"at"`
}

// Mismatch is an object of the provider without its operation here, or the reverse, or one that says something else.
type Mismatch struct {
	OrderID   string `json:"order_id"`
	Reference string `json:"reference"` // the provider's id, if there is one
	Key       string `json:"key"`
	Problem   string `json:"problem"`
}

// ReconciliationsRequest asks for at most Limit reports, 20 at most, that are older than the one named.
type ReconciliationsRequest struct {
	Before string `json:"before"`
	Limit  int    `json:"limit"`
}

// ReconciliationPage is a page of reports.
type ReconciliationPage struct {
	Reconciliations []Reconciliation `json:"reconciliations"`
	More            bool             `json:"more"`
}

// The accounts of the ledger. What stands on the debit side of an account is positive in its balance.
const (
	AccountAuthorisations = "authorisations" // reserved on customers' cards, not taken yet; against AccountCommitments
	AccountCommitments    = "commitments"
	AccountProvider       = "provider" // what the provider took and did not give back: it owes us this, before its fees and pay-outs
	AccountOutside        = "outside"  // received elsewhere, by an operator's word
	AccountSales          = "sales"    // what orders were paid with
	AccountRefunds        = "refunds"  // given back
	AccountDisputed       = "disputed" // held by customers' banks
	AccountLosses         = "losses"   // kept by them
)

// Entry is an amount that went from one account to another.
type Entry struct {
	Sequence  int64       `json:"sequence"`
	PaymentID string      `json:"payment_id"`
	OrderID   string      `json:"order_id"`
	Cause     string      `json:"cause" doc:"The operation, or the provider's id of a dispute"`
	Debit     string      `json:"debit" enum:"authorisations,commitments,provider,outside,sales,refunds,disputed,losses"`
	Credit    string      `json:"credit" enum:"authorisations,commitments,provider,outside,sales,refunds,disputed,losses"`
	Amount    money.Money `json:"amount"`
	At        time.Time   `json:"at"`
}

// EntriesRequest asks for at most Limit entries after a sequence number; with an order, of that order.
type EntriesRequest struct {
	OrderID string `json:"order_id"`
	After   int64  `json:"after"`
	Limit   int    `json:"limit"`
}

// EntryPage is a page of the ledger.
type EntryPage struct {
	Entries []Entry `json:"entries"`
	More    bool    `json:"more"`
}

// AccountsRequest asks for all accounts.
type AccountsRequest struct{}

// AccountList is every account in every currency that it was used in.
type AccountList struct {
	Accounts []Account `json:"accounts"`
}

// Account is what an account holds.
type Account struct {
	Name    string      `json:"name"`
	Balance money.Money `json:"balance" doc:"Debits minus credits"`
}

// IsCardNumber reports whether a text that should be a token looks like the number of a card: 13 to 19 digits with a valid check
// digit (ISO/IEC 7812, Luhn), spaces and dashes among them. Card data must not come here, nor be repeated in an answer.
func IsCardNumber(text string) bool {
	digits, sum := 0, 0
	for i := len(text) - 1; i >= 0; i-- {
		d := int(text[i] - '0')
		switch {
		case text[i] == ' ' || text[i] == '-':
			continue
		case text[i] < '0' || text[i] > '9':
			return false
		}
		if digits%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		digits, sum = digits+1, sum+d
	}
	return digits >= 13 && digits <= 19 && sum%10 == 0
}

// ActRequest names the order whose customer acts.
type ActRequest struct {
	OrderID string `json:"order_id"`
	Outcome string `json:"outcome"` // one of the below
}

// What a customer may do, and what may happen later.
const (
	ActConfirm      = "confirm"
	ActFail         = "fail"
	ActVoid         = "void"          // somebody gives free, in the dashboard, what is left of the authorisation
	ActReturnRefund = "return_refund" // the customer's bank sends the latest refund back
)

// Acted is the provider's payment, void or refund after the act.
type Acted struct {
	OrderID   string `json:"order_id"`
	Reference string `json:"reference"`
	Status    string `json:"status" enum:"succeeded,authorised,declined"`
}

// DisputeRequest names the order whose payment is disputed, and what becomes of the dispute.
type DisputeRequest struct {
	OrderID string `json:"order_id"`
	Status  string `json:"status"`
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
	Operation string    `json:"operation" enum:"charge,authorise,capture,void,refund,refund_failed"`
	OrderID   string    `json:"order_id"`
	Amount    int64     `json:"amount" doc:"Minor units"`
	Currency  string    `json:"currency"`
	Key       string    `json:"key" doc:"The idempotency key of the request"`
	Reference string    `json:"reference"`
	At        time.Time `json:"at"`
}
