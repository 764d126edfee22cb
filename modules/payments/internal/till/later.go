package till

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// plan finds the operation that a request is about: one that exists, a new one (without an id), or nil where there is nothing
// to do. It is pure. It runs once on what was read, and again in the transaction that writes a new operation.
type plan func(*entry) (*operation, error)

// Capture implements payments.Service.
func (t *Till) Capture(ctx context.Context, r payments.CaptureRequest) (payments.Payment, error) {
	if err := checkCapture(r); err != nil {
		return payments.Payment{}, err
	}
	return t.follow(ctx, r.OrderID, func(e *entry) (*operation, error) { return e.planCapture(r) })
}

// Refund implements payments.Service.
func (t *Till) Refund(ctx context.Context, r payments.RefundRequest) (payments.Payment, error) {
	if err := checkRefund(r); err != nil {
		return payments.Payment{}, err
	}
	return t.follow(ctx, r.OrderID, func(e *entry) (*operation, error) { return e.planRefund(r) })
}

// Void implements payments.Service.
func (t *Till) Void(ctx context.Context, r payments.VoidRequest) (payments.Payment, error) {
	if err := checkVoid(r); err != nil {
		return payments.Payment{}, err
	}
	return t.follow(ctx, r.OrderID, func(e *entry) (*operation, error) {
		if op := e.refund(r.VoidID); op != nil {
			return op, nil
		}
		f := e.figures(true)
		if f.authorised == 0 && (e.Status == payments.StatusPending || e.Status == payments.StatusRequiresAction) {
			return nil, e.unanswered()
		}
		return e.planVoid(&operation{callerID: r.VoidID, reason: r.Reason}, f)
	})
}

// follow carries out what follows a charge.
func (t *Till) follow(ctx context.Context, orderID string, plan plan) (payments.Payment, error) {
	e, err := t.ofOrder(ctx, orderID)
	if err != nil {
		return payments.Payment{}, err
	}
	if e == nil {
		return payments.Payment{}, payments.ErrNotCharged.About(orderID)
	}
	op, err := plan(e)
	fresh := false
	if err == nil && op != nil && op.ID == "" {
		if err := t.foreign(e); err != nil {
			return payments.Payment{}, err
		}
		if !t.breaker.closed() {
			return payments.Payment{}, payments.ErrNotSent.About(orderID).Because(errOpen)
		}
		op, fresh, err = t.begin(ctx, e, plan)
	}
	switch {
	case err != nil:
		return payments.Payment{}, err
	case op == nil:
		return e.shown(), nil
	}
	return t.operate(ctx, e, op.ID, "", fresh)
}

// begin is Write 1 of what follows a charge. Whether there is enough left is decided here, where no other request is between
// the look and the write. e becomes what is stored.
func (t *Till) begin(ctx context.Context, e *entry, plan plan) (op *operation, fresh bool, err error) {
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := reload(tx, e); err != nil {
			return err
		}
		var planned error
		if op, planned = plan(e); planned != nil || op == nil || op.ID != "" {
			return planned
		}
		fresh = true
		begun := t.newOperation(op.Kind, op.Amount, t.clock())
		begun.callerID, begun.requested, begun.final, begun.reason = op.callerID, op.requested, op.final, op.reason
		op, err = &begun, t.add(tx, e, begun)
		return err
	})
	return op, fresh, err
}

// add stores a further operation of a payment. e is what the transaction has read.
func (t *Till) add(tx *gorm.DB, e *entry, op operation) error {
	before := e.position()
	e.ops = append(e.ops, op)
	e.UpdatedAt = t.clock()
	e.derive()
	if err := insertOperation(tx, e.ID, &op); err != nil {
		return err
	}
	if err := t.post(tx, e, op.ID, before, e.position()); err != nil {
		return err
	}
	_, err := updatePayment(tx, e)
	return err
}

// planCapture takes what a capture asks for of what is left. Where the card allows one capture alone, that one is final.
func (e *entry) planCapture(r payments.CaptureRequest) (*operation, error) {
	charge := e.charge()
	op := e.first(func(op *operation) bool { return op.Kind == payments.OperationCapture && op.callerID == r.CaptureID })
	switch {
	case op != nil && op.requested != r.Amount:
		return nil, payments.ErrOtherRequest.Saying("this capture was started with another amount").About(e.OrderID)
	case op != nil:
		return op, nil
	case e.kind(payments.OperationMarkPaid) != nil:
		return nil, nil
	case charge.Status == disputed && !e.decided():
		return nil, e.wrongAmount(charge)
	case e.Status == payments.StatusPending:
		return nil, e.unanswered()
	case e.Authorised.Amount == 0 || e.void() != nil:
		return nil, payments.ErrNotAuthorised.About(e.OrderID)
	}
	left := e.capturable()
	amount := r.Amount
	if amount == 0 {
		amount = left
	}
	switch {
	case left == 0:
		return nil, payments.ErrNotAuthorised.Saying("all that was authorised is captured or free").About(e.OrderID)
	case amount > left:
		return nil, payments.ErrAmountTooLarge.Saying("this is more than is left of the authorised amount").About(e.OrderID)
	}
	running := e.capturing()
	if running && r.Final { // it must not overtake the other at the provider, and free what that asks for
		return nil, e.unanswered()
	}
	return &operation{
		Operation: payments.Operation{Kind: payments.OperationCapture, Amount: money.Of(amount, e.Authorised.Currency)},
		callerID:  r.CaptureID, requested: r.Amount, final: r.Final || amount == left && !running || !e.Multicapture,
	}, nil
}

