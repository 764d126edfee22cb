package checkout

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/audit"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// overdue is how long after its time a saga may be taken up before an audit calls it forgotten.
const overdue = time.Minute

// Audit implements orders.Service: it checks a page of orders, by id, against themselves. An unfinished order that nothing would ever
// take up again is made due by a repair; figures are not repaired, since nobody else knows them.
func (c *Checkout) Audit(ctx context.Context, req audit.Request) (audit.Page, error) {
	limit := pageSize(req.Limit)
	rows, err := c.Store.Read(ctx).Raw("SELECT "+orderColumns+`, s.next_attempt_at, s.lease_until, s.events,
		(SELECT count(*) FROM events e WHERE e.order_id = o.id), (SELECT COALESCE(max(e.sequence), 0) FROM events e WHERE e.order_id = o.id),
		(SELECT COALESCE(min(e.sequence), 0) FROM events e WHERE e.order_id = o.id),
		o.created_at <= (SELECT COALESCE(max(position), 0) FROM cursors WHERE feed = '`+prunedAt+`'),
		EXISTS (SELECT 1 FROM fulfilments f WHERE f.order_id = o.id) OR EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.id)
		FROM orders o JOIN sagas s ON s.order_id = o.id WHERE o.id > ? ORDER BY o.id LIMIT ?`, req.After, limit).Rows()
	if err != nil {
		return audit.Page{}, err
	}
	defer rows.Close()
	page := audit.Page{Findings: []audit.Finding{}}
	last := ""
	for rows.Next() {
		var next, lease int64
		var e counted
		var moved bool
		o, err := scanOrder(rows, &next, &lease, &e.saga, &e.rows, &e.last, &e.first, &e.pruned, &moved)
		if err != nil {
			return audit.Page{}, err
		}
		page.Checked++
		last = o.ID
		page.Findings = append(page.Findings, c.examine(&o, store.Time(next), store.Time(lease), e)...)
		if moved {
			found, err := c.examineUnits(ctx, &o)
			if err != nil {
				return audit.Page{}, err
			}
			page.Findings = append(page.Findings, found...)
		}
	}
	if page.Checked == int64(limit) {
		page.Next = last
	}
	if err := rows.Err(); err != nil || !req.Repair {
		return page, err
	}
	return page, c.repair(ctx, page.Findings)
}

// counted is how many events an order has, as its saga and its rows say it. It may have lost the first ones if it is from before the
// latest that were pruned.
type counted struct {
	saga, rows, first, last int64
	pruned                  bool
}

// inSequence reports whether all are there, or all but those that were pruned. Sequences are unique and start at 1: as many rows as lie
// between the first and the last leave no gap.
func (e counted) inSequence() bool {
	switch {
	case e.rows == 0:
		return e.saga == 0 || e.pruned
	case e.first > 1 && !e.pruned:
		return false
	}
	return e.last == e.saga && e.rows == e.last-e.first+1
}

func (c *Checkout) examine(o *orders.Order, next, lease time.Time, e counted) (found []audit.Finding) {
	report := func(i audit.Invariant, format string, args ...any) {
		found = append(found, audit.Finding{Invariant: i, Subject: o.ID, Problem: fmt.Sprintf(format, args...)})
	}
	if problem := addUp(o); problem != "" {
		report(audit.TotalsAddUp, "%s", problem)
	}
	now := c.Now()
	switch {
	case resting(o.State):
		if !next.IsZero() {
			report(audit.SagasGoOn, "it is %s and has a next attempt", o.State)
		}
	case next.IsZero():
		report(audit.SagasGoOn, "it is %s and has no next attempt", o.State)
	case lease.Sub(now) > c.policy.Lease+overdue:
		report(audit.SagasGoOn, "it is %s and leased until %s", o.State, lease.Format(time.RFC3339))
	}
	if !e.inSequence() {
		report(audit.EventsInSequence, "%d events were written, %d are there, number %d to %d", e.saga, e.rows, e.first, e.last)
	}
	return found
}

// examineUnits holds an order to what was sent, came back and was refunded of it.
func (c *Checkout) examineUnits(ctx context.Context, o *orders.Order) ([]audit.Finding, error) {
	t, err := takeStock(c.Store.Read(ctx), o)
	if err != nil {
		return nil, err
	}
	if problem := t.problem(o); problem != "" {
		return []audit.Finding{{Invariant: audit.PaidAndConsumed, Subject: o.ID, Problem: problem}}, nil
	}
	return nil, nil
}

// addUp says what is wrong with the figures of an order, or "".
func addUp(o *orders.Order) string {
	var subtotal, discount, tax int64
	for _, l := range o.Lines {
		if l.UnitPrice.Amount*l.Quantity-l.Discount.Amount+l.Tax.Amount != l.Total.Amount {
			return fmt.Sprintf("%s: %d x %d - %d + %d is not %d", l.SKU, l.UnitPrice.Amount, l.Quantity, l.Discount.Amount, l.Tax.Amount, l.Total.Amount)
		}
		subtotal, discount, tax = subtotal+l.UnitPrice.Amount*l.Quantity, discount+l.Discount.Amount, tax+l.Tax.Amount
	}
	t := o.Totals
	tax += t.ShippingTax.Amount
	if subtotal != t.Subtotal.Amount || discount != t.Discount.Amount || tax != t.Tax.Amount {
		return fmt.Sprintf("the lines sum up to %d - %d + %d, the totals say %d - %d + %d",
			subtotal, discount, tax, t.Subtotal.Amount, t.Discount.Amount, t.Tax.Amount)
	}
	if sum := subtotal - discount + t.Shipping.Amount + tax; sum != t.Total.Amount {
		return fmt.Sprintf("the totals sum up to %v, the total is %v", money.Of(sum, o.Currency), t.Total)
	}
	return ""
}

// repair makes unfinished orders due.
func (c *Checkout) repair(ctx context.Context, found []audit.Finding) error {
	for i := range found {
		if found[i].Invariant != audit.SagasGoOn {
			continue
		}
		err := c.Store.Write(ctx, func(tx *gorm.DB) error {
			r, err := c.load(tx, found[i].Subject)
			if err != nil {
				return err
			}
			r.leaseUntil, r.nextAttempt = time.Time{}, c.Now()
			return c.update(tx, r)
		})
		if err != nil {
			return err
		}
		found[i].Repaired = true
	}
	return nil
}
