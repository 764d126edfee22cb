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

// Adjust implements inventory.Service. A count that changes nothing is written down too: that somebody counted is a fact.
func (s *Stock) Adjust(ctx context.Context, r inventory.AdjustRequest) (inventory.Adjustment, error) {
	lowest := int64(-inventory.MaxQuantity)
	if r.Absolute {
		lowest = 0
	}
	var o objections
	o.unless(r.Quantity >= lowest && r.Quantity <= inventory.MaxQuantity, "/quantity", "is out of bounds")
	o.unless(isText(r.Reason), "/reason", textRule)
	if err := o.err(); err != nil {
		return inventory.Adjustment{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Adjustment, error) {
		claim, err := store.FindClaim(tx, r.Key, s.now())
		if err != nil {
			return inventory.Adjustment{}, err
		}
		if claim != nil {
			first := inventory.Adjustment{}
			_, err := claim.Answered(&first)
			first.Replayed = true
			return first, err
		}
		a, err := s.adjust(ctx, tx, r)
		if err != nil {
			return inventory.Adjustment{}, err
		}
		return a, store.SaveClaim(tx, r.Key, a.Movement.ID, a, a.Movement.At)
	})
}

func (s *Stock) adjust(ctx context.Context, tx *gorm.DB, r inventory.AdjustRequest) (inventory.Adjustment, error) {
	level, err := levelToAdjust(tx, r.SKU, r.Location)
	if err != nil {
		return inventory.Adjustment{}, err
	}
	delta := r.Quantity
	if r.Absolute {
		delta = r.Quantity - level.OnHand
	}
	onHand := level.OnHand + delta
	if onHand < level.Reserved {
		return inventory.Adjustment{}, inventory.ErrBelowReserved.Saying("%d units would be left of %s at %s, and orders hold %d",
			onHand, r.SKU, r.Location, level.Reserved)
	}
	if onHand > inventory.MaxQuantity {
		return inventory.Adjustment{}, fault.ErrInvalid.Saying("a location holds at most %d units of an item", inventory.MaxQuantity)
	}
	if err := tx.Exec(`INSERT INTO levels (sku, location, on_hand, reserved, version) VALUES (?, ?, ?, 0, 1)
		ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand, version = version + 1`, r.SKU, r.Location, onHand).Error; err != nil {
		return inventory.Adjustment{}, err
	}
	movement := s.movement(ctx, inventory.MovementAdjusted, r.SKU, r.Location, delta, onHand)
	movement.Reason = r.Reason
	level.OnHand, level.Available = onHand, onHand-level.Reserved
	return inventory.Adjustment{Movement: movement, Level: level}, record(tx, []inventory.Movement{movement})
}

// levelToAdjust returns the level of an item at a location, which is zero until it was adjusted once.
func levelToAdjust(tx *gorm.DB, sku, location string) (inventory.Level, error) {
	level := inventory.Level{Location: location}
	var item, place bool
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM items WHERE sku = ?), EXISTS (SELECT 1 FROM locations WHERE code = ?),
		COALESCE(MAX(on_hand), 0), COALESCE(MAX(reserved), 0) FROM levels WHERE sku = ? AND location = ?`,
		sku, location, sku, location).Row().Scan(&item, &place, &level.OnHand, &level.Reserved)
	switch {
	case err != nil:
		return level, err
	case !item:
		return level, inventory.ErrItemNotFound
	case !place:
		return level, inventory.ErrUnknownLocation.At("/location", inventory.ErrUnknownLocation.Code, "there is no location "+location)
	}
	return level, nil
}

// movement describes a change of on hand that happens now, on behalf of whom ctx names.
func (s *Stock) movement(ctx context.Context, kind, sku, location string, delta, onHand int64) inventory.Movement {
	return inventory.Movement{
		ID: s.newID("mov"), SKU: sku, Location: location, Kind: kind, Delta: delta, OnHand: onHand,
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
