// Package pricing is the contract of the pricing module: what things cost.
//
// Pricing is the source of truth for prices and coupons. It knows SKUs, orders and customers as opaque strings: whether an item
// exists or lies on a shelf is inventory's to say. All amounts are integer minor units. A line's price is its unit price times its
// quantity, so there is nothing to round; a discount that is a share of the subtotal is rounded half up to a minor unit, once, and
// then split over the lines so that its parts add up to it.
//
// Prices of one SKU are a set that is put whole: for each currency a base price and, if wanted, lower or higher ones from a
// minimum quantity on. The price with the largest minimum that the quantity reaches applies to the whole line.
//
// A promotion is what a coupon's code gives, for a time, and as often as its limits allow. An order's use of a coupon goes through
// Price (one use is taken and held), then FinaliseCoupon (it stays used) or ReleaseCoupon (it is free again). Each of the three may
// be repeated with the same order at any time. Calculate takes nothing.
package pricing

import (
	"context"
	"time"

	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Faults of this contract.
var (
	ErrNoPrice               = fault.New(fault.Invalid, "pricing.no_price", "an item has no price in this currency")
	ErrPricesNotFound        = fault.New(fault.NotFound, "pricing.prices_not_found", "there are no prices for this SKU")
	ErrUnknownCoupon         = fault.New(fault.Invalid, "pricing.unknown_coupon", "there is no such coupon, or it is not valid now")
	ErrCouponExhausted       = fault.New(fault.Conflict, "pricing.coupon_exhausted", "this coupon has been used as often as it may be")
	ErrCouponReleased        = fault.New(fault.Conflict, "pricing.coupon_released", "this order gave its use of the coupon back; it can't take or keep one again")
	ErrNoCouponUse           = fault.New(fault.Conflict, "pricing.no_coupon_use", "this order uses no coupon")
	ErrPromotionNotFound     = fault.New(fault.NotFound, "pricing.promotion_not_found", "there is no promotion with this code")
	ErrLimitBelowUsed        = fault.New(fault.Conflict, "pricing.limit_below_used", "orders have used this coupon more often already")
	ErrUnknownShippingMethod = fault.New(fault.Invalid, "pricing.unknown_shipping_method", "there is no such shipping method")
)

// Bounds of a set of prices, of a promotion and of a look-up by orders.
const (
	MaxPrices = 200               // prices of one SKU, and amounts of one promotion
	MaxAmount = 1_000_000_000_000 // minor units of one price or discount
	MaxLimit  = 1_000_000_000     // uses of one coupon

	MaxOrderIDs = 200
)

// Service is what pricing promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// PutPrices creates or replaces the prices of a SKU. Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency.
	PutPrices(context.Context, PutPricesRequest) (PriceSet, error)

	// PutManyPrices creates or replaces the prices of many SKUs in one transaction, in their order, or of none. A set that is there
	// already with the same content keeps its version, so a repeat changes nothing that nobody else has changed meanwhile.
	// Errors: money.ErrCurrency.
	PutManyPrices(context.Context, PutManyPricesRequest) (ManyPricesPut, error)

	// Prices returns the prices of a SKU. Errors: ErrPricesNotFound.
	Prices(context.Context, PricesRequest) (PriceSet, error)

	// PutPromotion creates or replaces a promotion. Uses that orders hold are priced already, and stay as they are.
	// Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency, ErrLimitBelowUsed.
	PutPromotion(context.Context, PutPromotionRequest) (Promotion, error)

	// Promotion returns one promotion. Errors: ErrPromotionNotFound.
	Promotion(context.Context, PromotionRequest) (Promotion, error)

	// Promotions lists promotions by code.
	Promotions(context.Context, PromotionsRequest) (PromotionPage, error)

	// Calculate prices some lines. It holds nothing; the same request gives the same figures while the prices stay the same and
	// the coupon is valid. Errors: ErrNoPrice, ErrUnknownCoupon, ErrCouponExhausted, ErrUnknownShippingMethod, money.ErrCurrency,
	// money.ErrOverflow.
	Calculate(context.Context, CalculateRequest) (Calculation, error)

	// Price prices an order. Without a coupon it is Calculate, and remembers nothing. With one it takes a use of the coupon for
	// the order, together with the figures: a repeat with the same order returns the first answer, whatever prices and promotions
	// have become. The limits hold, however many orders come at once. Errors: those of Calculate, ErrCouponReleased.
	Price(context.Context, PriceRequest) (Calculation, error)

	// FinaliseCoupon makes an order's use final. Repeating it changes nothing. Errors: ErrNoCouponUse, ErrCouponReleased.
	FinaliseCoupon(context.Context, FinaliseCouponRequest) (CouponUse, error)

	// ReleaseCoupon gives an order's use back, a final one too. It always succeeds, also for an order that has none, and it is for
	// good: a Price with a coupon of that order that arrives later is refused with ErrCouponReleased.
	ReleaseCoupon(context.Context, ReleaseCouponRequest) (CouponUse, error)

	// CouponUses lists the uses that are held or final, by order id; with orders, theirs.
	CouponUses(context.Context, CouponUsesRequest) (CouponUsePage, error)

	// Audit checks the counts of a page of promotions against their uses; see package audit.
	Audit(context.Context, audit.Request) (audit.Page, error)
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

// The kinds of promotion.
const (
	PromotionPercentage = "percentage" // of the subtotal
	PromotionFixed      = "fixed"      // an amount, at most the subtotal
)

// Discount is what a promotion gives, to whom it says so, and how often.
type Discount struct {
	Kind             string        `json:"kind" enum:"percentage,fixed" example:"percentage"`
	BasisPoints      int64         `json:"basis_points,omitempty" minimum:"1" maximum:"10000" doc:"Of a percentage: 1000 are 10 %" example:"1000"`
	Amounts          []money.Money `json:"amounts,omitempty" maxItems:"200" doc:"Of a fixed discount: one amount for each currency in which it is valid"`
	StartsAt         *time.Time    `json:"starts_at,omitempty" doc:"Valid from then on; without it, from the beginning"`
	EndsAt           *time.Time    `json:"ends_at,omitempty" doc:"Not valid any more from then on; without it, for ever"`
	Limit            int64         `json:"limit,omitempty" minimum:"1" maximum:"1000000000" doc:"Uses in all; without it, any number"`
	LimitPerCustomer int64         `json:"limit_per_customer,omitempty" minimum:"1" maximum:"1000000000" doc:"Uses of one customer; without it, any number"`
	Active           bool          `json:"active" doc:"Whether it is valid at all"`
}

// Promotion is what a coupon's code gives. Used counts the uses that orders hold or made final; it is 0 to Limit.
type Promotion struct {
	Code string `json:"code" example:"SPRING10"`
	Discount
	Used      int64     `json:"used"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// PutPromotionRequest carries the version that the writer read, see package revision. A code has the form of a SKU.
type PutPromotionRequest struct {
	Code string `json:"code"`
	Discount
	IfVersion int64 `json:"if_version"`
}

// PromotionRequest names a promotion.
type PromotionRequest struct {
	Code string `json:"code"`
}

// PromotionsRequest asks for at most Limit promotions after a code.
type PromotionsRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

// PromotionPage is a page of promotions.
type PromotionPage struct {
	Promotions []Promotion `json:"promotions"`
	More       bool        `json:"more"`
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

// PriceRequest asks for the price of an order. Customer is who uses the coupon, by whatever name orders knows them; upper and lower
// case are one. It may be empty where the coupon has no limit for each customer.
type PriceRequest struct {
	OrderID  string `json:"order_id"`
	Customer string `json:"customer"`
	CalculateRequest
}

// FinaliseCouponRequest names the order whose use is final.
type FinaliseCouponRequest struct {
	OrderID string `json:"order_id"`
}

// ReleaseCouponRequest names the order whose use is given back.
type ReleaseCouponRequest struct {
	OrderID string `json:"order_id"`
}

// The states of a coupon use.
const (
	CouponHeld     = "held"
	CouponFinal    = "final"
	CouponReleased = "released"
)

// CouponUse is an order's use of a coupon. Code and Customer are empty where an order without a use was released.
type CouponUse struct {
	OrderID   string    `json:"order_id"`
	Code      string    `json:"code"`
	Customer  string    `json:"customer"`
	State     string    `json:"state" enum:"held,final,released"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// CouponUsesRequest asks for the uses of some orders, at most MaxOrderIDs, or, without any, for at most Limit uses after an order id.
type CouponUsesRequest struct {
	OrderIDs []string `json:"order_ids"`
	After    string   `json:"after"`
	Limit    int      `json:"limit"`
}

// CouponUsePage is a page of uses.
type CouponUsePage struct {
	Uses []CouponUse `json:"uses"`
	More bool        `json:"more"`
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
