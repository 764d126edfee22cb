package stock

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// maxPriority bounds the priority of a location.
const maxPriority = 1_000_000

// PutLocation implements inventory.Service.
func (s *Stock) PutLocation(ctx context.Context, r inventory.PutLocationRequest) (inventory.Location, error) {
	var o objections
	o.unless(isCode(r.Code), "/code", codeRule)
	o.unless(isText(r.Name), "/name", textRule)
	o.unless(r.Priority >= 0 && r.Priority <= maxPriority, "/priority", "must be from 0 to 1000000")
	if err := o.err(); err != nil {
		return inventory.Location{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Location, error) {
		if err := checkVersion(tx, r.IfVersion, "SELECT version FROM locations WHERE code = ?", r.Code); err != nil {
			return inventory.Location{}, err
		}
		wasActive := !r.Inactive // a new location has nothing to switch
		if err := tx.Raw("SELECT active FROM locations WHERE code = ?", r.Code).Row().Scan(&wasActive); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return inventory.Location{}, err
		}
		now := store.Micros(s.now())
		l, err := scanLocation(tx.Raw(`INSERT INTO locations (code, name, priority, active, version, created_at, updated_at) VALUES (?, ?, ?, ?, 1, ?, ?)
			ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority, active = excluded.active,
			version = locations.version + 1, updated_at = excluded.updated_at RETURNING `+locationColumns,
			r.Code, r.Name, r.Priority, !r.Inactive, now, now).Row())
		if err != nil || l.Active == wasActive {
			return l, err
		}
		return l, s.tellSwitched(tx, l.Code, l.Active)
	})
}

// checkVersion holds a writer to the version that it read. query finds the one that is there.
func checkVersion(tx *gorm.DB, named int64, query string, args ...any) error {
	have := revision.None
	if err := tx.Raw(query, args...).Row().Scan(&have); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return revision.Check(have, named)
}

const locationColumns = "code, name, priority, active, version, created_at, updated_at"

func scanLocation(row interface{ Scan(...any) error }) (inventory.Location, error) {
	var l inventory.Location
	var created, updated int64
	err := row.Scan(&l.Code, &l.Name, &l.Priority, &l.Active, &l.Version, &created, &updated)
	l.CreatedAt, l.UpdatedAt = store.Time(created), store.Time(updated)
	return l, err
}

// Locations implements inventory.Service.
func (s *Stock) Locations(ctx context.Context, r inventory.LocationsRequest) (inventory.LocationPage, error) {
	limit := limited(r.Limit)
	page := inventory.LocationPage{Locations: []inventory.Location{}}
	rows, err := s.store.Read(ctx).Raw("SELECT "+locationColumns+" FROM locations WHERE code > ? ORDER BY code LIMIT ?", r.After, limit+1).Rows()
	if err != nil {
		return inventory.LocationPage{}, err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanLocation(rows)
		if err != nil {
			return inventory.LocationPage{}, err
		}
		page.Locations = append(page.Locations, l)
	}
	if len(page.Locations) > limit {
		page.Locations, page.More = page.Locations[:limit], true
	}
	return page, rows.Err()
}

// PutItem implements inventory.Service.
func (s *Stock) PutItem(ctx context.Context, r inventory.PutItemRequest) (inventory.Item, error) {
	var o objections
	o.unless(isCode(r.SKU), "/sku", codeRule)
	o.unless(isText(r.Name), "/name", textRule)
	o.unless(r.BackorderLimit >= 0 && r.BackorderLimit <= inventory.MaxQuantity, "/backorder_limit", "must be from 0 to 1000000000")
	o.unless(r.LowStockThreshold >= 0 && r.LowStockThreshold <= inventory.MaxQuantity, "/low_stock_threshold", "must be from 0 to 1000000000")
	checkComponents(&o, r)
	if err := o.err(); err != nil {
		return inventory.Item{}, err
	}
	return write(ctx, s, func(tx *gorm.DB) (inventory.Item, error) {
		if err := checkVersion(tx, r.IfVersion, "SELECT version FROM items WHERE sku = ?", r.SKU); err != nil {
			return inventory.Item{}, err
		}
		if len(r.Components) > 0 {
			if err := mayBeKit(tx, r); err != nil {
				return inventory.Item{}, err
			}
		}
		was, err := item(tx, r.SKU)
		if err != nil && !errors.Is(err, inventory.ErrItemNotFound) {
			return inventory.Item{}, err
		}
		if err := s.putItem(tx, r); err != nil {
			return inventory.Item{}, err
		}
		now, err := item(tx, r.SKU)
		if err != nil || was.Version == revision.None || len(was.Components) > 0 || len(now.Components) > 0 {
			return now, err
		}
		return now, s.tellThreshold(tx, was, now)
	})
}

