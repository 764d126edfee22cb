package checkout

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
)

// What becomes of an order after its checkout is rows of its own beside it: fulfilments, returns, refunds by line, notes. They are
// added and changed while the order rests, in one commit with the order's version and the events that tell of it (amend). What asks
// another module makes the order a saga again (command).

// amend changes what belongs to an order that rests.
func (c *Checkout) amend(tx *gorm.DB, orderID string, change func(*record) error) error {
	r, err := c.load(tx, orderID)
	switch {
	case err != nil:
		return err
	case !resting(r.order.State):
		return orders.ErrBusy.About(orderID)
	}
	switch err := change(r); {
	case errors.Is(err, errUnchanged):
		return nil
	case err != nil:
		return fault.From(err).About(orderID)
	}
	return c.update(tx, r)
}

// errUnchanged says that things are already as they were to become.
var errUnchanged = errors.New("nothing has changed")

// tell notes an event of a thing that belongs to the order.
func (r *record) tell(subject string, events ...string) {
	r.subject = subject
	r.happened = append(r.happened, events...)
}

// once makes a thing in one commit with the claim of its key, and returns its id; replayed tells that it was there.
func (c *Checkout) once(ctx context.Context, key idempotency.Key, create func(*gorm.DB) (string, error)) (id string, replayed bool, err error) {
	err = c.Store.Write(ctx, func(tx *gorm.DB) error {
		claim, err := store.FindClaim(tx, key, c.Now())
		if err != nil {
			return err
		}
		if replayed = claim != nil; replayed {
			id = claim.Subject
			return nil
		}
		if id, err = create(tx); err != nil {
			return err
		}
		return store.SaveClaim(tx, key, id, nil, c.Now())
	})
	return id, replayed, err
}

// tally is what has become of the units of an order, line by line.
type tally struct {
	lines    []units
	shipping bool // what it cost was refunded

	fulfilments []orders.Fulfilment
	returns     []orders.Return
	refunds     int // by line
}

type units struct {
	ordered   int64
	packed    int64 // in fulfilments that were not cancelled
	sent      int64 // of these, on their way or there
	returned  int64 // by returns that were not cancelled
	refunded  int64 // by line
	withdrawn int64 // of these, before they were packed: they will not be sent
	repaid    int64 // minor units, for what was refunded by line
}

// open are the units that may still be packed.
func (u units) open() int64 { return u.ordered - u.packed - u.withdrawn }

// takeStock reads what has become of an order's units.
func takeStock(db *gorm.DB, o *orders.Order) (t *tally, err error) {
	t = &tally{lines: make([]units, len(o.Lines))}
	for i, l := range o.Lines {
		t.lines[i].ordered = l.Quantity
	}
	if t.fulfilments, err = fulfilmentsOf(db, o.ID); err != nil {
		return nil, err
	}
	for _, f := range t.fulfilments {
		t.addFulfilment(f)
	}
	if t.returns, err = returnsOf(db, o); err != nil {
		return nil, err
	}
	for _, ret := range t.returns {
		for _, l := range ret.Lines {
			if ret.Status != orders.ReturnCancelled {
				t.lines[l.Line-1].returned += l.Quantity
			}
		}
	}
	return t, t.addRefunds(db, o.ID)
}

func (t *tally) addFulfilment(f orders.Fulfilment) {
	for _, l := range f.Lines {
		u := &t.lines[l.Line-1]
		switch f.Status {
		case orders.FulfilmentShipped, orders.FulfilmentDelivered:
			u.sent += l.Quantity
			u.packed += l.Quantity
		case orders.FulfilmentCreated:
			u.packed += l.Quantity
		}
	}
}

// status is the fulfilment status that follows.
func (t *tally) status() string {
	sent, all := false, true
	for _, u := range t.lines {
		sent = sent || u.sent > 0
		all = all && u.sent >= u.ordered-u.withdrawn
	}
	switch {
	case !sent:
		return orders.Unfulfilled
	case all:
		return orders.Fulfilled
	default:
		return orders.PartiallyFulfilled
	}
}

