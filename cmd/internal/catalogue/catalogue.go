// Package catalogue is what a shop sells, as rows: an item, its stock and its prices. Rows come from a file (read.go) or from
// the demonstration catalogue, and are brought into a shop over its HTTP API.
package catalogue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"

	"cutpoint/cmd/internal/client"
	"cutpoint/platform/money"
)

// Row is one item with its stock and its prices. What is nil or empty is left as it is in the shop.
type Row struct {
	SKU         string  `json:"sku"`
	Name        string  `json:"name"`
	Backorder   bool    `json:"backorder,omitempty"`
	Location    string  `json:"location,omitempty"` // DefaultLocation if empty
	Stock       *int64  `json:"stock,omitempty"`    // units on hand at the location
	TaxCategory string  `json:"tax_category,omitempty"`
	Prices      []Price `json:"prices,omitempty"`
}

// Price is an amount of minor units for one unit, from a quantity on.
type Price struct {
	Currency    string `json:"currency"`
	Amount      int64  `json:"amount"`
	MinQuantity int64  `json:"min_quantity,omitempty"`
}

// DefaultLocation takes the stock of rows that name none.
const DefaultLocation = "main"

// Demo is the catalogue of the demonstration.
func Demo() []Row {
	row := func(sku, name string, stock, eur, usd, jpy int64) Row {
		return Row{SKU: sku, Name: name, Stock: &stock, Prices: []Price{
			{Currency: "EUR", Amount: eur}, {Currency: "USD", Amount: usd}, {Currency: "JPY", Amount: jpy},
		}}
	}
	return []Row{
		row("MUG-1", "Mug, stoneware, 300 ml", 1_000_000, 1290, 1390, 2100),
		row("SHIRT-1", "T-shirt, organic cotton", 1_000_000, 2490, 2690, 3980),
		row("POSTER-1", "Poster, 50 x 70 cm", 1_000_000, 1990, 2190, 3200),
		row("BOOK-1", "Notebook, dotted, A5", 1_000_000, 1450, 1590, 2300),
		row("BAG-1", "Tote bag, canvas", 1_000_000, 1800, 1990, 2900),
		row("CAP-1", "Cap, washed twill", 1_000_000, 2200, 2390, 3500),
		row("PIN-1", "Enamel pin, the last one", 1, 690, 750, 1100),
	}
}

// Importer brings rows into a shop. It is safe for concurrent use.
type Importer struct {
	shop *client.Client
	run  string // makes the idempotency keys of this import its own
	rows atomic.Int64

	mu        sync.Mutex
	locations map[string]bool // known to exist
}

// NewImporter returns an importer. run must be different for every import.
func NewImporter(shop *client.Client, run string) *Importer {
	return &Importer{shop: shop, run: run, locations: map[string]bool{}}
}

// Apply brings one row in: the item, its prices, then its stock, so that nothing can be sold that has no price. A bad row is
// refused before anything is done. After an error in between, such as a lost connection, apply the row again: every part
// replaces what is there.
func (i *Importer) Apply(ctx context.Context, r Row) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := i.shop.Put(ctx, "/v1/items/"+r.SKU, map[string]any{"name": r.Name, "backorder": r.Backorder}); err != nil {
		return fmt.Errorf("item: %w", err)
	}
	if len(r.Prices) > 0 {
		prices := map[string]any{"prices": r.Prices}
		if r.TaxCategory != "" {
			prices["tax_category"] = r.TaxCategory
		}
		if err := i.shop.Put(ctx, "/v1/prices/"+r.SKU, prices); err != nil {
			return fmt.Errorf("prices: %w", err)
		}
	}
	if r.Stock == nil {
		return nil
	}
	if err := i.setStock(ctx, r); err != nil {
		return fmt.Errorf("stock: %w", err)
	}
	return nil
}

// ApplyNew brings one row in unless the shop has all of it already. Stock comes last, so it tells whether an earlier attempt got
// to the end.
func (i *Importer) ApplyNew(ctx context.Context, r Row) error {
	var item struct {
		Locations []struct{} `json:"locations"`
	}
	_, err := i.shop.Do(ctx, http.MethodGet, "/v1/items/"+r.SKU, nil, &item)
	switch {
	case client.HasCode(err, "inventory.item_not_found"):
		return i.Apply(ctx, r)
	case err != nil:
		return err
	case r.Stock != nil && len(item.Locations) == 0:
		return i.Apply(ctx, r)
	}
	return nil
}

func (i *Importer) setStock(ctx context.Context, r Row) error {
	location := r.location()
	if err := i.ensureLocation(ctx, location); err != nil {
		return err
	}
	body := map[string]any{"location": location, "set": *r.Stock, "reason": "import"}
	key := fmt.Sprintf("%s-%d", i.run, i.rows.Add(1))
	_, err := i.shop.Do(ctx, http.MethodPost, "/v1/items/"+r.SKU+"/adjustments", body, nil, "Idempotency-Key", key)
	return err
}

func (i *Importer) ensureLocation(ctx context.Context, location string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.locations[location] {
		return nil
	}
	_, err := i.shop.Do(ctx, http.MethodPut, "/v1/locations/"+location, map[string]string{"name": location}, nil)
	if err != nil && !client.HasCode(err, "precondition_required") { // it is there already
		return err
	}
	i.locations[location] = true
	return nil
}

func (r Row) location() string {
	if r.Location == "" {
		return DefaultLocation
	}
	return r.Location
}

// The bounds of the API that a row must keep.
const (
	maxUnits  = 1_000_000_000
	maxAmount = 1_000_000_000_000
	maxName   = 200
)

var code = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// check finds what the shop would refuse half-way, so that a bad row is refused whole.
func (r Row) check() error {
	switch {
	case !code.MatchString(r.SKU):
		return fmt.Errorf("sku %q: 1 to 64 letters, digits, '.', '_' and '-' are needed", r.SKU)
	case r.Name == "" || len(r.Name) > maxName:
		return fmt.Errorf("name: 1 to %d characters are needed", maxName)
	case !code.MatchString(r.location()):
		return fmt.Errorf("location %q: 1 to 64 letters, digits, '.', '_' and '-' are needed", r.Location)
	case r.Stock != nil && (*r.Stock < 0 || *r.Stock > maxUnits):
		return fmt.Errorf("stock %d: 0 to %d units are possible", *r.Stock, maxUnits)
	case len(r.TaxCategory) > 64:
		return errors.New("tax_category: at most 64 characters are possible")
	}
	seen := map[Price]bool{}
	for _, p := range r.Prices {
		if err := money.Check(p.Currency); err != nil {
			return err
		}
		if p.Amount < 0 || p.Amount > maxAmount {
			return fmt.Errorf("price of %d %s: 0 to %d minor units are possible", p.Amount, p.Currency, maxAmount)
		}
		if p.MinQuantity < 0 || p.MinQuantity > maxUnits {
			return fmt.Errorf("min_quantity %d: 1 to %d units are possible", p.MinQuantity, maxUnits)
		}
		tier := Price{Currency: p.Currency, MinQuantity: max(p.MinQuantity, 1)}
		if seen[tier] {
			return fmt.Errorf("two prices in %s from %d units on", tier.Currency, tier.MinQuantity)
		}
		seen[tier] = true
	}
	return nil
}
