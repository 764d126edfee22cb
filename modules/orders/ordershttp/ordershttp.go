// Package ordershttp is the HTTP face of the orders module: routes over its contract, wherever that is served from.
package ordershttp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/fault"
	"cutpoint/platform/web"
)

const tag = "Orders"

// Register lays the routes of orders.
func Register(a *web.API, s orders.Service) {
	f := face{s}
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders", ID: "place-order", Tag: tag, Status: http.StatusCreated, Statuses: []int{http.StatusAccepted},
		Scopes: []string{auth.OrdersPlace}, Summary: "Place an order",
		Description: "Answers 201 when the order is complete, and 202 with Retry-After while it is in progress, or at once with `Prefer: respond-async`. " +
			"An order that was rejected, declined or cancelled meanwhile is answered with the problem and its `order_id`.",
		Example: orders.Draft{
			Basket: mugs(), Customer: orders.Customer{Email: "ada@example.com"}, Payment: orders.Instrument{Token: "pm_card_visa"},
		},
	}, f.place)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/quotes", ID: "quote", Tag: tag, Scopes: []string{auth.OrdersPlace},
		Summary: "Price an order without placing it", Description: "Nothing is held. Until `valid_until`, an order that names the `quote` and asks for the same gets its figures. The body is that of an " +
			"order, of which customer and payment may be left out; of the customer only the `group` counts.",
		Example: mugs(),
	}, f.quote)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders", ID: "list-orders", Tag: tag, Scopes: readers(), Summary: "List orders, newest first",
	}, f.list)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/{id}", ID: "get-order", Tag: tag, Statuses: []int{http.StatusNotModified},
		Scopes: readers(), Summary: "Read an order",
	}, f.get)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/{id}/timeline", ID: "get-timeline", Tag: tag, Scopes: readers(),
		Summary: "Read the steps that an order took",
	}, f.timeline)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/cancel", ID: "cancel-order", Tag: tag, Statuses: []int{http.StatusAccepted},
		Scopes: []string{auth.OrdersManage}, Summary: "Cancel an order",
		Description: "Gives money back, then stock. Answers 202 while that is in progress. An order of which something was sent can't be cancelled.",
	}, f.cancel)
	f.registerCommands(a)
	f.registerExport(a)
	f.registerAftersales(a)
	f.registerErasures(a)
	f.registerOperators(a)
}

// mugs is what the examples order.
func mugs() orders.Basket {
	return orders.Basket{Currency: "EUR", Lines: []orders.Line{{SKU: "MUG-1", Quantity: 2}}}
}

// readers are the scopes that may read orders: all of them, or with orders:place alone those that the key placed.
func readers() []string { return []string{auth.OrdersRead, auth.OrdersPlace} }

// placedBy is the key to whose orders a reader is held, "" if to none.
func placedBy(ctx context.Context) string {
	if p := auth.PrincipalOf(ctx); !p.May(auth.OrdersRead) {
		return p.KeyID
	}
	return ""
}

type face struct{ orders orders.Service }

type placeInput struct {
	web.Keyed
	Prefer string `header:"Prefer" doc:"respond-async: answer as soon as the order is stored (RFC 7240)"`
	Body   orders.Draft
}

// orderOutput is an order that somebody may have to come back for.
type orderOutput struct {
	Status     int
	Location   string `header:"Location"`
	RetryAfter string `header:"Retry-After"`
	ETag       string `header:"ETag"`
	web.ReplayHeader
	Body orders.Order
}

func (f face) place(ctx context.Context, in *placeInput) (*orderOutput, error) {
	key, err := in.Key(ctx, "place-order", in.Body)
	if err != nil {
		return nil, err
	}
	p, err := f.orders.Place(ctx, orders.PlaceRequest{Key: key, Draft: in.Body, Wait: !strings.Contains(in.Prefer, "respond-async")})
	if err != nil {
		return nil, err
	}
	if p.Order.Status == orders.StatusCancelled {
		return nil, refusal(p, cancellation(p.Order))
	}
	return answer(p, http.StatusCreated)
}

// answer shows a placement: with the status for one that is done, as in progress, or as the problem for which it failed.
func answer(p orders.Placement, done int) (*orderOutput, error) {
	o := p.Order
	if err := problem(o); err != nil {
		return nil, refusal(p, err)
	}
	out := &orderOutput{Status: done, ETag: web.ETag(o.Version), ReplayHeader: web.ReplayedIf(p.Replayed), Body: o}
	switch o.Status {
	case orders.StatusProcessing, orders.StatusRequiresAction, orders.StatusReview:
		out.Status, out.RetryAfter = http.StatusAccepted, "1"
	}
	if out.Status != http.StatusOK {
		out.Location = "/v1/orders/" + o.ID
	}
	return out, nil
}

// refusal is the error of a placement, marked where it is not the first answer to its key.
func refusal(p orders.Placement, err error) error {
	if p.Replayed {
		return web.Replayed(err)
	}
	return err
}

// cancellation is the error for who placed an order that was cancelled before it was complete: it was not paid in time, or somebody
// wanted it so. Who cancels it has what was asked for.
func cancellation(o orders.Order) error {
	if o.Failure == nil {
		return orders.ErrCancelled.About(o.ID)
	}
	return fault.New(fault.Declined, o.Failure.Code, o.Failure.Message).About(o.ID)
}

