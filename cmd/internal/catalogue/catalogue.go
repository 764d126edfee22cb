// Package catalogue is what a shop sells, as rows: an item, its stock and its prices. Rows come from a file (read.go) or from
// the demonstration (demo.go), and are brought into a shop over its HTTP API, a batch at a time (importer.go). A file that is
// brought in may be interrupted at any point and goes on where it stopped (job.go).
package catalogue

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"cutpoint/platform/money"
)

// Row is one item with its stock and its prices. What is nil or empty is left as it is in the shop.
type Row struct {
	SKU         string  `json:"sku"`
	Name        string  `json:"name"`
	Backorder   *bool   `json:"backorder,omitempty"`
	Location    string  `json:"location,omitempty"`     // DefaultLocation if empty
	Stock       *int64  `json:"stock,omitempty"`        // units on hand at the location
	TaxCategory string  `json:"tax_category,omitempty"` // put with the prices; without any, left as it is
	Prices      []Price `json:"prices,omitempty"`       // all of them, if there is one
}

// Price is an amount of minor units for one unit, from a quantity on.
type Price struct {
	Currency    string `json:"currency"`
	Amount      int64  `json:"amount"`
	MinQuantity int64  `json:"min_quantity,omitempty"`
}

// DefaultLocation takes the stock of rows that name none.
const DefaultLocation = "main"

func (r Row) location() string {
	if r.Location == "" {
		return DefaultLocation
	}
	return r.Location
}

// The bounds of the API that a row must keep.
const (
	maxUnits       = 1_000_000_000
	maxAmount      = 1_000_000_000_000
	maxName        = 200 // characters
	maxTaxCategory = 64  // characters
	maxPrices      = 200
)

var code = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// check finds what the shop would refuse of a row, whichever part of it, so that a bad row is refused before any part is done.
func (r Row) check() error {
	switch {
	case !code.MatchString(r.SKU):
		return fmt.Errorf("sku %q: 1 to 64 letters, digits, '.', '_' and '-' are needed", r.SKU)
	case r.Name == "" || utf8.RuneCountInString(r.Name) > maxName:
		return fmt.Errorf("name: 1 to %d characters are needed", maxName)
	case !code.MatchString(r.location()):
		return fmt.Errorf("location %q: 1 to 64 letters, digits, '.', '_' and '-' are needed", r.Location)
	case r.Stock != nil && (*r.Stock < 0 || *r.Stock > maxUnits):
		return fmt.Errorf("stock %d: 0 to %d units are possible", *r.Stock, maxUnits)
	case utf8.RuneCountInString(r.TaxCategory) > maxTaxCategory:
		return fmt.Errorf("tax_category: at most %d characters are possible", maxTaxCategory)
	case len(r.Prices) > maxPrices:
		return fmt.Errorf("%d prices: at most %d are possible", len(r.Prices), maxPrices)
	}
	return checkPrices(r.Prices)
}

func checkPrices(prices []Price) error {
	seen := map[Price]bool{}
	for _, p := range prices {
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
