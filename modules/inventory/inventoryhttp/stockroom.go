package inventoryhttp

import (
	"context"
	"net/http"
	"strconv"

	"cutpoint/modules/inventory"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// registerStockroom lays the routes of those who move stock, and of those who watch it.
func registerStockroom(a *web.API, f face) {
	write := []string{auth.StockWrite}
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/items/{sku}/transfers", ID: "transfer-stock", Tag: tag, Scopes: write, Status: http.StatusCreated,
		Summary:     "Move available units from one location to another",
		Description: "Two movements are written, which add up to nothing and have their reference in common.",
	}, f.transfer)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/items/{sku}/allotments", ID: "allot-stock", Tag: tag, Scopes: write, Status: http.StatusCreated,
		Summary: "Give available units to the orders that wait for them, oldest first",
		Description: "At most 200 orders are served at a time. `backordered` is what is still promised to orders and carts. Units that arrive are " +
			"not allotted by themselves.",
	}, f.allot)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/stock-events", ID: "list-stock-events", Tag: tag, Scopes: []string{auth.StockRead},
		Summary: "Read the ordered feed of items that became low, ran out or came back",
		Description: "One event for each time that the available units of an item cross its threshold or zero. Keep `next_cursor` and send it as " +
			"`after` to go on, also when there is nothing more for now.",
	}, f.events)
}

// TransferInput moves units between two locations.
type TransferInput struct {
	From     string `json:"from" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"BER"`
	To       string `json:"to" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"PAR"`
	Quantity int64  `json:"quantity" minimum:"1" maximum:"1000000000" example:"5"`
	Reason   string `json:"reason" minLength:"1" maxLength:"200" example:"the shop in Paris runs out"`
}

// Transferred is what a transfer did.
type Transferred struct {
	Out  inventory.Movement `json:"out"`
	In   inventory.Movement `json:"in"`
	From inventory.Level    `json:"from" doc:"The level after it"`
	To   inventory.Level    `json:"to" doc:"The level after it"`
}

type transferredOutput struct {
	web.ReplayHeader
	Body Transferred
}

func (f face) transfer(ctx context.Context, in *struct {
	ItemPath
	web.Keyed
	Body TransferInput
}) (*transferredOutput, error) {
	key, err := in.Key(ctx, "POST /v1/items/"+in.SKU+"/transfers", in.Body)
	if err != nil {
		return nil, err
	}
	t, err := f.inventory.Transfer(ctx, inventory.TransferRequest{
		Key: key, SKU: in.SKU, From: in.Body.From, To: in.Body.To, Quantity: in.Body.Quantity, Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return &transferredOutput{web.ReplayedIf(t.Replayed), Transferred{t.Out, t.In, t.From, t.To}}, nil
}

// AllotmentInput gives units of a location to orders that wait.
type AllotmentInput struct {
	Location string `json:"location" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"BER"`
	Quantity int64  `json:"quantity,omitempty" minimum:"1" maximum:"1000000000" doc:"At most so many; without it, as many as are available"`
}

// Allotted is who got how many units.
type Allotted struct {
	SKU         string                `json:"sku"`
	Location    string                `json:"location"`
	Orders      []inventory.Allotment `json:"orders"`
	Backordered int64                 `json:"backordered" doc:"Units that are still promised"`
}

type allottedOutput struct {
	web.ReplayHeader
	Body Allotted
}

func (f face) allot(ctx context.Context, in *struct {
	ItemPath
	web.Keyed
	Body AllotmentInput
}) (*allottedOutput, error) {
	key, err := in.Key(ctx, "POST /v1/items/"+in.SKU+"/allotments", in.Body)
	if err != nil {
		return nil, err
	}
	a, err := f.inventory.Allot(ctx, inventory.AllotRequest{Key: key, SKU: in.SKU, Location: in.Body.Location, Quantity: in.Body.Quantity})
	if err != nil {
		return nil, err
	}
	return &allottedOutput{web.ReplayedIf(a.Replayed), Allotted{a.SKU, a.Location, a.Orders, a.Backordered}}, nil
}

type eventsInput struct {
	After int64 `query:"after" minimum:"0" default:"0" doc:"next_cursor of the page before"`
	Limit int   `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (f face) events(ctx context.Context, in *eventsInput) (*pageOutput[inventory.Event], error) {
	page, err := f.inventory.Events(ctx, inventory.EventsRequest{After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &pageOutput[inventory.Event]{web.NewPage(page.Events, false, nil)}
	last := in.After
	if n := len(page.Events); n > 0 {
		last = page.Events[n-1].Sequence
	}
	out.Body.NextCursor, out.Body.HasMore = strconv.FormatInt(last, 10), page.More
	return out, nil
}
