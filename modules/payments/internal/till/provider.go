package till

import (
	"context"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// Provider moves money. An adapter of one payment service implements it; these are its obligations:
//
//   - An instruction's key moves money at most once, however often and by however many callers at once it is sent, and every
//     answer to it agrees with the ones before. The key goes to the payment service as it is, or with a suffix where an instruction
//     takes several requests; an adapter never makes one of its own.
//   - It sends each instruction once and decides no retries. The till does, with the same key.
//   - A definite state is given only when the payment service said so. A timeout, a broken connection, an answer that can't be
//     read: all of these are Unknown, with the cause. NotSent is for what certainly never left: the connection was refused.
//   - It returns before the context's deadline, if only with Unknown.
//   - An error is for programming faults: the same key with other parameters, a payment service that does not understand us.
//     What became of the money is then as unknown as before.
//   - All methods are safe for concurrent use.
type Provider interface {
	// Name is kept with every payment that was made through this provider.
	Name() string

	Capabilities() Capabilities

	// Prepare makes a charge known to the payment service without moving money, so that it can be looked up by reference before
	// it is confirmed: Pending, with the reference. Asked only of a provider that says so in its capabilities.
	Prepare(context.Context, Instruction) (Result, error)

	// Charge takes the amount from the instrument that the token stands for. Authorise reserves it there.
	Charge(context.Context, Instruction) (Result, error)
	Authorise(context.Context, Instruction) (Result, error)

	// Capture takes what was authorised, Void gives free what is left of it, Refund gives back what was taken.
	Capture(context.Context, Instruction) (Result, error)
	Void(context.Context, Instruction) (Result, error)
	Refund(context.Context, Instruction) (Result, error)

	// Seal cancels a charge so that it can't succeed any more, also one that never arrived: Cancelled. One that has ended is
	// answered as it is.
	Seal(context.Context, Instruction) (Result, error)

	// Lookup tells what became of an instruction, and moves nothing. Unknown means that it could not be told now.
	Lookup(context.Context, Query) (Result, error)

	// ParseWebhook reads a message of the payment service. An error means that it is not one, or is too old to be believed.
	ParseWebhook(header map[string]string, body []byte) (Event, error)

	// List pages through what is new on the payment service's books since a time; the first cursor is "". What follows a charge
	// may be left out: it is looked up.
	List(ctx context.Context, since time.Time, cursor string) (Listing, error)
}

// Capabilities are how a payment service differs from others.
type Capabilities struct {
	Prepares    bool          // a charge has a reference before it is confirmed
	KeyLifetime time.Duration // for how long a key is told from a new one; 0: DefaultKeyLifetime
}

// DefaultKeyLifetime is how long most payment services remember a key.
const DefaultKeyLifetime = 24 * time.Hour

// Instruction is what a provider is asked to do.
type Instruction struct {
	Kind      string // of the operation
	Key       string // makes it safe to repeat
	OrderID   string // for the provider's books
	Amount    money.Money
	Token     string // of a charge: the customer's instrument; never stored here
	Reference string // the provider's, where it is known already
	Charge    string // of what follows a charge: the provider's reference of that
	Final     bool   // of a capture: nothing will be captured after it, the rest is free
	Rest      bool   // of a void: a part was captured before
}

// Query names an instruction by the provider's reference, or by key.
type Query struct {
	Kind      string
	Reference string // "": by key
	Key       string
	Charge    string // of what follows a charge: the provider's reference of that
}

// State is what is known of an instruction.
type State string

// The states.
const (
	Unknown        State = ""         // money may have moved
	NotSent        State = "not_sent" // the payment service never heard of it
	Succeeded      State = "succeeded"
	Authorised     State = "authorised"      // of an authorisation: it succeeded
	Declined       State = "declined"        // nothing moved, and nothing will under this key
	RequiresAction State = "requires_action" // nothing moved, and the customer must act
	Pending        State = "pending"         // taken on, answered later
	Cancelled      State = "cancelled"       // sealed: nothing moved, and nothing will under this key
	NotFound       State = "not_found"       // of a look-up only
)

// Result is a provider's answer.
type Result struct {
	State        State            `json:"state"`
	Reference    string           `json:"reference"`              // the provider's id
	Amount       money.Money      `json:"amount"`                 // that moved, as the provider says it; at least 1
	Failure      payments.Failure `json:"failure"`                // why it was declined; the code is never empty
	Action       payments.Action  `json:"action"`                 // what the customer must do
	Until        time.Time        `json:"until,omitzero"`         // of an authorisation: when it ends; zero: the provider does not say
	Multicapture bool             `json:"multicapture,omitempty"` // of an authorisation: it may be captured in parts
	Certain      bool             `json:"-"`                      // of NotFound: what arrives is seen by look-ups at once, so it never arrived
	Cause        error            `json:"-"`                      // why nothing is known, for logs
}

// definite reports whether a result is the last word on an instruction.
func (r Result) definite() bool {
	switch r.State {
	case Succeeded, Authorised, Declined, Cancelled:
		return true
	}
	return false
}

// Fact is what a provider tells by itself of an operation. That what is left of an authorisation is free, by whoever's doing, is
// told as a void without a key that has succeeded, with the reference of the charge.
type Fact struct {
	Kind    string `json:"kind"`
	Key     string `json:"key"` // "": the provider does not say; then its reference names the operation
	OrderID string `json:"order_id"`
	Charge  string `json:"charge,omitempty"` // of a void without a key
	Result  Result `json:"result"`
}

// Event is a fact that came by webhook. One whose result is Unknown tells nothing that matters here.
type Event struct {
	ID   string `json:"id"` // the same for each repetition
	Type string `json:"type"`
	Fact
	Freed   *Fact    `json:"freed,omitempty"`   // beside it, that what was left of the authorisation is free
	Dispute *Dispute `json:"dispute,omitempty"` // nil: it is about no dispute
}

// Dispute is what a provider tells of a customer who demands money back from his bank.
type Dispute struct {
	Reference string      `json:"reference"` // the provider's id
	Charge    string      `json:"charge"`    // the provider's reference of the charge
	Status    string      `json:"status"`    // payments.DisputeOpen, DisputeWon or DisputeLost
	Amount    money.Money `json:"amount"`
	Reason    string      `json:"reason"`
}

// Listing is a page of a provider's books.
type Listing struct {
	Facts []Fact
	Next  string // "": this was the last page
}
