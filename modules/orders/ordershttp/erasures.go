package ordershttp

import (
	"context"
	"net/http"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// registerErasures lays the routes by which a customer is forgotten.
func (f face) registerErasures(a *web.API) {
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/customers/erase", ID: "erase-customer", Tag: tag, Status: http.StatusAccepted,
		Scopes: []string{auth.OrdersManage}, Summary: "Erase the personal data of a customer",
		Description: "Email address, id, name, address, metadata, notes and tracking, in orders, their events and the stored answers of commands. The figures " +
			"stay. It goes on in the background; an order that is not at its end yet is erased when it is.",
		Example: eraseBody{Email: "ada@example.com"},
	}, f.erase)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/customers/erasures/{id}", ID: "get-erasure", Tag: tag,
		Scopes: []string{auth.OrdersManage}, Summary: "See how far an erasure is", Description: "It does not tell whose.",
	}, f.erasure)
}

type eraseBody struct {
	Email string `json:"email,omitempty" maxLength:"254" doc:"Whatever its case; or"`
	ID    string `json:"id,omitempty" maxLength:"64" doc:"the id by which the orders know the customer"`
}

type erasureOutput struct{ Body orders.Erasure }

func (f face) erase(ctx context.Context, in *struct {
	web.Repeatable
	Body eraseBody
}) (*erasureOutput, error) {
	key, err := in.Key(ctx, "erase-customer", in.Body)
	if err != nil {
		return nil, err
	}
	e, err := f.orders.Erase(ctx, orders.EraseRequest{
		Key: key, Email: in.Body.Email, CustomerID: in.Body.ID, Requester: auth.PrincipalOf(ctx).KeyID,
	})
	return &erasureOutput{e}, err
}

func (f face) erasure(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
}) (*erasureOutput, error) {
	e, err := f.orders.Erasure(ctx, orders.ErasureRequest{ID: in.ID})
	return &erasureOutput{e}, err
}
