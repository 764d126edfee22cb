// Package inventory is the contract of the inventory module: which items exist, how many of them lie where, and which of
// them are spoken for.
//
// Inventory is the source of truth for locations, items, levels, reservations and movements. It knows orders only as opaque
// ids. It does not know prices.
//
// A level has three figures: on hand (units on the shelf), reserved (units on the shelf that an order holds) and available
// (on hand minus reserved, or nothing where the location is not active). At all times on hand >= reserved >= 0. An item that may be
// backordered is out of stock only at its limit: what the shelves can't give is promised, and counted as backordered, not as reserved.
//
// A kit is an item made of others. It has no stock of its own: whoever wants it gets its parts, and they are what is held, consumed
// and given back. What a kit is made of is looked up when it is held, so a change touches nobody who holds one already.
//
// Units are taken from active locations in the order of their priorities, lower first, then of their codes. Sourcing says whether the
// lines of one order may come from several.
//
// An order's stock goes through Reserve, then Finalise (the units leave the shelf) or Release (they don't). Each of the three
// may be repeated with the same order at any time, by anyone who is not sure of having been heard. What an order holds has no
// expiry: the order alone gives it back or takes it.
//
// Before there is an order, Hold keeps units for a cart for a limited time. It is a promise of its own kind: it ends by itself,
// and the order that names it gets its units ahead of everybody else.
package inventory

import (
	"context"
	"time"

	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
)

// Faults of this contract.
var (
	ErrOutOfStock      = fault.New(fault.Conflict, "inventory.out_of_stock", "there is not enough stock")
	ErrUnknownSKU      = fault.New(fault.Invalid, "inventory.unknown_sku", "there is no such item")
	ErrItemNotFound    = fault.New(fault.NotFound, "inventory.item_not_found", "there is no such item")
	ErrUnknownLocation = fault.New(fault.Invalid, "inventory.unknown_location", "there is no such location")
	ErrBelowReserved   = fault.New(fault.Conflict, "inventory.below_reserved", "orders hold more units than would be left")
	ErrReleased        = fault.New(fault.Conflict, "inventory.released", "this order's stock was released; it can't be held or consumed again")
	ErrNotReserved     = fault.New(fault.Conflict, "inventory.not_reserved", "this order holds no stock")
	ErrNotConsumed     = fault.New(fault.Conflict, "inventory.not_consumed", "this order has consumed no stock that could come back")
	ErrTooManyBack     = fault.New(fault.Conflict, "inventory.too_many_back", "more units would come back than this order took and has not brought back yet")
	ErrOnHandChanged   = fault.New(fault.Conflict, "inventory.on_hand_changed", "the units on hand are not those that you counted from: read the level again")
	ErrKit             = fault.New(fault.Conflict, "inventory.is_kit", "a kit has no stock of its own: name its parts")
	ErrNestedKit       = fault.New(fault.Invalid, "inventory.nested_kit", "a kit can't be part of a kit")
	ErrHasStock        = fault.New(fault.Conflict, "inventory.has_stock", "this item has stock of its own, or had, and can't become a kit")
)

// MaxQuantity bounds every quantity and level, in units, so that no sum of them overflows.
const MaxQuantity = 1_000_000_000

// Bounds of a cart's hold and of a look-up by orders.
const (
	MinHoldTTL = time.Second
	MaxHoldTTL = 24 * time.Hour

	MaxOrderIDs = 200
)

// Bounds of a kit: how many parts it has, and how many units of each.
const (
	MaxComponents        = 50
	MaxComponentQuantity = 1000
)

// Whether the units of one order or cart may come from several locations.
const (
	SourcingSplit = "split" // each item from as many locations as it takes, in their order
	SourcingWhole = "whole" // all of it from the first location that has all of it
)

