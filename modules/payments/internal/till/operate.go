package till

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// beginCharge is Write 1 of a charge. Of several that begin one order's charge at once, one does (fresh) and the others get
// what it wrote.
func (t *Till) beginCharge(ctx context.Context, r payments.ChargeRequest) (e *entry, fresh bool, err error) {
	now := t.clock()
	e = &entry{
		Payment: payments.Payment{
			ID: t.newID("pay"), OrderID: r.OrderID, Status: payments.StatusPending, Amount: r.Amount,
			Captured: money.Of(0, r.Amount.Currency), Refunded: money.Of(0, r.Amount.Currency),
			Provider: t.provider.Name(), Version: 1, CreatedAt: now, UpdatedAt: now,
		},
		tokenDigest: digest(r),
		ops:         []operation{t.newOperation(payments.OperationCharge, r.Amount, now)},
	}
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if fresh, err = insertPayment(tx, e); err != nil || !fresh {
			return err
		}
		_, err := insertOperation(tx, e.ID, &e.ops[0])
		return err
	})
	if err == nil && !fresh {
		e, err = t.ofOrder(ctx, r.OrderID)
	}
	return e, fresh, err
}

// beginRefund is Write 1 of a refund, as beginCharge is of a charge.
func (t *Till) beginRefund(ctx context.Context, e *entry, reason string) (_ *entry, fresh bool, err error) {
	now := t.clock()
	left := money.Of(e.Captured.Amount-e.Refunded.Amount, e.Captured.Currency)
	op := t.newOperation(payments.OperationRefund, left, now)
	op.reason = reason
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if fresh, err = insertOperation(tx, e.ID, &op); err != nil || !fresh {
			return err
		}
		e.ops = append(e.ops, op)
		e.UpdatedAt = now
		return updatePayment(tx, e)
	})
	if err == nil && !fresh {
		e, err = t.ofOrder(ctx, e.OrderID)
	}
	return e, fresh, err
}

// newOperation returns an operation that was not sent yet. Its own id is the key that the provider sees.
func (t *Till) newOperation(kind string, amount money.Money, now time.Time) operation {
	key := t.newID("op")
	return operation{Operation: payments.Operation{
		ID: key, Kind: kind, Status: payments.OperationPending, Amount: amount, Key: key, Attempts: 1, StartedAt: now,
	}}
}

// operate brings an operation of a payment to its answer. A fresh one was written by this very call; any other was sent
// before, perhaps, so it counts one more attempt and sends the same key again.
func (t *Till) operate(ctx context.Context, e *entry, kind, token string, fresh bool) (payments.Payment, error) {
	if !fresh && e.operation(kind).Status == payments.OperationPending {
		if err := t.countAttempt(ctx, e, kind); err != nil {
			return payments.Payment{}, err
		}
	}
	op := e.operation(kind)
	if op.Status != payments.OperationPending {
		return e.answer(kind)
	}
	result, err := t.ask(ctx, e, op, token)
	if err != nil {
		return payments.Payment{}, fault.ErrInternal.About(e.OrderID).Because(fmt.Errorf("%s %s: %w", kind, op.Key, err))
	}
	if result.State == Unknown {
		return payments.Payment{}, payments.ErrUnknownOutcome.About(e.OrderID).Because(result.Cause)
	}
	if err := t.record(ctx, e, kind, result); err != nil {
		return payments.Payment{}, err
	}
	return e.answer(kind)
}

// countAttempt writes that an operation is sent once more, and takes over what others wrote meanwhile, an answer perhaps.
func (t *Till) countAttempt(ctx context.Context, e *entry, kind string) error {
	return t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := oneMoreAttempt(tx, e.ID, e.operation(kind).ID, t.clock()); err != nil {
			return err
		}
		return reload(tx, e)
	})
}

// ask sends an operation to the provider. An answer outside the provider's obligations is an error.
func (t *Till) ask(ctx context.Context, e *entry, op *operation, token string) (r Result, err error) {
	in := Instruction{Key: op.Key, OrderID: e.OrderID, Amount: op.Amount}
	switch op.Kind {
	case payments.OperationCharge:
		in.Token = token
		r, err = t.provider.Charge(ctx, in)
	case payments.OperationRefund:
		in.Charge = e.Reference
		r, err = t.provider.Refund(ctx, in)
	}
	if err != nil {
		return r, err
	}
	switch {
	case r.State == Unknown, r.State == Succeeded, r.State == Declined && r.Failure.Code != "":
		return r, nil
	default:
		return r, fmt.Errorf("%s answered with the state %q and the code %q", t.provider.Name(), r.State, r.Failure.Code)
	}
}

// record is Write 2: the provider's definite answer, if it is the first one. If it is not, e becomes what is stored. It does
// not end with the request: money moved, and the one thing that must not be lost now is that we know it.
func (t *Till) record(ctx context.Context, e *entry, kind string, r Result) error {
	ctx = context.WithoutCancel(ctx)
	e.settle(kind, r, t.clock())
	return t.store.Write(ctx, func(tx *gorm.DB) error {
		first, err := endOperation(tx, e.operation(kind))
		if err != nil {
			return err
		}
		if !first {
			return reload(tx, e)
		}
		return updatePayment(tx, e)
	})
}
