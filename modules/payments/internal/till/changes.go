package till

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// Changes implements payments.Service.
func (t *Till) Changes(ctx context.Context, r payments.ChangesRequest) (payments.ChangePage, error) {
	limit := pageOf(r.Limit)
	rows, err := t.store.Read(ctx).Raw("SELECT sequence, order_id, status, reason, at FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?",
		r.After, limit+1).Rows()
	if err != nil {
		return payments.ChangePage{}, err
	}
	defer rows.Close()
	page := payments.ChangePage{Changes: []payments.Change{}}
	for rows.Next() {
		var c payments.Change
		var at int64
		if err := rows.Scan(&c.Sequence, &c.OrderID, &c.Status, &c.Reason, &at); err != nil {
			return payments.ChangePage{}, err
		}
		c.At = store.Time(at)
		page.Changes = append(page.Changes, c)
	}
	if len(page.Changes) > limit {
		page.Changes, page.More = page.Changes[:limit], true
	}
	return page, rows.Err()
}

// reasonToLook is the reason of the Change that an operation's news leaves.
func (op *operation) reasonToLook() string {
	if op.Status == payments.OperationFailed {
		return payments.ReasonRefundFailed
	}
	return ""
}

// insertChange tells whoever reads Changes that a payment is not what its last caller was told, or why else it is worth a look.
func insertChange(tx *gorm.DB, e *entry, reason string) error {
	return tx.Exec("INSERT INTO changes (order_id, status, reason, at) VALUES (?, ?, ?, ?)", e.OrderID, e.Status, reason, store.Micros(e.UpdatedAt)).Error
}
