package stock

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// The life of a cart's hold. Each arrow is one transaction with the levels that it stands for.
//
//	           Hold           ReleaseHold, expiry, or the Reserve of an order that names it
//	nothing ----------> held ----------> nothing
//	                    |  ^
//	                    +--+ Hold: until later, or with other lines
//
// A hold that ended leaves no trace. So a Hold that comes late, after the order was placed, holds once more; its expiry bounds the
// harm.

// Hold implements inventory.Service.
func (s *Stock) Hold(ctx context.Context, r inventory.HoldRequest) (inventory.CartHold, error) {
	wants, err := checkHold(r)
	if err != nil {
		return inventory.CartHold{}, err
	}
	now := s.time()
	h := inventory.CartHold{
		ID: r.HoldID, ExpiresAt: store.Time(store.Micros(now.Add(r.TTL))), CreatedAt: now, UpdatedAt: now,
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.CartHold, error) {
		moved := shifts{}
		had, asked, err := findHold(tx, r.HoldID)
		if err != nil {
			return h, err
		}
		if asked == fingerprint(wants) {
			return lengthen(tx, had, h.ExpiresAt, now)
		}
		if asked != "" { // what is taken back here is held again if the new lines can't be had: the error undoes it
			if err := giveBack(tx, []string{h.ID}, moved); err != nil {
				return h, err
			}
		}
		if h.Lines, _, err = s.take(tx, wants, r.Sourcing, moved); err != nil {
			return h, err
		}
		if err := s.tell(tx, moved); err != nil {
			return h, err
		}
		return h, insertHold(tx, h, fingerprint(wants))
	})
}

// checkHold returns what a request wants.
func checkHold(r inventory.HoldRequest) ([]want, error) {
	var o objections
	o.unless(isCode(r.HoldID), "/hold_id", codeRule)
	o.unless(r.TTL >= inventory.MinHoldTTL && r.TTL <= inventory.MaxHoldTTL, "/ttl", "must be from a second to 24 hours")
	o.checkSourcing(r.Sourcing)
	if err := o.err(); err != nil {
		return nil, err
	}
	return addUp(r.Lines)
}

// fingerprint is what two wishes have in common that come to the same.
func fingerprint(wants []want) string {
	var b strings.Builder
	for _, w := range wants {
		fmt.Fprintf(&b, "%d %s\n", w.units, w.sku)
	}
	return b.String()
}

// findHold returns a hold and the fingerprint of what was asked for, "" if there is none.
func findHold(tx *gorm.DB, id string) (h inventory.CartHold, asked string, err error) {
	h.ID = id
	var expires, created, updated int64
	err = tx.Raw("SELECT asked, expires_at, created_at, updated_at FROM holds WHERE id = ?", id).Row().
		Scan(&asked, &expires, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return h, "", nil
	}
	h.ExpiresAt, h.CreatedAt, h.UpdatedAt = store.Time(expires), store.Time(created), store.Time(updated)
	return h, asked, err
}

// lengthen moves the expiry of a hold away. One that has passed and that nobody has noticed yet is moved like any other.
func lengthen(tx *gorm.DB, h inventory.CartHold, expiry, now time.Time) (inventory.CartHold, error) {
	if expiry.After(h.ExpiresAt) {
		h.ExpiresAt, h.UpdatedAt = expiry, now
		if err := tx.Exec("UPDATE holds SET expires_at = ?, updated_at = ? WHERE id = ?",
			store.Micros(h.ExpiresAt), store.Micros(h.UpdatedAt), h.ID).Error; err != nil {
			return h, err
		}
	}
	rows, err := tx.Raw("SELECT sku, location, quantity FROM hold_lines WHERE hold_id = ?", h.ID).Rows()
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		var l inventory.ReservedLine
		if err := rows.Scan(&l.SKU, &l.Location, &l.Quantity); err != nil {
			return h, err
		}
		l.Backordered = l.Location == ""
		h.Lines = append(h.Lines, l)
	}
	slices.SortFunc(h.Lines, asAllocated)
	return h, rows.Err()
}

func insertHold(tx *gorm.DB, h inventory.CartHold, asked string) error {
	if err := tx.Exec("INSERT INTO holds (id, asked, expires_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
		h.ID, asked, store.Micros(h.ExpiresAt), store.Micros(h.CreatedAt), store.Micros(h.UpdatedAt)).Error; err != nil {
		return err
	}
	rows := make([][]any, len(h.Lines))
	for i, l := range h.Lines {
		rows[i] = []any{h.ID, l.SKU, l.Location, l.Quantity}
	}
	return insert(tx, "hold_lines (hold_id, sku, location, quantity)", rows)
}

// giveBack makes the units of some holds available and forgets the holds. Those that are not there are passed over.
func giveBack(tx *gorm.DB, ids []string, moved shifts) error {
	lines, err := heldBy(tx, ids)
	if err != nil || len(lines) == 0 {
		return err
	}
	for _, l := range lines {
		moved.add(l.SKU, l.Location, l.Quantity)
	}
	if err := tx.Exec(`UPDATE levels SET reserved = reserved - h.units, version = version + 1
		FROM (SELECT sku, location, SUM(quantity) AS units FROM hold_lines WHERE hold_id IN ? AND location <> '' GROUP BY sku, location) AS h
		WHERE levels.sku = h.sku AND levels.location = h.location`, ids).Error; err != nil {
		return err
	}
	if err := promise(tx, lines, -1); err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM hold_lines WHERE hold_id IN ?", ids).Error; err != nil {
		return err
	}
	return tx.Exec("DELETE FROM holds WHERE id IN ?", ids).Error
}

// heldBy sums up what some holds hold.
func heldBy(tx *gorm.DB, ids []string) ([]inventory.ReservedLine, error) {
	rows, err := tx.Raw("SELECT sku, location, SUM(quantity) FROM hold_lines WHERE hold_id IN ? GROUP BY sku, location", ids).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []inventory.ReservedLine
	for rows.Next() {
		var l inventory.ReservedLine
		if err := rows.Scan(&l.SKU, &l.Location, &l.Quantity); err != nil {
			return nil, err
		}
		l.Backordered = l.Location == ""
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// ReleaseHold implements inventory.Service.
func (s *Stock) ReleaseHold(ctx context.Context, r inventory.ReleaseHoldRequest) (inventory.HoldRelease, error) {
	var o objections
	o.unless(isCode(r.HoldID), "/hold_id", codeRule)
	if err := o.err(); err != nil {
		return inventory.HoldRelease{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.HoldRelease, error) {
		_, asked, err := findHold(tx, r.HoldID)
		if err != nil || asked == "" {
			return inventory.HoldRelease{HoldID: r.HoldID}, err
		}
		moved := shifts{}
		if err := giveBack(tx, []string{r.HoldID}, moved); err != nil {
			return inventory.HoldRelease{}, err
		}
		return inventory.HoldRelease{HoldID: r.HoldID, Released: true}, s.tell(tx, moved)
	})
}
