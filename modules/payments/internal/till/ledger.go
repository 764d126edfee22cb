package till

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// transfer names two accounts of the ledger: what it takes from the one it gives to the other.
type transfer struct{ debit, credit, currency string }

func (t transfer) compare(u transfer) int {
	return cmp.Or(strings.Compare(t.debit, u.debit), strings.Compare(t.credit, u.credit), strings.Compare(t.currency, u.currency))
}

// position is what has gone over each pair of accounts because of one payment, by its operations. The ledger is kept as its
// changes: whatever commit changes a payment posts the difference between what its operations said before and say now. So
// a payment's entries add up to its position, and the audit has something to compare.
type position map[transfer]int64

// position adds up what moved, whatever had been asked for: a wrong amount is as real as a right one. An operator's word that money
// came from elsewhere counts only while the provider took none.
func (e *entry) position() position {
	p := position{}
	var held, captured, marked int64
	released := false
	for i := range e.ops {
		op := &e.ops[i]
		if op.Status != payments.OperationSucceeded && op.Status != disputed {
			continue
		}
		amount, currency := op.moved.Amount, op.moved.Currency
		switch op.Kind {
		case payments.OperationAuthorise:
			held += amount
		case payments.OperationCharge, payments.OperationCapture:
			p[transfer{payments.AccountProvider, payments.AccountSales, currency}] += amount
			captured += amount
			released = released || op.final
		case payments.OperationVoid:
			released = true
		case payments.OperationRefund:
			p[transfer{payments.AccountRefunds, payments.AccountProvider, currency}] += amount
		case payments.OperationMarkPaid:
			marked = amount
		}
	}
	if held > captured && !released {
		p[transfer{payments.AccountAuthorisations, payments.AccountCommitments, e.charge().moved.Currency}] = held - captured
	}
	if captured == 0 && marked > 0 {
		p[transfer{payments.AccountOutside, payments.AccountSales, e.Amount.Currency}] = marked
	}
	return p
}

// post writes what a payment's position has changed by.
func (t *Till) post(tx *gorm.DB, e *entry, cause string, before, now position) error {
	for over := range before {
		if _, still := now[over]; !still {
			now[over] = 0
		}
	}
	for _, over := range slices.SortedFunc(maps.Keys(now), transfer.compare) {
		debit, credit, amount := over.debit, over.credit, now[over]-before[over]
		if amount < 0 {
			debit, credit, amount = credit, debit, -amount
		}
		if amount == 0 {
			continue
		}
		_, err := store.Exec(tx, "INSERT INTO entries (payment_id, order_id, cause, debit, credit, amount, currency, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			e.ID, e.OrderID, cause, debit, credit, amount, over.currency, store.Micros(t.clock()))
		if err != nil {
			return err
		}
	}
	return nil
}

// misposted says how a payment's entries differ from its operations and disputes, "" if they do not.
func (t *Till) misposted(ctx context.Context, e *entry) (string, error) {
	want := e.position()
	for i := range e.Disputes {
		for over, amount := range (&dispute{e.Disputes[i]}).position() {
			want[over] += amount
		}
	}
	rows, err := t.store.Read(ctx).Raw("SELECT debit, credit, currency, SUM(amount) FROM entries WHERE payment_id = ? GROUP BY debit, credit, currency", e.ID).Rows()
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var over transfer
		var amount int64
		if err := rows.Scan(&over.debit, &over.credit, &over.currency, &amount); err != nil {
			return "", err
		}
		back := transfer{over.credit, over.debit, over.currency}
		if _, reversed := want[back]; reversed {
			want[back] += amount
		} else {
			want[over] -= amount
		}
	}
	for over, amount := range want {
		if amount != 0 {
			return fmt.Sprintf("the ledger lacks %v from %s to %s", money.Of(amount, over.currency), over.credit, over.debit), rows.Err()
		}
	}
	return "", rows.Err()
}

// Entries implements payments.Service.
func (t *Till) Entries(ctx context.Context, r payments.EntriesRequest) (payments.EntryPage, error) {
	limit := pageOf(r.Limit)
	where, args := "sequence > ?", []any{r.After}
	if r.OrderID != "" {
		where, args = where+" AND order_id = ?", append(args, r.OrderID)
	}
	rows, err := t.store.Read(ctx).Raw("SELECT sequence, payment_id, order_id, cause, debit, credit, amount, currency, at FROM entries WHERE "+where+
		" ORDER BY sequence LIMIT ?", append(args, limit+1)...).Rows()
	if err != nil {
		return payments.EntryPage{}, err
	}
	defer rows.Close()
	page := payments.EntryPage{Entries: []payments.Entry{}}
	for rows.Next() {
		var e payments.Entry
		var at int64
		if err := rows.Scan(&e.Sequence, &e.PaymentID, &e.OrderID, &e.Cause, &e.Debit, &e.Credit, &e.Amount.Amount, &e.Amount.Currency, &at); err != nil {
			return payments.EntryPage{}, err
		}
		e.At = store.Time(at)
		page.Entries = append(page.Entries, e)
	}
	if len(page.Entries) > limit {
		page.Entries, page.More = page.Entries[:limit], true
	}
	return page, rows.Err()
}

// Accounts implements payments.Service. It adds up the whole ledger.
func (t *Till) Accounts(ctx context.Context, _ payments.AccountsRequest) (payments.AccountList, error) {
	rows, err := t.store.Read(ctx).Raw(`SELECT account, currency, SUM(amount) FROM (
			SELECT debit AS account, currency, amount FROM entries UNION ALL SELECT credit, currency, -amount FROM entries) AS sides
		GROUP BY account, currency ORDER BY account, currency`).Rows()
	if err != nil {
		return payments.AccountList{}, err
	}
	defer rows.Close()
	list := payments.AccountList{Accounts: []payments.Account{}}
	for rows.Next() {
		var a payments.Account
		if err := rows.Scan(&a.Name, &a.Balance.Currency, &a.Balance.Amount); err != nil {
			return payments.AccountList{}, err
		}
		list.Accounts = append(list.Accounts, a)
	}
	return list, rows.Err()
}
