package testgateway

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
	"cutpoint/platform/webhook"
)

// request is what was asked for under a key, and what became of it.
type request struct {
	key, fingerprint string
	kind             string
	orderID          string
	token            string // of a charge
	charge           string // reference of the charge that a later request is about
	asked            money.Money
	state            till.State
	reference        string
	moved            money.Money
	failure          payments.Failure
	actionURL        string
	final            bool      // of a capture: what it leaves is free
	settleAt         time.Time // of a pending one; zero: not by itself
	at, changed      time.Time
}

// begin decides what a charge's token makes of it.
func (r *request) begin(t token, reference string) {
	r.reference = reference
	switch {
	case t.decline.Code != "":
		r.decline(t.decline)
	case t.action:
		r.state, r.actionURL = till.RequiresAction, "https://test-gateway.invalid/authenticate/"+reference
	case t.async != "":
		r.state, r.settleAt = till.Pending, r.at.Add(t.delay())
	default:
		r.succeed(t)
	}
}

// succeed moves the money, or reserves it.
func (r *request) succeed(t token) {
	r.state, r.moved, r.settleAt = till.Succeeded, money.Of(r.asked.Amount+t.surplus, r.asked.Currency), time.Time{}
	if r.kind == payments.OperationAuthorise {
		r.state = till.Authorised
	}
}

func (r *request) decline(why payments.Failure) {
	r.state, r.failure, r.moved, r.settleAt = till.Declined, why, money.Money{}, time.Time{}
}

// result is the answer to a request as it is by now.
func (g *Gateway) result(r *request) till.Result {
	result := till.Result{State: r.state, Reference: r.reference, Amount: r.moved, Failure: r.failure}
	switch r.state {
	case till.RequiresAction:
		result.Action = payments.Action{Type: "redirect", URL: r.actionURL}
	case till.Authorised:
		t := g.token(r.token)
		result.Until, result.Multicapture = r.at.Add(t.holds()), !t.once
	}
	return result
}

func (g *Gateway) fact(r *request) till.Fact {
	f := till.Fact{Kind: r.kind, Key: r.key, OrderID: r.orderID, Result: g.result(r)}
	if r.kind == payments.OperationVoid && r.fingerprint == "" { // by the dashboard
		f.Key, f.Charge = "", r.charge
	}
	return f
}

