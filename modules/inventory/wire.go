package inventory

import (
	"context"

	"cutpoint/platform/audit"
	"cutpoint/platform/rpc"
)

// Module is the name under which inventory listens on the channel layer.
const Module = "inventory"

// What changes the hold of one order is done in its order: a Release can't overtake the Reserve before it. So it is with a cart.
var (
	putLocation  = rpc.Define[PutLocationRequest, Location](Module, "put_location")
	locations    = rpc.Define[LocationsRequest, LocationPage](Module, "locations")
	putItem      = rpc.Define[PutItemRequest, Item](Module, "put_item")
	item         = rpc.Define[ItemRequest, Item](Module, "item")
	items        = rpc.Define[ItemsRequest, ItemPage](Module, "items")
	adjust       = rpc.Define[AdjustRequest, Adjustment](Module, "adjust")
	transfer     = rpc.Define[TransferRequest, Transferred](Module, "transfer")
	allot        = rpc.Define[AllotRequest, Allotted](Module, "allot")
	movements    = rpc.Define[MovementsRequest, MovementPage](Module, "movements")
	check        = rpc.Define[CheckRequest, Checked](Module, "check")
	hold         = rpc.Define[HoldRequest, CartHold](Module, "hold").ByLane(func(r HoldRequest) string { return r.HoldID })
	releaseHold  = rpc.Define[ReleaseHoldRequest, HoldRelease](Module, "release_hold").ByLane(func(r ReleaseHoldRequest) string { return r.HoldID })
	reserve      = rpc.Define[ReserveRequest, Reservation](Module, "reserve").ByLane(func(r ReserveRequest) string { return r.OrderID })
	finalise     = rpc.Define[FinaliseRequest, Reservation](Module, "finalise").ByLane(func(r FinaliseRequest) string { return r.OrderID })
	restock      = rpc.Define[RestockRequest, Restocked](Module, "restock").ByLane(func(r RestockRequest) string { return r.OrderID })
	release      = rpc.Define[ReleaseRequest, Reservation](Module, "release").ByLane(func(r ReleaseRequest) string { return r.OrderID })
	reservations = rpc.Define[ReservationsRequest, ReservationPage](Module, "reservations")
	events       = rpc.Define[EventsRequest, EventPage](Module, "events")
	auditing     = rpc.Define[audit.Request, audit.Page](Module, "audit")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, putLocation, body.PutLocation)
	rpc.Handle(s, locations, body.Locations)
	rpc.Handle(s, putItem, body.PutItem)
	rpc.Handle(s, putItems, body.PutItems)
	rpc.Handle(s, item, body.Item)
	rpc.Handle(s, items, body.Items)
	rpc.Handle(s, adjust, body.Adjust)
	rpc.Handle(s, transfer, body.Transfer)
	rpc.Handle(s, allot, body.Allot)
	rpc.Handle(s, movements, body.Movements)
	rpc.Handle(s, check, body.Check)
	rpc.Handle(s, hold, body.Hold)
	rpc.Handle(s, releaseHold, body.ReleaseHold)
	rpc.Handle(s, reserve, body.Reserve)
	rpc.Handle(s, finalise, body.Finalise)
	rpc.Handle(s, restock, body.Restock)
	rpc.Handle(s, release, body.Release)
	rpc.Handle(s, reservations, body.Reservations)
	rpc.Handle(s, events, body.Events)
	rpc.Handle(s, auditing, body.Audit)
}

// Client is the contract spoken over a channel layer.
type Client struct{ caller *rpc.Caller }

var _ Service = Client{}

// NewClient returns the contract as the caller's module sees it.
func NewClient(c *rpc.Caller) Client { return Client{c} }

// PutLocation implements Service.
func (c Client) PutLocation(ctx context.Context, r PutLocationRequest) (Location, error) {
	return putLocation.Call(ctx, c.caller, r)
}

// Locations implements Service.
func (c Client) Locations(ctx context.Context, r LocationsRequest) (LocationPage, error) {
	return locations.Call(ctx, c.caller, r)
}

// PutItem implements Service.
func (c Client) PutItem(ctx context.Context, r PutItemRequest) (Item, error) {
	return putItem.Call(ctx, c.caller, r)
}

// Item implements Service.
func (c Client) Item(ctx context.Context, r ItemRequest) (Item, error) {
	return item.Call(ctx, c.caller, r)
}

// Items implements Service.
func (c Client) Items(ctx context.Context, r ItemsRequest) (ItemPage, error) {
	return items.Call(ctx, c.caller, r)
}

// Adjust implements Service.
func (c Client) Adjust(ctx context.Context, r AdjustRequest) (Adjustment, error) {
	return adjust.Call(ctx, c.caller, r)
}

// Transfer implements Service.
func (c Client) Transfer(ctx context.Context, r TransferRequest) (Transferred, error) {
	return transfer.Call(ctx, c.caller, r)
}

// Allot implements Service.
func (c Client) Allot(ctx context.Context, r AllotRequest) (Allotted, error) {
	return allot.Call(ctx, c.caller, r)
}

// Movements implements Service.
func (c Client) Movements(ctx context.Context, r MovementsRequest) (MovementPage, error) {
	return movements.Call(ctx, c.caller, r)
}

// Check implements Service.
func (c Client) Check(ctx context.Context, r CheckRequest) (Checked, error) {
	return check.Call(ctx, c.caller, r)
}

// Hold implements Service.
func (c Client) Hold(ctx context.Context, r HoldRequest) (CartHold, error) {
	return hold.Call(ctx, c.caller, r)
}

// ReleaseHold implements Service.
func (c Client) ReleaseHold(ctx context.Context, r ReleaseHoldRequest) (HoldRelease, error) {
	return releaseHold.Call(ctx, c.caller, r)
}

// Reserve implements Service.
func (c Client) Reserve(ctx context.Context, r ReserveRequest) (Reservation, error) {
	return reserve.Call(ctx, c.caller, r)
}

// Finalise implements Service.
func (c Client) Finalise(ctx context.Context, r FinaliseRequest) (Reservation, error) {
	return finalise.Call(ctx, c.caller, r)
}

// Restock implements Service.
func (c Client) Restock(ctx context.Context, r RestockRequest) (Restocked, error) {
	return restock.Call(ctx, c.caller, r)
}

// Release implements Service.
func (c Client) Release(ctx context.Context, r ReleaseRequest) (Reservation, error) {
	return release.Call(ctx, c.caller, r)
}

// Reservations implements Service.
func (c Client) Reservations(ctx context.Context, r ReservationsRequest) (ReservationPage, error) {
	return reservations.Call(ctx, c.caller, r)
}

// Events implements Service.
func (c Client) Events(ctx context.Context, r EventsRequest) (EventPage, error) {
	return events.Call(ctx, c.caller, r)
}

// Audit implements Service.
func (c Client) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	return auditing.Call(ctx, c.caller, r)
}
