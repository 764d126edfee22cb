package till

import (
	"fmt"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// Statuses of an operation that strangers see as pending.
const (
	requiresAction = "requires_action" // the customer must act first
	disputed       = "disputed"        // the provider moved another amount than it was asked to; it is never sent again
)

// entry is a payment as it is stored. Its operations stand in ops, not in Payment.Operations; Reference and Failure are theirs.
type entry struct {
	payments.Payment
	tokenDigest string
	disputes    int         // of Payment.Disputes
	ops         []operation // oldest first
}

// operation is a request to the provider as it is stored.
type operation struct {
	payments.Operation
	callerID  string // of a capture or refund
	requested int64  // of these, as the caller said it; 0: all that is left
	final     bool   // of a capture: what it leaves is free
	reason    string
	moved     money.Money // what the provider says that it moved
	failure   payments.Failure
}

// operation returns an operation by its id.
func (e *entry) operation(id string) *operation {
	return e.first(func(op *operation) bool { return op.ID == id })
}

// charge returns the operation that a payment begins with.
func (e *entry) charge() *operation {
	return e.first(func(op *operation) bool { return op.isCharge() })
}

// kind returns the first operation of a kind, or nil.
func (e *entry) kind(kind string) *operation {
	return e.first(func(op *operation) bool { return op.Kind == kind })
}

// refund returns the operation that a caller's RefundID names, or nil.
func (e *entry) refund(refundID string) *operation {
	return e.first(func(op *operation) bool { return op.gives() && op.callerID == refundID })
}

func (e *entry) first(is func(*operation) bool) *operation {
	for i := range e.ops {
		if is(&e.ops[i]) {
			return &e.ops[i]
		}
	}
	return nil
}

// isCharge reports whether a payment begins with this operation.
func (op *operation) isCharge() bool {
	return op.Kind == payments.OperationCharge || op.Kind == payments.OperationAuthorise
}

// gives reports whether an operation gives money back, or free.
func (op *operation) gives() bool {
	return op.Kind == payments.OperationRefund || op.Kind == payments.OperationVoid
}

// open reports whether an operation waits for the provider.
func (op *operation) open() bool {
	return op.Status == payments.OperationPending || op.Status == requiresAction
}

// decided reports whether an operator has taken a stand on a disputed charge or capture: only MarkPaid and Refund go on after it.
func (e *entry) decided() bool {
	dispute := false
	for i := range e.ops {
		switch op := &e.ops[i]; {
		case op.gives() || op.Kind == payments.OperationMarkPaid:
			if dispute {
				return true
			}
		case op.Status == disputed:
			dispute = true
		}
	}
	return false
}

// waits reports whether an operation still needs the provider. An operator's word ends the wait for a charge and for a capture.
func (e *entry) waits(op *operation) bool {
	switch {
	case !op.open():
		return false
	case op.gives():
		return true
	default:
		return e.kind(payments.OperationMarkPaid) == nil
	}
}

// shown is what strangers see.
func (e *entry) shown() payments.Payment {
	p := e.Payment
	p.Operations = make([]payments.Operation, len(e.ops))
	var last *operation // to end
	for i := range e.ops {
		op := &e.ops[i]
		p.Operations[i] = op.Operation
		if op.isCharge() {
			p.Reference = op.Reference
		}
		if op.Status == disputed || op.Status == requiresAction {
			p.Operations[i].Status = payments.OperationPending
		}
		if op.EndedAt != nil && (last == nil || !op.EndedAt.Before(*last.EndedAt)) {
			last = op
		}
	}
	p.Failure = last.refusal()
	return p
}

// refusal is why an operation was declined or failed, or nil.
func (op *operation) refusal() *payments.Failure {
	if op == nil || op.Status != payments.OperationDeclined && op.Status != payments.OperationFailed {
		return nil
	}
	failure := op.failure
	return &failure
}

// answer is what whoever asked for an operation is told once it needs no provider any more.
func (e *entry) answer(id string) (payments.Payment, error) {
	op := e.operation(id)
	if op.Status == disputed && (op.gives() || !e.decided()) {
		return payments.Payment{}, e.wrongAmount(op)
	}
	p := e.shown()
	p.Failure = op.refusal()
	return p, nil
}

func (e *entry) wrongAmount(op *operation) error {
	return payments.ErrWrongAmount.About(e.OrderID).
		Because(fmt.Errorf("%s %s: %v were asked for and %v moved", op.Kind, op.ID, op.Amount, op.moved))
}

// status is what a provider's answer makes of an operation.
func (op *operation) status(r Result) string {
	switch r.State {
	case Succeeded, Authorised:
		if r.Amount != op.Amount {
			return disputed
		}
		return payments.OperationSucceeded
	case Declined:
		if op.Kind == payments.OperationRefund && rank(op.Status) >= rank(payments.OperationSucceeded) {
			return payments.OperationFailed
		}
		return payments.OperationDeclined
	case Cancelled:
		return payments.OperationCancelled
	case RequiresAction:
		return requiresAction
	default:
		return payments.OperationPending
	}
}

// rank orders the statuses of an operation: it only goes to a higher one, whatever is said later or in another order.
func rank(status string) int {
	switch status {
	case payments.OperationFailed:
		return 4 // the last word
	case payments.OperationSucceeded, disputed:
		return 3 // money moved
	case payments.OperationDeclined, payments.OperationCancelled:
		return 2
	case requiresAction:
		return 1
	default:
		return 0
	}
}

// learns reports whether an answer says more of an operation than is known.
func (op *operation) learns(r Result) bool {
	return rank(op.status(r)) > rank(op.Status) || op.open() && op.Reference == "" && r.Reference != ""
}

// settle applies a provider's answer to an operation and its payment, and reports whether it said anything new. It is pure;
// see the state machines in the package comment.
func (e *entry) settle(id string, r Result, now time.Time) bool {
	op := e.operation(id)
	if !op.learns(r) {
		return false
	}
	e.UpdatedAt = now
	if r.Reference != "" {
		op.Reference = r.Reference
	}
	if next := op.status(r); rank(next) > rank(op.Status) {
		op.Status, op.failure, op.EndedAt = next, payments.Failure{}, nil
		switch next {
		case payments.OperationSucceeded:
			op.moved, op.EndedAt = r.Amount, &now
			if op.Kind == payments.OperationAuthorise {
				e.promised(r)
			}
		case disputed:
			op.moved = r.Amount
		case payments.OperationDeclined, payments.OperationFailed:
			op.failure, op.EndedAt = r.Failure, &now
		case payments.OperationCancelled:
			op.EndedAt = &now
		case requiresAction:
			action := r.Action
			e.Action = &action
		}
	}
	e.derive()
	return true
}

// promised keeps until when an authorisation holds, and whether it may be captured in parts.
func (e *entry) promised(r Result) {
	e.Multicapture = r.Multicapture
	if !r.Until.IsZero() {
		until := r.Until
		e.AuthorisedUntil = &until
	}
}
