package pricing

import (
	"context"

	"cutpoint/platform/audit"
	"cutpoint/platform/rpc"
)

// Module is the name under which pricing listens on the channel layer.
const Module = "pricing"

// What changes the coupon use of one order is done in its order. An order without a coupon changes nothing, and stands in no lane.
var (
	putPrices         = rpc.Define[PutPricesRequest, PriceSet](Module, "put_prices")
	prices            = rpc.Define[PricesRequest, PriceSet](Module, "prices")
	putPromotion      = rpc.Define[PutPromotionRequest, Promotion](Module, "put_promotion")
	promotion         = rpc.Define[PromotionRequest, Promotion](Module, "promotion")
	promotions        = rpc.Define[PromotionsRequest, PromotionPage](Module, "promotions")
	putPriceList      = rpc.Define[PutPriceListRequest, PriceList](Module, "put_price_list")
	priceList         = rpc.Define[RuleRequest, PriceList](Module, "price_list")
	priceLists        = rpc.Define[RulesRequest, PriceListPage](Module, "price_lists")
	putTaxRate        = rpc.Define[PutTaxRateRequest, TaxRate](Module, "put_tax_rate")
	taxRate           = rpc.Define[RuleRequest, TaxRate](Module, "tax_rate")
	taxRates          = rpc.Define[RulesRequest, TaxRatePage](Module, "tax_rates")
	putShippingMethod = rpc.Define[PutShippingMethodRequest, ShippingMethod](Module, "put_shipping_method")
	shippingMethod    = rpc.Define[RuleRequest, ShippingMethod](Module, "shipping_method")
	shippingMethods   = rpc.Define[RulesRequest, ShippingMethodPage](Module, "shipping_methods")
	calculate         = rpc.Define[CalculateRequest, Calculation](Module, "calculate")
	quote             = rpc.Define[QuoteRequest, Quote](Module, "quote")
	replay            = rpc.Define[ReplayRequest, Calculation](Module, "replay")
	price             = rpc.Define[PriceRequest, Calculation](Module, "price").ByLane(PriceRequest.lane)
	finaliseCoupon    = rpc.Define[FinaliseCouponRequest, CouponUse](Module, "finalise_coupon").ByLane(func(r FinaliseCouponRequest) string { return r.OrderID })
	releaseCoupon     = rpc.Define[ReleaseCouponRequest, CouponUse](Module, "release_coupon").ByLane(func(r ReleaseCouponRequest) string { return r.OrderID })
	couponUses        = rpc.Define[CouponUsesRequest, CouponUsePage](Module, "coupon_uses")
	eraseCustomers    = rpc.Define[EraseCustomersRequest, CustomersErased](Module, "erase_customers")
	auditing          = rpc.Define[audit.Request, audit.Page](Module, "audit")
)

func (r PriceRequest) lane() string {
	if r.Coupon == "" {
		return ""
	}
	return r.OrderID
}

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, putPrices, body.PutPrices)
	rpc.Handle(s, putManyPrices, body.PutManyPrices)
	rpc.Handle(s, prices, body.Prices)
	rpc.Handle(s, putPromotion, body.PutPromotion)
	rpc.Handle(s, promotion, body.Promotion)
	rpc.Handle(s, promotions, body.Promotions)
	rpc.Handle(s, putPriceList, body.PutPriceList)
	rpc.Handle(s, priceList, body.PriceList)
	rpc.Handle(s, priceLists, body.PriceLists)
	rpc.Handle(s, putTaxRate, body.PutTaxRate)
	rpc.Handle(s, taxRate, body.TaxRate)
	rpc.Handle(s, taxRates, body.TaxRates)
	rpc.Handle(s, putShippingMethod, body.PutShippingMethod)
	rpc.Handle(s, shippingMethod, body.ShippingMethod)
	rpc.Handle(s, shippingMethods, body.ShippingMethods)
	rpc.Handle(s, calculate, body.Calculate)
	rpc.Handle(s, quote, body.Quote)
	rpc.Handle(s, replay, body.Replay)
	rpc.Handle(s, price, body.Price)
	rpc.Handle(s, finaliseCoupon, body.FinaliseCoupon)
	rpc.Handle(s, releaseCoupon, body.ReleaseCoupon)
	rpc.Handle(s, couponUses, body.CouponUses)
	rpc.Handle(s, eraseCustomers, body.EraseCustomers)
	rpc.Handle(s, auditing, body.Audit)
}

// Client is the contract spoken over a channel layer.
type Client struct{ caller *rpc.Caller }

var _ Service = Client{}