func (r *request) insert(tx *gorm.DB) error {
	_, err := store.Exec(tx, `INSERT INTO requests (key, fingerprint, kind, order_id, token, charge, asked, state, reference, amount, currency, code, message,
			action_url, settle_at, at, changed_at, final)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.key, r.fingerprint, r.kind, r.orderID, r.token, r.charge, r.asked.Amount, r.state, r.reference, r.moved.Amount, r.asked.Currency,
		r.failure.Code, r.failure.Message, r.actionURL, store.Micros(r.settleAt), store.Micros(r.at), store.Micros(r.changed), r.final)
	return err
}

// update stores what became of a request, and the money that moved with it.
func (g *Gateway) update(tx *gorm.DB, r *request) error {
	r.changed = g.now()
	err := tx.Exec("UPDATE requests SET state = ?, amount = ?, code = ?, message = ?, settle_at = ?, changed_at = ? WHERE key = ?",
		r.state, r.moved.Amount, r.failure.Code, r.failure.Message, store.Micros(r.settleAt), store.Micros(r.changed), r.key).Error
	if err != nil {
		return err
	}
	return g.book(tx, r)
}

// book writes money that moved into the ledger.
func (g *Gateway) book(tx *gorm.DB, r *request) error {
	if r.moved.Amount == 0 {
		return nil
	}
	_, err := store.Exec(tx, `INSERT INTO ledger (id, operation, order_id, amount, currency, key, reference, charge, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		g.newID("led"), r.kind, r.orderID, r.moved.Amount, r.moved.Currency, r.key, r.reference, r.charge, store.Micros(r.changed))
	return err
}

const requestColumns = `SELECT key, fingerprint, kind, order_id, token, charge, asked, state, reference, amount, currency, code, message,
	action_url, settle_at, at, changed_at FROM requests WHERE `

// findRequest returns the first request that the condition names, or nil.
func findRequest(db *gorm.DB, where string, args ...any) (*request, error) {
	found, err := findRequests(db, where+" LIMIT 1", args...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func findRequests(db *gorm.DB, where string, args ...any) (found []*request, err error) {
	rows, err := store.Rows(db, requestColumns+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r request
		var settleAt, at, changed int64
		if err := rows.Scan(&r.key, &r.fingerprint, &r.kind, &r.orderID, &r.token, &r.charge, &r.asked.Amount, &r.state, &r.reference,
			&r.moved.Amount, &r.asked.Currency, &r.failure.Code, &r.failure.Message, &r.actionURL, &settleAt, &at, &changed); err != nil {
			return nil, err
		}
		if r.moved.Amount > 0 {
			r.moved.Currency = r.asked.Currency
		}
		r.settleAt, r.at, r.changed = store.Time(settleAt), store.Time(at), store.Time(changed)
		found = append(found, &r)
	}
	return found, rows.Err()
}

// position is what the ledger says of a charge.
type position struct {
	authorised, captured, voided, refunded int64
	currency                               string    // "": there is no such charge
	final                                  bool      // nothing more will be captured
	at                                     time.Time // of the charge
}

// positionOf adds up what moved of a charge, and returns its token.
func positionOf(tx *gorm.DB, charge string) (p position, token string, err error) {
	var at int64
	err = tx.Raw(`SELECT token, at, EXISTS (SELECT 1 FROM requests c WHERE c.charge = r.reference AND c.kind = 'capture' AND c.state = 'succeeded' AND c.final = 1)
		FROM requests r WHERE reference = ?`, charge).Row().Scan(&token, &at, &p.final)
	p.at = store.Time(at)
	if errors.Is(err, sql.ErrNoRows) {
		return p, "", nil
	}
	if err != nil {
		return p, "", err
	}
	rows, err := tx.Raw(`SELECT operation, amount, currency FROM ledger WHERE reference = ?
		UNION ALL SELECT operation, amount, currency FROM ledger WHERE charge = ? AND charge <> ''`, charge, charge).Rows()
	if err != nil {
		return p, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var operation string
		var amount int64
		if err := rows.Scan(&operation, &amount, &p.currency); err != nil {
			return p, "", err
		}
		switch operation {
		case payments.OperationAuthorise:
			p.authorised += amount
		case payments.OperationCharge, payments.OperationCapture:
			p.captured += amount
		case payments.OperationVoid:
			p.voided += amount
		case payments.OperationRefund:
			p.refunded += amount
		case refundFailed:
			p.refunded -= amount
		}
	}
	return p, token, rows.Err()
}

// ended reports whether what was authorised can't be captured any more.
func (p position) ended(t token, now time.Time) bool { return !now.Before(p.at.Add(t.holds())) }

// left is what can still be captured or given free.
func (p position) left() int64 {
	if p.final || p.voided > 0 {
		return 0
	}
	return max(p.authorised-p.captured, 0)
}

// strike counts a fault against a key, and reports whether it struck: it does so the first n times.
func (g *Gateway) strike(ctx context.Context, key, what string, n int) (struck bool, err error) {
	if n <= 0 {
		return false, nil
	}
	err = g.store.Write(ctx, func(tx *gorm.DB) error {
		r := tx.Exec(`INSERT INTO faults (key, what, times) VALUES (?, ?, 1)
			ON CONFLICT (key, what) DO UPDATE SET times = faults.times + 1 WHERE faults.times < ?`, key, what, n)
		struck = r.RowsAffected == 1
		return r.Error
	})
	return struck, err
}

// secretOf returns the secret of a gateway's webhooks. It is made with its books.
func secretOf(ctx context.Context, s *store.Store, random io.Reader) (secret []byte, err error) {
	fresh := make([]byte, webhook.MinSecret)
	if _, err := io.ReadFull(random, fresh); err != nil {
		return nil, err
	}
	read := func(db *gorm.DB) error { return db.Raw("SELECT secret FROM secret").Row().Scan(&secret) }
	if err = read(s.Read(ctx)); errors.Is(err, sql.ErrNoRows) {
		err = s.Write(ctx, func(tx *gorm.DB) error {
			if err := tx.Exec("INSERT INTO secret (one, secret) VALUES (1, ?) ON CONFLICT DO NOTHING", fresh).Error; err != nil {
				return err
			}
			return read(tx)
		})
	}
	return secret, err
}
