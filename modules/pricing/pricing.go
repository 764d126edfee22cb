// Package pricing is the contract of the pricing module: what things cost.
//
// Pricing is the source of truth for prices, price lists, promotions, coupons, tax rates and shipping methods: its rules. It knows
// SKUs, orders, customers and their groups as opaque strings: whether an item exists or lies on a shelf is inventory's to say. All
// amounts are integer minor units of ISO 4217. How figures come about, and where they are rounded, is told in docs/pricing.md.
//
// A rule is put whole, has a version, and every version of it is kept: the trace of a calculation names the versions that it went
// by, and Replay computes the same figures from them later. A rule that is put counts from the next calculation on. rules.go has them.
//
// A coupon is a promotion that is not automatic: its code is what the customer types. An order's use of a coupon goes through
// Price (one use is taken and held), then FinaliseCoupon (it stays used) or ReleaseCoupon (it is free again). Each of the three may
// be repeated with the same order at any time. Calculate takes nothing.
//
// # Tax
//
// A rate says whether the prices contain it. Tax is what is added to the prices, TaxIncluded what they contain already, so that
//
//	Subtotal - Discount + Shipping + Tax = Total
//
// holds in both modes, and no tax counts twice. What is owed to the tax office is Tax + TaxIncluded.
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
	ErrShippingUnavailable   = fault.New(fault.Invalid, "pricing.shipping_unavailable", "this shipping method has no price for this country, currency and total")
	ErrCouponNotApplicable   = fault.New(fault.Invalid, "pricing.coupon_not_applicable", "this coupon gives nothing for this order")
	ErrQuoteExpired          = fault.New(fault.Conflict, "pricing.quote_expired", "this quote is not valid any more: ask for a new one")
	ErrQuoteMismatch         = fault.New(fault.Conflict, "pricing.quote_mismatch", "this quote is for something else: ask for a new one")
	ErrRuleNotFound          = fault.New(fault.NotFound, "pricing.rule_not_found", "there is no rule with this code")
	ErrTooManyRules          = fault.New(fault.Conflict, "pricing.too_many_rules", "there are as many active rules of this sort as there may be: switch one off")
	ErrUnknownTrace          = fault.New(fault.Invalid, "pricing.unknown_trace", "this trace names a rule that was never there, or an arithmetic that is not known here")
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
	// Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency, ErrLimitBelowUsed, ErrTooManyRules.
	PutPromotion(context.Context, PutPromotionRequest) (Promotion, error)

	// Promotion returns one promotion. Errors: ErrPromotionNotFound.
	Promotion(context.Context, PromotionRequest) (Promotion, error)

	// Promotions lists promotions by code.
	Promotions(context.Context, PromotionsRequest) (PromotionPage, error)

	// PutPriceList creates or replaces a price list. Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency,
	// ErrTooManyRules.
	PutPriceList(context.Context, PutPriceListRequest) (PriceList, error)

	// PriceList returns one price list. Errors: ErrRuleNotFound.
	PriceList(context.Context, RuleRequest) (PriceList, error)

	// PriceLists lists price lists by code, without their entries.
	PriceLists(context.Context, RulesRequest) (PriceListPage, error)

	// PutTaxRate creates or replaces a tax rate. Errors: revision.ErrRequired, revision.ErrStale, ErrTooManyRules.
	PutTaxRate(context.Context, PutTaxRateRequest) (TaxRate, error)

	// TaxRate returns one tax rate. Errors: ErrRuleNotFound.
	TaxRate(context.Context, RuleRequest) (TaxRate, error)

	// TaxRates lists tax rates by code.
	TaxRates(context.Context, RulesRequest) (TaxRatePage, error)

	// PutShippingMethod creates or replaces a shipping method. Errors: revision.ErrRequired, revision.ErrStale, money.ErrCurrency,
	// ErrTooManyRules.
	PutShippingMethod(context.Context, PutShippingMethodRequest) (ShippingMethod, error)

	// ShippingMethod returns one shipping method. Errors: ErrRuleNotFound.
	ShippingMethod(context.Context, RuleRequest) (ShippingMethod, error)

	// ShippingMethods lists shipping methods by code.
	ShippingMethods(context.Context, RulesRequest) (ShippingMethodPage, error)

	// Calculate prices some lines. It holds nothing; the same request gives the same figures while the rules stay the same and
	// valid, or the quote that it names is. Errors: ErrNoPrice, ErrUnknownCoupon, ErrCouponExhausted, ErrCouponNotApplicable,
	// ErrUnknownShippingMethod, ErrShippingUnavailable, ErrQuoteExpired, ErrQuoteMismatch, money.ErrCurrency, money.ErrOverflow.
	Calculate(context.Context, CalculateRequest) (Calculation, error)

	// Quote calculates, and keeps the figures for a while: a Calculate or a Price that names the quote and asks for the same gets
	// them, whatever the rules have become. It holds no use of a coupon. A repeat makes another quote, and each ends by itself.
	// Errors: those of Calculate; fault.ErrInvalid for a request that names a quote.
	Quote(context.Context, QuoteRequest) (Quote, error)

	// Replay computes the figures of a trace again, from the versions of the rules that it names: they are the same, to the cent,
	// whatever the rules have become. It looks at no limit and no quote. Errors: ErrUnknownTrace.
	Replay(context.Context, ReplayRequest) (Calculation, error)

	// Price prices an order. Without a coupon it is Calculate, and remembers nothing. With one it takes a use of the coupon for
	// the order, together with the figures: a repeat with the same order returns the first answer, whatever prices and promotions
	// have become. The limits hold, however many orders come at once, with a quote too. Errors: those of Calculate,
	// ErrCouponReleased.
	Price(context.Context, PriceRequest) (Calculation, error)

	// FinaliseCoupon makes an order's use final. Repeating it changes nothing. Errors: ErrNoCouponUse, ErrCouponReleased.
	FinaliseCoupon(context.Context, FinaliseCouponRequest) (CouponUse, error)

	// ReleaseCoupon gives an order's use back, a final one too. It always succeeds, also for an order that has none, and it is for
	// good: a Price with a coupon of that order that arrives later is refused with ErrCouponReleased.
	ReleaseCoupon(context.Context, ReleaseCouponRequest) (CouponUse, error)

	// CouponUses lists the uses that are held or final, by order id; with orders, theirs.
	CouponUses(context.Context, CouponUsesRequest) (CouponUsePage, error)

	// EraseCustomers forgets who used the coupons of some orders, at most MaxOrderIDs. In the place of a name stands from then on a
	// pseudonym of it, by which the limit for each customer still counts that use; of a use that was released nothing is left.
	// Repeating it changes nothing, and an order that used no coupon is passed over.
	EraseCustomers(context.Context, EraseCustomersRequest) (CustomersErased, error)

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

	// Lowest30Days is told by Prices alone: for each currency with a price for one unit the lowest one in the 30 days before that
	// price came into force, which is what an announcement of a reduction has to name (directive 98/6/EC, article 6a). It is the
	// price itself where there was no other. Price lists don't count.
	Lowest30Days []money.Money `json:"lowest_30_days,omitempty" doc:"Of one unit, by currency: the lowest price in the 30 days before the present one came into force"`
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

