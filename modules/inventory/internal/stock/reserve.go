package stock

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// The life of a reservation. Each arrow is one transaction with the levels and movements that it stands for; a command whose
// arrow was gone already answers with what is stored, and one for which there is no arrow is refused.
//
//	          Reserve         Finalise
//	nothing ----------> held ----------> consumed --+ Restock: some of it comes back
//	   |                 |                  |  ^    |
//	   |                 |                  |  +----+
//	   | Release         | Release          | Release
//	   |                 v                  |
//	   +-----------> released <-------------+
//
// Reserve refuses an order that was released, also one that never reserved: the Reserve of an order that was given up may be
// on its way still when its Release arrives.

// Reserve implements inventory.Service.
func (s *Stock) Reserve(ctx context.Context, r inventory.ReserveRequest) (inventory.Reservation, error) {
	if err := checkOrder(r.OrderID); err != nil {
		return inventory.Reservation{}, err
	}
	var o objections
	if o.checkSourcing(r.Sourcing); o.fault != nil {
		return inventory.Reservation{}, o.err()
	}
	wants, err := addUp(r.Lines)
	if err != nil {
		return inventory.Reservation{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Reservation, error) {
		held, isNew, err := s.begin(tx, r.OrderID, inventory.ReservationHeld)
		switch {
		case err != nil:
			return held, err
		case isNew:
			held.Lines, held.Kits, err = s.hold(tx, r, wants)
		case held.State == inventory.ReservationReleased:
			err = inventory.ErrReleased
		}
		return held, err
	})
}

// Finalise implements inventory.Service.
func (s *Stock) Finalise(ctx context.Context, r inventory.FinaliseRequest) (inventory.Reservation, error) {
	if err := checkOrder(r.OrderID); err != nil {
		return inventory.Reservation{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Reservation, error) {
		page, err := reservations(tx, 1, oneReservation, r.OrderID)
		if err != nil {
			return inventory.Reservation{}, err
		}
		if len(page.Reservations) == 0 {
			return inventory.Reservation{}, inventory.ErrNotReserved
		}
		switch had := page.Reservations[0]; had.State {
		case inventory.ReservationHeld:
			return s.settle(ctx, tx, had, inventory.ReservationConsumed, perUnit{onHand: -1, reserved: -1, kind: inventory.MovementConsumed})
		case inventory.ReservationReleased:
			return had, inventory.ErrReleased
		default:
			return had, nil
		}
	})
}

// Release implements inventory.Service.
func (s *Stock) Release(ctx context.Context, r inventory.ReleaseRequest) (inventory.Reservation, error) {
	if err := checkOrder(r.OrderID); err != nil {
		return inventory.Reservation{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Reservation, error) {
		had, isNew, err := s.begin(tx, r.OrderID, inventory.ReservationReleased)
		switch {
		case err != nil || isNew:
			return had, err
		case had.State == inventory.ReservationHeld:
			return s.settle(ctx, tx, had, inventory.ReservationReleased, perUnit{reserved: -1})
		case had.State == inventory.ReservationConsumed:
			return s.settle(ctx, tx, had, inventory.ReservationReleased, perUnit{onHand: +1, kind: inventory.MovementReturned})
		default:
			return had, nil
		}
	})
}

// begin makes a reservation without lines in a state, or returns the one that the order has.
func (s *Stock) begin(tx *gorm.DB, orderID, state string) (r inventory.Reservation, isNew bool, err error) {
	now := s.time()
	r = inventory.Reservation{
		ID: s.newID("res"), OrderID: orderID, State: state, Lines: []inventory.ReservedLine{}, CreatedAt: now, UpdatedAt: now,
	}
	added, err := store.Exec(tx, `INSERT INTO reservations (order_id, id, state, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (order_id) DO NOTHING`, r.OrderID, r.ID, r.State, store.Micros(now), store.Micros(now))
	if err != nil || added == 1 {
		return r, true, err
	}
	page, err := reservations(tx, 1, oneReservation, orderID)
	if err != nil {
		return inventory.Reservation{}, false, err
	}
	return page.Reservations[0], false, nil
}

