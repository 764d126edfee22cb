package stock

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// PutItems implements inventory.Service.
func (s *Stock) PutItems(ctx context.Context, r inventory.PutItemsRequest) (inventory.ItemsPut, error) {
	if err := checkBatch(r); err != nil {
		return inventory.ItemsPut{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.ItemsPut, error) {
		claim, err := store.FindClaim(tx, r.Key, s.now())
		if err != nil {
			return inventory.ItemsPut{}, err
		}
		if claim != nil {
			first := inventory.ItemsPut{}
			_, err := claim.Answered(&first)
			first.Replayed = true
			return first, err
		}
		put, err := s.putItems(ctx, tx, r)
		if err != nil {
			return inventory.ItemsPut{}, err
		}
		return put, store.SaveClaim(tx, r.Key, s.newID("bat"), put, s.now())
	})
}

func checkBatch(r inventory.PutItemsRequest) error {
	var o objections
	o.unless(len(r.Entries) > 0 && len(r.Entries) <= inventory.MaxBatch, "/entries", fmt.Sprintf("must have 1 to %d elements", inventory.MaxBatch))
	o.unless(isText(r.Reason), "/reason", textRule)
	if err := o.err(); err != nil {
		return err
	}
	for i, e := range r.Entries {
		at := fmt.Sprintf("/entries/%d", i)
		o.unless(isCode(e.SKU), at+"/sku", codeRule)
		o.unless(isText(e.Name), at+"/name", textRule)
		if e.OnHand != nil {
			o.unless(isCode(e.Location), at+"/location", codeRule)
			o.unless(*e.OnHand >= 0 && *e.OnHand <= inventory.MaxQuantity, at+"/on_hand", "is out of bounds")
		}
	}
	return o.err()
}

func (s *Stock) putItems(ctx context.Context, tx *gorm.DB, r inventory.PutItemsRequest) (inventory.ItemsPut, error) {
	put := inventory.ItemsPut{Refused: []inventory.RefusedEntry{}}
	for i, e := range r.Entries {
		err := attempt(tx, func() error { return s.putEntry(ctx, tx, e, r.Reason) })
		if refusal := refusalOf(err); refusal != nil {
			put.Refused = append(put.Refused, inventory.RefusedEntry{Index: i, SKU: e.SKU, Code: refusal.Code, Detail: refusal.Message})
		} else if err != nil {
			return inventory.ItemsPut{}, fmt.Errorf("put %s: %w", e.SKU, err)
		}
	}
	return put, nil
}

// putEntry writes the description first: a level needs its item.
func (s *Stock) putEntry(ctx context.Context, tx *gorm.DB, e inventory.ItemEntry, reason string) error {
	now := store.Micros(s.now())
	if _, err := store.Exec(tx, `INSERT INTO items (sku, name, backorder, version, created_at, updated_at) VALUES (?, ?, COALESCE(?, 0), 1, ?, ?)
		ON CONFLICT (sku) DO UPDATE SET name = excluded.name, backorder = COALESCE(?, items.backorder), version = items.version + 1,
			updated_at = excluded.updated_at
		WHERE items.name <> excluded.name OR items.backorder <> COALESCE(?, items.backorder)`,
		e.SKU, e.Name, e.Backorder, now, now, e.Backorder, e.Backorder); err != nil || e.OnHand == nil {
		return err
	}
	_, err := s.adjust(ctx, tx, inventory.AdjustRequest{
		SKU: e.SKU, Location: e.Location, Absolute: true, Quantity: *e.OnHand, Reason: reason,
	})
	return err
}

// attempt does something within a transaction, or leaves the transaction as it was.
func attempt(tx *gorm.DB, do func() error) error {
	if _, err := store.Exec(tx, "SAVEPOINT attempt"); err != nil {
		return err
	}
	if err := do(); err != nil {
		_, undone := store.Exec(tx, "ROLLBACK TO attempt; RELEASE attempt")
		return errors.Join(err, undone)
	}
	_, err := store.Exec(tx, "RELEASE attempt")
	return err
}

// refusalOf returns err if it is a rule's answer to an entry, not a failure of the store.
func refusalOf(err error) *fault.Error {
	var refusal *fault.Error
	if errors.As(err, &refusal) && (refusal.Kind == fault.Conflict || refusal.Kind == fault.Invalid) {
		return refusal
	}
	return nil
}
