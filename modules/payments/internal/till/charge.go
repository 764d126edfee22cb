package till

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

// Charge implements payments.Service.
func (t *Till) Charge(ctx context.Context, r payments.ChargeRequest) (payments.Payment, error) {
	if err := checkCharge(r); err != nil {
		return payments.Payment{}, err
	}
	e, err := t.ofOrder(ctx, r.OrderID)
	fresh := false
	if err == nil && e == nil {
		if !t.breaker.closed() {
			return payments.Payment{}, payments.ErrNotSent.About(r.OrderID).Because(errOpen)
		}
		e, fresh, err = t.beginPayment(ctx, t.newPayment(r.OrderID, kindOf(r), r.Amount, digest(r)))
	}
	if err != nil {
		return payments.Payment{}, err
	}
	if e.tokenDigest == "" { // sealed before this charge came
		return e.shown(), nil
	}
	op := e.charge()
	if e.Amount != r.Amount || e.tokenDigest != digest(r) || op.Kind != kindOf(r) {
		return payments.Payment{}, payments.ErrOtherRequest.About(r.OrderID)
	}
	return t.operate(ctx, e, op.ID, r.Token, fresh)
}

func kindOf(r payments.ChargeRequest) string {
	if r.Capture == payments.CaptureManual {
		return payments.OperationAuthorise
	}
	return payments.OperationCharge
}

// digest tells whether a repeat brings the same token. The order's id in it keeps the digests of a customer's orders apart.
func digest(r payments.ChargeRequest) string {
	sum := sha256.Sum256([]byte(r.OrderID + "\n" + r.Token))
	return hex.EncodeToString(sum[:])
}

// newPayment returns a payment with the operation that it begins with.
func (t *Till) newPayment(orderID, kind string, amount money.Money, tokenDigest string) *entry {
	now, nothing := t.clock(), money.Of(0, amount.Currency)
	return &entry{
		Payment: payments.Payment{
			ID: t.newID("pay"), OrderID: orderID, Status: payments.StatusPending, Amount: amount,
			Authorised: nothing, Captured: nothing, Refunded: nothing,
			Provider: t.provider.Name(), Version: 1, CreatedAt: now, UpdatedAt: now,
		},
		tokenDigest: tokenDigest,
		ops:         []operation{t.newOperation(kind, amount, now)},
	}
}

// newOperation returns an operation that is about to be sent for the first time. Its own id is the key that the provider sees.
func (t *Till) newOperation(kind string, amount money.Money, now time.Time) operation {
	key := t.newID("op")
	return operation{Operation: payments.Operation{
		ID: key, Kind: kind, Status: payments.OperationPending, Amount: amount, Key: key, Attempts: 1, StartedAt: now,
	}}
}

// beginPayment is Write 1 of a payment. Of several that begin one order's payment at once, one does (fresh) and the others get
// what it wrote.
func (t *Till) beginPayment(ctx context.Context, e *entry) (_ *entry, fresh bool, err error) {
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if fresh, err = insertPayment(tx, e); err != nil || !fresh {
			return err
		}
		return insertOperation(tx, e.ID, &e.ops[0])
	})
	if err == nil && !fresh {
		e, err = t.ofOrder(ctx, e.OrderID)
	}
	return e, fresh, err
}
