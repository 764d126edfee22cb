package pricing

import (
	"context"

	"cutpoint/platform/rpc"
)

// Module is the name under which pricing listens on the channel layer.
const Module = "pricing"

var (
	putPrices = rpc.Define[PutPricesRequest, PriceSet](Module, "put_prices")
	prices    = rpc.Define[PricesRequest, PriceSet](Module, "prices")
	calculate = rpc.Define[CalculateRequest, Calculation](Module, "calculate")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, putPrices, body.PutPrices)
	rpc.Handle(s, prices, body.Prices)
	rpc.Handle(s, calculate, body.Calculate)
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

// Calculate implements Service.
func (c Client) Calculate(ctx context.Context, r CalculateRequest) (Calculation, error) {
	return calculate.Call(ctx, c.caller, r)
}
