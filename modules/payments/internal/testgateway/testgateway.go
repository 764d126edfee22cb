// Package testgateway is a payment provider for demonstrations and tests: no money, but books like a real one's.
//
// It keeps a store of its own, so that what it did survives a crash of whoever asked, and it answers by key: a key that was
// answered once gets the same answer for ever. What a charge does is said by its token (tokens.go). Money that moved stands in
// a ledger; a decline moves none and stands in none.
package testgateway

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Name is the gateway's name as a provider, Migrations that of the history of its store.
const (
	Name       = "test-gateway"
	Migrations = "testgateway"
)

// Gateway implements till.Provider, and payments.TestGateway to look into its books.
type Gateway struct {
	store  *store.Store
	now    func() time.Time
	newID  id.Source
	tokens map[string]token
}

var (
	_ till.Provider        = (*Gateway)(nil)
	_ payments.TestGateway = (*Gateway)(nil)
)

// New returns a gateway over a store that has the migrations of the test gateway.
func New(s *store.Store, now func() time.Time, newID id.Source) *Gateway {
	g := &Gateway{store: s, now: now, newID: newID, tokens: map[string]token{}}
	for _, t := range tokens() {
		g.tokens[t.name] = t
	}
	return g
}

// Name implements till.Provider.
func (g *Gateway) Name() string { return Name }

// Charge implements till.Provider.
func (g *Gateway) Charge(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.once(ctx, payments.OperationCharge, in, func(*gorm.DB) (till.Result, error) {
		t, known := g.tokens[in.Token]
		if !known {
			t = unknownToken()
		}
		if t.decline != (payments.Failure{}) {
			return declined(g.newID("ch"), t.decline), nil
		}
		return till.Result{State: till.Succeeded, Reference: g.newID("ch"), Amount: in.Amount}, nil
	})
}

// Refund implements till.Provider. It gives back what a charge took, and never more.
func (g *Gateway) Refund(ctx context.Context, in till.Instruction) (till.Result, error) {
	return g.once(ctx, payments.OperationRefund, in, func(tx *gorm.DB) (till.Result, error) {
		left, err := unrefunded(tx, in.Charge)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return declined(g.newID("re"), payments.Failure{Code: "unknown_charge", Message: "There is no such charge."}), nil
		case err != nil:
			return till.Result{}, err
		case left.Currency != in.Amount.Currency, left.Amount < in.Amount.Amount:
			return declined(g.newID("re"), payments.Failure{Code: "amount_too_large", Message: "The charge has less than this left to refund."}), nil
		}
		return till.Result{State: till.Succeeded, Reference: g.newID("re"), Amount: in.Amount}, nil
	})
}

// Lookup implements till.Provider. The gateway knows all keys that it ever took.
func (g *Gateway) Lookup(ctx context.Context, key string) (till.Result, error) {
	r, _, err := answered(g.store.Read(ctx), key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return till.Result{State: till.NotFound}, nil
	case err != nil:
		return till.Result{Cause: err}, nil
	}
	return r, nil
}

// errOtherParameters is a programming fault of the caller.
var errOtherParameters = errors.New("this key was used with other parameters")

// once decides a request, or repeats the answer that its key got. Decision, answer and ledger are one transaction. A store
// that fails is a provider that can't be reached: nothing is known.
func (g *Gateway) once(ctx context.Context, kind string, in till.Instruction, decide func(tx *gorm.DB) (till.Result, error)) (till.Result, error) {
	asked := fingerprint(kind, in)
	var r till.Result
	err := g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		var before string
		r, before, err = answered(tx, in.Key)
		switch {
		case err == nil && before != asked:
			return fmt.Errorf("%s %s: %w", kind, in.Key, errOtherParameters)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if r, err = decide(tx); err != nil {
			return err
		}
		return g.remember(tx, kind, in, asked, r)
	})
	switch {
	case errors.Is(err, errOtherParameters):
		return till.Result{}, err
	case err != nil:
		return till.Result{Cause: fmt.Errorf("%s: %w", Name, err)}, nil
	}
	return r, nil
}

// remember stores an answer under its key, and the money that moved with it.
func (g *Gateway) remember(tx *gorm.DB, kind string, in till.Instruction, asked string, r till.Result) error {
	at := store.Micros(g.now())
	err := tx.Exec(`INSERT INTO requests (key, fingerprint, state, reference, amount, currency, code, message, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.Key, asked, r.State, r.Reference, r.Amount.Amount, r.Amount.Currency, r.Failure.Code, r.Failure.Message, at).Error
	if err != nil || r.State != till.Succeeded {
		return err
	}
	return tx.Exec(`INSERT INTO ledger (id, operation, order_id, amount, currency, key, reference, charge, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.newID("led"), kind, in.OrderID, r.Amount.Amount, r.Amount.Currency, in.Key, r.Reference, in.Charge, at).Error
}

// answered returns the answer that a key got and the fingerprint of what was asked, or sql.ErrNoRows.
func answered(db *gorm.DB, key string) (r till.Result, asked string, err error) {
	err = db.Raw("SELECT fingerprint, state, reference, amount, currency, code, message FROM requests WHERE key = ?", key).Row().
		Scan(&asked, &r.State, &r.Reference, &r.Amount.Amount, &r.Amount.Currency, &r.Failure.Code, &r.Failure.Message)
	return r, asked, err
}

// unrefunded returns what a charge has left, or sql.ErrNoRows.
func unrefunded(tx *gorm.DB, charge string) (left money.Money, err error) {
	err = tx.Raw(`SELECT amount - (SELECT COALESCE(SUM(r.amount), 0) FROM ledger r WHERE r.charge = c.reference AND r.charge <> ''), currency
		FROM ledger c WHERE c.reference = ? AND c.operation = 'charge'`, charge).Row().Scan(&left.Amount, &left.Currency)
	return left, err
}

func declined(reference string, why payments.Failure) till.Result {
	return till.Result{State: till.Declined, Reference: reference, Failure: why}
}

// fingerprint tells whether a key comes back with the same parameters. The token goes into it, and nowhere else.
func fingerprint(kind string, in till.Instruction) string {
	text, _ := json.Marshal(struct {
		Kind string
		till.Instruction
	}{kind, in}) // strings and a number always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
