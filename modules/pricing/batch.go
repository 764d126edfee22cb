package pricing

import (
	"context"

	"cutpoint/platform/rpc"
)

// MaxBatch bounds the entries of one PutManyPrices.
const MaxBatch = 500

// PricesEntry is all prices of a SKU as they should be. A MinQuantity of 0 means 1.
type PricesEntry struct {
	SKU         string  `json:"sku"`
	Prices      []Price `json:"prices"`
	TaxCategory string  `json:"tax_category"`
}

// PutManyPricesRequest puts the prices of 1 to MaxBatch SKUs, whatever their versions.
type PutManyPricesRequest struct {
	Entries []PricesEntry `json:"entries"`
}

// ManyPricesPut tells how many sets have a new version.
type ManyPricesPut struct {
	Changed int `json:"changed"`
}

var putManyPrices = rpc.Define[PutManyPricesRequest, ManyPricesPut](Module, "put_many_prices")

// PutManyPrices implements Service.
func (c Client) PutManyPrices(ctx context.Context, r PutManyPricesRequest) (ManyPricesPut, error) {
	return putManyPrices.Call(ctx, c.caller, r)
}
