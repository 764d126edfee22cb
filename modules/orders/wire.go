package orders

import (
	"context"

	"cutpoint/platform/audit"
	"cutpoint/platform/rpc"
)

// Module is the name under which orders listens on the channel layer.
const Module = "orders"

// Commands of one order are done one after the other. An order has no id yet when it is placed, so Place has no lane.
var (
	place    = rpc.Define[PlaceRequest, Placement](Module, "place")
	quote    = rpc.Define[QuoteRequest, Quote](Module, "quote")
	order    = rpc.Define[OrderRequest, Order](Module, "order")
	orders   = rpc.Define[OrdersRequest, OrderPage](Module, "orders")
	timeline = rpc.Define[OrderRequest, Timeline](Module, "timeline")
	cancel   = rpc.Define[CancelRequest, Placement](Module, "cancel").ByLane(func(r CancelRequest) string { return r.ID })
	capture  = rpc.Define[CaptureRequest, Placement](Module, "capture").ByLane(func(r CaptureRequest) string { return r.ID })
	refund   = rpc.Define[RefundRequest, Placement](Module, "refund").ByLane(func(r RefundRequest) string { return r.ID })
	resolve  = rpc.Define[ResolveRequest, Placement](Module, "resolve").ByLane(func(r ResolveRequest) string { return r.ID })
	events   = rpc.Define[EventsRequest, EventPage](Module, "events")
	sagas    = rpc.Define[SagasRequest, SagaPage](Module, "sagas")
	auditing = rpc.Define[audit.Request, audit.Page](Module, "audit")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, place, body.Place)
	rpc.Handle(s, quote, body.Quote)
	rpc.Handle(s, order, body.Order)
	rpc.Handle(s, orders, body.Orders)
	rpc.Handle(s, timeline, body.Timeline)
	rpc.Handle(s, cancel, body.Cancel)
	rpc.Handle(s, capture, body.Capture)
	rpc.Handle(s, refund, body.Refund)
	rpc.Handle(s, resolve, body.Resolve)
	rpc.Handle(s, events, body.Events)
	rpc.Handle(s, sagas, body.Sagas)
	rpc.Handle(s, auditing, body.Audit)
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

// Capture implements Service.
func (c Client) Capture(ctx context.Context, r CaptureRequest) (Placement, error) {
	return capture.Call(ctx, c.caller, r)
}

// Refund implements Service.
func (c Client) Refund(ctx context.Context, r RefundRequest) (Placement, error) {
	return refund.Call(ctx, c.caller, r)
}

// Resolve implements Service.
func (c Client) Resolve(ctx context.Context, r ResolveRequest) (Placement, error) {
	return resolve.Call(ctx, c.caller, r)
}

// Events implements Service.
func (c Client) Events(ctx context.Context, r EventsRequest) (EventPage, error) {
	return events.Call(ctx, c.caller, r)
}

// Sagas implements Service.
func (c Client) Sagas(ctx context.Context, r SagasRequest) (SagaPage, error) {
	return sagas.Call(ctx, c.caller, r)
}

// Audit implements Service.
func (c Client) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	return auditing.Call(ctx, c.caller, r)
}