// hold takes what an order wants and writes the lines that say where. What the order's cart held is made available first, to this
// order alone: nobody comes between two statements of one transaction.
func (s *Stock) hold(tx *gorm.DB, r inventory.ReserveRequest, wants []want) ([]inventory.ReservedLine, []inventory.ReservedKit, error) {
	moved := shifts{}
	if r.HoldID != "" {
		if err := giveBack(tx, []string{r.HoldID}, moved); err != nil {
			return nil, nil, err
		}
	}
	lines, kits, err := s.take(tx, wants, r.Sourcing, moved)
	if err != nil {
		return nil, nil, err
	}
	if err := s.tell(tx, moved); err != nil {
		return nil, nil, err
	}
	rows := make([][]any, len(lines))
	for i, l := range lines {
		rows[i] = []any{r.OrderID, l.SKU, l.Location, l.Quantity}
	}
	if err := insert(tx, "reservation_lines (order_id, sku, location, quantity)", rows); err != nil {
		return nil, nil, err
	}
	return lines, kits, insertKits(tx, r.OrderID, kits)
}

// perUnit is what a change of state means for a level, for each unit of a line, and the kind of movement that tells of it.
type perUnit struct {
	onHand, reserved int64
	kind             string // "": nothing leaves the shelf or comes back, which is no movement
}

// settle brings a reservation into another state. What came back by a restock is settled already.
func (s *Stock) settle(ctx context.Context, tx *gorm.DB, r inventory.Reservation, state string, p perUnit) (inventory.Reservation, error) {
	r.State, r.UpdatedAt = state, s.time()
	if _, err := store.Exec(tx, "UPDATE reservations SET state = ?, updated_at = ? WHERE order_id = ?",
		r.State, store.Micros(r.UpdatedAt), r.OrderID); err != nil {
		return inventory.Reservation{}, err
	}
	moved := shifts{}
	if err := s.settleLines(ctx, tx, r.OrderID, unreturned(r.Lines), p, moved); err != nil {
		return inventory.Reservation{}, err
	}
	if state == inventory.ReservationReleased {
		if err := promise(tx, r.Lines, -1); err != nil {
			return inventory.Reservation{}, err
		}
	}
	return r, s.tell(tx, moved)
}

// unreturned returns lines without the units that a restock brought back.
func unreturned(lines []inventory.ReservedLine) []inventory.ReservedLine {
	left := make([]inventory.ReservedLine, 0, len(lines))
	for _, l := range lines {
		if l.Quantity -= l.Returned; l.Quantity > 0 {
			left = append(left, l)
		}
	}
	return left
}

// settleLines changes the levels of lines, and writes the movements. What is backordered was promised, but never on a shelf.
func (s *Stock) settleLines(ctx context.Context, tx *gorm.DB, orderID string, lines []inventory.ReservedLine, p perUnit, moved shifts) error {
	movements := make([]inventory.Movement, 0, len(lines))
	for _, l := range lines {
		if l.Backordered {
			continue
		}
		delta, onHand := p.onHand*l.Quantity, int64(0)
		if err := store.Row(tx, `UPDATE levels SET on_hand = on_hand + ?, reserved = reserved + ?, version = version + 1
			WHERE sku = ? AND location = ? RETURNING on_hand`, delta, p.reserved*l.Quantity, l.SKU, l.Location).Scan(&onHand); err != nil {
			return fmt.Errorf("settle %s at %s: %w", l.SKU, l.Location, err)
		}
		moved.add(l.SKU, l.Location, delta-p.reserved*l.Quantity)
		if p.kind != "" {
			m := s.movement(ctx, p.kind, l.SKU, l.Location, delta)
			m.OnHand, m.Reference = onHand, orderID
			movements = append(movements, m)
		}
	}
	return record(tx, movements)
}

