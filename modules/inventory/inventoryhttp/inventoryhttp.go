// Package inventoryhttp is the HTTP face of the inventory module: locations, items, what moves their stock (stockroom.go), what the
// ledger, reservations and events say, and the holds of carts. It speaks to the module through its contract, wherever that runs.
//
// Reserve, Finalise, Restock and Release have no route: only orders moves stock for an order.
package inventoryhttp

import (
	"context"
	"net/http"

	"cutpoint/modules/inventory"
	"cutpoint/platform/auth"
	"cutpoint/platform/fault"
	"cutpoint/platform/web"
)

const tag = "Inventory"

// Register lays the routes of the module.
func Register(a *web.API, s inventory.Service) {
	f := face{s}
	read, write := []string{auth.StockRead}, []string{auth.StockWrite}
	created, unchanged := []int{http.StatusCreated}, []int{http.StatusNotModified}
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/locations/{code}", ID: "put-location", Tag: tag, Scopes: write, Statuses: created,
		Summary: "Create a stock location, or replace its description",
	}, f.putLocation)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/locations", ID: "list-locations", Tag: tag, Scopes: read,
		Summary: "List the stock locations by code",
	}, f.locations)
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/items/{sku}", ID: "put-item", Tag: tag, Scopes: write, Statuses: created,
		Summary: "Create an item with nothing on hand, or replace its description",
		Description: "With `components` the item is a kit: it has no stock of its own, and whoever orders it gets its parts. A kit can't be part " +
			"of a kit, and an item that ever had stock can't become one. A change touches nobody who holds the kit already.",
	}, f.putItem)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/items/{sku}", ID: "get-item", Tag: tag, Scopes: read, Statuses: unchanged,
		Summary: "Show an item with its stock",
	}, f.item)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/items", ID: "list-items", Tag: tag, Scopes: read,
		Summary: "List the items by SKU, each with its stock",
	}, f.items)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/items/{sku}/adjustments", ID: "adjust-stock", Tag: tag, Scopes: write, Status: http.StatusCreated,
		Summary: "Change the units on hand at a location, by a difference or to a count",
	}, f.adjust)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/items/{sku}/movements", ID: "list-movements", Tag: tag, Scopes: read,
		Summary: "List the changes of an item's units on hand, newest first",
	}, f.movements)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/reservations", ID: "list-reservations", Tag: tag, Scopes: read,
		Summary: "List the stock that orders hold, or show what one order did to the stock",
	}, f.reservations)
	registerBatch(a, f)
	registerStockroom(a, f)
	registerHolds(a, f)
}

type face struct{ inventory inventory.Service }

// LocationPath names a location. It is exported because huma passes over the fields of an embedded type that is not.
type LocationPath struct {
	Code string `path:"code" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" doc:"Among locations of one priority, units are taken in the order of their codes" example:"BER"`
}

// ItemPath names an item. SKUs have the form of the locations' codes.
type ItemPath struct {
	SKU string `path:"sku" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" doc:"Stock keeping unit" example:"MUG-1"`
}

// LocationInput describes a location.
type LocationInput struct {
	Name     string `json:"name" minLength:"1" maxLength:"200" example:"Berlin warehouse"`
	Priority int64  `json:"priority,omitempty" minimum:"0" maximum:"1000000" doc:"Units are taken from locations of a lower priority first" example:"10"`
	Active   *bool  `json:"active,omitempty" default:"true" doc:"false: no order or cart is given units of it any more; what is held there stays held"`
}

type locationOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   inventory.Location
}

func (f face) putLocation(ctx context.Context, in *struct {
	LocationPath
	web.Matched
	Body LocationInput
}) (*locationOutput, error) {
	version, err := in.IfVersion()
	if err != nil {
		return nil, err
	}
	l, err := f.inventory.PutLocation(ctx, inventory.PutLocationRequest{
		Code: in.Code, Name: in.Body.Name, Priority: in.Body.Priority, Inactive: in.Body.Active != nil && !*in.Body.Active, IfVersion: version,
	})
	if err != nil {
		return nil, err
	}
	return &locationOutput{putStatus(l.Version), web.ETag(l.Version), l}, nil
}

