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

	createFulfilment = rpc.Define[CreateFulfilmentRequest, FulfilmentAnswer](Module, "create_fulfilment").ByLane(func(r CreateFulfilmentRequest) string { return r.OrderID })
	updateFulfilment = rpc.Define[UpdateFulfilmentRequest, Fulfilment](Module, "update_fulfilment").ByLane(func(r UpdateFulfilmentRequest) string { return r.OrderID })
	fulfilments      = rpc.Define[OrderRequest, FulfilmentList](Module, "fulfilments")
	requestReturn    = rpc.Define[RequestReturnRequest, ReturnAnswer](Module, "request_return").ByLane(func(r RequestReturnRequest) string { return r.OrderID })
	receiveReturn    = rpc.Define[ReturnRequest, Placement](Module, "receive_return").ByLane(func(r ReturnRequest) string { return r.OrderID })
	cancelReturn     = rpc.Define[ReturnRequest, Return](Module, "cancel_return").ByLane(func(r ReturnRequest) string { return r.OrderID })
	returns          = rpc.Define[OrderRequest, ReturnList](Module, "returns")
	addNote          = rpc.Define[AddNoteRequest, NoteAnswer](Module, "add_note").ByLane(func(r AddNoteRequest) string { return r.OrderID })
	notes            = rpc.Define[OrderRequest, NoteList](Module, "notes")
	putMetadata      = rpc.Define[PutMetadataRequest, Order](Module, "put_metadata").ByLane(func(r PutMetadataRequest) string { return r.OrderID })
	erase            = rpc.Define[EraseRequest, Erasure](Module, "erase")
	erasure          = rpc.Define[ErasureRequest, Erasure](Module, "erasure")
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
	serveAftersales(s, body)
}

func serveAftersales(s *rpc.Server, body Aftersales) {
	rpc.Handle(s, createFulfilment, body.CreateFulfilment)
	rpc.Handle(s, updateFulfilment, body.UpdateFulfilment)
	rpc.Handle(s, fulfilments, body.Fulfilments)
	rpc.Handle(s, requestReturn, body.RequestReturn)
	rpc.Handle(s, receiveReturn, body.ReceiveReturn)
	rpc.Handle(s, cancelReturn, body.CancelReturn)
	rpc.Handle(s, returns, body.Returns)
	rpc.Handle(s, addNote, body.AddNote)
	rpc.Handle(s, notes, body.Notes)
	rpc.Handle(s, putMetadata, body.PutMetadata)
	rpc.Handle(s, erase, body.Erase)
	rpc.Handle(s, erasure, body.Erasure)
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

// CreateFulfilment implements Service.
func (c Client) CreateFulfilment(ctx context.Context, r CreateFulfilmentRequest) (FulfilmentAnswer, error) {
	return createFulfilment.Call(ctx, c.caller, r)
}

// UpdateFulfilment implements Service.
func (c Client) UpdateFulfilment(ctx context.Context, r UpdateFulfilmentRequest) (Fulfilment, error) {
	return updateFulfilment.Call(ctx, c.caller, r)
}

// Fulfilments implements Service.
func (c Client) Fulfilments(ctx context.Context, r OrderRequest) (FulfilmentList, error) {
	return fulfilments.Call(ctx, c.caller, r)
}

// RequestReturn implements Service.
func (c Client) RequestReturn(ctx context.Context, r RequestReturnRequest) (ReturnAnswer, error) {
	return requestReturn.Call(ctx, c.caller, r)
}

// ReceiveReturn implements Service.
func (c Client) ReceiveReturn(ctx context.Context, r ReturnRequest) (Placement, error) {
	return receiveReturn.Call(ctx, c.caller, r)
}

// CancelReturn implements Service.
func (c Client) CancelReturn(ctx context.Context, r ReturnRequest) (Return, error) {
	return cancelReturn.Call(ctx, c.caller, r)
}

// Returns implements Service.
func (c Client) Returns(ctx context.Context, r OrderRequest) (ReturnList, error) {
	return returns.Call(ctx, c.caller, r)
}

// AddNote implements Service.
func (c Client) AddNote(ctx context.Context, r AddNoteRequest) (NoteAnswer, error) {
	return addNote.Call(ctx, c.caller, r)
}

// Notes implements Service.
func (c Client) Notes(ctx context.Context, r OrderRequest) (NoteList, error) {
	return notes.Call(ctx, c.caller, r)
}

// PutMetadata implements Service.
func (c Client) PutMetadata(ctx context.Context, r PutMetadataRequest) (Order, error) {
	return putMetadata.Call(ctx, c.caller, r)
}

// Erase implements Service.
func (c Client) Erase(ctx context.Context, r EraseRequest) (Erasure, error) {
	return erase.Call(ctx, c.caller, r)
}

// Erasure implements Service.
func (c Client) Erasure(ctx context.Context, r ErasureRequest) (Erasure, error) {
	return erasure.Call(ctx, c.caller, r)
}
