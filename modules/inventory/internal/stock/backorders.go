package stock

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// What is backordered is a line at no location. Nobody serves it but Allot: units that arrive are available like any others, since a
// count that finds some is no delivery, and whether those who wait go before those who come is for the shop to say.

// promise counts what lines promise of items beyond their shelves; units is 1, or -1 for what is promised no more.
func promise(tx *gorm.DB, lines []inventory.ReservedLine, units int64) error {
	for _, l := range lines {
		if !l.Backordered {
			continue
		}
		if _, err := store.Exec(tx, "UPDATE items SET backordered = backordered + ? WHERE sku = ?", units*l.Quantity, l.SKU); err != nil {
			return err
		}
	}
	return nil
}

// Allot implements inventory.Service.
func (s *Stock) Allot(ctx context.Context, r inventory.AllotRequest) (inventory.Allotted, error) {
	var o objections
	o.unless(r.Quantity >= 0 && r.Quantity <= inventory.MaxQuantity, "/quantity", "must be from 0 to 1000000000")
	if err := o.err(); err != nil {
		return inventory.Allotted{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Allotted, error) {
		a, replayed, err := once(s, tx, r.Key, func() (inventory.Allotted, string, error) {
			a, err := s.allot(ctx, tx, r)
			return a, r.SKU, err
		})
		a.Replayed = replayed
		return a, err
	})
}

func (s *Stock) allot(ctx context.Context, tx *gorm.DB, r inventory.AllotRequest) (inventory.Allotted, error) {
	a := inventory.Allotted{SKU: r.SKU, Location: r.Location, Orders: []inventory.Allotment{}}
	b, err := binOf(tx, r.SKU, r.Location, "/location")
	if err != nil {
		return a, err
	}
	left := b.OnHand - b.Reserved
	if r.Quantity > 0 {
		left = min(left, r.Quantity)
	}
	waiting, err := waitingFor(tx, r.SKU)
	if err != nil {
		return a, err
	}
	moved, given := shifts{}, int64(0)
	for _, w := range waiting {
		units := min(left-given, w.units)
		if units <= 0 {
			break
		}
		if err := s.give(ctx, tx, w, inventory.ReservedLine{SKU: r.SKU, Location: r.Location, Quantity: units}, moved); err != nil {
			return a, err
		}
		given += units
		a.Orders = append(a.Orders, inventory.Allotment{OrderID: w.orderID, Quantity: units})
	}
	if err := store.Row(tx, "UPDATE items SET backordered = backordered - ? WHERE sku = ? RETURNING backordered", given, r.SKU).
		Scan(&a.Backordered); err != nil {
		return a, err
	}
	return a, s.tell(tx, moved)
}

// waiter is an order that was promised units of an item.
type waiter struct {
	orderID string
	held    bool // or consumed
	units   int64
}

func waitingFor(tx *gorm.DB, sku string) ([]waiter, error) {
	rows, err := tx.Raw(`SELECT r.order_id, r.state = 'held', l.quantity FROM reservation_lines l JOIN reservations r ON r.order_id = l.order_id
		WHERE l.sku = ? AND l.location = '' AND r.state <> 'released' ORDER BY r.created_at, r.order_id LIMIT ?`, sku, inventory.MaxOrderIDs).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []waiter
	for rows.Next() {
		var w waiter
		if err := rows.Scan(&w.orderID, &w.held, &w.units); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// give moves units of an order's line from no location to one, where the order then holds them, or has consumed them.
func (s *Stock) give(ctx context.Context, tx *gorm.DB, w waiter, l inventory.ReservedLine, moved shifts) error {
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM reservation_lines WHERE order_id = ? AND sku = ? AND location = '' AND quantity = ?", []any{w.orderID, l.SKU, l.Quantity}},
		{"UPDATE reservation_lines SET quantity = quantity - ? WHERE order_id = ? AND sku = ? AND location = ''", []any{l.Quantity, w.orderID, l.SKU}},
		{`INSERT INTO reservation_lines (order_id, sku, location, quantity) VALUES (?, ?, ?, ?)
			ON CONFLICT (order_id, sku, location) DO UPDATE SET quantity = reservation_lines.quantity + excluded.quantity`, []any{w.orderID, l.SKU, l.Location, l.Quantity}},
		{"UPDATE reservations SET updated_at = ? WHERE order_id = ?", []any{store.Micros(s.now()), w.orderID}},
	} {
		if _, err := store.Exec(tx, statement.sql, statement.args...); err != nil {
			return err
		}
	}
	p := perUnit{onHand: -1, kind: inventory.MovementConsumed}
	if w.held {
		p = perUnit{reserved: +1}
	}
	return s.settleLines(ctx, tx, w.orderID, []inventory.ReservedLine{l}, p, moved)
}
