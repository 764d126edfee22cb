package pricing

import (
	"time"

	"cutpoint/platform/money"
)

// The kinds of rules, as traces name them.
const (
	RulePrices         = "prices"
	RulePriceList      = "price_list"
	RulePromotion      = "promotion"
	RuleTaxRate        = "tax_rate"
	RuleShippingMethod = "shipping_method"
)

// Bounds of rules. How many there may be counts the active ones: all of these are held in memory.
const (
	MaxPriceLists     = 200
	MaxListEntries    = 2000 // of one price list: a longer one is written as several of the same priority
	MaxAutomatic      = 200  // promotions that are automatic
	MaxTaxRates       = 2000
	MaxMethods        = 200
	MaxShippingPrices = 1000    // of one shipping method
	MaxSKUs           = 500     // of one promotion
	MaxPriority       = 1000    // the least is its negative
	MaxTaxRate        = 1000000 // parts per million: as much again as the price
)

// Rule is what all rules but price sets have: a code, which has the form of a SKU, and a version that grows with every put.
type Rule struct {
	Code      string    `json:"code"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// RuleRequest names a rule.
type RuleRequest struct {
	Code string `json:"code"`
}

// RulesRequest asks for at most Limit rules after a code.
type RulesRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

// PriceListTerms are other prices than those of the price sets, for a time, and for a group of customers or all of them. Where several
// lists have a price for a SKU, that of the highest priority counts, and of these the lowest. It counts even where it is above
// the price set's.
type PriceListTerms struct {
	Currency      string           `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217 code: the list is for orders in this currency" example:"EUR"`
	CustomerGroup string           `json:"customer_group,omitempty" maxLength:"64" doc:"Whose list it is; without it, everybody's" example:"wholesale"`
	StartsAt      *time.Time       `json:"starts_at,omitempty" doc:"Valid from then on; without it, from the beginning"`
	EndsAt        *time.Time       `json:"ends_at,omitempty" doc:"Not valid any more from then on; without it, for ever"`
	Priority      int64            `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"Of several lists with a price, the one of the highest priority counts, then the lowest price"`
	Entries       []PriceListEntry `json:"entries,omitempty" maxItems:"2000" doc:"A list of lists leaves them out"`
	Active        bool             `json:"active" doc:"Whether it is valid at all"`
}

// PriceListEntry is the price of a SKU from a quantity on: either an amount, or so much off the price of its set.
type PriceListEntry struct {
	SKU            string `json:"sku,omitempty" maxLength:"64" doc:"Without it: every SKU that has no entry of its own here" example:"MUG-1"`
	MinQuantity    int64  `json:"min_quantity,omitempty" minimum:"1" maximum:"1000000000" default:"1" doc:"From this quantity on"`
	Amount         *int64 `json:"amount,omitempty" minimum:"0" maximum:"1000000000000" doc:"Minor units" example:"1090"`
	BasisPointsOff *int64 `json:"basis_points_off,omitempty" minimum:"1" maximum:"10000" doc:"Instead of an amount: 1000 are 10 % off the price of the SKU, rounded half up"`
}

// PriceList is a price list that was put.
type PriceList struct {
	Rule
	PriceListTerms
}

// PutPriceListRequest carries the version that the writer read, see package revision.
type PutPriceListRequest struct {
	Code string `json:"code"`
	PriceListTerms
	IfVersion int64 `json:"if_version"`
}

// PriceListPage is a page of price lists.
type PriceListPage struct {
	PriceLists []PriceList `json:"price_lists"`
	More       bool        `json:"more"`
}

// The kinds of promotion.
const (
	PromotionPercentage   = "percentage"    // of what the lines cost
	PromotionFixed        = "fixed"         // an amount, at most what the lines cost
	PromotionFreeShipping = "free_shipping" // what shipping costs
	PromotionBuyXGetY     = "buy_x_get_y"   // of every x + y units the cheapest y for less, or for nothing
)