// Reservations implements inventory.Service.
func (s *Stock) Reservations(ctx context.Context, r inventory.ReservationsRequest) (inventory.ReservationPage, error) {
	if len(r.OrderIDs) > 0 {
		var o objections
		o.unless(len(r.OrderIDs) <= inventory.MaxOrderIDs, "/order_ids", "must have at most 200 elements")
		if err := o.err(); err != nil {
			return inventory.ReservationPage{}, err
		}
		wanted, args := store.List(r.OrderIDs)
		return reservations(s.store.Read(ctx), inventory.MaxOrderIDs, heads+" WHERE order_id IN "+wanted+" AND order_id > ? ORDER BY order_id",
			append(args, r.After)...)
	}
	limit := limited(r.Limit)
	return reservations(s.store.Read(ctx), limit, heads+" WHERE state = 'held' AND order_id > ? ORDER BY order_id LIMIT ?", r.After, limit+1)
}

const (
	heads          = "SELECT order_id, id, state, kits, created_at, updated_at FROM reservations"
	oneReservation = heads + " WHERE order_id = ?"
)

// reservations reads the reservations of a query, then their lines. A reader may see a line change in between, by a restock or an
// allotment: it gets the newer one. A join would be prepared anew for each order id, in the hope of a better plan, and take three
// times as long.
func reservations(db *gorm.DB, limit int, query string, args ...any) (inventory.ReservationPage, error) {
	page := inventory.ReservationPage{Reservations: []inventory.Reservation{}}
	rows, err := store.Rows(db, query, args...)
	if err != nil {
		return inventory.ReservationPage{}, err
	}
	defer rows.Close()
	for rows.Next() {
		r := inventory.Reservation{Lines: []inventory.ReservedLine{}}
		var created, updated int64
		var kits string
		if err := rows.Scan(&r.OrderID, &r.ID, &r.State, &kits, &created, &updated); err != nil {
			return inventory.ReservationPage{}, err
		}
		if r.Kits, err = decodeKits(kits); err != nil {
			return inventory.ReservationPage{}, err
		}
		r.CreatedAt, r.UpdatedAt = store.Time(created), store.Time(updated)
		page.Reservations = append(page.Reservations, r)
	}
	if err := rows.Err(); err != nil {
		return inventory.ReservationPage{}, err
	}
	if len(page.Reservations) > limit {
		page.Reservations, page.More = page.Reservations[:limit], true
	}
	whole, err := addLines(db, page.Reservations)
	if whole < len(page.Reservations) {
		page.Reservations, page.More = page.Reservations[:whole], true
	}
	return page, err
}

// addLines reads the lines of reservations, and returns how many of these fit into a page with them.
func addLines(db *gorm.DB, list []inventory.Reservation) (whole int, err error) {
	at := make(map[string]*inventory.Reservation, len(list))
	ids := make([]string, len(list))
	for i := range list {
		ids[i], at[list[i].OrderID] = list[i].OrderID, &list[i]
	}
	if len(ids) == 0 {
		return 0, nil
	}
	wanted, args := store.List(ids)
	rows, err := store.Rows(db, "SELECT order_id, sku, location, quantity, returned FROM reservation_lines WHERE order_id IN "+wanted, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var orderID string
		var l inventory.ReservedLine
		if err := rows.Scan(&orderID, &l.SKU, &l.Location, &l.Quantity, &l.Returned); err != nil {
			return 0, err
		}
		l.Backordered = l.Location == ""
		at[orderID].Lines = append(at[orderID].Lines, l)
	}
	total := 0
	for i, r := range list {
		slices.SortFunc(r.Lines, asAllocated)
		if total += len(r.Lines); total > maxRows && i > 0 {
			return i, rows.Err()
		}
	}
	return len(list), rows.Err()
}
