package orders

import (
	"context"

	"cutpoint/platform/rpc"
)

// Module is the name under which orders listens on the channel layer.
const Module = "orders"

// Cancellations of one order are done one after the other. An order has no id yet when it is placed, so Place has no lane.
var (
	place    = rpc.Define[PlaceRequest, Placement](Module, "place")
	quote    = rpc.Define[QuoteRequest, Quote](Module, "quote")
	order    = rpc.Define[OrderRequest, Order](Module, "order")
	orders   = rpc.Define[OrdersRequest, OrderPage](Module, "orders")
	timeline = rpc.Define[OrderRequest, Timeline](Module, "timeline")
	cancel   = rpc.Define[CancelRequest, Placement](Module, "cancel").ByLane(func(r CancelRequest) string { return r.ID })
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, place, body.Place)
	rpc.Handle(s, quote, body.Quote)
	rpc.Handle(s, order, body.Order)
	rpc.Handle(s, orders, body.Orders)
	rpc.Handle(s, timeline, body.Timeline)
	rpc.Handle(s, cancel, body.Cancel)
}

// Client is the contract spoken over a channel layer.
type Client struct{ caller *rpc.Caller }

var _ Service = Client{}

// NewClient returns the contract as the caller's module sees it.
func NewClient(c *rpc.Caller) Client { return Client{c} }

// Place implements Service.
func (c Client) Place(ctx context.Context, r PlaceRequest) (Placement, error) {
	return place.Call(ctx, c.caller, r)
}

// Quote implements Service.
func (c Client) Quote(ctx context.Context, r QuoteRequest) (Quote, error) {
	return quote.Call(ctx, c.caller, r)
}

// Order implements Service.
func (c Client) Order(ctx context.Context, r OrderRequest) (Order, error) {
	return order.Call(ctx, c.caller, r)
}

// Orders implements Service.
func (c Client) Orders(ctx context.Context, r OrdersRequest) (OrderPage, error) {
	return orders.Call(ctx, c.caller, r)
}

// Timeline implements Service.
func (c Client) Timeline(ctx context.Context, r OrderRequest) (Timeline, error) {
	return timeline.Call(ctx, c.caller, r)
}

// Cancel implements Service.
func (c Client) Cancel(ctx context.Context, r CancelRequest) (Placement, error) {
	return cancel.Call(ctx, c.caller, r)
}
