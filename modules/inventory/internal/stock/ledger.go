package stock

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// movement describes a change of on hand that happens now, on behalf of whom ctx names. What it leaves on hand is not told yet.
func (s *Stock) movement(ctx context.Context, kind, sku, location string, delta int64) inventory.Movement {
	return inventory.Movement{
		ID: s.newID("mov"), SKU: sku, Location: location, Kind: kind, Delta: delta,
		Actor: channel.Actor(ctx), CorrelationID: channel.CorrelationID(ctx), At: s.time(),
	}
}

const movementColumns = "id, sku, location, kind, delta, on_hand, reason, reference, actor, correlation_id, at"

// record writes movements, in order, into the ledger.
func record(tx *gorm.DB, movements []inventory.Movement) error {
	rows := make([][]any, len(movements))
	for i, m := range movements {
		rows[i] = []any{
			m.ID, m.SKU, m.Location, m.Kind, m.Delta, m.OnHand, m.Reason, m.Reference, m.Actor, m.CorrelationID, store.Micros(m.At),
		}
	}
	return insert(tx, "movements ("+movementColumns+")", rows)
}

// Movements implements inventory.Service.
func (s *Stock) Movements(ctx context.Context, r inventory.MovementsRequest) (inventory.MovementPage, error) {
	limit := limited(r.Limit)
	page := inventory.MovementPage{Movements: []inventory.Movement{}}
	db := s.store.Read(ctx)
	before, err := ledgerPosition(db, r)
	if err != nil {
		return inventory.MovementPage{}, err
	}
	rows, err := db.Raw("SELECT "+movementColumns+" FROM movements WHERE sku = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
		r.SKU, before, limit+1).Rows()
	if err != nil {
		return inventory.MovementPage{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var m inventory.Movement
		var at int64
		if err := rows.Scan(&m.ID, &m.SKU, &m.Location, &m.Kind, &m.Delta, &m.OnHand, &m.Reason, &m.Reference, &m.Actor, &m.CorrelationID, &at); err != nil {
			return inventory.MovementPage{}, err
		}
		m.At = store.Time(at)
		page.Movements = append(page.Movements, m)
	}
	if len(page.Movements) > limit {
		page.Movements, page.More = page.Movements[:limit], true
	}
	return page, rows.Err()
}

// ledgerPosition returns the seq below which a page begins.
func ledgerPosition(db *gorm.DB, r inventory.MovementsRequest) (int64, error) {
	var known bool
	if err := db.Raw("SELECT EXISTS (SELECT 1 FROM items WHERE sku = ?)", r.SKU).Row().Scan(&known); err != nil {
		return 0, err
	}
	if !known {
		return 0, inventory.ErrItemNotFound
	}
	seq := int64(math.MaxInt64)
	if r.Before == "" {
		return seq, nil
	}
	err := db.Raw("SELECT seq FROM movements WHERE id = ? AND sku = ?", r.Before, r.SKU).Row().Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fault.ErrInvalid.At("/before", fault.ErrInvalid.Code, "is not a movement of this item")
	}
	return seq, err
}
