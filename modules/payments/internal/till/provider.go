package till

import (
	"context"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// Provider moves money. An adapter of one payment service implements it; these are its obligations:
//
//   - An instruction's key moves money at most once, however often and by however many callers at once it is sent, and every
//     answer to it is the same. The key goes to the payment service as it is; an adapter never makes one of its own.
//   - It sends each instruction once and decides no retries. The till does, with the same key.
//   - A definite state (Succeeded, Declined) is given only when the payment service said so. A timeout, a broken connection, an
//     answer that can't be read: all of these are Unknown, with the cause.
//   - It returns before the context's deadline, if only with Unknown.
//   - An error is for programming faults: the same key with other parameters, a payment service that does not understand us.
//     What became of the money is then as unknown as before.
//   - All methods are safe for concurrent use.
type Provider interface {
	// Name is kept with every payment that was made through this provider.
	Name() string

	// Charge takes the amount from the instrument that the token stands for.
	Charge(context.Context, Instruction) (Result, error)

	// Refund gives back the amount of an earlier charge.
	Refund(context.Context, Instruction) (Result, error)

	// Lookup tells what became of a key, and moves nothing. NotFound is for a payment service that knows for certain that it
	// never took the key; one that can't tell is Unknown.
	Lookup(ctx context.Context, key string) (Result, error)
}

// Instruction is what a provider is asked to do.
type Instruction struct {
	Key     string // makes it safe to repeat
	OrderID string // for the provider's books
	Amount  money.Money
	Token   string // of a charge: the customer's instrument
	Charge  string // of a refund: the provider's reference of the charge
}

// State is what is known of an instruction.
type State string

// The states.
const (
	Unknown   State = "" // money may have moved
	Succeeded State = "succeeded"
	Declined  State = "declined"  // nothing moved, and nothing will under this key
	NotFound  State = "not_found" // of a look-up only: the key was never taken
)

// Result is a provider's answer.
type Result struct {
	State     State
	Reference string           // the provider's id
	Amount    money.Money      // that moved, as the provider says it
	Failure   payments.Failure // why it was declined; the code is never empty
	Cause     error            // why nothing is known, for logs
}
