package till

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
)

// Seal implements payments.Service. What the provider can have heard of, only the provider can seal; the rest is sealed here.
func (t *Till) Seal(caller context.Context, r payments.SealRequest) (payments.Payment, error) {
	if err := checkSeal(r); err != nil {
		return payments.Payment{}, err
	}
	e, err := t.ofOrder(caller, r.OrderID)
	if err == nil && e == nil {
		e, err = t.sealBeforeCharge(caller, r)
	}
	if err != nil {
		return payments.Payment{}, err
	}
	if op := e.charge(); e.waits(op) && op.Attempts == 0 {
		if err := t.sealUnsent(caller, e); err != nil {
			return payments.Payment{}, err
		}
	}
	op := e.charge()
	if !e.waits(op) {
		return e.answer(op.ID)
	}
	if err := t.foreign(e); err != nil {
		return payments.Payment{}, err
	}
	ctx, cancel := context.WithTimeout(caller, t.policy.ProviderTimeout)
	defer cancel()
	result, err := t.seal(ctx, e, op)
	if err != nil {
		return payments.Payment{}, err
	}
	return t.conclude(caller, e, op.ID, result)
}

// seal asks the provider to cancel a charge, and, if the answer does not say what it is now, what it is now. Whatever is not
// the last word is Unknown: the charge may still succeed.
func (t *Till) seal(ctx context.Context, e *entry, op *operation) (Result, error) {
	in := t.instruct(e, op, "")
	r, err := t.ask(ctx, "seal", op, func(ctx context.Context) (Result, error) { return t.provider.Seal(ctx, in) })
	if err == nil && !r.definite() {
		r, err = t.lookUp(ctx, e, op)
	}
	if err == nil && !r.definite() {
		r = Result{Cause: fmt.Errorf("neither sealed nor over, but %q: %w", r.State, because(r.Cause))}
	}
	return r, err
}

// sealBeforeCharge stores a payment that is over before it began, unless its charge was faster.
func (t *Till) sealBeforeCharge(ctx context.Context, r payments.SealRequest) (*entry, error) {
	e := t.newPayment(r.OrderID, payments.OperationCharge, r.Amount, "")
	op := &e.ops[0]
	op.Attempts = 0
	e.settle(op.ID, Result{State: Cancelled}, e.CreatedAt)
	e, _, err := t.beginPayment(ctx, e)
	return e, err
}

// sealUnsent seals a charge that never left, unless it leaves meanwhile. e becomes what is stored.
func (t *Till) sealUnsent(ctx context.Context, e *entry) error {
	return t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := reload(tx, e); err != nil {
			return err
		}
		op := e.charge()
		if op.Attempts > 0 {
			return nil
		}
		_, err := t.advance(tx, e, op.ID, Result{State: Cancelled}, false)
		return err
	})
}