// capturable is what may still be taken: captures that have no answer yet count as if they had succeeded.
func (e *entry) capturable() int64 {
	left := e.Authorised.Amount
	for i := range e.ops {
		op := &e.ops[i]
		if op.Kind != payments.OperationCapture || op.Status == payments.OperationDeclined {
			continue
		}
		if op.final {
			return 0
		}
		left -= max(op.Amount.Amount, op.moved.Amount)
	}
	return max(left, 0)
}

// planRefund gives back what was captured, or free what was authorised. Of a disputed charge that is what the provider says
// that it moved: an operator has decided so.
func (e *entry) planRefund(r payments.RefundRequest) (*operation, error) {
	if op := e.refund(r.RefundID); op != nil {
		if op.requested != r.Amount {
			return nil, payments.ErrOtherRequest.Saying("this refund was started with another amount").About(e.OrderID)
		}
		return op, nil
	}
	f := e.figures(true)
	op := &operation{callerID: r.RefundID, requested: r.Amount, reason: r.Reason}
	switch {
	case f.captured > 0:
		left := e.refundable(f)
		if r.Amount > max(left, 0) {
			return nil, payments.ErrAmountTooLarge.About(e.OrderID)
		}
		if r.Amount > 0 {
			left = r.Amount
		}
		if left <= 0 {
			return nil, nil
		}
		op.Kind, op.Amount = payments.OperationRefund, money.Of(left, f.currency)
		return op, nil
	case f.authorised > 0:
		return e.planVoid(op, f)
	case e.Status == payments.StatusDeclined || e.Status == payments.StatusCancelled:
		return nil, nil
	}
	return nil, e.unanswered() // nobody knows yet what there would be to give back
}

// planVoid gives free what is left of an authorisation. One void is enough for all who ask, unless it was declined.
func (e *entry) planVoid(op *operation, f figures) (*operation, error) {
	if e.capturing() {
		return nil, e.unanswered()
	}
	if op.requested > f.authorised {
		return nil, payments.ErrAmountTooLarge.About(e.OrderID)
	}
	if running := e.void(); running != nil {
		return running, nil
	}
	if f.held == 0 {
		return nil, nil
	}
	op.Kind, op.Amount = payments.OperationVoid, money.Of(f.held, f.currency)
	return op, nil
}

// void returns the void that was begun and not declined, or nil.
func (e *entry) void() *operation {
	return e.first(func(op *operation) bool {
		return op.Kind == payments.OperationVoid && op.Status != payments.OperationDeclined
	})
}

func (e *entry) unanswered() error {
	return payments.ErrUnknownOutcome.Saying("the charge or capture is not answered yet; repeat it first").About(e.OrderID)
}

// MarkPaid implements payments.Service. The provider is not asked: its word is what the operator's replaces.
func (t *Till) MarkPaid(ctx context.Context, r payments.MarkPaidRequest) (payments.Payment, error) {
	if err := checkMarkPaid(r); err != nil {
		return payments.Payment{}, err
	}
	e, err := t.ofOrder(ctx, r.OrderID)
	if err != nil {
		return payments.Payment{}, err
	}
	if e == nil {
		return payments.Payment{}, payments.ErrNotCharged.About(r.OrderID)
	}
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := reload(tx, e); err != nil {
			return err
		}
		switch e.Status {
		case payments.StatusSucceeded, payments.StatusRefunded: // by the provider's word, or by an operator's
			return nil
		case payments.StatusDeclined, payments.StatusCancelled:
			return payments.ErrNotCharged.About(r.OrderID)
		}
		op := t.newOperation(payments.OperationMarkPaid, e.Amount, t.clock())
		op.Status, op.Reference, op.Attempts, op.moved, op.EndedAt = payments.OperationSucceeded, r.Reference, 0, op.Amount, &op.StartedAt
		return t.add(tx, e, op)
	})
	if err != nil {
		return payments.Payment{}, err
	}
	return e.shown(), nil
}
