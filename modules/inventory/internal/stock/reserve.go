package stock

import (
	"context"
	"errors"
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
//	nothing ----------> held ----------> consumed
//	   |                 |                  |
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
			held.Lines, err = s.hold(tx, r, wants)
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
func (s *Stock) hold(tx *gorm.DB, r inventory.ReserveRequest, wants []want) ([]inventory.ReservedLine, error) {
	if r.HoldID != "" {
		if err := giveBack(tx, []string{r.HoldID}); err != nil {
			return nil, err
		}
	}
	lines, err := s.take(tx, wants)
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(lines))
	for i, l := range lines {
		rows[i] = []any{r.OrderID, l.SKU, l.Location, l.Quantity}
	}
	return lines, insert(tx, "reservation_lines (order_id, sku, location, quantity)", rows)
}

// take takes what is wanted off the available units. Before it refuses, it gives free what carts hold of these items beyond their
// time: the sweeper may not have come by yet.
func (s *Stock) take(tx *gorm.DB, wants []want) ([]inventory.ReservedLine, error) {
	lines, err := spread(tx, wants)
	for errors.Is(err, inventory.ErrOutOfStock) {
		ended, expireErr := s.expire(tx, skusOf(wants))
		if expireErr != nil {
			return nil, expireErr
		}
		if ended == 0 {
			break
		}
		lines, err = spread(tx, wants)
	}
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if l.Backordered {
			continue
		}
		taken, err := store.Exec(tx, `UPDATE levels SET reserved = reserved + ?, version = version + 1
			WHERE sku = ? AND location = ? AND on_hand - reserved >= ?`, l.Quantity, l.SKU, l.Location, l.Quantity)
		if err != nil {
			return nil, err
		}
		if taken != 1 { // allocate went wrong, or there is a second writer
			return nil, fmt.Errorf("reserve %d of %s at %s: they were available a moment ago", l.Quantity, l.SKU, l.Location)
		}
	}
	return lines, nil
}

// spread allocates wants to what is available now, and takes nothing yet.
func spread(tx *gorm.DB, wants []want) ([]inventory.ReservedLine, error) {
	shelves, err := readShelves(tx, wants)
	if err != nil {
		return nil, err
	}
	return allocate(wants, shelves)
}

func skusOf(wants []want) []string {
	skus := make([]string, len(wants))
	for i, w := range wants {
		skus[i] = w.sku
	}
	return skus
}

// readShelves returns what the items wanted have to give. An item that is none is missing.
func readShelves(tx *gorm.DB, wants []want) (map[string]shelf, error) {
	rows, err := tx.Raw(`SELECT i.sku, i.backorder, COALESCE(l.location, ''), COALESCE(l.on_hand - l.reserved, 0)
		FROM items i LEFT JOIN levels l ON l.sku = i.sku AND l.on_hand > l.reserved
		WHERE i.sku IN ? ORDER BY i.sku, l.location`, skusOf(wants)).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	shelves := make(map[string]shelf, len(wants))
	for rows.Next() {
		var sku string
		var backorder bool
		var p place
		if err := rows.Scan(&sku, &backorder, &p.location, &p.available); err != nil {
			return nil, err
		}
		shelves[sku] = shelf{backorder, append(shelves[sku].places, p)}
	}
	return shelves, rows.Err()
}

// perUnit is what a change of state means for a level, for each unit of a line, and the kind of movement that tells of it.
type perUnit struct {
	onHand, reserved int64
	kind             string // "": nothing leaves the shelf or comes back, which is no movement
}

// settle brings a reservation into another state.
func (s *Stock) settle(ctx context.Context, tx *gorm.DB, r inventory.Reservation, state string, p perUnit) (inventory.Reservation, error) {
	r.State, r.UpdatedAt = state, s.time()
	if _, err := store.Exec(tx, "UPDATE reservations SET state = ?, updated_at = ? WHERE order_id = ?",
		r.State, store.Micros(r.UpdatedAt), r.OrderID); err != nil {
		return inventory.Reservation{}, err
	}
	movements := make([]inventory.Movement, 0, len(r.Lines))
	for _, l := range r.Lines {
		if l.Backordered {
			continue // promised, but never on a shelf
		}
		delta, onHand := p.onHand*l.Quantity, int64(0)
		if err := store.Row(tx, `UPDATE levels SET on_hand = on_hand + ?, reserved = reserved + ?, version = version + 1
			WHERE sku = ? AND location = ? RETURNING on_hand`, delta, p.reserved*l.Quantity, l.SKU, l.Location).Scan(&onHand); err != nil {
			return inventory.Reservation{}, fmt.Errorf("settle %s at %s: %w", l.SKU, l.Location, err)
		}
		if p.kind != "" {
			m := s.movement(ctx, p.kind, l.SKU, l.Location, delta, onHand)
			m.Reference = r.OrderID
			movements = append(movements, m)
		}
	}
	return r, record(tx, movements)
}

// Reservations implements inventory.Service.
func (s *Stock) Reservations(ctx context.Context, r inventory.ReservationsRequest) (inventory.ReservationPage, error) {
	if len(r.OrderIDs) > 0 {
		var o objections
		o.unless(len(r.OrderIDs) <= inventory.MaxOrderIDs, "/order_ids", "must have at most 200 elements")
		if err := o.err(); err != nil {
			return inventory.ReservationPage{}, err
		}
		return reservations(s.store.Read(ctx), inventory.MaxOrderIDs, heads+" WHERE order_id IN ? AND order_id > ? ORDER BY order_id", r.OrderIDs, r.After)
	}
	limit := limited(r.Limit)
	return reservations(s.store.Read(ctx), limit, heads+" WHERE state = 'held' AND order_id > ? ORDER BY order_id LIMIT ?", r.After, limit+1)
}

const (
	heads          = "SELECT order_id, id, state, created_at, updated_at FROM reservations"
	oneReservation = heads + " WHERE order_id = ?"
)

// reservations reads the reservations of a query, then their lines. Two statements are one moment here: the lines are written
// with their reservation and never changed. A join would be prepared anew for each order id, in the hope of a better plan,
// and take three times as long.
func reservations(db *gorm.DB, limit int, query string, args ...any) (inventory.ReservationPage, error) {
	page := inventory.ReservationPage{Reservations: []inventory.Reservation{}}
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return inventory.ReservationPage{}, err
	}
	defer rows.Close()
	for rows.Next() {
		r := inventory.Reservation{Lines: []inventory.ReservedLine{}}
		var created, updated int64
		if err := rows.Scan(&r.OrderID, &r.ID, &r.State, &created, &updated); err != nil {
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
	rows, err := db.Raw("SELECT order_id, sku, location, quantity FROM reservation_lines WHERE order_id IN ?", ids).Rows()
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var orderID string
		var l inventory.ReservedLine
		if err := rows.Scan(&orderID, &l.SKU, &l.Location, &l.Quantity); err != nil {
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
