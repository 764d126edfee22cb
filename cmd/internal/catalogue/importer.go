package catalogue

import (
	"context"
	"fmt"
	"net/http"

	"cutpoint/cmd/internal/client"
)

// Importer brings rows into a shop. It is for one goroutine: rows that speak of the same item are done in their order.
type Importer struct {
	shop      *client.Client
	locations map[string]bool // known to exist
}

const maxKnown = 1000 // locations

// NewImporter returns an importer. The client's key needs stock:write and prices:write.
func NewImporter(shop *client.Client) *Importer {
	return &Importer{shop: shop, locations: map[string]bool{}}
}

// Apply brings rows that were checked in, at most 500: items and stock, then the prices of those rows that were not refused. It
// returns why single rows were refused, by their index. A refused row changes nothing. After an error nobody knows what was done:
// apply the same rows again with the same key, and what was done is not done twice.
func (i *Importer) Apply(ctx context.Context, key string, rows []Row) (refused map[int]error, err error) {
	for _, r := range rows {
		if r.Stock == nil {
			continue
		}
		if err := i.ensureLocation(ctx, r.location()); err != nil {
			return nil, fmt.Errorf("location %s: %w", r.location(), err)
		}
	}
	if refused, err = i.putItems(ctx, key, rows); err != nil {
		return nil, fmt.Errorf("items: %w", err)
	}
	if err := i.putPrices(ctx, rows, refused); err != nil {
		return nil, fmt.Errorf("prices: %w", err)
	}
	return refused, nil
}

type itemEntry struct {
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Backorder *bool  `json:"backorder,omitempty"`
	Location  string `json:"location,omitempty"`
	OnHand    *int64 `json:"on_hand,omitempty"`
}

func (i *Importer) putItems(ctx context.Context, key string, rows []Row) (refused map[int]error, err error) {
	entries := make([]itemEntry, len(rows))
	for n, r := range rows {
		entries[n] = itemEntry{SKU: r.SKU, Name: r.Name, Backorder: r.Backorder}
		if r.Stock != nil {
			entries[n].Location, entries[n].OnHand = r.location(), r.Stock
		}
	}
	var answer struct {
		Refused []struct {
			Index        int
			Code, Detail string
		}
	}
	body := map[string]any{"entries": entries, "reason": "import"}
	if _, err := i.shop.Do(ctx, http.MethodPost, "/v1/items/batch", body, &answer, "Idempotency-Key", key); err != nil {
		return nil, err
	}
	refused = map[int]error{}
	for _, r := range answer.Refused {
		refused[r.Index] = fmt.Errorf("%s: %s", r.Code, r.Detail)
	}
	return refused, nil
}

type pricesEntry struct {
	SKU         string  `json:"sku"`
	Prices      []Price `json:"prices"`
	TaxCategory string  `json:"tax_category,omitempty"`
}

func (i *Importer) putPrices(ctx context.Context, rows []Row, refused map[int]error) error {
	var entries []pricesEntry
	for n, r := range rows {
		if refused[n] == nil && len(r.Prices) > 0 {
			entries = append(entries, pricesEntry{r.SKU, r.Prices, r.TaxCategory})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	_, err := i.shop.Do(ctx, http.MethodPost, "/v1/prices/batch", map[string]any{"entries": entries}, nil)
	return err
}

func (i *Importer) ensureLocation(ctx context.Context, location string) error {
	if i.locations[location] {
		return nil
	}
	_, err := i.shop.Do(ctx, http.MethodPut, "/v1/locations/"+location, map[string]string{"name": location}, nil)
	if err != nil && !client.HasCode(err, "precondition_required") { // it is there already
		return err
	}
	if len(i.locations) >= maxKnown {
		clear(i.locations)
	}
	i.locations[location] = true
	return nil
}
