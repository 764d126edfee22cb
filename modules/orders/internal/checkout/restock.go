package checkout

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// restockOf is units of an order that inventory is to put back, under an id that makes it safe to ask again.
type restockOf struct {
	id       string
	returnID string // "": of a refund
	lines    []orders.LineQuantity
	location string // "": where they came from
}

// insertRestock writes down that units are to be put back, in the commit of what decides it.
func (c *Checkout) insertRestock(tx *gorm.DB, r *record, of restockOf) error {
	_, err := store.Exec(tx, "INSERT INTO restocks (id, order_id, return_id, lines, location, state, problem, created_at) VALUES (?, ?, ?, ?, ?, 'pending', '', ?)",
		of.id, r.order.ID, of.returnID, text(of.lines), of.location, store.Micros(c.Now()))
	return err
}

// restock settles what a refund or a return leaves to do: inventory puts the units back that it is to, and a return that was refunded
// says so. What inventory refuses is kept with the reason, for a person to set right; the order does not wait for it.
func (c *Checkout) restock(ctx context.Context, r *record) (move, error) {
	of, err := pendingRestock(c.Store.Read(ctx), r.order.ID)
	if err != nil {
		return move{}, err
	}
	m := move{to: completed, reference: of.id}
	state := "done"
	if of.id != "" {
		_, err := c.Inventory.Restock(ctx, of.request(r.order.ID))
		switch f := fault.From(err); {
		case err == nil:
		case definite(f):
			state, m.failure = "refused", f
		default:
			return move{}, err
		}
	}
	problem := ""
	if m.failure != nil {
		problem = m.failure.Message
	}
	return m, c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		if _, err := store.Exec(tx, "UPDATE restocks SET state = ?, problem = ? WHERE id = ?", state, problem, of.id); err != nil {
			return err
		}
		_, err := store.Exec(tx, "UPDATE returns SET status = ?, updated_at = ? WHERE order_id = ? AND status = ? AND refund = 1",
			orders.ReturnRefunded, store.Micros(c.Now()), r.order.ID, orders.ReturnReceived)
		return err
	})
}

// request says why in words of ours: a customer's would outlive them in the ledger.
func (of restockOf) request(orderID string) inventory.RestockRequest {
	req := inventory.RestockRequest{
		OrderID: orderID, RestockID: of.id, Location: of.location, Reason: "refunded before it was sent", Lines: make([]inventory.Line, len(of.lines)),
	}
	if of.returnID != "" {
		req.Reason = "return " + of.returnID
	}
	for i, l := range of.lines {
		req.Lines[i] = inventory.Line{SKU: l.SKU, Quantity: l.Quantity}
	}
	return req
}

// pendingRestock is what inventory is still to be asked for an order, if anything.
func pendingRestock(db *gorm.DB, orderID string) (of restockOf, err error) {
	err = store.Row(db, "SELECT id, return_id, lines, location FROM restocks WHERE order_id = ? AND state = 'pending' ORDER BY id LIMIT 1", orderID).
		Scan(&of.id, &of.returnID, document{&of.lines}, &of.location)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return of, err
}
