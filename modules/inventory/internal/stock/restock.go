package stock

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
)

// Restock implements inventory.Service.
func (s *Stock) Restock(ctx context.Context, r inventory.RestockRequest) (inventory.Restocked, error) {
	wants, err := checkRestock(r)
	if err != nil {
		return inventory.Restocked{}, err
	}
	asked := r.Location + "\n" + fingerprint(wants)
	return write(ctx, s, func(tx *gorm.DB) (inventory.Restocked, error) {
		first, known, err := findRestock(tx, r, asked)
		if err != nil || known {
			return first, err
		}
		lines, err := s.bringBack(ctx, tx, r, wants)
		if err != nil {
			return inventory.Restocked{}, err
		}
		answer := inventory.Restocked{OrderID: r.OrderID, RestockID: r.RestockID, Lines: lines, At: s.time()}
		return answer, insertRestock(tx, answer, asked)
	})
}

func checkRestock(r inventory.RestockRequest) ([]want, error) {
	if err := checkOrder(r.OrderID); err != nil {
		return nil, err
	}
	var o objections
	o.unless(isCode(r.RestockID), "/restock_id", codeRule)
	o.unless(r.Location == "" || isCode(r.Location), "/location", codeRule)
	o.unless(isText(r.Reason), "/reason", textRule)
	if err := o.err(); err != nil {
		return nil, err
	}
	return addUp(r.Lines)
}

// findRestock returns the answer to an earlier restock of the same name. Errors: idempotency.ErrReused.
func findRestock(tx *gorm.DB, r inventory.RestockRequest, asked string) (first inventory.Restocked, known bool, err error) {
	var was, answer string
	err = tx.Raw("SELECT asked, answer FROM restocks WHERE order_id = ? AND restock_id = ?", r.OrderID, r.RestockID).Row().Scan(&was, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return first, false, nil
	case err != nil:
		return first, false, err
	case was != asked:
		return first, false, idempotency.ErrReused.Saying("restock %s of this order brought back something else", r.RestockID)
	}
	return first, true, json.Unmarshal([]byte(answer), &first)
}

func insertRestock(tx *gorm.DB, r inventory.Restocked, asked string) error {
	answer, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Exec("INSERT INTO restocks (order_id, restock_id, asked, answer, at) VALUES (?, ?, ?, ?, ?)",
		r.OrderID, r.RestockID, asked, string(answer), store.Micros(r.At)).Error
}

// bringBack puts units that an order consumed on a shelf.
func (s *Stock) bringBack(ctx context.Context, tx *gorm.DB, r inventory.RestockRequest, wants []want) ([]inventory.ReservedLine, error) {
	page, err := reservations(tx, 1, oneReservation, r.OrderID)
	if err != nil {
		return nil, err
	}
	if len(page.Reservations) == 0 {
		return nil, inventory.ErrNotConsumed
	}
	had := page.Reservations[0]
	switch had.State {
	case inventory.ReservationHeld:
		return nil, inventory.ErrNotConsumed
	case inventory.ReservationReleased:
		return nil, inventory.ErrReleased
	}
	made := map[string][]inventory.Component{} // as this order had them
	for _, k := range had.Kits {
		made[k.SKU] = k.Components
	}
	if wants, err = explode(wants, made); err != nil {
		return nil, err
	}
	lines, err := pickReturned(wants, had.Lines)
	if err != nil {
		return nil, err
	}
	moved := shifts{}
	for i, l := range lines {
		if lines[i], err = s.bringBackLine(ctx, tx, r, l, moved); err != nil {
			return nil, err
		}
	}
	return mergeLines(lines), s.tell(tx, moved)
}

// pickReturned finds the lines from which the units that come back were taken. Errors: inventory.ErrTooManyBack.
func pickReturned(wants []want, had []inventory.ReservedLine) ([]inventory.ReservedLine, error) {
	tooMany := inventory.ErrTooManyBack
	var lines []inventory.ReservedLine
	out := unreturned(had)
	for _, w := range wants {
		left := w.units
		for _, l := range out {
			if l.SKU != w.sku || l.Backordered || left == 0 {
				continue
			}
			units := min(left, l.Quantity)
			lines = append(lines, inventory.ReservedLine{SKU: l.SKU, Location: l.Location, Quantity: units})
			left -= units
		}
		if left > 0 {
			tooMany = tooMany.At(lineMember(w.line, "quantity"), tooMany.Code, fmt.Sprintf("%s: %d to come back, %d are out", w.sku, w.units, w.units-left))
		}
	}
	if len(tooMany.Details) > 0 {
		return nil, tooMany
	}
	return lines, nil
}

// bringBackLine puts the units of one line on the shelf that they left, or on the one that the request names, and returns the line
// as it lies now.
func (s *Stock) bringBackLine(ctx context.Context, tx *gorm.DB, r inventory.RestockRequest, l inventory.ReservedLine, moved shifts) (inventory.ReservedLine, error) {
	if _, err := store.Exec(tx, "UPDATE reservation_lines SET returned = returned + ? WHERE order_id = ? AND sku = ? AND location = ?",
		l.Quantity, r.OrderID, l.SKU, l.Location); err != nil {
		return l, err
	}
	if r.Location != "" {
		l.Location = r.Location
	}
	b, err := binOf(tx, l.SKU, l.Location, "/location")
	if err != nil {
		return l, err
	}
	m := s.movement(ctx, inventory.MovementReturned, l.SKU, l.Location, l.Quantity)
	m.Reason, m.Reference = r.Reason, r.OrderID
	if err := b.move(tx, &m, moved); err != nil {
		return l, err
	}
	return l, record(tx, []inventory.Movement{m})
}

// mergeLines adds up the lines of one item at one location, which came from several.
func mergeLines(lines []inventory.ReservedLine) []inventory.ReservedLine {
	slices.SortFunc(lines, asAllocated)
	merged := lines[:0]
	for _, l := range lines {
		if n := len(merged); n > 0 && merged[n-1].SKU == l.SKU && merged[n-1].Location == l.Location {
			merged[n-1].Quantity += l.Quantity
		} else {
			merged = append(merged, l)
		}
	}
	return merged
}
