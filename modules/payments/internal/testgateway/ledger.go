package testgateway

import (
	"context"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// Ledger implements payments.TestGateway. Its order is that of the sequence, not of the ids, which tell one millisecond from
// the next and no more.
func (g *Gateway) Ledger(ctx context.Context, r payments.LedgerRequest) (payments.LedgerPage, error) {
	limit := min(r.Limit, maxLimit)
	if limit <= 0 {
		limit = defaultLimit
	}
	where, args := "sequence > 0", []any(nil)
	if r.After != "" {
		where, args = "sequence > (SELECT sequence FROM ledger WHERE id = ?)", []any{r.After}
	}
	if r.OrderID != "" {
		where, args = where+" AND order_id = ?", append(args, r.OrderID)
	}
	rows, err := g.store.Read(ctx).Raw(`SELECT id, operation, order_id, amount, currency, key, reference, at FROM ledger
		WHERE `+where+` ORDER BY sequence LIMIT ?`, append(args, limit+1)...).Rows()
	if err != nil {
		return payments.LedgerPage{}, err
	}
	defer rows.Close()
	page := payments.LedgerPage{Entries: []payments.LedgerEntry{}}
	for rows.Next() {
		var e payments.LedgerEntry
		var at int64
		if err := rows.Scan(&e.ID, &e.Operation, &e.OrderID, &e.Amount, &e.Currency, &e.Key, &e.Reference, &at); err != nil {
			return payments.LedgerPage{}, err
		}
		e.At = store.Time(at)
		page.Entries = append(page.Entries, e)
	}
	if len(page.Entries) > limit {
		page.Entries, page.More = page.Entries[:limit], true
	}
	return page, rows.Err()
}
