package till

import (
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// insertPayment stores a new payment, or reports that its order has one already.
func insertPayment(tx *gorm.DB, e *entry) (fresh bool, err error) {
	r := tx.Exec(`INSERT INTO payments (id, order_id, status, amount, currency, provider, token_digest, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING`,
		e.ID, e.OrderID, e.Status, e.Amount.Amount, e.Amount.Currency, e.Provider, e.tokenDigest, e.Version,
		store.Micros(e.CreatedAt), store.Micros(e.UpdatedAt))
	return r.RowsAffected == 1, r.Error
}

// insertOperation stores a new operation, or reports that the payment has one of its kind already.
func insertOperation(tx *gorm.DB, paymentID string, op *operation) (fresh bool, err error) {
	r := tx.Exec(`INSERT INTO operations (id, payment_id, kind, status, amount, currency, key, reason, attempts, started_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (payment_id, kind) DO NOTHING`,
		op.ID, paymentID, op.Kind, op.Status, op.Amount.Amount, op.Amount.Currency, op.Key, op.reason, op.Attempts, store.Micros(op.StartedAt))
	return r.RowsAffected == 1, r.Error
}

// oneMoreAttempt counts an attempt of an operation that is still pending.
func oneMoreAttempt(tx *gorm.DB, paymentID, operationID string, now time.Time) error {
	r := tx.Exec("UPDATE operations SET attempts = attempts + 1 WHERE id = ? AND status = 'pending'", operationID)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return tx.Exec("UPDATE payments SET version = version + 1, updated_at = ? WHERE id = ?", store.Micros(now), paymentID).Error
}

// endOperation stores the answer of an operation, or reports that it has one already. Others may have counted attempts
// meanwhile: op takes over their number.
func endOperation(tx *gorm.DB, op *operation) (first bool, err error) {
	var ended int64
	if op.EndedAt != nil {
		ended = store.Micros(*op.EndedAt)
	}
	err = tx.Raw(`UPDATE operations SET status = ?, reference = ?, moved_amount = ?, moved_currency = ?, ended_at = ?
		WHERE id = ? AND status = 'pending' RETURNING attempts`,
		op.Status, op.Reference, op.moved.Amount, op.moved.Currency, ended, op.ID).Row().Scan(&op.Attempts)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// updatePayment stores what an operation may change of a payment, under a new version, which e takes over.
func updatePayment(tx *gorm.DB, e *entry) error {
	var failure payments.Failure
	if e.Failure != nil {
		failure = *e.Failure
	}
	return tx.Raw(`UPDATE payments SET status = ?, captured = ?, refunded = ?, reference = ?, failure_code = ?, failure_message = ?,
		updated_at = ?, version = version + 1 WHERE id = ? RETURNING version`,
		e.Status, e.Captured.Amount, e.Refunded.Amount, e.Reference, failure.Code, failure.Message,
		store.Micros(e.UpdatedAt), e.ID).Row().Scan(&e.Version)
}

// reload makes e what is stored.
func reload(tx *gorm.DB, e *entry) error {
	found, err := find(tx, "p.id = ?", e.ID)
	if err == nil {
		*e = *found[0]
	}
	return err
}

// find returns payments, newest first, with their operations. It is one query, since two would not see the same commit. Every
// payment has an operation, so the join loses none.
func find(db *gorm.DB, where string, args ...any) ([]*entry, error) {
	rows, err := db.Raw(`SELECT p.id, p.order_id, p.status, p.amount, p.currency, p.captured, p.refunded, p.provider, p.reference,
			p.failure_code, p.failure_message, p.token_digest, p.version, p.created_at, p.updated_at,
			o.id, o.kind, o.status, o.amount, o.currency, o.key, o.reason, o.reference, o.moved_amount, o.moved_currency,
			o.attempts, o.started_at, o.ended_at
		FROM payments p JOIN operations o ON o.payment_id = p.id
		WHERE `+where+` ORDER BY p.id DESC, o.started_at, o.kind`, args...).Rows()
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
	return found, rows.Err()
}

// scan reads a payment with one of its operations.
func scan(rows *sql.Rows) (*entry, error) {
	var e entry
	var op operation
	var failure payments.Failure
	var created, updated, started, ended int64
	err := rows.Scan(&e.ID, &e.OrderID, &e.Status, &e.Amount.Amount, &e.Amount.Currency, &e.Captured.Amount, &e.Refunded.Amount,
		&e.Provider, &e.Reference, &failure.Code, &failure.Message, &e.tokenDigest, &e.Version, &created, &updated,
		&op.ID, &op.Kind, &op.Status, &op.Amount.Amount, &op.Amount.Currency, &op.Key, &op.reason, &op.Reference,
		&op.moved.Amount, &op.moved.Currency, &op.Attempts, &started, &ended)
	if err != nil {
		return nil, err
	}
	e.Captured.Currency, e.Refunded.Currency = e.Amount.Currency, e.Amount.Currency
	e.CreatedAt, e.UpdatedAt, op.StartedAt = store.Time(created), store.Time(updated), store.Time(started)
	if failure.Code != "" {
		e.Failure = &failure
	}
	if ended != 0 {
		at := store.Time(ended)
		op.EndedAt = &at
	}
	e.ops = []operation{op}
	return &e, nil
}
