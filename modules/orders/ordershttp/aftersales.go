package ordershttp

import (
	"context"
	"net/http"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// registerAftersales lays the routes of orders that are complete: they are sent, come back, and are talked about.
func (f face) registerAftersales(a *web.API) {
	manage := []string{auth.OrdersManage}
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/fulfilments", ID: "create-fulfilment", Tag: tag, Status: http.StatusCreated,
		Scopes: manage, Summary: "Send units of an order", Description: "Without lines, all that are left to send.",
		Example: fulfilmentBody{Lines: []orders.LineQuantity{{SKU: "MUG-1", Quantity: 1}}, Status: orders.FulfilmentShipped},
	}, f.createFulfilment)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/{id}/fulfilments", ID: "list-fulfilments", Tag: tag, Scopes: readers(),
		Summary: "List what was sent of an order",
	}, f.fulfilments)
	web.Handle(a, web.Route{
		Method: http.MethodPatch, Path: "/v1/orders/{id}/fulfilments/{fulfilment}", ID: "update-fulfilment", Tag: tag, Scopes: manage,
		Summary: "Say how far a fulfilment is", Description: "From `created` to `shipped` to `delivered`, or from `created` to `cancelled`. What is left out stays.",
		Example: fulfilmentChange{Status: orders.FulfilmentDelivered},
	}, f.updateFulfilment)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/returns", ID: "request-return", Tag: tag, Status: http.StatusCreated,
		Scopes: manage, Summary: "Announce units of an order that come back",
		Example: orders.ReturnTerms{Lines: []orders.LineQuantity{{SKU: "MUG-1", Quantity: 1}}, Reason: "wrong colour", Refund: true},
	}, f.requestReturn)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/{id}/returns", ID: "list-returns", Tag: tag, Scopes: readers(),
		Summary: "List what comes back of an order",
	}, f.returns)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/returns/{return}/receive", ID: "receive-return", Tag: tag, Statuses: []int{http.StatusAccepted},
		Scopes: manage, Summary: "Say that a return is here",
		Description: "Gives its money back and restocks it, as the return says. Answers with the order, 202 while that is in progress.",
	}, f.receiveReturn)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/returns/{return}/cancel", ID: "cancel-return", Tag: tag, Scopes: manage,
		Summary: "Say that a return won't come",
	}, f.cancelReturn)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/notes", ID: "add-note", Tag: tag, Status: http.StatusCreated, Scopes: manage,
		Summary: "Add a note to an order", Example: noteBody{Text: "asked for a gift wrapping"},
	}, f.addNote)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/{id}/notes", ID: "list-notes", Tag: tag, Scopes: manage, Summary: "List the notes of an order",
	}, f.notes)
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/orders/{id}/metadata", ID: "put-metadata", Tag: tag, Scopes: manage,
		Summary: "Replace the metadata of an order", Description: "Needs the ETag of the order in If-Match.", Example: map[string]string{"cart": "c1"},
	}, f.putMetadata)
}

type fulfilmentBody struct {
	Lines  []orders.LineQuantity `json:"lines,omitempty" maxItems:"200" doc:"Left out: all that are left to send"`
	Status string                `json:"status,omitempty" enum:"created,shipped" default:"created"`
	orders.Tracking
}

type fulfilmentOutput struct {
	web.ReplayHeader
	Body orders.Fulfilment
}

