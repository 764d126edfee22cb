// Package fault is the error that crosses module boundaries.
//
// A fault says three things: what sort of failure it is (Kind, a closed list that one table in platform/web turns into an
// HTTP status), which failure it is (Code, stable, clients switch on it), and what is known about the work that was asked
// for (Outcome). errors.Is compares codes, so a contract's sentinel matches on both sides of a wire:
//
//	if errors.Is(err, inventory.ErrOutOfStock) { ... }
//
// Message is safe to show to a stranger. The cause, if any, is for logs in the process where it happened and never travels.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind sorts failures by what a caller can do about them.
type Kind string

// The closed list of kinds.
const (
	Malformed       Kind = "malformed"       // the request can't be read
	Unauthenticated Kind = "unauthenticated" // no valid key
	Declined        Kind = "declined"        // the payment was refused by its provider
	Forbidden       Kind = "forbidden"       // a valid key without the right
	NotFound        Kind = "not_found"       // no such thing
	Conflict        Kind = "conflict"        // the state of things does not allow it
	Gone            Kind = "gone"            // it was there, and is not kept any more
	Stale           Kind = "stale"           // the caller's version is not the current one
	TooLarge        Kind = "too_large"       // over a size limit
	Invalid         Kind = "invalid"         // readable, but against the rules
	Unconditional   Kind = "unconditional"   // a version is required and was not given
	Limited         Kind = "limited"         // over a rate limit
	Internal        Kind = "internal"        // our mistake
	Unavailable     Kind = "unavailable"     // no capacity or no receiver now
	Timeout         Kind = "timeout"         // no answer in time
)

// Outcome says what is known about the effect of a failed call.
type Outcome string

const (
	// Unknown is the zero value: the effect may or may not have happened. Repeat only with the key that makes it safe.
	Unknown Outcome = ""
	// NotExecuted means that nothing was started. Repeat freely.
	NotExecuted Outcome = "not_executed"
	// Executed means that the receiver ran to an answer, and the fault is that answer.
	Executed Outcome = "executed"
)

// Detail points at one offending part of a request.
type Detail struct {
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901) into the request body, or header/query/path + name
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error is a failure as a value. Errors are immutable: the With methods return changed copies, so that sentinels can be
// package variables. Error values are safe for concurrent use.
type Error struct {
	Kind       Kind          `json:"kind"`
	Code       string        `json:"code"`
	Message    string        `json:"message"`
	Outcome    Outcome       `json:"outcome,omitempty"`
	Details    []Detail      `json:"details,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"` // zero: no advice
	Subject    string        `json:"subject,omitempty"`     // id of the thing that the failure is about, e.g. an order

	cause error
}

// New returns a fault without a cause. It is how contracts declare their sentinels.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Error gives code, message and cause, for logs.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.Message + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Message
}

// Is reports whether target is a fault with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap returns the cause, which exists only in the process where the fault was made.
func (e *Error) Unwrap() error { return e.cause }

// Because returns a copy with a cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Saying returns a copy with another message.
func (e *Error) Saying(format string, args ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, args...)
	return &c
}

// At returns a copy with one more detail.
func (e *Error) At(pointer, code, detail string) *Error {
	c := *e
	c.Details = append(append([]Detail(nil), e.Details...), Detail{Pointer: pointer, Code: code, Detail: detail})
	return &c
}

// About returns a copy that names the thing it is about.
func (e *Error) About(subject string) *Error {
	c := *e
	c.Subject = subject
	return &c
}

// WithOutcome returns a copy with another outcome.
func (e *Error) WithOutcome(o Outcome) *Error {
	c := *e
	c.Outcome = o
	return &c
}

// WithRetryAfter returns a copy that advises when to try again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Portable returns a copy that shares no memory with e and has no cause: what crosses a boundary.
func (e *Error) Portable() *Error {
	c := *e
	c.cause = nil
	c.Details = append([]Detail(nil), e.Details...)
	return &c
}

// The faults of code rather than of business.
var (
	// ErrInternal is what a stranger sees of a failure that nobody foresaw.
	ErrInternal = New(Internal, "internal", "something went wrong on our side")
	// ErrTimeout says that no answer came in time.
	ErrTimeout = New(Timeout, "timeout", "no answer in time")
	// ErrInvalid says that a request is readable but against the rules; its details say where.
	ErrInvalid = New(Invalid, "invalid", "the request is not valid")
)

// From returns err as a fault: itself if it is or wraps one, ErrTimeout for a context that ended, ErrInternal for the rest.
// From(nil) is nil.
func From(err error) *Error {
	var f *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrTimeout.Because(err)
	default:
		return ErrInternal.Because(err)
	}
}
