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
	rows, err := t.store.Read(ctx).Raw("SELECT sequence, order_id, status, at FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?",
		r.After, limit+1).Rows()
	if err != nil {
		return payments.ChangePage{}, err
	}
	defer rows.Close()
	page := payments.ChangePage{Changes: []payments.Change{}}
	for rows.Next() {
		var c payments.Change
		var at int64
		if err := rows.Scan(&c.Sequence, &c.OrderID, &c.Status, &at); err != nil {
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

// insertChange tells whoever reads Changes that a payment is not what its last caller was told.
func insertChange(tx *gorm.DB, e *entry) error {
	return tx.Exec("INSERT INTO changes (order_id, status, at) VALUES (?, ?, ?)", e.OrderID, e.Status, store.Micros(e.UpdatedAt)).Error
}
