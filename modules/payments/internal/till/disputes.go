package till

import (
	"fmt"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// dispute is a dispute as it is stored.
type dispute struct{ payments.Dispute }

// position is what a dispute has moved: nothing, once it is won.
func (d *dispute) position() position {
	to := payments.AccountDisputed
	switch {
	case d == nil || d.Status == payments.DisputeWon:
		return position{}
	case d.Status == payments.DisputeLost:
		to = payments.AccountLosses
	}
	return position{{to, payments.AccountProvider, d.Amount.Currency}: d.Amount.Amount}
}

// learnDispute takes over what a provider tells of a dispute, and reports whether its payment is known here. A dispute that has
// ended stays so.
func (t *Till) learnDispute(tx *gorm.DB, d *Dispute) (known bool, err error) {
	e, _, err := owner(tx, Fact{Result: Result{Reference: d.Charge}, Kind: payments.OperationCharge})
	if e == nil && err == nil {
		e, _, err = owner(tx, Fact{Result: Result{Reference: d.Charge}, Kind: payments.OperationAuthorise})
	}
	if e == nil || err != nil {
		return false, err
	}
	if d.Reference == "" || d.Amount.Amount < 1 {
		return true, fmt.Errorf("a dispute %q of %v", d.Reference, d.Amount)
	}
	var before *dispute
	for i := range e.Disputes {
		if e.Disputes[i].Reference == d.Reference {
			before = &dispute{e.Disputes[i]}
		}
	}
	now := t.clock()
	after := &dispute{payments.Dispute{Reference: d.Reference, Status: d.Status, Amount: d.Amount, Reason: d.Reason, OpenedAt: now, UpdatedAt: now}}
	if before != nil {
		if before.Status != payments.DisputeOpen || before.Status == d.Status {
			return true, nil
		}
		after.Amount, after.OpenedAt = before.Amount, before.OpenedAt
	}
	if err := after.write(tx, e, before == nil); err != nil {
		return true, err
	}
	if err := t.post(tx, e, d.Reference, before.position(), after.position()); err != nil {
		return true, err
	}
	e.UpdatedAt = now
	return true, insertChange(tx, e, "dispute_"+d.Status)
}

func (d *dispute) write(tx *gorm.DB, e *entry, fresh bool) error {
	err := tx.Exec(`INSERT INTO disputes (reference, payment_id, status, amount, currency, reason, opened_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (reference) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at`,
		d.Reference, e.ID, d.Status, d.Amount.Amount, d.Amount.Currency, d.Reason, store.Micros(d.OpenedAt), store.Micros(d.UpdatedAt)).Error
	if err != nil {
		return err
	}
	more := 0
	if fresh {
		more = 1
	}
	return tx.Exec("UPDATE payments SET disputes = disputes + ?, version = version + 1, updated_at = ? WHERE id = ?", more, store.Micros(d.UpdatedAt), e.ID).Error
}

// disputesOf returns the disputes of a payment, oldest first.
func disputesOf(db *gorm.DB, paymentID string) (list []payments.Dispute, err error) {
	rows, err := db.Raw("SELECT reference, status, amount, currency, reason, opened_at, updated_at FROM disputes WHERE payment_id = ? ORDER BY opened_at, reference", paymentID).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d payments.Dispute
		var opened, updated int64
		if err := rows.Scan(&d.Reference, &d.Status, &d.Amount.Amount, &d.Amount.Currency, &d.Reason, &opened, &updated); err != nil {
			return nil, err
		}
		d.OpenedAt, d.UpdatedAt = store.Time(opened), store.Time(updated)
		list = append(list, d)
	}
	return list, rows.Err()
}
