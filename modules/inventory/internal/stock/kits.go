package stock

import (
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store"
)

// maxParts bounds the different items that kits come to in one request.
const maxParts = 5000

// A kit is one level deep, so that nothing can contain itself: a part is no kit, and what is part of a kit becomes none. Only an item
// that never had a level becomes a kit, so that no stock is ever out of sight.

// checkComponents refuses what can't be known to be a kit without looking into the store.
func checkComponents(o *objections, r inventory.PutItemRequest) {
	if len(r.Components) == 0 {
		return
	}
	o.unless(len(r.Components) <= inventory.MaxComponents, "/components", "must have at most 50 elements")
	seen := map[string]bool{r.SKU: true}
	for i, c := range r.Components {
		o.unless(!seen[c.SKU], componentMember(i, "sku"), "must be another item than the kit and its other components")
		o.unless(c.Quantity > 0 && c.Quantity <= inventory.MaxComponentQuantity, componentMember(i, "quantity"), "must be from 1 to 1000")
		seen[c.SKU] = true
	}
	o.unless(!r.Backorder && r.BackorderLimit == 0, "/backorder", "is decided by the parts of a kit")
	o.unless(r.LowStockThreshold == 0, "/low_stock_threshold", "is a matter of the parts of a kit")
}

func componentMember(i int, member string) string { return fmt.Sprintf("/components/%d/%s", i, member) }

// mayBeKit refuses an item that has stock or is part of a kit, and components that are no items or are kits themselves.
func mayBeKit(tx *gorm.DB, r inventory.PutItemRequest) error {
	var isPart, hasStock bool
	if err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM components WHERE sku = ?),
		EXISTS (SELECT 1 FROM levels WHERE sku = ?) OR EXISTS (SELECT 1 FROM items WHERE sku = ? AND backordered > 0)`,
		r.SKU, r.SKU, r.SKU).Row().Scan(&isPart, &hasStock); err != nil {
		return err
	}
	switch {
	case isPart:
		return inventory.ErrNestedKit.Saying("%s is part of a kit", r.SKU)
	case hasStock:
		return inventory.ErrHasStock
	}
	wants := make([]want, len(r.Components))
	for i, c := range r.Components {
		wants[i].sku = c.SKU
	}
	shelves, err := readShelves(tx, wants)
	if err != nil {
		return err
	}
	for i, c := range r.Components {
		part, known := shelves[c.SKU]
		switch at := componentMember(i, "sku"); {
		case !known:
			return inventory.ErrUnknownSKU.At(at, inventory.ErrUnknownSKU.Code, "there is no item "+c.SKU)
		case part.kit:
			return inventory.ErrNestedKit.At(at, inventory.ErrNestedKit.Code, c.SKU+" is a kit")
		}
	}
	return nil
}

// replaceComponents makes an item the kit of some components, or none.
func replaceComponents(tx *gorm.DB, sku string, components []inventory.Component) error {
	if err := tx.Exec("DELETE FROM components WHERE kit = ?", sku).Error; err != nil {
		return err
	}
	rows := make([][]any, len(components))
	for i, c := range components {
		rows[i] = []any{sku, c.SKU, c.Quantity}
	}
	return insert(tx, "components (kit, sku, quantity)", rows)
}

// components returns what some kits are made of, by SKU.
func components(db *gorm.DB, kits []string) (map[string][]inventory.Component, error) {
	made := make(map[string][]inventory.Component, len(kits))
	rows, err := db.Raw("SELECT kit, sku, quantity FROM components WHERE kit IN ? ORDER BY kit, sku", kits).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kit string
		var c inventory.Component
		if err := rows.Scan(&kit, &c.SKU, &c.Quantity); err != nil {
			return nil, err
		}
		made[kit] = append(made[kit], c)
	}
	return made, rows.Err()
}

// explode replaces kits by their parts, and adds these up with what else is wanted of them: two kits that share a part compete for it.
func explode(wants []want, made map[string][]inventory.Component) ([]want, error) {
	parts := make([]want, 0, len(wants))
	for _, w := range wants {
		for _, c := range made[w.sku] {
			parts = append(parts, want{c.SKU, w.units * c.Quantity, w.line})
		}
		if made[w.sku] == nil {
			parts = append(parts, w)
		}
	}
	parts, err := sum(parts)
	if err != nil {
		return nil, err
	}
	var o objections
	o.unless(len(parts) <= maxParts, "/lines", "come to more than 5000 different parts")
	return parts, o.err()
}

// kitsOf tells which of some wants are kits, and what these are made of.
func kitsOf(wants []want, made map[string][]inventory.Component) (kits []inventory.ReservedKit) {
	for _, w := range wants {
		if made[w.sku] != nil {
			kits = append(kits, inventory.ReservedKit{SKU: w.sku, Quantity: w.units, Components: made[w.sku]})
		}
	}
	return kits
}

// insertKits writes down which kits a reservation is for.
func insertKits(tx *gorm.DB, orderID string, kits []inventory.ReservedKit) error {
	if len(kits) == 0 {
		return nil
	}
	text, err := json.Marshal(kits)
	if err != nil {
		return err
	}
	_, err = store.Exec(tx, "UPDATE reservations SET kits = ? WHERE order_id = ?", string(text), orderID)
	return err
}

// decodeKits reads what insertKits wrote.
func decodeKits(text string) (kits []inventory.ReservedKit, err error) {
	if text == "" {
		return nil, nil
	}
	return kits, json.Unmarshal([]byte(text), &kits)
}

// addKits gives the kits of a list their components, and the figures that follow from their parts.
func addKits(db *gorm.DB, list []inventory.Item, kits map[string]bool) error {
	if len(kits) == 0 {
		return nil
	}
	skus := make([]string, 0, len(kits))
	for sku := range kits {
		skus = append(skus, sku)
	}
	rows, err := db.Raw(`SELECT c.kit, c.sku, c.quantity, COALESCE(SUM(CASE WHEN p.active = 1 THEN l.on_hand - l.reserved END), 0),
		COALESCE(SUM(l.version + p.version - 1), 0)
		FROM components c LEFT JOIN levels l ON l.sku = c.sku LEFT JOIN locations p ON p.code = l.location
		WHERE c.kit IN ? GROUP BY c.kit, c.sku, c.quantity ORDER BY c.kit, c.sku`, skus).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kit string
		var c inventory.Component
		var available, version int64
		if err := rows.Scan(&kit, &c.SKU, &c.Quantity, &available, &version); err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(i inventory.Item) bool { return i.SKU == kit })
		gives := available / c.Quantity
		if len(list[i].Components) > 0 {
			gives = min(gives, list[i].Available)
		}
		list[i].Components = append(list[i].Components, c)
		list[i].Available = gives
		list[i].StockVersion += version
	}
	return rows.Err()
}
