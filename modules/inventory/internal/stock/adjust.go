package stock

import (
	"cmp"
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
)

// once does what a key stands for, or returns the answer that it had, and whether it is that one.
func once[T any](s *Stock, tx *gorm.DB, key idempotency.Key, command func() (answer T, subject string, err error)) (answer T, replayed bool, err error) {
	claim, err := store.FindClaim(tx, key, s.now())
	if err != nil {
		return answer, false, err
	}
	if claim != nil {
		_, err = claim.Answered(&answer)
		return answer, true, err
	}
	answer, subject, err := command()
	if err != nil {
		return answer, false, err
	}
	return answer, false, store.SaveClaim(tx, key, subject, answer, s.time())
}

// Adjust implements inventory.Service. A count that changes nothing is written down too: that somebody counted is a fact.
func (s *Stock) Adjust(ctx context.Context, r inventory.AdjustRequest) (inventory.Adjustment, error) {
	if err := checkAdjust(r); err != nil {
		return inventory.Adjustment{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Adjustment, error) {
		a, replayed, err := once(s, tx, r.Key, func() (inventory.Adjustment, string, error) {
			a, err := s.adjust(ctx, tx, r)
			return a, a.Movement.ID, err
		})
		a.Replayed = replayed
		return a, err
	})
}

func checkAdjust(r inventory.AdjustRequest) error {
	lowest := int64(-inventory.MaxQuantity)
	if r.Absolute {
		lowest = 0
	}
	var o objections
	o.unless(r.Quantity >= lowest && r.Quantity <= inventory.MaxQuantity, "/quantity", "is out of bounds")
	o.unless(isText(r.Reason), "/reason", textRule)
	if r.Absolute {
		o.unless(r.Kind == "" || r.Kind == inventory.MovementCounted, "/kind", "of a count is counted")
	} else {
		o.unless(r.Kind == "" || r.Kind == inventory.MovementAdjusted || r.Kind == inventory.MovementReceived, "/kind", "must be adjusted or received")
		o.unless(r.Kind != inventory.MovementReceived || r.Quantity >= 0, "/quantity", "of what was received can't be negative")
	}
	return o.err()
}

func (s *Stock) adjust(ctx context.Context, tx *gorm.DB, r inventory.AdjustRequest) (inventory.Adjustment, error) {
	b, err := binOf(tx, r.SKU, r.Location, "/location")
	if err != nil {
		return inventory.Adjustment{}, err
	}
	if r.IfOnHand != nil && *r.IfOnHand != b.OnHand {
		return inventory.Adjustment{}, inventory.ErrOnHandChanged.Saying("%d units of %s are on hand at %s, not %d", b.OnHand, r.SKU, r.Location, *r.IfOnHand)
	}
	delta, kind := r.Quantity, cmp.Or(r.Kind, inventory.MovementAdjusted)
	if r.Absolute {
		delta, kind = r.Quantity-b.OnHand, inventory.MovementCounted
	}
	m, moved := s.movement(ctx, kind, r.SKU, r.Location, delta), shifts{}
	m.Reason = r.Reason
	if err := b.move(tx, &m, moved); err != nil {
		return inventory.Adjustment{}, err
	}
	if err := record(tx, []inventory.Movement{m}); err != nil {
		return inventory.Adjustment{}, err
	}
	return inventory.Adjustment{Movement: m, Level: b.Level}, s.tell(tx, moved)
}

// bin is a level that a command is about to change.
type bin struct {
	inventory.Level
	active bool
}

// binOf returns the level of an item at a location, which is zero until something came there. at is the member that names the
// location. Errors: inventory.ErrItemNotFound, inventory.ErrKit, inventory.ErrUnknownLocation.
func binOf(tx *gorm.DB, sku, location, at string) (bin, error) {
	b := bin{Level: inventory.Level{Location: location}}
	var item, kit, place bool
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM items WHERE sku = ?), EXISTS (SELECT 1 FROM items WHERE sku = ? AND kit = 1),
		EXISTS (SELECT 1 FROM locations WHERE code = ?), EXISTS (SELECT 1 FROM locations WHERE code = ? AND active = 1),
		COALESCE(MAX(on_hand), 0), COALESCE(MAX(reserved), 0) FROM levels WHERE sku = ? AND location = ?`,
		sku, sku, location, location, sku, location).Row().Scan(&item, &kit, &place, &b.active, &b.OnHand, &b.Reserved)
	switch {
	case err != nil:
		return b, err
	case !item:
		return b, inventory.ErrItemNotFound
	case kit:
		return b, inventory.ErrKit
	case !place:
		return b, inventory.ErrUnknownLocation.At(at, inventory.ErrUnknownLocation.Code, "there is no location "+location)
	}
	return b, nil
}

// move changes what is on hand by a movement, and completes both. Errors: inventory.ErrBelowReserved, fault.ErrInvalid.
func (b *bin) move(tx *gorm.DB, m *inventory.Movement, moved shifts) error {
	b.OnHand += m.Delta
	if b.OnHand < b.Reserved {
		return inventory.ErrBelowReserved.Saying("%d units would be left of %s at %s, and orders hold %d", b.OnHand, m.SKU, m.Location, b.Reserved)
	}
	if b.OnHand > inventory.MaxQuantity {
		return fault.ErrInvalid.Saying("a location holds at most %d units of an item", inventory.MaxQuantity)
	}
	if b.active {
		b.Available = b.OnHand - b.Reserved
	}
	m.OnHand = b.OnHand
	moved.add(m.SKU, m.Location, m.Delta)
	return tx.Exec(`INSERT INTO levels (sku, location, on_hand, reserved, version) VALUES (?, ?, ?, 0, 1)
		ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand, version = levels.version + 1`, m.SKU, m.Location, b.OnHand).Error
}