// problem is the error that an order which failed is answered with.
func problem(o orders.Order) error {
	if o.Failure == nil {
		return nil
	}
	switch o.Status {
	case orders.StatusRejected:
		return fault.New(fault.Conflict, o.Failure.Code, o.Failure.Message).About(o.ID)
	case orders.StatusDeclined:
		return fault.New(fault.Declined, o.Failure.Code, o.Failure.Message).About(o.ID)
	}
	return nil
}

type quoteInput struct{ Body quoteBody }

// quoteBody takes the body of an order as it is; who pays how does not change the price.
type quoteBody struct {
	orders.Basket
	Customer *quoteCustomer     `json:"customer,omitempty" doc:"Only the group changes the price"`
	Payment  *orders.Instrument `json:"payment,omitempty" doc:"Not needed for a quote"`
}

// quoteCustomer is a customer who need not have a name yet.
type quoteCustomer struct {
	Email string `json:"email,omitempty" maxLength:"254"`
	ID    string `json:"id,omitempty" maxLength:"64"`
	Group string `json:"group,omitempty" maxLength:"64" doc:"Whose price lists and promotions apply besides everybody's" example:"trade"`
}

type quoteOutput struct{ Body orders.Quote }

func (f face) quote(ctx context.Context, in *quoteInput) (*quoteOutput, error) {
	req := orders.QuoteRequest{Basket: in.Body.Basket}
	if in.Body.Customer != nil {
		req.CustomerGroup = in.Body.Customer.Group
	}
	q, err := f.orders.Quote(ctx, req)
	return &quoteOutput{q}, err
}

type getInput struct {
	ID string `path:"id" maxLength:"64"`
	web.Conditional
}

type getOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   orders.Order
}

func (f face) get(ctx context.Context, in *getInput) (*getOutput, error) {
	o, err := f.orders.Order(ctx, orders.OrderRequest{ID: in.ID, PlacedBy: placedBy(ctx)})
	if err != nil {
		return nil, err
	}
	out := &getOutput{Status: http.StatusOK, ETag: web.ETag(o.Version), Body: o}
	if in.Unchanged(out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

type listInput struct {
	web.PageQuery
	Filters
}

// Filters are what orders are found by.
type Filters struct {
	Status      string    `query:"status" enum:"processing,requires_action,completed,rejected,declined,cancelled,review"`
	State       string    `query:"state" maxLength:"32" doc:"The step of the checkout" example:"awaiting_capture"`
	Fulfilment  string    `query:"fulfilment_status" enum:"unfulfilled,partially_fulfilled,fulfilled" doc:"Of completed orders"`
	Customer    string    `query:"customer" maxLength:"254" doc:"Email address or customer id"`
	SKU         string    `query:"sku" maxLength:"64"`
	Coupon      string    `query:"coupon" maxLength:"64"`
	Metadata    string    `query:"metadata" maxLength:"565" doc:"key=value"`
	Query       string    `query:"q" maxLength:"254" doc:"Words: the beginning of an id, an email address or what stands before its @, words of a name"`
	CreatedFrom time.Time `query:"created_from" doc:"From this time on"`
	CreatedTo   time.Time `query:"created_to" doc:"Before this time"`
	Currency    string    `query:"currency" pattern:"^[A-Z]{3}$"`
	TotalMin    int64     `query:"total_min" minimum:"0" doc:"Minor units of the currency; give created_from too"`
	TotalMax    int64     `query:"total_max" minimum:"0" doc:"Minor units of the currency; give created_from too. 0: any"`
}

// request asks for the orders that the filters let through, of those that the reader may see.
func (f Filters) request(ctx context.Context) orders.OrdersRequest {
	return orders.OrdersRequest{
		Status: f.Status, State: f.State, FulfilmentStatus: f.Fulfilment, Customer: f.Customer, SKU: f.SKU, Coupon: f.Coupon, Metadata: f.Metadata,
		Query: f.Query, CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, Currency: f.Currency, TotalMin: f.TotalMin, TotalMax: f.TotalMax, PlacedBy: placedBy(ctx),
	}
}

type listOutput struct{ Body web.Page[orders.Order] }

func (f face) list(ctx context.Context, in *listInput) (*listOutput, error) {
	list := []any{"orders", in.Filters}
	before, err := in.After(list...)
	if err != nil {
		return nil, err
	}
	req := in.request(ctx)
	req.Before, req.Limit = before, in.Limit
	page, err := f.orders.Orders(ctx, req)
	if err != nil {
		return nil, err
	}
	return &listOutput{web.NewPage(page.Orders, page.More, func(o orders.Order) string { return o.ID }, list...)}, nil
}

type timelineOutput struct {
	Body web.Page[orders.TimelineEntry]
}

type timelineInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (f face) timeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	t, err := f.orders.Timeline(ctx, orders.OrderRequest{ID: in.ID, PlacedBy: placedBy(ctx)})
	if err != nil {
		return nil, err
	}
	return &timelineOutput{web.NewPage(t.Entries, false, nil)}, nil
}

type cancelInput struct {
	ID string `path:"id" maxLength:"64"`
	web.Keyed
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"500"`
	}
}

func (f face) cancel(ctx context.Context, in *cancelInput) (*orderOutput, error) {
	key, err := in.Key(ctx, "cancel-order "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	req := orders.CancelRequest{Key: key, ID: in.ID}
	if in.Body != nil {
		req.Reason = in.Body.Reason
	}
	p, err := f.orders.Cancel(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer(p, http.StatusOK)
}
