// Package till is the body of the payments module: it writes down what it asks of a payment provider, asks, and writes down
// what came of it.
//
//	Write 1: the operation, pending ---> provider, same key each time ---> Write 2: the answer
//
// No transaction is open while the provider is asked. A crash between the two writes leaves a pending operation with its key:
// the next repeat sends that key again, so whatever happened the first time happens only once.
//
//	operation   pending --> succeeded | declined      the first definite answer wins
//	               \------> disputed                  another amount moved: an operator's to settle
//
//	payment     pending --> declined
//	               \------> succeeded --> refunded
//
// operate.go carries operations out, entry.go holds these two state machines, store.go the SQL. What a provider must keep is
// said in provider.go.
package till

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
	"unicode/utf8"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Bounds of what a stranger may send, and of lists.
const (
	maxOrderID   = 64
	maxToken     = 255
	maxReason    = 500
	defaultLimit = 50
	maxLimit     = 200
)

// Till implements the payments contract with one provider.
type Till struct {
	store    *store.Store
	provider Provider
	now      func() time.Time
	newID    id.Source
}

var _ payments.Service = (*Till)(nil)

// New returns a till over a store that has the migrations of payments.
func New(s *store.Store, p Provider, now func() time.Time, newID id.Source) *Till {
	return &Till{store: s, provider: p, now: now, newID: newID}
}

// Charge implements payments.Service.
func (t *Till) Charge(ctx context.Context, r payments.ChargeRequest) (payments.Payment, error) {
	if err := checkCharge(r); err != nil {
		return payments.Payment{}, err
	}
	e, err := t.ofOrder(ctx, r.OrderID)
	if err != nil {
		return payments.Payment{}, err
	}
	fresh := false
	if e == nil {
		if e, fresh, err = t.beginCharge(ctx, r); err != nil {
			return payments.Payment{}, err
		}
	}
	if e.Amount != r.Amount || e.tokenDigest != digest(r) {
		return payments.Payment{}, payments.ErrOtherRequest.About(r.OrderID)
	}
	return t.operate(ctx, e, payments.OperationCharge, r.Token, fresh)
}

// Refund implements payments.Service.
func (t *Till) Refund(ctx context.Context, r payments.RefundRequest) (payments.Payment, error) {
	if err := checkRefund(r); err != nil {
		return payments.Payment{}, err
	}
	e, err := t.ofOrder(ctx, r.OrderID)
	if err != nil {
		return payments.Payment{}, err
	}
	if e == nil {
		return payments.Payment{}, payments.ErrNotCharged.About(r.OrderID)
	}
	switch e.Status {
	case payments.StatusDeclined:
		return e.shown(), nil
	case payments.StatusPending: // nobody knows yet what there would be to give back
		if _, err := e.answer(payments.OperationCharge); err != nil {
			return payments.Payment{}, err
		}
		return payments.Payment{}, payments.ErrUnknownOutcome.Saying("the charge is not answered yet; repeat it first").About(r.OrderID)
	}
	fresh := false
	if e.operation(payments.OperationRefund) == nil {
		if e, fresh, err = t.beginRefund(ctx, e, r.Reason); err != nil {
			return payments.Payment{}, err
		}
	}
	return t.operate(ctx, e, payments.OperationRefund, "", fresh)
}

// Payment implements payments.Service.
func (t *Till) Payment(ctx context.Context, r payments.PaymentRequest) (payments.Payment, error) {
	found, err := find(t.store.Read(ctx), "p.id = ?", r.ID)
	if err != nil {
		return payments.Payment{}, err
	}
	if len(found) == 0 {
		return payments.Payment{}, payments.ErrPaymentNotFound
	}
	return found[0].shown(), nil
}

// Payments implements payments.Service.
func (t *Till) Payments(ctx context.Context, r payments.PaymentsRequest) (payments.PaymentPage, error) {
	limit := min(r.Limit, maxLimit)
	if limit <= 0 {
		limit = defaultLimit
	}
	var found []*entry
	var err error
	switch db := t.store.Read(ctx); {
	case r.OrderID != "":
		found, err = find(db, "p.order_id = ?", r.OrderID)
	case r.Before != "":
		found, err = find(db, "p.id IN (SELECT id FROM payments WHERE id < ? ORDER BY id DESC LIMIT ?)", r.Before, limit+1)
	default:
		found, err = find(db, "p.id IN (SELECT id FROM payments ORDER BY id DESC LIMIT ?)", limit+1)
	}
	if err != nil {
		return payments.PaymentPage{}, err
	}
	page := payments.PaymentPage{Payments: []payments.Payment{}, More: len(found) > limit}
	for _, e := range found[:min(len(found), limit)] {
		page.Payments = append(page.Payments, e.shown())
	}
	return page, nil
}

// ofOrder returns an order's payment, or nil. Most orders that ask have none yet, and to learn that takes a third of the time
// that the whole payment would.
func (t *Till) ofOrder(ctx context.Context, orderID string) (*entry, error) {
	db := t.store.Read(ctx)
	var paymentID string
	switch err := db.Raw("SELECT id FROM payments WHERE order_id = ?", orderID).Row().Scan(&paymentID); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	found, err := find(db, "p.id = ?", paymentID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// clock returns the time as it will be read from the store again.
func (t *Till) clock() time.Time { return store.Time(store.Micros(t.now())) }

// digest tells whether a repeat brings the same token. The order's id in it keeps the digests of a customer's orders apart.
func digest(r payments.ChargeRequest) string {
	sum := sha256.Sum256([]byte(r.OrderID + "\n" + r.Token))
	return hex.EncodeToString(sum[:])
}

func checkCharge(r payments.ChargeRequest) error {
	switch {
	case r.OrderID == "" || len(r.OrderID) > maxOrderID:
		return fault.ErrInvalid.At("/order_id", "invalid", "an order id has 1 to 64 bytes")
	case r.Amount.Amount < 1:
		return fault.ErrInvalid.At("/amount/amount", "invalid", "an amount is at least 1 minor unit")
	case money.Check(r.Amount.Currency) != nil:
		return fault.ErrInvalid.At("/amount/currency", "invalid", "not an ISO 4217 currency code")
	case r.Token == "" || len(r.Token) > maxToken:
		return fault.ErrInvalid.At("/token", "invalid", "a token has 1 to 255 bytes")
	}
	return nil
}

func checkRefund(r payments.RefundRequest) error {
	switch {
	case r.OrderID == "" || len(r.OrderID) > maxOrderID:
		return fault.ErrInvalid.At("/order_id", "invalid", "an order id has 1 to 64 bytes")
	case utf8.RuneCountInString(r.Reason) > maxReason:
		return fault.ErrInvalid.At("/reason", "invalid", "a reason has at most 500 characters")
	}
	return nil
}
