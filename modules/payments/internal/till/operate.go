package till

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
)

// operate brings an operation of a payment to its answer. A fresh one was written by this very call and is sent; any other may
// have been sent before, so the provider is asked first what became of it.
func (t *Till) operate(caller context.Context, e *entry, id, token string, fresh bool) (payments.Payment, error) {
	if !e.waits(e.operation(id)) {
		return e.answer(id)
	}
	if err := t.foreign(e); err != nil {
		return payments.Payment{}, err
	}
	ctx, cancel := context.WithTimeout(caller, t.policy.ProviderTimeout)
	defer cancel()
	result, err := Result{State: NotFound}, error(nil)
	if !fresh && e.operation(id).Attempts > 0 {
		result, err = t.seek(ctx, e, id)
	}
	if err == nil && result.State == NotFound {
		result, err = t.send(ctx, e, id, token, fresh)
	}
	if err != nil {
		return payments.Payment{}, err
	}
	return t.conclude(caller, e, id, result)
}

// foreign returns an error for a payment of another provider than the one there is now: only that one could say what became of it.
func (t *Till) foreign(e *entry) error {
	if e.Provider == t.provider.Name() {
		return nil
	}
	return payments.ErrUnknownOutcome.Saying("this payment was made with the provider %s, and %s is configured", e.Provider, t.provider.Name()).About(e.OrderID)
}

// seek is the look-up ladder. NotFound means that the same key may be sent again: it never arrived, or, if it did, the provider
// tells it from a new one. What can't be told apart any more is an operator's.
func (t *Till) seek(ctx context.Context, e *entry, id string) (Result, error) {
	op := e.operation(id)
	r, err := t.lookUp(ctx, e, op)
	if err != nil || r.Certain {
		return r, err
	}
	switch r.State {
	case NotFound, Unknown:
		lifetime := t.provider.Capabilities().KeyLifetime
		if lifetime <= 0 {
			lifetime = DefaultKeyLifetime
		}
		if !t.now().Before(op.StartedAt.Add(lifetime)) {
			return r, payments.ErrKeyExpired.About(e.OrderID).Because(r.Cause)
		}
	}
	return r, nil
}

// send sends an operation under its key, for the first time or again.
func (t *Till) send(ctx context.Context, e *entry, id, token string, fresh bool) (Result, error) {
	if !fresh {
		if !t.breaker.closed() {
			return Result{}, e.notSent(id, errOpen)
		}
		if err := t.countAttempt(ctx, e, id, 1); err != nil {
			return Result{}, err
		}
		if !e.waits(e.operation(id)) { // answered meanwhile
			return Result{State: Pending}, nil
		}
	}
	op := e.operation(id)
	if op.isCharge() && op.Reference == "" && t.provider.Capabilities().Prepares {
		if r, err := t.prepare(ctx, e, op, token); err != nil || r.State != Pending {
			return t.unsent(ctx, e, id, r, err)
		}
	}
	in := t.instruct(e, op, token)
	r, err := t.ask(ctx, op.Kind, op, func(ctx context.Context) (Result, error) { return t.carryOut(ctx, in) })
	return t.unsent(ctx, e, id, r, err)
}

// prepare lets the provider know of a charge, and stores the reference by which it can be looked up from then on.
func (t *Till) prepare(ctx context.Context, e *entry, op *operation, token string) (Result, error) {
	in := t.instruct(e, op, token)
	r, err := t.ask(ctx, "prepare", op, func(ctx context.Context) (Result, error) { return t.provider.Prepare(ctx, in) })
	if err != nil || r.State != Pending {
		return r, err
	}
	return r, t.record(ctx, e, op.ID, r, false)
}

// unsent passes on an answer. If nothing left, the attempt was none, and the operation is again what it was before.
func (t *Till) unsent(ctx context.Context, e *entry, id string, r Result, err error) (Result, error) {
	if err != nil || r.State != NotSent {
		return r, err
	}
	if err := t.countAttempt(context.WithoutCancel(ctx), e, id, -1); err != nil {
		return r, err
	}
	if !e.waits(e.operation(id)) {
		return Result{State: Pending}, nil
	}
	return r, e.notSent(id, r.Cause)
}

// notSent is the answer where nothing left. What may have left earlier is still unknown.
func (e *entry) notSent(id string, cause error) error {
	if e.operation(id).Attempts == 0 {
		return payments.ErrNotSent.About(e.OrderID).Because(cause)
	}
	return payments.ErrUnknownOutcome.About(e.OrderID).Because(cause)
}

// conclude stores a provider's answer and gives the caller's.
func (t *Till) conclude(caller context.Context, e *entry, id string, r Result) (payments.Payment, error) {
	if r.State == Unknown {
		return payments.Payment{}, payments.ErrUnknownOutcome.About(e.OrderID).Because(r.Cause)
	}
	if err := t.record(caller, e, id, r, caller.Err() != nil); err != nil {
		return payments.Payment{}, err
	}
	return e.answer(id)
}

// countAttempt writes how often an operation may have been sent, and takes over what others wrote meanwhile, an answer perhaps.
func (t *Till) countAttempt(ctx context.Context, e *entry, id string, more int64) error {
	return t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := addAttempts(tx, e.ID, id, more, t.clock()); err != nil {
			return err
		}
		return reload(tx, e)
	})
}

// record is Write 2: the provider's answer, if it says anything new. Then e becomes what is stored. It does not end with the
// request: money moved, and the one thing that must not be lost now is that we know it. unheard says that the caller is gone.
func (t *Till) record(ctx context.Context, e *entry, id string, r Result, unheard bool) error {
	if !e.operation(id).learns(r) {
		return nil
	}
	return t.store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		_, err := t.advance(tx, e, id, r, unheard)
		return err
	})
}

// advance applies an answer to a payment as it is stored, and reports whether it said anything new. e is what the caller has
// read; where others wrote since, e becomes what they wrote. told leaves a Change, for those who did not ask.
func (t *Till) advance(tx *gorm.DB, e *entry, id string, r Result, told bool) (bool, error) {
	now := t.clock()
	before := e.position()
	if !e.settle(id, r, now) {
		return false, nil
	}
	current, err := updatePayment(tx, e)
	if err == nil && !current {
		if err = reload(tx, e); err != nil {
			return false, err
		}
		before = e.position()
		if !e.settle(id, r, now) {
			return false, nil
		}
		_, err = updatePayment(tx, e)
	}
	if err == nil {
		err = updateOperation(tx, e.operation(id))
	}
	if err == nil {
		err = t.post(tx, e, id, before, e.position())
	}
	if err == nil && told {
		err = insertChange(tx, e, e.operation(id).reasonToLook())
	}
	return err == nil, err
}