func (s *Stock) putItem(tx *gorm.DB, r inventory.PutItemRequest) error {
	now := store.Micros(s.now())
	if err := tx.Exec(`INSERT INTO items (sku, name, backorder, backorder_limit, low_stock_threshold, kit, version, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
		ON CONFLICT (sku) DO UPDATE SET name = excluded.name, backorder = excluded.backorder, backorder_limit = excluded.backorder_limit,
			low_stock_threshold = excluded.low_stock_threshold, kit = excluded.kit, version = items.version + 1, updated_at = excluded.updated_at`,
		r.SKU, r.Name, r.Backorder, r.BackorderLimit, r.LowStockThreshold, len(r.Components) > 0, now, now).Error; err != nil {
		return err
	}
	return replaceComponents(tx, r.SKU, r.Components)
}

// Item implements inventory.Service.
func (s *Stock) Item(ctx context.Context, r inventory.ItemRequest) (inventory.Item, error) {
	return item(s.store.Read(ctx), r.SKU)
}

func item(db *gorm.DB, sku string) (inventory.Item, error) {
	page, err := items(db, 1, "SELECT * FROM items WHERE sku = ?", sku)
	if err != nil {
		return inventory.Item{}, err
	}
	if len(page.Items) == 0 {
		return inventory.Item{}, inventory.ErrItemNotFound
	}
	return page.Items[0], nil
}

// Items implements inventory.Service.
func (s *Stock) Items(ctx context.Context, r inventory.ItemsRequest) (inventory.ItemPage, error) {
	limit := limited(r.Limit)
	return items(s.store.Read(ctx), limit, "SELECT * FROM items WHERE sku > ? ORDER BY sku LIMIT ?", r.After, limit+1)
}

// items reads the items of a query with their levels. It is one statement, so that an item and its levels are of one moment; the
// figures of kits are of another.
func items(db *gorm.DB, limit int, query string, args ...any) (inventory.ItemPage, error) {
	page := inventory.ItemPage{Items: []inventory.Item{}}
	rows, err := db.Raw(`SELECT i.sku, i.name, i.backorder, i.backorder_limit, i.low_stock_threshold, i.backordered, i.kit,
		i.version, i.created_at, i.updated_at,
		COALESCE(l.location, ''), COALESCE(l.on_hand, 0), COALESCE(l.reserved, 0), COALESCE(p.active, 0), COALESCE(l.version + p.version - 1, 0)
		FROM (`+query+`) i LEFT JOIN levels l ON l.sku = i.sku LEFT JOIN locations p ON p.code = l.location
		ORDER BY i.sku, l.location`, args...).Rows()
	if err != nil {
		return inventory.ItemPage{}, err
	}
	defer rows.Close()
	kits := map[string]bool{}
	for n := 0; rows.Next(); n++ {
		i := inventory.Item{Locations: []inventory.Level{}}
		var l inventory.Level
		var created, updated, version int64
		var kit, active bool
		if err := rows.Scan(&i.SKU, &i.Name, &i.Backorder, &i.BackorderLimit, &i.LowStockThreshold, &i.Backordered, &kit,
			&i.Version, &created, &updated, &l.Location, &l.OnHand, &l.Reserved, &active, &version); err != nil {
			return inventory.ItemPage{}, err
		}
		last := len(page.Items) - 1
		if last < 0 || page.Items[last].SKU != i.SKU {
			if page.More = len(page.Items) == limit || n >= maxRows; page.More {
				break
			}
			i.CreatedAt, i.UpdatedAt = store.Time(created), store.Time(updated)
			page.Items = append(page.Items, i)
			last++
			if kit {
				kits[i.SKU] = true
			}
		}
		if l.Location != "" { // an item that was never adjusted has no levels
			addLevel(&page.Items[last], l, active, version)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil { // a reader has one statement at a time
		return inventory.ItemPage{}, err
	}
	return page, addKits(db, page.Items, kits)
}

func addLevel(i *inventory.Item, l inventory.Level, active bool, version int64) {
	if active {
		l.Available = l.OnHand - l.Reserved
	}
	i.Locations = append(i.Locations, l)
	i.OnHand += l.OnHand
	i.Reserved += l.Reserved
	i.Available += l.Available
	i.StockVersion += version
}

// Check implements inventory.Service. Every order passes here: it is one look at the primary key, without a lock.
func (s *Stock) Check(ctx context.Context, r inventory.CheckRequest) (inventory.Checked, error) {
	checked := inventory.Checked{Unknown: []string{}}
	if len(r.SKUs) == 0 {
		return checked, nil
	}
	if len(r.SKUs) > maxLines {
		return checked, fault.ErrInvalid.At("/skus", fault.ErrInvalid.Code, "must have at most 1000 elements")
	}
	wanted, args := store.List(r.SKUs)
	rows, err := store.Rows(s.store.Read(ctx), "SELECT sku FROM items WHERE sku IN "+wanted, args...)
	if err != nil {
		return checked, err
	}
	defer rows.Close()
	known := make(map[string]bool, len(r.SKUs))
	for rows.Next() {
		var sku string
		if err := rows.Scan(&sku); err != nil {
			return checked, err
		}
		known[sku] = true
	}
	for _, sku := range r.SKUs {
		if !known[sku] && !slices.Contains(checked.Unknown, sku) {
			checked.Unknown = append(checked.Unknown, sku)
		}
	}
	return checked, rows.Err()
}