// Discount is what a promotion gives, on which conditions, to whom, and how often. Which of the settings a kind takes is told with it.
//
// Promotions are applied one after the other, each to what those before it left: by priority, the highest first, then the coupon,
// then by code. An exclusive one is applied only where none was before it, and none is after it.
type Discount struct {
	Kind            string        `json:"kind" pattern:"^[a-z][a-z_]{0,31}$" doc:"percentage, fixed, free_shipping or buy_x_get_y" example:"percentage"`
	BasisPoints     int64         `json:"basis_points,omitempty" minimum:"1" maximum:"10000" doc:"Of a percentage: 1000 are 10 %. Of buy_x_get_y: off the y units; without it, they are free" example:"1000"`
	Amounts         []money.Money `json:"amounts,omitempty" maxItems:"200" doc:"Of a fixed discount: one amount for each currency in which it is valid"`
	BuyQuantity     int64         `json:"buy_quantity,omitempty" minimum:"1" maximum:"1000000" doc:"Of buy_x_get_y: x"`
	GetQuantity     int64         `json:"get_quantity,omitempty" minimum:"1" maximum:"1000000" doc:"Of buy_x_get_y: y"`
	SKUs            []string      `json:"skus,omitempty" maxItems:"500" doc:"The discount is for lines of these; without them, for all"`
	MinimumSubtotal []money.Money `json:"minimum_subtotal,omitempty" maxItems:"200" doc:"What all lines must cost before discounts, for each currency in which it is valid; without it, nothing"`
	CustomerGroup   string        `json:"customer_group,omitempty" maxLength:"64" doc:"Whose it is; without it, everybody's"`
	Automatic       bool          `json:"automatic,omitempty" doc:"It needs no coupon, and has no limits"`
	Priority        int64         `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"The highest is applied first"`
	Exclusive       bool          `json:"exclusive,omitempty" doc:"It goes with no other"`

	StartsAt         *time.Time `json:"starts_at,omitempty" doc:"Valid from then on; without it, from the beginning"`
	EndsAt           *time.Time `json:"ends_at,omitempty" doc:"Not valid any more from then on; without it, for ever"`
	Limit            int64      `json:"limit,omitempty" minimum:"1" maximum:"1000000000" doc:"Uses in all; without it, any number"`
	LimitPerCustomer int64      `json:"limit_per_customer,omitempty" minimum:"1" maximum:"1000000000" doc:"Uses of one customer; without it, any number"`
	Active           bool       `json:"active" doc:"Whether it is valid at all"`
}

// Promotion is what a coupon's code gives, or every order. Used counts the uses that orders hold or made final; it is 0 to Limit.
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

// TaxTerms are a tax rate, where it is due and on what. Of all rates that fit, the most specific one counts: that of the tax category
// before a general one, then that of the region, then that of the country; of two alike, that of the smaller code. Where none fits,
// there is no tax.
type TaxTerms struct {
	Country           string `json:"country,omitempty" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2; without it, everywhere" example:"DE"`
	Region            string `json:"region,omitempty" maxLength:"200" doc:"As addresses name it; upper and lower case are one" example:"CA"`
	TaxCategory       string `json:"tax_category,omitempty" maxLength:"64" doc:"Of SKUs and shipping methods; without it, of all"`
	RatePPM           int64  `json:"rate_ppm" minimum:"0" maximum:"1000000" doc:"Parts per million: 190000 are 19 %, 107500 are 10.75 %" example:"190000"`
	Included          bool   `json:"included,omitempty" doc:"Prices contain it; without it, it is added to them"`
	AppliesToShipping bool   `json:"applies_to_shipping,omitempty" doc:"Whether shipping is taxed with it too"`
	Active            bool   `json:"active" doc:"Whether it is valid at all"`
}

// TaxRate is a tax rate that was put.
type TaxRate struct {
	Rule
	TaxTerms
}

// PutTaxRateRequest carries the version that the writer read, see package revision.
type PutTaxRateRequest struct {
	Code string `json:"code"`
	TaxTerms
	IfVersion int64 `json:"if_version"`
}

// TaxRatePage is a page of tax rates.
type TaxRatePage struct {
	TaxRates []TaxRate `json:"tax_rates"`
	More     bool      `json:"more"`
}

// ShippingTerms are what it costs to send an order by a method.
type ShippingTerms struct {
	Name        string          `json:"name,omitempty" maxLength:"200" example:"Parcel, 2 to 3 days"`
	TaxCategory string          `json:"tax_category,omitempty" maxLength:"64"`
	Prices      []ShippingPrice `json:"prices" minItems:"1" maxItems:"1000" nullable:"false"`
	Active      bool            `json:"active" doc:"Whether it can be chosen at all"`
}

// ShippingPrice is a price for a country from a total on. If the method has prices for the country in the currency, they alone count,
// else those without a country; of them the one with the largest total that the lines reach after their discounts. An amount of 0
// is how it is free from a total on.
type ShippingPrice struct {
	Currency  string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217 code" example:"EUR"`
	Country   string `json:"country,omitempty" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2; without it, every country that has no price of its own" example:"DE"`
	FromTotal int64  `json:"from_total,omitempty" minimum:"0" maximum:"1000000000000" doc:"Minor units: what the lines cost after discounts, without tax that is added"`
	Amount    int64  `json:"amount" minimum:"0" maximum:"1000000000000" doc:"Minor units" example:"490"`
}

// ShippingMethod is a shipping method that was put.
type ShippingMethod struct {
	Rule
	ShippingTerms
}

// PutShippingMethodRequest carries the version that the writer read, see package revision.
type PutShippingMethodRequest struct {
	Code string `json:"code"`
	ShippingTerms
	IfVersion int64 `json:"if_version"`
}

// ShippingMethodPage is a page of shipping methods.
type ShippingMethodPage struct {
	ShippingMethods []ShippingMethod `json:"shipping_methods"`
	More            bool             `json:"more"`
}
