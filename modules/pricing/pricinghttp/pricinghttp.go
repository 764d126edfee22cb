// Package pricinghttp is the HTTP face of the pricing module: prices, price lists, promotions, tax rates and shipping methods. It sees
// the contract alone, so it runs beside the module or far away from it.
package pricinghttp

import (
	"context"
	"net/http"

	"cutpoint/modules/pricing"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

const tag = "Prices"

// putInput is a set of prices as a client writes it.
type putInput struct {
	web.Matched
	SKU  string `path:"sku" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"MUG-1"`
	Body struct {
		Prices      []pricing.Price `json:"prices" minItems:"1" maxItems:"200" nullable:"false" doc:"All prices of the SKU: what is not named is gone"`
		TaxCategory string          `json:"tax_category,omitempty" maxLength:"64" example:"standard"`
	}
}

type getInput struct {
	web.Conditional
	SKU string `path:"sku" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"MUG-1"`
}

type output struct {
	Status int
	ETag   string `header:"ETag"`
	Body   pricing.PriceSet
}

// Register lays the routes of pricing.
func Register(a *web.API, s pricing.Service) {
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/prices/{sku}", ID: "put-prices", Tag: tag,
		Summary: "Put all prices of a SKU",
		Description: "For each currency a base price and, if wanted, further ones from a minimum quantity on. The price with the " +
			"largest minimum that the quantity reaches applies to the whole line.",
		Scopes: []string{auth.PricesWrite}, Statuses: []int{http.StatusCreated},
	}, func(ctx context.Context, in *putInput) (*output, error) {
		version, err := in.IfVersion()
		if err != nil {
			return nil, err
		}
		set, err := s.PutPrices(ctx, pricing.PutPricesRequest{
			SKU: in.SKU, Prices: in.Body.Prices, TaxCategory: in.Body.TaxCategory, IfVersion: version,
		})
		if err != nil {
			return nil, err
		}
		out := &output{Status: http.StatusOK, ETag: web.ETag(set.Version), Body: set}
		if set.Version == 1 {
			out.Status = http.StatusCreated
		}
		return out, nil
	})

	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/prices/{sku}", ID: "get-prices", Tag: tag,
		Summary: "Read the prices of a SKU",
		Scopes:  []string{auth.PricesRead}, Statuses: []int{http.StatusNotModified},
	}, func(ctx context.Context, in *getInput) (*output, error) {
		set, err := s.Prices(ctx, pricing.PricesRequest{SKU: in.SKU})
		if err != nil {
			return nil, err
		}
		out := &output{Status: http.StatusOK, ETag: web.ETag(set.Version), Body: set}
		if in.Unchanged(out.ETag) {
			out.Status = http.StatusNotModified
		}
		return out, nil
	})
	registerBatch(a, s)
	registerPromotions(a, s)
	registerRules(a, s)
}