func (f face) createFulfilment(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.Repeatable
	Body fulfilmentBody
}) (*fulfilmentOutput, error) {
	key, err := in.Key(ctx, "create-fulfilment "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	a, err := f.orders.CreateFulfilment(ctx, orders.CreateFulfilmentRequest{
		Key: key, OrderID: in.ID, Lines: in.Body.Lines, Status: in.Body.Status, Tracking: in.Body.Tracking,
	})
	return &fulfilmentOutput{web.ReplayedIf(a.Replayed), a.Fulfilment}, err
}

type fulfilmentsOutput struct {
	Body web.Page[orders.Fulfilment]
}

func (f face) fulfilments(ctx context.Context, in *partsInput) (*fulfilmentsOutput, error) {
	list, err := f.orders.Fulfilments(ctx, in.request(ctx))
	return &fulfilmentsOutput{web.NewPage(list.Fulfilments, false, nil)}, err
}

// partsInput names the order whose parts are listed: all of them, since an order has few.
type partsInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (in *partsInput) request(ctx context.Context) orders.OrderRequest {
	return orders.OrderRequest{ID: in.ID, PlacedBy: placedBy(ctx)}
}

type fulfilmentChange struct {
	Status string `json:"status,omitempty" enum:"shipped,delivered,cancelled"`
	orders.Tracking
}

func (f face) updateFulfilment(ctx context.Context, in *struct {
	ID         string `path:"id" maxLength:"64"`
	Fulfilment string `path:"fulfilment" maxLength:"64"`
	Body       fulfilmentChange
}) (*struct{ Body orders.Fulfilment }, error) {
	done, err := f.orders.UpdateFulfilment(ctx, orders.UpdateFulfilmentRequest{
		OrderID: in.ID, ID: in.Fulfilment, Status: in.Body.Status, Tracking: in.Body.Tracking,
	})
	return &struct{ Body orders.Fulfilment }{done}, err
}

type returnOutput struct {
	web.ReplayHeader
	Body orders.Return
}

func (f face) requestReturn(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.Repeatable
	Body orders.ReturnTerms
}) (*returnOutput, error) {
	key, err := in.Key(ctx, "request-return "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	a, err := f.orders.RequestReturn(ctx, orders.RequestReturnRequest{Key: key, OrderID: in.ID, Terms: in.Body})
	return &returnOutput{web.ReplayedIf(a.Replayed), a.Return}, err
}

type returnsOutput struct{ Body web.Page[orders.Return] }

func (f face) returns(ctx context.Context, in *partsInput) (*returnsOutput, error) {
	list, err := f.orders.Returns(ctx, in.request(ctx))
	return &returnsOutput{web.NewPage(list.Returns, false, nil)}, err
}

func (f face) receiveReturn(ctx context.Context, in *struct {
	ID     string `path:"id" maxLength:"64"`
	Return string `path:"return" maxLength:"64"`
	web.Keyed
}) (*orderOutput, error) {
	key, err := in.Key(ctx, "receive-return "+in.ID+" "+in.Return, nil)
	if err != nil {
		return nil, err
	}
	p, err := f.orders.ReceiveReturn(ctx, orders.ReturnRequest{Key: key, OrderID: in.ID, ID: in.Return})
	if err != nil {
		return nil, err
	}
	return answer(p, http.StatusOK)
}

func (f face) cancelReturn(ctx context.Context, in *struct {
	ID     string `path:"id" maxLength:"64"`
	Return string `path:"return" maxLength:"64"`
}) (*returnOutput, error) {
	ret, err := f.orders.CancelReturn(ctx, orders.ReturnRequest{OrderID: in.ID, ID: in.Return})
	return &returnOutput{Body: ret}, err
}

type noteBody struct {
	Text string `json:"text" minLength:"1" maxLength:"4000"`
}

type noteOutput struct {
	web.ReplayHeader
	Body orders.Note
}

func (f face) addNote(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.Repeatable
	Body noteBody
}) (*noteOutput, error) {
	key, err := in.Key(ctx, "add-note "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	a, err := f.orders.AddNote(ctx, orders.AddNoteRequest{Key: key, OrderID: in.ID, Author: auth.PrincipalOf(ctx).KeyID, Text: in.Body.Text})
	return &noteOutput{web.ReplayedIf(a.Replayed), a.Note}, err
}

type notesOutput struct{ Body web.Page[orders.Note] }

func (f face) notes(ctx context.Context, in *partsInput) (*notesOutput, error) {
	list, err := f.orders.Notes(ctx, orders.OrderRequest{ID: in.ID})
	return &notesOutput{web.NewPage(list.Notes, false, nil)}, err
}

func (f face) putMetadata(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.Matched
	Body map[string]string
}) (*getOutput, error) {
	version, err := in.IfVersion()
	if err != nil {
		return nil, err
	}
	o, err := f.orders.PutMetadata(ctx, orders.PutMetadataRequest{OrderID: in.ID, Metadata: in.Body, IfVersion: version})
	if err != nil {
		return nil, err
	}
	return &getOutput{Status: http.StatusOK, ETag: web.ETag(o.Version), Body: o}, nil
}