// NewClient returns the contract as the caller's module sees it.
func NewClient(c *rpc.Caller) Client { return Client{c} }

// PutPrices implements Service.
func (c Client) PutPrices(ctx context.Context, r PutPricesRequest) (PriceSet, error) {
	return putPrices.Call(ctx, c.caller, r)
}

// Prices implements Service.
func (c Client) Prices(ctx context.Context, r PricesRequest) (PriceSet, error) {
	return prices.Call(ctx, c.caller, r)
}

// PutPromotion implements Service.
func (c Client) PutPromotion(ctx context.Context, r PutPromotionRequest) (Promotion, error) {
	return putPromotion.Call(ctx, c.caller, r)
}

// Promotion implements Service.
func (c Client) Promotion(ctx context.Context, r PromotionRequest) (Promotion, error) {
	return promotion.Call(ctx, c.caller, r)
}

// Promotions implements Service.
func (c Client) Promotions(ctx context.Context, r PromotionsRequest) (PromotionPage, error) {
	return promotions.Call(ctx, c.caller, r)
}

// PutPriceList implements Service.
func (c Client) PutPriceList(ctx context.Context, r PutPriceListRequest) (PriceList, error) {
	return putPriceList.Call(ctx, c.caller, r)
}

// PriceList implements Service.
func (c Client) PriceList(ctx context.Context, r RuleRequest) (PriceList, error) {
	return priceList.Call(ctx, c.caller, r)
}

// PriceLists implements Service.
func (c Client) PriceLists(ctx context.Context, r RulesRequest) (PriceListPage, error) {
	return priceLists.Call(ctx, c.caller, r)
}

// PutTaxRate implements Service.
func (c Client) PutTaxRate(ctx context.Context, r PutTaxRateRequest) (TaxRate, error) {
	return putTaxRate.Call(ctx, c.caller, r)
}

// TaxRate implements Service.
func (c Client) TaxRate(ctx context.Context, r RuleRequest) (TaxRate, error) {
	return taxRate.Call(ctx, c.caller, r)
}

// TaxRates implements Service.
func (c Client) TaxRates(ctx context.Context, r RulesRequest) (TaxRatePage, error) {
	return taxRates.Call(ctx, c.caller, r)
}

// PutShippingMethod implements Service.
func (c Client) PutShippingMethod(ctx context.Context, r PutShippingMethodRequest) (ShippingMethod, error) {
	return putShippingMethod.Call(ctx, c.caller, r)
}

// ShippingMethod implements Service.
func (c Client) ShippingMethod(ctx context.Context, r RuleRequest) (ShippingMethod, error) {
	return shippingMethod.Call(ctx, c.caller, r)
}

// ShippingMethods implements Service.
func (c Client) ShippingMethods(ctx context.Context, r RulesRequest) (ShippingMethodPage, error) {
	return shippingMethods.Call(ctx, c.caller, r)
}

// Calculate implements Service.
func (c Client) Calculate(ctx context.Context, r CalculateRequest) (Calculation, error) {
	return calculate.Call(ctx, c.caller, r)
}

// Quote implements Service.
func (c Client) Quote(ctx context.Context, r QuoteRequest) (Quote, error) {
	return quote.Call(ctx, c.caller, r)
}

// Replay implements Service.
func (c Client) Replay(ctx context.Context, r ReplayRequest) (Calculation, error) {
	return replay.Call(ctx, c.caller, r)
}

// Price implements Service.
func (c Client) Price(ctx context.Context, r PriceRequest) (Calculation, error) {
	return price.Call(ctx, c.caller, r)
}

// FinaliseCoupon implements Service.
func (c Client) FinaliseCoupon(ctx context.Context, r FinaliseCouponRequest) (CouponUse, error) {
	return finaliseCoupon.Call(ctx, c.caller, r)
}

// ReleaseCoupon implements Service.
func (c Client) ReleaseCoupon(ctx context.Context, r ReleaseCouponRequest) (CouponUse, error) {
	return releaseCoupon.Call(ctx, c.caller, r)
}

// CouponUses implements Service.
func (c Client) CouponUses(ctx context.Context, r CouponUsesRequest) (CouponUsePage, error) {
	return couponUses.Call(ctx, c.caller, r)
}

// EraseCustomers implements Service.
func (c Client) EraseCustomers(ctx context.Context, r EraseCustomersRequest) (CustomersErased, error) {
	return eraseCustomers.Call(ctx, c.caller, r)
}

// Audit implements Service.
func (c Client) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	return auditing.Call(ctx, c.caller, r)
}
