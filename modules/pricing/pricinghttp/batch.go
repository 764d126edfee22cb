package pricinghttp

import (
	"context"
	"net/http"

	"cutpoint/modules/pricing"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

func registerBatch(a *web.API, s pricing.Service) {
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/prices/batch", ID: "put-many-prices", Tag: tag,
		Summary: "Put all prices of many SKUs",
		Description: "All in one transaction, in their order, whatever their versions, or none. A repeat changes nothing: a set that is " +
			"there already keeps its version.",
		Scopes:  []string{auth.PricesWrite},
		Example: ManyInput{Entries: []ManyEntry{{SKU: "MUG-1", Prices: []pricing.Price{{Currency: "EUR", Amount: 1290, MinQuantity: 1}}}}},
	}, func(ctx context.Context, in *struct{ Body ManyInput }) (*manyOutput, error) {
		r := pricing.PutManyPricesRequest{Entries: make([]pricing.PricesEntry, len(in.Body.Entries))}
		for i, e := range in.Body.Entries {
			r.Entries[i] = pricing.PricesEntry(e)
		}
		put, err := s.PutManyPrices(ctx, r)
		if err != nil {
			return nil, err
		}
		return &manyOutput{put}, nil
	})
}

// ManyInput is the prices of many SKUs.
type ManyInput struct {
	Entries []ManyEntry `json:"entries" minItems:"1" maxItems:"500" nullable:"false"`
}

// ManyEntry is all prices of one of many SKUs.
type ManyEntry struct {
	SKU         string          `json:"sku" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"MUG-1"`
	Prices      []pricing.Price `json:"prices" minItems:"1" maxItems:"200" nullable:"false" doc:"All prices of the SKU: what is not named is gone"`
	TaxCategory string          `json:"tax_category,omitempty" maxLength:"64" example:"standard"`
}

type manyOutput struct{ Body pricing.ManyPricesPut }
