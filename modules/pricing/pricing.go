// Package pricing is the contract of the pricing module: what things cost.
//
// Pricing is the source of truth for prices. It knows SKUs as opaque strings: whether an item exists or lies on a shelf is
// inventory's to say. All amounts are integer minor units; nothing is ever rounded here, since a line's total is its unit
// price times its quantity.
//
// Prices of one SKU are a set that is put whole: for each currency a base price and, if wanted, lower or higher ones from a
// minimum quantity on. The price with the largest minimum that the quantity reaches applies to the whole line.
package pricing

import (
	"context"
	"time"

	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Faults of this contract.
var (
	ErrNoPrice               = fault.New(fault.Invalid, "pricing.no_price", "an item has no price in this currency")
	ErrPricesNotFound        = fault.New(fault.NotFound, "pricing.prices_not_found", "there are no prices for this SKU")
	ErrUnknownCoupon         = fault.New(fault.Invalid, "pricing.unknown_coupon", "there is no such coupon")
	ErrUnknownShippingMethod = fault.New(fault.Invalid, "pricing.unknown_shipping_method", "there is no such shipping method")
)

// Bounds of a set of prices and of a calculation.
const (
	MaxPrices = 200               // prices of one SKU
	MaxAmount = 1_000_000_000_000 // minor units of one price
)

// Service is what pricing promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// PutPrices creates or replaces the prices of a SKU. Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency.
	PutPrices(context.Context, PutPricesRequest) (PriceSet, error)

	// Prices returns the prices of a SKU. Errors: ErrPricesNotFound.
	Prices(context.Context, PricesRequest) (PriceSet, error)

	// Calculate prices some lines. It holds nothing; the same request gives the same figures while the prices stay the same.
	// Errors: ErrNoPrice, ErrUnknownCoupon, ErrUnknownShippingMethod, money.ErrCurrency, money.ErrOverflow.
	Calculate(context.Context, CalculateRequest) (Calculation, error)
}

// Price is what one unit costs from a quantity on.
type Price struct {
	Currency    string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217 code" example:"EUR"`
	Amount      int64  `json:"amount" minimum:"0" maximum:"1000000000000" doc:"Minor units" example:"1290"`
	MinQuantity int64  `json:"min_quantity,omitempty" minimum:"1" maximum:"1000000000" default:"1" doc:"From this quantity on"`
}

// PriceSet is all prices of a SKU, by currency and minimum quantity.
type PriceSet struct {
	SKU         string    `json:"sku"`
	Prices      []Price   `json:"prices"`
	TaxCategory string    `json:"tax_category"`
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// PutPricesRequest carries the version that the writer read, see package revision. A MinQuantity of 0 means 1.
type PutPricesRequest struct {
	SKU         string  `json:"sku"`
	Prices      []Price `json:"prices"`
	TaxCategory string  `json:"tax_category"`
	IfVersion   int64   `json:"if_version"`
}

// PricesRequest names a SKU.
type PricesRequest struct {
	SKU string `json:"sku"`
}

// Line is a quantity of a SKU, in units, at least 1.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// CalculateRequest asks for the price of some lines in one currency. Lines of one SKU share its quantity tiers.
type CalculateRequest struct {
	Currency       string `json:"currency"`
	Lines          []Line `json:"lines"`
	Coupon         string `json:"coupon"`
	ShippingMethod string `json:"shipping_method"`
}

// Calculation is the answer, its lines in the order of the request. For every line
// UnitPrice x Quantity - Discount + Tax = Total, and the totals are the sums of the lines plus shipping.
type Calculation struct {
	Lines    []PricedLine `json:"lines"`
	Subtotal money.Money  `json:"subtotal"`
	Discount money.Money  `json:"discount"`
	Shipping money.Money  `json:"shipping"`
	Tax      money.Money  `json:"tax"`
	Total    money.Money  `json:"total"`
}

// PricedLine is a line with its figures.
type PricedLine struct {
	SKU       string      `json:"sku"`
	Quantity  int64       `json:"quantity"`
	UnitPrice money.Money `json:"unit_price"`
	Discount  money.Money `json:"discount"`
	Tax       money.Money `json:"tax"`
	Total     money.Money `json:"total"`
}
