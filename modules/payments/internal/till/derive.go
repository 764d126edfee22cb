package till

import (
	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// figures are what the operations of a payment add up to.
type figures struct {
	authorised, captured, refunded int64
	held                           int64 // what of authorised is neither captured nor free
	currency                       string
	voided                         bool
}

// figures adds up what moved. A charge or capture of another amount counts once an operator has taken a stand (decided). An
// operator's word on what was received counts where the provider gave none.
func (e *entry) figures(decided bool) figures {
	f := figures{currency: e.Amount.Currency}
	var marked int64
	released := false
	for i := range e.ops {
		op := &e.ops[i]
		if op.Status != payments.OperationSucceeded && (op.Status != disputed || op.gives() || !decided) {
			continue
		}
		switch op.Kind {
		case payments.OperationCharge, payments.OperationCapture:
			f.captured += op.moved.Amount
			f.currency = op.moved.Currency
			released = released || op.final
		case payments.OperationAuthorise:
			f.authorised += op.moved.Amount
			f.currency = op.moved.Currency
		case payments.OperationVoid:
			f.voided = true
		case payments.OperationRefund:
			f.refunded += op.moved.Amount
		case payments.OperationMarkPaid:
			marked = op.moved.Amount
		}
	}
	if f.voided {
		f.authorised = min(f.authorised, f.captured)
	}
	if !released {
		f.held = max(f.authorised-f.captured, 0)
	}
	if f.captured == 0 && marked > 0 {
		f.captured, f.currency = marked, e.Amount.Currency
	}
	return f
}

// derive makes a payment what its operations say: its figures, its status, whether the customer must act, and whether there is
// still an authorisation that could end.
func (e *entry) derive() {
	f := e.figures(e.decided())
	e.Authorised, e.Captured, e.Refunded = money.Of(f.authorised, f.currency), money.Of(f.captured, f.currency), money.Of(f.refunded, f.currency)
	e.Status = e.statusOf(f)
	if e.Status != payments.StatusRequiresAction {
		e.Action = nil
	}
	if f.held == 0 {
		e.AuthorisedUntil = nil
	}
}

func (e *entry) statusOf(f figures) string {
	switch {
	case f.captured > 0 && f.refunded >= f.captured:
		return payments.StatusRefunded
	case f.captured > 0:
		return payments.StatusSucceeded
	case f.voided:
		return payments.StatusCancelled
	case f.authorised > 0:
		return payments.StatusAuthorised
	}
	switch e.charge().Status {
	case payments.OperationDeclined:
		return payments.StatusDeclined
	case payments.OperationCancelled:
		return payments.StatusCancelled
	case requiresAction:
		return payments.StatusRequiresAction
	default:
		return payments.StatusPending
	}
}

// refundable is what may still be given back: refunds that have no answer yet count as if they had succeeded.
func (e *entry) refundable(f figures) int64 {
	left := f.captured
	for i := range e.ops {
		op := &e.ops[i]
		if op.Kind == payments.OperationRefund && (op.open() || op.Status == payments.OperationSucceeded || op.Status == disputed) {
			left -= max(op.Amount.Amount, op.moved.Amount)
		}
	}
	return left
}
