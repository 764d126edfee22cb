package till

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// insertPayment stores a new payment, or reports that its order has one already.
func insertPayment(tx *gorm.DB, e *entry) (fresh bool, err error) {
	inserted, err := store.Exec(tx, `INSERT INTO payments (id, order_id, status, amount, currency, moved_currency, provider, token_digest, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING`,
		e.ID, e.OrderID, e.Status, e.Amount.Amount, e.Amount.Currency, e.Captured.Currency, e.Provider, e.tokenDigest, e.Version,
		store.Micros(e.CreatedAt), store.Micros(e.UpdatedAt))
	return inserted == 1, err
}

// insertOperation stores a new operation.
func insertOperation(tx *gorm.DB, paymentID string, op *operation) error {
	_, err := store.Exec(tx, `INSERT INTO operations (id, payment_id, kind, refund_id, status, amount, currency, requested, final, key, reason, reference,
			moved_amount, moved_currency, attempts, started_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		op.ID, paymentID, op.Kind, op.callerID, op.Status, op.Amount.Amount, op.Amount.Currency, op.requested, op.final, op.Key, op.reason, op.Reference,
		op.moved.Amount, op.moved.Currency, op.Attempts, store.Micros(op.StartedAt), ended(op))
	return err
}

// addAttempts counts attempts of an operation that waits for the provider.
func addAttempts(tx *gorm.DB, paymentID, operationID string, more int64, now time.Time) error {
	r := tx.Exec("UPDATE operations SET attempts = attempts + ? WHERE id = ? AND status IN ('pending', 'requires_action')", more, operationID)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return tx.Exec("UPDATE payments SET version = version + 1, updated_at = ? WHERE id = ?", store.Micros(now), paymentID).Error
}

// updateOperation stores what an answer changes of an operation. The version of its payment is the fence.
func updateOperation(tx *gorm.DB, op *operation) error {
	_, err := store.Exec(tx, `UPDATE operations SET status = ?, reference = ?, moved_amount = ?, moved_currency = ?, failure_code = ?, failure_message = ?,
		ended_at = ? WHERE id = ?`,
		op.Status, op.Reference, op.moved.Amount, op.moved.Currency, op.failure.Code, op.failure.Message, ended(op), op.ID)
	return err
}

func ended(op *operation) int64 {
	if op.EndedAt == nil {
		return 0
	}
	return store.Micros(*op.EndedAt)
}

// updatePayment stores what operations change of a payment, under a new version, which e takes over; or reports that what is
// stored is not what e was read from (current is false) and does nothing.
func updatePayment(tx *gorm.DB, e *entry) (current bool, err error) {
	var action payments.Action
	if e.Action != nil {
		action = *e.Action
	}
	var until int64
	if e.AuthorisedUntil != nil {
		until = store.Micros(*e.AuthorisedUntil)
	}
	updated, err := store.Exec(tx, `UPDATE payments SET status = ?, authorised = ?, captured = ?, refunded = ?, moved_currency = ?, action_type = ?, action_url = ?,
		authorised_until = ?, multicapture = ?, updated_at = ?, version = version + 1 WHERE id = ? AND version = ?`,
		e.Status, e.Authorised.Amount, e.Captured.Amount, e.Refunded.Amount, e.Captured.Currency, action.Type, action.URL,
		until, e.Multicapture, store.Micros(e.UpdatedAt), e.ID, e.Version)
	if err != nil || updated == 0 {
		return false, err
	}
	e.Version++
	return true, nil
}

// reload makes e what is stored.
func reload(tx *gorm.DB, e *entry) error {
	found, err := find(tx, "p.id = ?", e.ID)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d payments with the id %s", len(found), e.ID)
	}
	if err == nil {
		*e = *found[0]
	}
	return err
}

// owner returns the payment and the id of the operation that a provider's fact is about, or nil: by key, or where the provider
// names none by reference.
func owner(db *gorm.DB, f Fact) (*entry, string, error) {
	where, args := "key = ?", []any{f.Key}
	if f.Key == "" {
		where, args = "reference = ? AND reference <> '' AND kind = ?", []any{f.Result.Reference, f.Kind}
	}
	var paymentID, operationID string
	err := db.Raw("SELECT payment_id, id FROM operations WHERE kind <> 'mark_paid' AND "+where+" LIMIT 1", args...).Row().Scan(&paymentID, &operationID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	}
	e := &entry{Payment: payments.Payment{ID: paymentID}}
	return e, operationID, reload(db, e)
}

// find returns payments, newest first, with their operations. It is one query, since two would not see the same commit. Every
// payment has an operation, so the join loses none.
func find(db *gorm.DB, where string, args ...any) ([]*entry, error) {
	rows, err := db.Raw(`SELECT p.id, p.order_id, p.status, p.amount, p.currency, p.authorised, p.captured, p.refunded, p.moved_currency,
			p.provider, p.action_type, p.action_url, p.token_digest, p.version, p.created_at, p.updated_at,
			p.authorised_until, p.multicapture, p.disputes,
			o.id, o.kind, o.refund_id, o.status, o.amount, o.currency, o.requested, o.final, o.key, o.reason, o.reference,
			o.moved_amount, o.moved_currency, o.failure_code, o.failure_message, o.attempts, o.started_at, o.ended_at
		FROM payments p JOIN operations o ON o.payment_id = p.id
		WHERE `+where+` ORDER BY p.id DESC, o.started_at, o.id`, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*entry
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if n := len(found); n > 0 && found[n-1].ID == e.ID {
			found[n-1].ops = append(found[n-1].ops, e.ops...)
		} else {
			found = append(found, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, e := range found {
		if e.disputes == 0 {
			continue
		}
		if e.Disputes, err = disputesOf(db, e.ID); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scan reads a payment with one of its operations.
func scan(rows *sql.Rows) (*entry, error) {
	var e entry
	var op operation
	var action payments.Action
	var created, updated, until, started, ended int64
	err := rows.Scan(&e.ID, &e.OrderID, &e.Status, &e.Amount.Amount, &e.Amount.Currency, &e.Authorised.Amount, &e.Captured.Amount, &e.Refunded.Amount,
		&e.Captured.Currency, &e.Provider, &action.Type, &action.URL, &e.tokenDigest, &e.Version, &created, &updated,
		&until, &e.Multicapture, &e.disputes,
		&op.ID, &op.Kind, &op.callerID, &op.Status, &op.Amount.Amount, &op.Amount.Currency, &op.requested, &op.final, &op.Key, &op.reason, &op.Reference,
		&op.moved.Amount, &op.moved.Currency, &op.failure.Code, &op.failure.Message, &op.Attempts, &started, &ended)
	if err != nil {
		return nil, err
	}
	e.Authorised.Currency, e.Refunded.Currency = e.Captured.Currency, e.Captured.Currency
	e.CreatedAt, e.UpdatedAt, op.StartedAt = store.Time(created), store.Time(updated), store.Time(started)
	if action.Type != "" {
		e.Action = &action
	}
	if until != 0 {
		at := store.Time(until)
		e.AuthorisedUntil = &at
	}
	if ended != 0 {
		at := store.Time(ended)
		op.EndedAt = &at
	}
	e.ops = []operation{op}
	return &e, nil
}