// problem says what is wrong with the figures, or "".
func (t *tally) problem(o *orders.Order) string {
	for i, u := range t.lines {
		switch {
		case u.open() < 0:
			return fmt.Sprintf("line %d: %d packed and %d withdrawn of %d", i+1, u.packed, u.withdrawn, u.ordered)
		case u.returned > u.sent:
			return fmt.Sprintf("line %d: %d come back of %d that were sent", i+1, u.returned, u.sent)
		case u.refunded > u.ordered || u.withdrawn > u.refunded:
			return fmt.Sprintf("line %d: %d refunded, %d of them withdrawn, of %d", i+1, u.refunded, u.withdrawn, u.ordered)
		case u.repaid != share(o.Lines[i].Total.Amount, u.refunded, u.ordered):
			return fmt.Sprintf("line %d: %d were given back for %d of %d units", i+1, u.repaid, u.refunded, u.ordered)
		}
	}
	if status := t.status(); status != o.FulfilmentStatus {
		return fmt.Sprintf("it says %s and is %s", o.FulfilmentStatus, status)
	}
	return ""
}

// refit brings the fulfilment status of an order up to date with its units, and tells when all of it is sent.
func (r *record) refit(tx *gorm.DB, t *tally) error {
	status := t.status()
	if status == r.order.FulfilmentStatus {
		return nil
	}
	r.order.FulfilmentStatus = status
	if status == orders.Fulfilled {
		r.happened = append(r.happened, orders.EventFulfilled)
	}
	_, err := store.Exec(tx, "UPDATE orders SET fulfilment_status = ? WHERE id = ?", status, r.order.ID)
	return err
}

// pick finds the lines that a request names, each once, and holds their quantities to what is left of them.
func pick(o *orders.Order, asked []orders.LineQuantity, left func(line int) int64) ([]orders.LineQuantity, error) {
	picked, named := make([]orders.LineQuantity, len(asked)), map[int]bool{}
	for i, a := range asked {
		bad := func(detail string) error {
			return fault.ErrInvalid.At(fmt.Sprintf("/lines/%d", i), fault.ErrInvalid.Code, detail)
		}
		line := lineOf(o, a)
		switch {
		case line < 0:
			return nil, bad("name one line of the order, by its number or by a SKU that no other line has")
		case named[line]:
			return nil, bad("this line is named twice")
		case a.Quantity < 1:
			return nil, bad("a quantity is at least 1")
		case a.Quantity > left(line):
			return nil, orders.ErrQuantity.Saying("%d of line %d (%s) are more than the %d that are left", a.Quantity, line+1, o.Lines[line].SKU, left(line))
		}
		named[line] = true
		picked[i] = orders.LineQuantity{Line: line + 1, SKU: o.Lines[line].SKU, Quantity: a.Quantity}
	}
	return picked, nil
}

// lineOf is the index of the line that is named, or -1.
func lineOf(o *orders.Order, a orders.LineQuantity) int {
	found := -1
	for i, l := range o.Lines {
		if a.Line != 0 && a.Line != i+1 || a.SKU != "" && a.SKU != l.SKU {
			continue
		}
		if found >= 0 || a.Line == 0 && a.SKU == "" {
			return -1
		}
		found = i
	}
	return found
}

// rest is all that is left of the lines.
func rest(o *orders.Order, left func(line int) int64) (lines []orders.LineQuantity) {
	for i, l := range o.Lines {
		if n := left(i); n > 0 {
			lines = append(lines, orders.LineQuantity{Line: i + 1, SKU: l.SKU, Quantity: n})
		}
	}
	return lines
}

// share is what the first of some units cost together, rounded down, so that the shares of parts add up to that of the whole.
func share(total, first, all int64) int64 {
	hi, lo := bits.Mul64(uint64(total), uint64(first))
	quotient, _ := bits.Div64(hi, lo, uint64(all)) // first <= all, so it is no more than total
	return int64(quotient)
}
