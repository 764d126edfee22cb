package till

import (
	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// frees reports whether a fact says that what was left of an authorisation is free, without saying by whose request.
func (f Fact) frees() bool {
	return f.Kind == payments.OperationVoid && f.Key == "" && f.Charge != "" && f.Result.State == Succeeded
}

// authorisationOf returns the payment of an authorisation, by the provider's reference, or nil.
func authorisationOf(tx *gorm.DB, reference string) (*entry, error) {
	e, _, err := owner(tx, Fact{Kind: payments.OperationAuthorise, Result: Result{Reference: reference}})
	return e, err
}

// held is what of an authorisation is neither captured nor free, as far as is known here.
func (e *entry) held() money.Money {
	f := e.figures(true)
	return money.Of(f.held, f.currency)
}

// capturing reports whether a capture waits for its answer.
func (e *entry) capturing() bool {
	return e.first(func(op *operation) bool { return op.Kind == payments.OperationCapture && op.open() }) != nil
}

// learnVoid takes over that what was left of an authorisation is free: voided or expired, and perhaps nobody here asked for it. It
// is written down as a void that was sent no time. What differs from what is held here is not taken over: a capture without an
// answer goes first, and one that was made elsewhere is for an operator.
func (t *Till) learnVoid(tx *gorm.DB, f Fact) (known, changed bool, err error) {
	e, err := authorisationOf(tx, f.Charge)
	if e == nil || err != nil {
		return false, false, err
	}
	held := e.held()
	if held.Amount == 0 {
		return true, false, nil
	}
	if f.Result.Amount != held || e.capturing() {
		return false, false, nil
	}
	if running := e.void(); running != nil { // ours, without an answer
		changed, err = t.advance(tx, e, running.ID, f.Result, true)
		return true, changed, err
	}
	now := t.clock()
	op := t.newOperation(payments.OperationVoid, f.Result.Amount, now)
	op.Status, op.Reference, op.Attempts, op.moved, op.EndedAt = payments.OperationSucceeded, f.Result.Reference, 0, op.Amount, &now
	op.callerID = op.ID // nobody's
	reason := payments.ReasonAuthorisationVoided
	if e.AuthorisedUntil != nil && !now.Before(*e.AuthorisedUntil) {
		reason = payments.ReasonAuthorisationExpired
	}
	if err := t.add(tx, e, op); err != nil {
		return true, false, err
	}
	return true, true, insertChange(tx, e, reason)
}
