package stock

import (
	"cmp"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// take takes what is wanted off the available units, of kits their parts. Before it refuses, it gives free what carts hold of these
// items beyond their time: the sweeper may not have come by yet.
func (s *Stock) take(tx *gorm.DB, wants []want, sourcing string, moved shifts) ([]inventory.ReservedLine, []inventory.ReservedKit, error) {
	shelves, err := readShelves(tx, wants)
	if err != nil {
		return nil, nil, err
	}
	parts, kits, err := partsOf(tx, wants, shelves)
	if err != nil {
		return nil, nil, err
	}
	if kits != nil {
		if shelves, err = readShelves(tx, parts); err != nil {
			return nil, nil, err
		}
	}
	sourcing = cmp.Or(sourcing, s.sourcing)
	lines, err := allocate(parts, shelves, sourcing)
	for errors.Is(err, inventory.ErrOutOfStock) {
		ended, expireErr := s.expire(tx, skusOf(parts), moved)
		if expireErr != nil {
			return nil, nil, expireErr
		}
		if ended == 0 {
			break
		}
		if shelves, expireErr = readShelves(tx, parts); expireErr != nil {
			return nil, nil, expireErr
		}
		lines, err = allocate(parts, shelves, sourcing)
	}
	if err != nil {
		return nil, nil, err
	}
	return lines, kits, takeLines(tx, lines, shelves, moved)
}

// takeLines reserves what was allocated. An item that stays above its threshold, and of which nothing was given back, crosses no line,
// so nobody needs to look.
func takeLines(tx *gorm.DB, lines []inventory.ReservedLine, shelves map[string]shelf, moved shifts) error {
	left := make(map[string]int64, len(shelves))
	for _, l := range lines {
		if _, known := left[l.SKU]; !known {
			left[l.SKU] = shelves[l.SKU].free()
		}
		if !l.Backordered {
			left[l.SKU] -= l.Quantity
		}
	}
	for _, l := range lines {
		if l.Backordered {
			continue
		}
		taken, err := store.Exec(tx, `UPDATE levels SET reserved = reserved + ?, version = version + 1
			WHERE sku = ? AND location = ? AND on_hand - reserved >= ?`, l.Quantity, l.SKU, l.Location, l.Quantity)
		if err != nil {
			return err
		}
		if taken != 1 { // allocate went wrong, or there is a second writer
			return fmt.Errorf("reserve %d of %s at %s: they were available a moment ago", l.Quantity, l.SKU, l.Location)
		}
		if moved[l.SKU] != nil || left[l.SKU] <= shelves[l.SKU].threshold {
			moved.add(l.SKU, l.Location, -l.Quantity)
		}
	}
	return promise(tx, lines, +1)
}

func skusOf(wants []want) []string {
	skus := make([]string, len(wants))
	for i, w := range wants {
		skus[i] = w.sku
	}
	return skus
}

// partsOf replaces kits by their parts. Where nothing is a kit, which the shelves tell, nothing is looked up.
func partsOf(tx *gorm.DB, wants []want, shelves map[string]shelf) ([]want, []inventory.ReservedKit, error) {
	var skus []string
	for _, w := range wants {
		if shelves[w.sku].kit {
			skus = append(skus, w.sku)
		}
	}
	if skus == nil {
		return wants, nil, nil
	}
	made, err := components(tx, skus)
	if err != nil {
		return nil, nil, err
	}
	parts, err := explode(wants, made)
	return parts, kitsOf(wants, made), err
}

// readShelves returns what the items wanted have to give. An item that is none is missing.
func readShelves(tx *gorm.DB, wants []want) (map[string]shelf, error) {
	wanted, args := store.List(skusOf(wants))
	rows, err := store.Rows(tx, `SELECT i.sku, i.kit, i.backorder, i.backordered, i.backorder_limit, i.low_stock_threshold,
		COALESCE(l.location, ''), COALESCE(p.priority, 0), CASE WHEN p.active = 1 THEN l.on_hand - l.reserved ELSE 0 END
		FROM items i LEFT JOIN levels l ON l.sku = i.sku AND l.on_hand > l.reserved LEFT JOIN locations p ON p.code = l.location
		WHERE i.sku IN `+wanted+" ORDER BY i.sku, p.priority, l.location", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	shelves := make(map[string]shelf, len(wants))
	for rows.Next() {
		var sku string
		var s shelf
		var p place
		if err := rows.Scan(&sku, &s.kit, &s.backorder, &s.promised, &s.limit, &s.threshold, &p.location, &p.priority, &p.available); err != nil {
			return nil, err
		}
		s.places = shelves[sku].places
		if p.available > 0 {
			s.places = append(s.places, p)
		}
		shelves[sku] = s
	}
	return shelves, rows.Err()
}
