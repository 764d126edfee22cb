package checkout

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Refund implements orders.Service.
func (c *Checkout) Refund(ctx context.Context, req orders.RefundRequest) (orders.Placement, error) {
	byLine := len(req.Lines) > 0 || req.Shipping
	switch {
	case byLine && req.Amount != nil:
		return orders.Placement{}, fault.ErrInvalid.At("/amount", fault.ErrInvalid.Code, "give an amount, or lines and shipping, not both")
	case req.Restock && len(req.Lines) == 0:
		return orders.Placement{}, fault.ErrInvalid.At("/restock", fault.ErrInvalid.Code, "only lines are restocked: name them")
	}
	return c.command(ctx, req.Key, req.ID, func(tx *gorm.DB, r *record) (bool, error) {
		err := mayRefund(r)
		if err == nil && byLine {
			err = c.refundLines(tx, r, req)
		} else if err == nil {
			err = c.refundAmount(r, req.Amount)
		}
		if err != nil {
			return false, fault.From(err).About(r.order.ID)
		}
		r.reason = req.Reason
		return true, nil
	})
}

// mayRefund reports why no refund of an order can start now.
func mayRefund(r *record) error {
	switch {
	case !resting(r.order.State):
		return orders.ErrBusy
	case r.order.State != completed:
		return orders.ErrNotRefundable
	}
	return nil
}

func (c *Checkout) refundAmount(r *record, asked *money.Money) error {
	amount, err := refundable(r.order.Payment, asked)
	if err == nil {
		c.giveBack(r, amount, false)
	}
	return err
}

// refundLines refunds units and shipping. Units that nobody has packed are taken first, and withdrawn.
func (c *Checkout) refundLines(tx *gorm.DB, r *record, req orders.RefundRequest) error {
	t, err := takeStock(tx, &r.order)
	if err != nil {
		return err
	}
	lines, err := pick(&r.order, req.Lines, func(line int) int64 { return t.lines[line].ordered - t.lines[line].refunded })
	if err != nil {
		return err
	}
	refunded := make([]refundedLine, len(lines))
	for i, l := range lines {
		withdrawn := min(l.Quantity, t.lines[l.Line-1].open())
		if req.Restock && withdrawn < l.Quantity {
			return orders.ErrRestock
		}
		refunded[i] = refundedLine{LineQuantity: l, Withdrawn: withdrawn}
	}
	id, amount, err := c.insertRefund(tx, r, t, refunded, req.Shipping, nil)
	if err != nil {
		return err
	}
	if req.Restock {
		err = c.insertRestock(tx, r, restockOf{id: id, lines: lines})
	}
	if err != nil {
		return err
	}
	c.giveBack(r, amount, req.Restock)
	return r.refit(tx, t)
}

// refundedLine is units of a line that were refunded, and what for.
type refundedLine struct {
	orders.LineQuantity
	Withdrawn int64 `json:"withdrawn"`
	Amount    int64 `json:"amount"`
}

// insertRefund writes down that units are refunded, and returns what they come to: their share of what was paid, or the amount that was
// agreed. There must be as much left of what was captured.
func (c *Checkout) insertRefund(tx *gorm.DB, r *record, t *tally, lines []refundedLine, shipping bool, agreed *money.Money) (id string, amount int64, err error) {
	if t.refunds >= orders.MaxOfOrder {
		return "", 0, orders.ErrTooMany
	}
	for i := range lines {
		lines[i].Amount = t.refund(&r.order, lines[i])
		amount += lines[i].Amount
	}
	if shipping {
		if t.shipping {
			return "", 0, orders.ErrNotRefundable.Saying("what the shipping cost was refunded already")
		}
		amount += shippingCost(&r.order)
	}
	if agreed != nil {
		amount = agreed.Amount
	}
	if amount > 0 {
		amount, err = refundable(r.order.Payment, &money.Money{Amount: amount, Currency: r.order.Currency})
	} else if len(lines) == 0 {
		err = orders.ErrNotRefundable.Saying("the shipping cost nothing")
	}
	if err != nil {
		return "", 0, err
	}
	id = c.NewID("rfl")
	_, err = store.Exec(tx, "INSERT INTO refunds (id, order_id, lines, shipping, amount, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		id, r.order.ID, text(lines), shipping, amount, store.Micros(c.Now()))
	return id, amount, err
}

// refund adds units to those that were refunded, and returns their share of the total of their line.
func (t *tally) refund(o *orders.Order, l refundedLine) int64 {
	u := &t.lines[l.Line-1]
	u.refunded, u.withdrawn = u.refunded+l.Quantity, u.withdrawn+l.Withdrawn
	amount := share(o.Lines[l.Line-1].Total.Amount, u.refunded, u.ordered) - u.repaid
	u.repaid += amount
	return amount
}

// shippingCost is what the order cost beside its lines.
func shippingCost(o *orders.Order) int64 {
	cost := o.Totals.Total.Amount
	for _, l := range o.Lines {
		cost -= l.Total.Amount
	}
	return cost
}

// addRefunds adds what was refunded by line.
func (t *tally) addRefunds(db *gorm.DB, orderID string) error {
	rows, err := store.Rows(db, "SELECT lines, shipping FROM refunds WHERE order_id = ? ORDER BY id", orderID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var lines []refundedLine
		var shipping bool
		if err := rows.Scan(document{&lines}, &shipping); err != nil {
			return err
		}
		t.refunds++
		t.shipping = t.shipping || shipping
		for _, l := range lines {
			u := &t.lines[l.Line-1]
			u.refunded, u.withdrawn, u.repaid = u.refunded+l.Quantity, u.withdrawn+l.Withdrawn, u.repaid+l.Amount
		}
	}
	return rows.Err()
}

// giveBack sends an order on its way: the money first, under a key of its own, then what is to be settled of its units. Where there is
// nothing of either, the order rests as it did.
func (c *Checkout) giveBack(r *record, amount int64, settle bool) {
	r.ending = completed
	if settle {
		r.ending = restocking
	}
	switch {
	case amount > 0:
		r.operationID, r.operationAmount = c.NewID("ref"), amount
		r.to(refundingPart, c.Now())
	case settle:
		r.to(restocking, c.Now())
	}
}

// afterRefund is the state that follows a refund of a part.
func (r *record) afterRefund() string {
	if r.ending == restocking {
		return restocking
	}
	return completed
}

// refundable is how much of a payment is to be given back: what was asked for, or all that is left.
func refundable(p orders.Payment, asked *money.Money) (int64, error) {
	left := p.Captured.Amount - p.Refunded.Amount
	switch {
	case left <= 0:
		return 0, orders.ErrNotRefundable.Saying("nothing is left to refund of this order")
	case asked == nil:
		return left, nil
	case asked.Currency != p.Captured.Currency:
		return 0, fault.ErrInvalid.At("/amount/currency", fault.ErrInvalid.Code, "differs from the currency of the order")
	case asked.Amount < 1:
		return 0, fault.ErrInvalid.At("/amount/amount", fault.ErrInvalid.Code, "an amount is at least 1 minor unit")
	case asked.Amount > left:
		return 0, orders.ErrRefundAmount.Saying("%v is more than the %v that are left of what was captured", *asked, money.Of(left, asked.Currency))
	}
	return asked.Amount, nil
}