// CalculateRequest asks for the price of some lines in one currency. Lines of one SKU share its quantity tiers. Country and Region
// are where it is sent to, CustomerGroup is whose lists and promotions apply besides everybody's; each may be empty. Quote is the id
// of a quote whose figures are wanted.
type CalculateRequest struct {
	Currency       string `json:"currency"`
	Lines          []Line `json:"lines"`
	Coupon         string `json:"coupon"`
	ShippingMethod string `json:"shipping_method"`
	Country        string `json:"country"` // ISO 3166-1 alpha-2
	Region         string `json:"region"`
	CustomerGroup  string `json:"customer_group"`
	Quote          string `json:"quote"`
}

// QuoteRequest asks for figures that stay.
type QuoteRequest struct {
	CalculateRequest
}

// Quote is a calculation that is honoured before ExpiresAt.
type Quote struct {
	ID          string      `json:"id"`
	ExpiresAt   time.Time   `json:"expires_at"`
	Calculation Calculation `json:"calculation"`
}

// ReplayRequest asks for the figures of a trace.
type ReplayRequest struct {
	Trace Trace `json:"trace"`
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

// EraseCustomersRequest names the orders whose customers are to be forgotten.
type EraseCustomersRequest struct {
	OrderIDs []string `json:"order_ids"`
}

// CustomersErased tells how many uses named a customer until now.
type CustomersErased struct {
	Uses int64 `json:"uses"`
}

// Calculation is the answer, its lines in the order of the request. For every line
// UnitPrice x Quantity - Discount + Tax = Total, and the totals are the sums of the lines plus shipping:
// Subtotal - Discount + Shipping + Tax = Total, where Tax is that of the lines and ShippingTax.
type Calculation struct {
	Lines    []PricedLine `json:"lines"`
	Subtotal money.Money  `json:"subtotal"`
	Discount money.Money  `json:"discount"`
	Shipping money.Money  `json:"shipping"` // to be paid: ShippingDiscount is taken off already
	Tax      money.Money  `json:"tax"`      // added to the prices
	Total    money.Money  `json:"total"`

	TaxIncluded         money.Money `json:"tax_included"` // contained in the prices, that of shipping with it
	ShippingDiscount    money.Money `json:"shipping_discount"`
	ShippingTax         money.Money `json:"shipping_tax"`
	ShippingTaxIncluded money.Money `json:"shipping_tax_included"`

	Promotions []AppliedPromotion `json:"promotions"` // in the order in which they were applied
	Quote      string             `json:"quote"`      // whose figures these are
	Trace      Trace              `json:"trace"`
}

// PricedLine is a line with its figures. Its Discount is its share of all promotions.
type PricedLine struct {
	SKU         string      `json:"sku"`
	Quantity    int64       `json:"quantity"`
	UnitPrice   money.Money `json:"unit_price"`
	Discount    money.Money `json:"discount"`
	Tax         money.Money `json:"tax"`
	Total       money.Money `json:"total"`
	TaxIncluded money.Money `json:"tax_included"`
	TaxRatePPM  int64       `json:"tax_rate_ppm"`
}

// AppliedPromotion is what a promotion took off the lines and off shipping.
type AppliedPromotion struct {
	Code     string      `json:"code"`
	Discount money.Money `json:"discount"`
	Shipping money.Money `json:"shipping"`
}

// Trace is how figures came about: what was asked, when, and by which rules. It is all that Replay needs, and means nothing to others
// but that it is to be kept with the figures.
type Trace struct {
	Arithmetic int64            `json:"arithmetic"` // its version: it changes when the same rules would give other figures
	At         time.Time        `json:"at"`
	Request    CalculateRequest `json:"request"`
	Rules      []RuleVersion    `json:"rules"`
}

// RuleVersion names a rule as it was. Kind is one of the constants of rules.go.
type RuleVersion struct {
	Kind    string `json:"kind"`
	Code    string `json:"code"`
	Version int64  `json:"version"`
}
