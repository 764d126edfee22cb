package till

import (
	"fmt"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// disputed is the status of an operation whose provider moved something else than it was asked to. Strangers see it as
// pending, since it is settled for nobody; the till never sends it again.
const disputed = "disputed"

// entry is a payment as it is stored. Its operations stand in ops, not in Payment.Operations.
type entry struct {
	payments.Payment
	tokenDigest string
	ops         []operation // oldest first
}

// operation is a request to the provider as it is stored.
type operation struct {
	payments.Operation
	reason string
	moved  money.Money // what the provider says that it moved
}

// operation returns the operation of a kind, or nil.
func (e *entry) operation(kind string) *operation {
	for i := range e.ops {
		if e.ops[i].Kind == kind {
			return &e.ops[i]
		}
	}
	return nil
}

// shown is what strangers see.
func (e *entry) shown() payments.Payment {
	p := e.Payment
	p.Operations = make([]payments.Operation, len(e.ops))
	for i, op := range e.ops {
		p.Operations[i] = op.Operation
		if op.Status == disputed {
			p.Operations[i].Status = payments.OperationPending
		}
	}
	return p
}

// answer is what whoever asked for an operation is told once it needs no provider any more.
func (e *entry) answer(kind string) (payments.Payment, error) {
	if op := e.operation(kind); op.Status == disputed {
		return payments.Payment{}, payments.ErrWrongAmount.About(e.OrderID).
			Because(fmt.Errorf("%s %s: %v were asked for and %v moved", kind, op.ID, op.Amount, op.moved))
	}
	return e.shown(), nil
}

// settle applies the provider's definite answer to a pending operation and to the payment. It is pure; see the state machines
// in the package comment. A refund that is declined leaves the payment captured.
func (e *entry) settle(kind string, r Result, now time.Time) {
	op := e.operation(kind)
	op.Reference = r.Reference
	e.UpdatedAt = now
	if kind == payments.OperationCharge {
		e.Reference = r.Reference
	}
	switch {
	case r.State == Declined:
		op.Status, op.EndedAt = payments.OperationDeclined, &now
		e.Failure = &r.Failure
		if kind == payments.OperationCharge {
			e.Status = payments.StatusDeclined
		}
		return
	case r.Amount != op.Amount:
		op.Status, op.moved = disputed, r.Amount
		return
	}
	op.Status, op.EndedAt, op.moved = payments.OperationSucceeded, &now, r.Amount
	switch kind {
	case payments.OperationCharge:
		e.Status, e.Captured = payments.StatusSucceeded, op.Amount
	case payments.OperationRefund:
		e.Status, e.Refunded = payments.StatusRefunded, e.Captured // a refund is of all that was left
	}
}