// Service is what inventory promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// PutLocation creates a stock location or replaces its description.
	// Errors: revision.ErrRequired, revision.ErrStale.
	PutLocation(context.Context, PutLocationRequest) (Location, error)

	// Locations lists locations by code.
	Locations(context.Context, LocationsRequest) (LocationPage, error)

	// PutItem creates an item, with nothing on hand, or replaces its description. With components it is a kit from then on, without
	// them it is none. Errors: revision.ErrRequired, revision.ErrStale, ErrUnknownSKU and ErrNestedKit (of a component), ErrHasStock.
	PutItem(context.Context, PutItemRequest) (Item, error)

	// PutItems creates or replaces many items in one transaction, in their order, and counts the stock of those that say how much
	// there is. An entry is done whole, or it is refused and changes nothing; it is refused for ErrUnknownLocation or
	// ErrBelowReserved, and the others do not depend on it. A description that is there already keeps its version. Repeating it
	// with the same key returns the first answer, marked as replayed. Errors: idempotency.ErrReused.
	PutItems(context.Context, PutItemsRequest) (ItemsPut, error)

	// Item returns one item with its levels. Errors: ErrItemNotFound.
	Item(context.Context, ItemRequest) (Item, error)

	// Items lists items by SKU, each with its levels.
	Items(context.Context, ItemsRequest) (ItemPage, error)

	// Adjust changes the units on hand at one location, by a delta or to an absolute count, and writes a movement.
	// Repeating it with the same key returns the first answer, marked as replayed.
	// Errors: ErrItemNotFound, ErrKit, ErrUnknownLocation, ErrOnHandChanged, ErrBelowReserved, idempotency.ErrReused.
	Adjust(context.Context, AdjustRequest) (Adjustment, error)

	// Transfer moves available units from one location to another, by two movements that add up to nothing. Repeating it with the
	// same key returns the first answer, marked as replayed.
	// Errors: ErrItemNotFound, ErrKit, ErrUnknownLocation, ErrBelowReserved, idempotency.ErrReused.
	Transfer(context.Context, TransferRequest) (Transferred, error)

	// Allot gives available units of a location to the orders that were promised an item, oldest first, at most MaxOrderIDs of them at a
	// time. An order that holds stock holds them; one that has consumed its stock consumes them. Nothing is allotted by itself.
	// Repeating it with the same key returns the first answer, marked as replayed.
	// Errors: ErrItemNotFound, ErrKit, ErrUnknownLocation, idempotency.ErrReused.
	Allot(context.Context, AllotRequest) (Allotted, error)

	// Movements lists the ledger of an item, newest first. Errors: ErrItemNotFound.
	Movements(context.Context, MovementsRequest) (MovementPage, error)

	// Check tells which of some SKUs are no items, without holding anything.
	Check(context.Context, CheckRequest) (Checked, error)

	// Hold keeps stock for a cart, all lines or none, until its expiry. Repeating it with the same lines lengthens the hold and
	// never shortens it; with other lines it replaces the hold, and if they are not to be had, the old one stays as it was. What
	// has expired is given free within a few seconds, and at once where another order or cart needs it.
	// Errors: ErrOutOfStock, ErrUnknownSKU.
	Hold(context.Context, HoldRequest) (CartHold, error)

	// ReleaseHold gives a cart's units free before their time. It always succeeds, also where nothing is held any more.
	ReleaseHold(context.Context, ReleaseHoldRequest) (HoldRelease, error)

	// Reserve holds stock for an order, all lines or none, without expiry. The units that the cart named with it holds go over to
	// the order in the same instant: what the order does not want of them is given free, what it wants beside them is taken from
	// what is available. A hold that has expired or was never there is no help and no harm; a Reserve that fails leaves it alone.
	// Repeating it with the same order takes nothing more, and returns what became of the first: lines change only by an allotment or a
	// restock. Errors: ErrOutOfStock, ErrUnknownSKU, ErrReleased.
	Reserve(context.Context, ReserveRequest) (Reservation, error)

	// Finalise turns an order's hold into consumption: the units leave the shelf and movements are written. Repeating it
	// changes nothing. Errors: ErrNotReserved, ErrReleased.
	Finalise(context.Context, FinaliseRequest) (Reservation, error)

	// Restock brings units that an order consumed back to a shelf: to the location that they left, or to the one named, as returned.
	// A kit comes back as the parts that this order took for it. Repeating it with the same order and restock id returns the first
	// answer. Errors: ErrNotConsumed, ErrReleased, ErrTooManyBack, ErrUnknownLocation, idempotency.ErrReused.
	Restock(context.Context, RestockRequest) (Restocked, error)

	// Release undoes all that an order did to the stock: units that it holds become available, units that it consumed and that have
	// not come back yet go back to their shelf, what it was promised is promised no more. It always succeeds, also for an order that holds nothing, and it is for good: a Reserve of that order
	// that arrives later is refused with ErrReleased.
	Release(context.Context, ReleaseRequest) (Reservation, error)

	// Reservations lists live holds of orders by order id; with orders, what these did to the stock, whatever the state.
	Reservations(context.Context, ReservationsRequest) (ReservationPage, error)

	// Events lists, oldest first, the items that became low, ran out or came back. Each is written in the commit that makes it
	// true, once for each time that the available units cross the line. A reader keeps the Sequence of the last one.
	Events(context.Context, EventsRequest) (EventPage, error)

	// Audit checks the levels of a page of items against the holds and the ledger; see package audit.
	Audit(context.Context, audit.Request) (audit.Page, error)
}

