package stock

import (
	"context"
	"maps"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// shifts are by how much a command has changed the available units of items at their locations, in all. What a command takes back
// that it gave free before is no crossing: only where it arrives counts.
type shifts map[string][]place

func (s shifts) add(sku, location string, units int64) {
	if units != 0 {
		s[sku] = append(s[sku], place{location: location, available: units})
	}
}

// at sums up the shift of an item at one location.
func (s shifts) at(sku, location string) (units int64) {
	for _, p := range s[sku] {
		if p.location == location {
			units += p.available
		}
	}
	return units
}

// crossing returns the events of available units that were before, with one threshold, and are now, with another.
func crossing(before, was, now, threshold int64) (kinds []string) {
	if threshold > 0 && now <= threshold && (was == 0 || before > was) {
		kinds = append(kinds, inventory.EventLowStock)
	}
	switch {
	case before > 0 && now <= 0:
		kinds = append(kinds, inventory.EventOutOfStock)
	case before <= 0 && now > 0:
		kinds = append(kinds, inventory.EventBackInStock)
	}
	return kinds
}

// tell writes the events of a command that has done all its shifts.
func (s *Stock) tell(tx *gorm.DB, moved shifts) error {
	for skus := range slices.Chunk(slices.Sorted(maps.Keys(moved)), insertChunk) {
		if err := s.tellOf(tx, skus, moved); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stock) tellOf(tx *gorm.DB, skus []string, moved shifts) error {
	rows, err := tx.Raw(`SELECT i.sku, i.low_stock_threshold, l.location, l.on_hand - l.reserved
		FROM items i JOIN levels l ON l.sku = i.sku JOIN locations p ON p.code = l.location
		WHERE p.active = 1 AND i.sku IN ? ORDER BY i.sku`, skus).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	type figures struct{ before, now, threshold int64 }
	all := make(map[string]figures, len(skus))
	for rows.Next() {
		var sku, location string
		var threshold, available int64
		if err := rows.Scan(&sku, &threshold, &location, &available); err != nil {
			return err
		}
		f := all[sku]
		all[sku] = figures{f.before + available - moved.at(sku, location), f.now + available, threshold}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var events [][]any
	for _, sku := range skus {
		f := all[sku]
		for _, kind := range crossing(f.before, f.threshold, f.now, f.threshold) {
			events = append(events, s.event(kind, sku, f.now, f.threshold))
		}
	}
	return insert(tx, eventColumns, events)
}

const eventColumns = "events (kind, sku, available, threshold, at)"

func (s *Stock) event(kind, sku string, available, threshold int64) []any {
	return []any{kind, sku, available, threshold, store.Micros(s.now())}
}

// tellThreshold writes the event of an item whose threshold was put above what is available.
func (s *Stock) tellThreshold(tx *gorm.DB, was, now inventory.Item) error {
	var events [][]any
	for _, kind := range crossing(was.Available, was.LowStockThreshold, now.Available, now.LowStockThreshold) {
		events = append(events, s.event(kind, now.SKU, now.Available, now.LowStockThreshold))
	}
	return insert(tx, eventColumns, events)
}

// tellSwitched writes the events of a location that was just made active, or inactive: all that lies there came or went at once.
func (s *Stock) tellSwitched(tx *gorm.DB, code string, active bool) error {
	sign := -1
	if active {
		sign = 1
	}
	for _, crossed := range []struct{ kind, condition string }{
		{inventory.EventLowStock, "threshold > 0 AND now <= threshold AND before > threshold"},
		{inventory.EventOutOfStock, "before > 0 AND now <= 0"},
		{inventory.EventBackInStock, "before <= 0 AND now > 0"},
	} {
		if _, err := store.Exec(tx, `INSERT INTO `+eventColumns+` SELECT ?, sku, now, threshold, ? FROM (
				SELECT i.sku, i.low_stock_threshold AS threshold, COALESCE(SUM(CASE WHEN p.active = 1 THEN l.on_hand - l.reserved END), 0) AS now,
					COALESCE(SUM(CASE WHEN p.active = 1 THEN l.on_hand - l.reserved END), 0) - ? * here.units AS before
				FROM (SELECT sku, on_hand - reserved AS units FROM levels WHERE location = ? AND on_hand > reserved) here
				JOIN items i ON i.sku = here.sku JOIN levels l ON l.sku = i.sku JOIN locations p ON p.code = l.location
				GROUP BY i.sku, i.low_stock_threshold, here.units) AS item
			WHERE `+crossed.condition+` ORDER BY sku`, crossed.kind, store.Micros(s.now()), sign, code); err != nil {
			return err
		}
	}
	return nil
}

// Events implements inventory.Service.
func (s *Stock) Events(ctx context.Context, r inventory.EventsRequest) (inventory.EventPage, error) {
	limit := limited(r.Limit)
	page := inventory.EventPage{Events: []inventory.Event{}}
	rows, err := s.store.Read(ctx).Raw(`SELECT sequence, kind, sku, available, threshold, at FROM events
		WHERE sequence > ? ORDER BY sequence LIMIT ?`, r.After, limit+1).Rows()
	if err != nil {
		return page, err
	}
	defer rows.Close()
	for rows.Next() {
		var e inventory.Event
		var at int64
		if err := rows.Scan(&e.Sequence, &e.Kind, &e.SKU, &e.Available, &e.Threshold, &at); err != nil {
			return page, err
		}
		e.At = store.Time(at)
		page.Events = append(page.Events, e)
	}
	if len(page.Events) > limit {
		page.Events, page.More = page.Events[:limit], true
	}
	return page, rows.Err()
}