// putStatus tells a created thing, which has its first version, from a replaced one.
func putStatus(version int64) int {
	if version == 1 {
		return http.StatusCreated
	}
	return http.StatusOK
}

type pageOutput[T any] struct{ Body web.Page[T] }

func (f face) locations(ctx context.Context, in *struct{ web.PageQuery }) (*pageOutput[inventory.Location], error) {
	const list = "locations"
	after, err := in.After(list)
	if err != nil {
		return nil, err
	}
	page, err := f.inventory.Locations(ctx, inventory.LocationsRequest{After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[inventory.Location]{web.NewPage(page.Locations, page.More,
		func(l inventory.Location) string { return l.Code }, list)}, nil
}

// ItemInput describes an item.
type ItemInput struct {
	Name              string           `json:"name" minLength:"1" maxLength:"200" example:"Mug"`
	Backorder         bool             `json:"backorder,omitempty" doc:"Sell it even when the shelves are empty"`
	BackorderLimit    int64            `json:"backorder_limit,omitempty" minimum:"0" maximum:"1000000000" doc:"Units that may be promised at a time; 0: any number"`
	LowStockThreshold int64            `json:"low_stock_threshold,omitempty" minimum:"0" maximum:"1000000000" doc:"Tell when no more than this is available; 0: never"`
	Components        []ComponentInput `json:"components,omitempty" maxItems:"50" nullable:"false" doc:"Of a kit: what it is made of"`
}

// ComponentInput is a part of a kit.
type ComponentInput struct {
	SKU      string `json:"sku" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"MUG-1"`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1000" doc:"Units of it in one kit" example:"2"`
}

// components are what the contract calls them.
func (i ItemInput) components() []inventory.Component {
	list := make([]inventory.Component, len(i.Components))
	for n, c := range i.Components {
		list[n] = inventory.Component(c)
	}
	return list
}

type itemOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   inventory.Item
}

// itemTag names what is shown of an item: a writer is held to the description, a cache to the stock as well.
func itemTag(i inventory.Item) string { return web.ETag(i.Version, i.StockVersion) }

func (f face) putItem(ctx context.Context, in *struct {
	ItemPath
	web.Matched
	Body ItemInput
}) (*itemOutput, error) {
	version, err := in.IfVersion()
	if err != nil {
		return nil, err
	}
	i, err := f.inventory.PutItem(ctx, inventory.PutItemRequest{
		SKU: in.SKU, Name: in.Body.Name, Backorder: in.Body.Backorder, BackorderLimit: in.Body.BackorderLimit,
		LowStockThreshold: in.Body.LowStockThreshold, Components: in.Body.components(), IfVersion: version,
	})
	if err != nil {
		return nil, err
	}
	return &itemOutput{putStatus(i.Version), itemTag(i), i}, nil
}

func (f face) item(ctx context.Context, in *struct {
	ItemPath
	web.Conditional
}) (*itemOutput, error) {
	i, err := f.inventory.Item(ctx, inventory.ItemRequest{SKU: in.SKU})
	if err != nil {
		return nil, err
	}
	out := &itemOutput{http.StatusOK, itemTag(i), i}
	if in.Unchanged(out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

func (f face) items(ctx context.Context, in *struct{ web.PageQuery }) (*pageOutput[inventory.Item], error) {
	const list = "items"
	after, err := in.After(list)
	if err != nil {
		return nil, err
	}
	page, err := f.inventory.Items(ctx, inventory.ItemsRequest{After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[inventory.Item]{web.NewPage(page.Items, page.More, func(i inventory.Item) string { return i.SKU }, list)}, nil
}

// AdjustmentInput changes the units on hand, by a difference or to a count.
type AdjustmentInput struct {
	Location string `json:"location" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"BER"`
	Delta    *int64 `json:"delta,omitempty" minimum:"-1000000000" maximum:"1000000000" doc:"Units to add, or, negative, to take" example:"12"`
	Set      *int64 `json:"set,omitempty" minimum:"0" maximum:"1000000000" doc:"Units that were counted; instead of delta"`
	Kind     string `json:"kind,omitempty" enum:"adjusted,received" doc:"Why, with delta: adjusted, which is meant without it, or received"`
	IfOnHand *int64 `json:"if_on_hand,omitempty" minimum:"0" maximum:"1000000000" doc:"Units on hand that you saw; refused if they have changed since"`
	Reason   string `json:"reason" minLength:"1" maxLength:"200" example:"delivery 4711"`
}

// quantity returns the one of Delta and Set that is there, and whether it is a count.
func (a AdjustmentInput) quantity() (units int64, absolute bool, err error) {
	switch {
	case a.Delta != nil && a.Set != nil:
		return 0, false, fault.ErrInvalid.At("/set", fault.ErrInvalid.Code, "give either delta or set, not both")
	case a.Set != nil:
		return *a.Set, true, nil
	case a.Delta != nil:
		return *a.Delta, false, nil
	default:
		return 0, false, fault.ErrInvalid.At("/delta", "required", "give either delta or set")
	}
}

// Adjusted is what an adjustment did.
type Adjusted struct {
	Movement inventory.Movement `json:"movement"`
	Level    inventory.Level    `json:"level" doc:"The level after it"`
}

type adjustedOutput struct {
	web.ReplayHeader
	Body Adjusted
}

func (f face) adjust(ctx context.Context, in *struct {
	ItemPath
	web.Keyed
	Body AdjustmentInput
}) (*adjustedOutput, error) {
	key, err := in.Key(ctx, "POST /v1/items/"+in.SKU+"/adjustments", in.Body)
	if err != nil {
		return nil, err
	}
	quantity, absolute, err := in.Body.quantity()
	if err != nil {
		return nil, err
	}
	a, err := f.inventory.Adjust(ctx, inventory.AdjustRequest{
		Key: key, SKU: in.SKU, Location: in.Body.Location, Absolute: absolute, Quantity: quantity, Kind: in.Body.Kind,
		IfOnHand: in.Body.IfOnHand, Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return &adjustedOutput{web.ReplayedIf(a.Replayed), Adjusted{a.Movement, a.Level}}, nil
}

func (f face) movements(ctx context.Context, in *struct {
	ItemPath
	web.PageQuery
}) (*pageOutput[inventory.Movement], error) {
	const list = "movements"
	before, err := in.After(list, in.SKU)
	if err != nil {
		return nil, err
	}
	page, err := f.inventory.Movements(ctx, inventory.MovementsRequest{SKU: in.SKU, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[inventory.Movement]{web.NewPage(page.Movements, page.More,
		func(m inventory.Movement) string { return m.ID }, list, in.SKU)}, nil
}

func (f face) reservations(ctx context.Context, in *struct {
	web.PageQuery
	Order string `query:"order" maxLength:"128" doc:"Show what this order did to the stock; without it, the live holds are listed"`
}) (*pageOutput[inventory.Reservation], error) {
	const list = "reservations"
	after, err := in.After(list, in.Order)
	if err != nil {
		return nil, err
	}
	request := inventory.ReservationsRequest{After: after, Limit: in.Limit}
	if in.Order != "" {
		request.OrderIDs = []string{in.Order}
	}
	page, err := f.inventory.Reservations(ctx, request)
	if err != nil {
		return nil, err
	}
	return &pageOutput[inventory.Reservation]{web.NewPage(page.Reservations, page.More,
		func(r inventory.Reservation) string { return r.OrderID }, list, in.Order)}, nil
}
