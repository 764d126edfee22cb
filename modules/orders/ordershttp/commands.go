package ordershttp

import (
	"context"
	"net/http"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/money"
	"cutpoint/platform/web"
)

// registerCommands lays the routes of what is done to orders that were placed.
func (f face) registerCommands(a *web.API) {
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/capture", ID: "capture-order", Tag: tag, Statuses: []int{http.StatusAccepted},
		Scopes: []string{auth.OrdersManage}, Summary: "Take the money of an order placed with manual capture",
		Description: "All that is left of it, or an `amount`. After a part the order waits for the next capture, unless this is the `final` one: then the " +
			"rest is free. Where the payment is not `multicapture`, a part must be final (409 `orders.one_capture`). Answers 202 while that is in progress.",
	}, f.capture)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/refunds", ID: "refund-order", Tag: tag, Status: http.StatusCreated,
		Statuses: []int{http.StatusAccepted}, Scopes: []string{auth.OrdersManage}, Summary: "Give back an amount of an order",
		Description: "An amount, or what was paid for some units (`lines`) and for the shipping, or without either all that is left. The stock stays sold, " +
			"but with `restock` for units that were not sent. Units that are refunded before they were sent will not be sent any more. Answers 202 while " +
			"that is in progress.",
		Example: refundBody{Amount: &money.Money{Amount: 500, Currency: "EUR"}, Reason: "scratched"},
	}, f.refund)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/orders/{id}/resolve", ID: "resolve-order", Tag: tag, Statuses: []int{http.StatusAccepted},
		Scopes: []string{auth.OrdersManage}, Summary: "Lead an order out of review",
		Description: "`retry` tries again what failed. `mark_paid` says that the money was received, with the reference that proves it. `seal` sees to it that " +
			"nothing is charged any more and cancels the order; what was charged after all is given back. `refund` gives back what was charged and " +
			"cancels the order. An exit that does not lead out of the order's state is answered 409.",
		Example: resolveBody{Action: orders.ResolveRetry},
	}, f.resolve)
}

type captureInput struct {
	ID string `path:"id" maxLength:"64"`
	web.Keyed
	Body *captureBody
}

type captureBody struct {
	Amount *money.Money `json:"amount,omitempty" doc:"Left out: all that is left"`
	Final  bool         `json:"final,omitempty" doc:"Nothing is captured after this; the rest is free"`
}

func (f face) capture(ctx context.Context, in *captureInput) (*orderOutput, error) {
	key, err := in.Key(ctx, "capture-order "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	req := orders.CaptureRequest{Key: key, ID: in.ID}
	if in.Body != nil {
		req.Amount, req.Final = in.Body.Amount, in.Body.Final
	}
	p, err := f.orders.Capture(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer(p, http.StatusOK)
}

type refundInput struct {
	ID string `path:"id" maxLength:"64"`
	web.Keyed
	Body refundBody
}

type refundBody struct {
	Amount   *money.Money          `json:"amount,omitempty" doc:"Left out, without lines and shipping too: all that is left of what was captured"`
	Lines    []orders.LineQuantity `json:"lines,omitempty" maxItems:"200" doc:"Their share of what was paid"`
	Shipping bool                  `json:"shipping,omitempty" doc:"What the shipping cost"`
	Restock  bool                  `json:"restock,omitempty" doc:"Put the units of the lines back, of which none may have been sent"`
	Reason   string                `json:"reason,omitempty" maxLength:"500"`
}

func (f face) refund(ctx context.Context, in *refundInput) (*orderOutput, error) {
	key, err := in.Key(ctx, "refund-order "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	p, err := f.orders.Refund(ctx, orders.RefundRequest{
		Key: key, ID: in.ID, Amount: in.Body.Amount, Lines: in.Body.Lines, Shipping: in.Body.Shipping, Restock: in.Body.Restock, Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return answer(p, http.StatusCreated)
}

type resolveInput struct {
	ID string `path:"id" maxLength:"64"`
	web.Keyed
	Body resolveBody
}

type resolveBody struct {
	Action    string `json:"action" enum:"retry,mark_paid,seal,refund"`
	Reference string `json:"reference,omitempty" maxLength:"255" doc:"Where the payment can be seen; required for mark_paid"`
	Reason    string `json:"reason,omitempty" maxLength:"500"`
}

func (f face) resolve(ctx context.Context, in *resolveInput) (*orderOutput, error) {
	key, err := in.Key(ctx, "resolve-order "+in.ID, in.Body)
	if err != nil {
		return nil, err
	}
	p, err := f.orders.Resolve(ctx, orders.ResolveRequest{
		Key: key, ID: in.ID, Action: in.Body.Action, Reference: in.Body.Reference, Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return answer(p, http.StatusOK)
}