// Location is a place where stock lies. Nobody is given units of one that is not active; what is held there stays held.
type Location struct {
	Code      string    `json:"code"`
	Name      string    `json:"name"`
	Priority  int64     `json:"priority" doc:"Units are taken from locations of a lower priority first, then by code"`
	Active    bool      `json:"active" doc:"Orders and carts are given units of this location"`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// PutLocationRequest carries the version that the writer read, see package revision. Priority is from 0 to 1000000.
type PutLocationRequest struct {
	Code      string `json:"code"`
	Name      string `json:"name"`
	Priority  int64  `json:"priority"`
	Inactive  bool   `json:"inactive"`
	IfVersion int64  `json:"if_version"`
}

// LocationsRequest asks for at most Limit locations after a code.
type LocationsRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

// LocationPage is a page of locations.
type LocationPage struct {
	Locations []Location `json:"locations"`
	More      bool       `json:"more"`
}

// Item is a thing that can be sold, and its levels in all and by location. A kit has none; what is available of it is what its parts
// give.
type Item struct {
	SKU               string      `json:"sku"`
	Name              string      `json:"name"`
	Backorder         bool        `json:"backorder" doc:"Sold even when the shelves are empty"`
	BackorderLimit    int64       `json:"backorder_limit,omitempty" doc:"Units that may be promised at a time; without it, any number"`
	LowStockThreshold int64       `json:"low_stock_threshold,omitempty" doc:"An event tells when no more than this is available"`
	Components        []Component `json:"components,omitempty" doc:"Of a kit: what it is made of"`
	OnHand            int64       `json:"on_hand"`
	Reserved          int64       `json:"reserved"`
	Available         int64       `json:"available"`
	Backordered       int64       `json:"backordered" doc:"Units promised to orders and carts that no shelf has given yet"`
	Locations         []Level     `json:"locations"`
	Version           int64       `json:"version" doc:"Grows with every change of the description"`
	StockVersion      int64       `json:"stock_version" doc:"Grows with every change of a level, or of a location that has one"`
	CreatedAt         time.Time   `json:"created_at"`
	UpdatedAt         time.Time   `json:"updated_at"`
}

// Component is a part of a kit: a quantity of an item for each unit of the kit, from 1 to MaxComponentQuantity.
type Component struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Level is an item's figures at one location, in units.
type Level struct {
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

// PutItemRequest carries the version that the writer read, see package revision. Backorder, its limit and the threshold are for items
// that have stock of their own, so not for kits. Zero is no limit, and no threshold.
type PutItemRequest struct {
	SKU               string      `json:"sku"`
	Name              string      `json:"name"`
	Backorder         bool        `json:"backorder"`
	BackorderLimit    int64       `json:"backorder_limit"`
	LowStockThreshold int64       `json:"low_stock_threshold"`
	Components        []Component `json:"components"`
	IfVersion         int64       `json:"if_version"`
}

// ItemRequest names an item.
type ItemRequest struct {
	SKU string `json:"sku"`
}

// ItemsRequest asks for at most Limit items after a SKU.
type ItemsRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

// ItemPage is a page of items.
type ItemPage struct {
	Items []Item `json:"items"`
	More  bool   `json:"more"`
}

// AdjustRequest changes what is on hand. With Absolute, Quantity is the new count; without, it is added (or, negative, taken), and Kind
// says why: MovementReceived, or MovementAdjusted, which is meant if it is empty. IfOnHand, if there is one, is what the writer saw on
// hand: the adjustment is refused if that has changed since.
type AdjustRequest struct {
	Key      idempotency.Key `json:"key"`
	SKU      string          `json:"sku"`
	Location string          `json:"location"`
	Absolute bool            `json:"absolute"`
	Quantity int64           `json:"quantity"`
	Kind     string          `json:"kind"`
	IfOnHand *int64          `json:"if_on_hand"`
	Reason   string          `json:"reason"`
}

// Adjustment is the movement that was written and the level after it.
type Adjustment struct {
	Movement Movement `json:"movement"`
	Level    Level    `json:"level"`
	Replayed bool     `json:"replayed"`
}

// TransferRequest moves units of an item, from 1 to MaxQuantity, between two locations.
type TransferRequest struct {
	Key      idempotency.Key `json:"key"`
	SKU      string          `json:"sku"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Quantity int64           `json:"quantity"`
	Reason   string          `json:"reason"`
}

// Transferred is the two movements that were written, which have their reference in common, and the levels after them.
type Transferred struct {
	Out      Movement `json:"out"`
	In       Movement `json:"in"`
	From     Level    `json:"from"`
	To       Level    `json:"to"`
	Replayed bool     `json:"replayed"`
}

// AllotRequest gives at most Quantity units of an item at a location to orders that wait for them; 0 is as many as are available.
type AllotRequest struct {
	Key      idempotency.Key `json:"key"`
	SKU      string          `json:"sku"`
	Location string          `json:"location"`
	Quantity int64           `json:"quantity"`
}

// Allotted is who got how many units, the oldest order first, and what is still promised of the item.
type Allotted struct {
	SKU         string      `json:"sku"`
	Location    string      `json:"location"`
	Orders      []Allotment `json:"orders"`
	Backordered int64       `json:"backordered"`
	Replayed    bool        `json:"replayed"`
}

// Allotment is what one order got of an item that it was promised.
type Allotment struct {
	OrderID  string `json:"order_id"`
	Quantity int64  `json:"quantity"`
}

// The kinds of movement.
const (
	MovementReceived    = "received"    // a delivery came in
	MovementAdjusted    = "adjusted"    // somebody added or wrote off
	MovementCounted     = "counted"     // somebody counted, and this was the difference
	MovementTransferred = "transferred" // it went to another location, or came from one
	MovementConsumed    = "consumed"    // an order took it
	MovementReturned    = "returned"    // an order gave it back
)

// Movement is one change of what is on hand. Movements are never changed or deleted: on hand is their sum.
type Movement struct {
	ID            string    `json:"id"`
	SKU           string    `json:"sku"`
	Location      string    `json:"location"`
	Kind          string    `json:"kind" enum:"received,adjusted,counted,transferred,consumed,returned"`
	Delta         int64     `json:"delta"`
	OnHand        int64     `json:"on_hand" doc:"Units on hand after it"`
	Reason        string    `json:"reason"`
	Reference     string    `json:"reference" doc:"The order or the transfer, where there is one"`
	Actor         string    `json:"actor" doc:"The API key or the module that caused it"`
	CorrelationID string    `json:"correlation_id"`
	At            time.Time `json:"at"`
}

// MovementsRequest asks for at most Limit movements of an item that are older than the one named.
type MovementsRequest struct {
	SKU    string `json:"sku"`
	Before string `json:"before"`
	Limit  int    `json:"limit"`
}

// MovementPage is a page of movements.
type MovementPage struct {
	Movements []Movement `json:"movements"`
	More      bool       `json:"more"`
}

// CheckRequest names SKUs.
type CheckRequest struct {
	SKUs []string `json:"skus"`
}

// Checked lists the SKUs that are no items.
type Checked struct {
	Unknown []string `json:"unknown"`
}

// Line is a quantity of an item, in units, from 1 to MaxQuantity.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// HoldRequest holds stock for a cart, for TTL from now on: MinHoldTTL to MaxHoldTTL. Lines of one SKU are added up. HoldID is the
// caller's own, of the form of a SKU; whoever knows it may replace or release the hold, so it should be hard to guess. Sourcing is
// SourcingSplit, SourcingWhole, or empty for what the module was set to.
type HoldRequest struct {
	HoldID   string        `json:"hold_id"`
	Lines    []Line        `json:"lines"`
	TTL      time.Duration `json:"ttl"`
	Sourcing string        `json:"sourcing"`
}

// CartHold is what a cart holds.
type CartHold struct {
	ID        string         `json:"id"`
	Lines     []ReservedLine `json:"lines"`
	ExpiresAt time.Time      `json:"expires_at"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// ReleaseHoldRequest names the hold of a cart.
type ReleaseHoldRequest struct {
	HoldID string `json:"hold_id"`
}

// HoldRelease tells whether there was something to give free.
type HoldRelease struct {
	HoldID   string `json:"hold_id"`
	Released bool   `json:"released"`
}

// ReserveRequest holds stock for an order. Lines of one SKU are added up. HoldID, if not empty, is the cart's hold that the order
// takes over. Sourcing is as in a HoldRequest.
type ReserveRequest struct {
	OrderID  string `json:"order_id"`
	Lines    []Line `json:"lines"`
	HoldID   string `json:"hold_id"`
	Sourcing string `json:"sourcing"`
}

// FinaliseRequest names the order whose hold becomes consumption.
type FinaliseRequest struct {
	OrderID string `json:"order_id"`
}

// RestockRequest brings units of an order back. RestockID is the caller's own, of the form of a SKU: one order has one restock of it.
// Location, if not empty, is where they come to.
type RestockRequest struct {
	OrderID   string `json:"order_id"`
	RestockID string `json:"restock_id"`
	Lines     []Line `json:"lines"`
	Location  string `json:"location"`
	Reason    string `json:"reason"`
}

// Restocked is what came back, and where it lies now.
type Restocked struct {
	OrderID   string         `json:"order_id"`
	RestockID string         `json:"restock_id"`
	Lines     []ReservedLine `json:"lines"`
	At        time.Time      `json:"at"`
}

// ReleaseRequest names the order whose stock is given back.
type ReleaseRequest struct {
	OrderID string `json:"order_id"`
}

// The states of a reservation.
const (
	ReservationHeld     = "held"
	ReservationConsumed = "consumed"
	ReservationReleased = "released"
)

// Reservation is what an order did to the stock. Of a kit the lines are the parts; Kits tells which they were.
type Reservation struct {
	ID        string         `json:"id"`
	OrderID   string         `json:"order_id"`
	State     string         `json:"state" enum:"held,consumed,released"`
	Lines     []ReservedLine `json:"lines"`
	Kits      []ReservedKit  `json:"kits,omitempty"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// ReservedLine is a quantity of an item at the location that gives it, or at none if it is backordered.
type ReservedLine struct {
	SKU         string `json:"sku"`
	Location    string `json:"location"`
	Quantity    int64  `json:"quantity"`
	Backordered bool   `json:"backordered"`
	Returned    int64  `json:"returned,omitempty" doc:"Units of it that a restock brought back"`
}

// ReservedKit is a kit that an order wanted, with what it was made of then.
type ReservedKit struct {
	SKU        string      `json:"sku"`
	Quantity   int64       `json:"quantity"`
	Components []Component `json:"components"`
}

// ReservationsRequest asks for the reservations of some orders, at most MaxOrderIDs, or, without any, for at most Limit live holds.
// Both begin after an order id, so that a page that was cut short (More) can be followed by the next.
type ReservationsRequest struct {
	OrderIDs []string `json:"order_ids"`
	After    string   `json:"after"`
	Limit    int      `json:"limit"`
}

// ReservationPage is a page of reservations.
type ReservationPage struct {
	Reservations []Reservation `json:"reservations"`
	More         bool          `json:"more"`
}

// The kinds of event. A kit has none: its parts have.
const (
	EventLowStock    = "low_stock"     // no more than the item's threshold is available, and more was before
	EventOutOfStock  = "out_of_stock"  // nothing is available any more
	EventBackInStock = "back_in_stock" // something is available, and nothing was before
)

// Event says that the available units of an item crossed a line. Sequence numbers only grow.
type Event struct {
	Sequence  int64     `json:"sequence"`
	Kind      string    `json:"kind" enum:"low_stock,out_of_stock,back_in_stock"`
	SKU       string    `json:"sku"`
	Available int64     `json:"available" doc:"Units available then"`
	Threshold int64     `json:"threshold" doc:"The item's low-stock threshold then; 0: none"`
	At        time.Time `json:"at"`
}

// EventsRequest asks for at most Limit events after a sequence number.
type EventsRequest struct {
	After int64 `json:"after"`
	Limit int   `json:"limit"`
}

// EventPage is a page of events.
type EventPage struct {
	Events []Event `json:"events"`
	More   bool    `json:"more"`
}
