// Package webhookshttp is the HTTP face of the webhooks module: endpoints, their secrets and what they were sent. It sees the
// contract alone, so it runs beside the module or far away from it.
package webhookshttp

import (
	"context"
	"net/http"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

const tag = "Webhooks"

// Register lays the routes of the module.
func Register(a *web.API, s webhooks.Service) {
	f := face{s}
	manage, unchanged := []string{auth.WebhooksManage}, []int{http.StatusNotModified}
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/webhook-endpoints", ID: "create-webhook-endpoint", Tag: tag, Scopes: manage, Status: http.StatusCreated,
		Summary: "Have events of orders posted to a URL", Description: description,
		Example: webhooks.Settings{URL: "https://example.com/cutpoint", EventTypes: []string{"orders.completed"}},
	}, f.create)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/webhook-endpoints", ID: "list-webhook-endpoints", Tag: tag, Scopes: manage,
		Summary: "List the endpoints, oldest first",
	}, f.endpoints)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/webhook-endpoints/{id}", ID: "get-webhook-endpoint", Tag: tag, Scopes: manage, Statuses: unchanged,
		Summary: "Read an endpoint",
	}, f.endpoint)
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/webhook-endpoints/{id}", ID: "put-webhook-endpoint", Tag: tag, Scopes: manage,
		Summary: "Replace the settings of an endpoint, or enable it again",
	}, f.put)
	web.Handle(a, web.Route{
		Method: http.MethodDelete, Path: "/v1/webhook-endpoints/{id}", ID: "delete-webhook-endpoint", Tag: tag, Scopes: manage,
		Status: http.StatusNoContent, Summary: "Delete an endpoint with its deliveries",
	}, f.remove)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/webhook-endpoints/{id}/rotate-secret", ID: "rotate-webhook-secret", Tag: tag, Scopes: manage,
		Summary:     "Give an endpoint a new secret",
		Description: "The answer shows it, once. For 24 hours deliveries carry a signature with the old secret as well.",
	}, f.rotate)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/webhook-endpoints/{id}/deliveries", ID: "list-webhook-deliveries", Tag: tag, Scopes: manage,
		Summary: "List what an endpoint was sent or is to be sent, newest first",
	}, f.deliveries)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/webhook-deliveries/{id}", ID: "get-webhook-delivery", Tag: tag, Scopes: manage,
		Summary: "Read a delivery",
	}, f.delivery)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/webhook-deliveries/{id}/redeliver", ID: "redeliver-webhook", Tag: tag, Scopes: manage,
		Status: http.StatusAccepted, Summary: "Send an event to its endpoint again, or at once what waits for its next attempt",
	}, f.redeliver)
}

// description is what a receiver must know, as Markdown.
const description = "Events are posted as JSON by [Standard Webhooks 1.0](https://www.standardwebhooks.com): `webhook-id` is the event's id, the same in " +
	"every attempt; `webhook-signature` is made of it, of `webhook-timestamp` and of the body with the secret that this answer shows, once.\n\n" +
	"Answer 2xx within 15 seconds. Anything else is tried again for about three days; 410 disables the endpoint, and so do five days of " +
	"failures. An event may come twice. The events of one order come in their sequence."

type face struct{ webhooks webhooks.Service }

// EndpointPath names an endpoint. It is exported because huma passes over the fields of an embedded type that is not.
type EndpointPath struct {
	ID string `path:"id" maxLength:"64" example:"whe_06arlpbqe1ss30hf79mn3c5kvo"`
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	ID string `path:"id" maxLength:"64" example:"whd_06arlpbqe1ss30hf79mn3c5kvo"`
}

// EndpointWithSecret is shown once, to whoever made the secret.
type EndpointWithSecret struct {
	webhooks.Endpoint
	Secret string `json:"secret" doc:"Verify deliveries with it. It is not shown again" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

type secretOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	web.ReplayHeader
	Body EndpointWithSecret
}

func (f face) create(ctx context.Context, in *struct {
	web.Repeatable
	Body webhooks.Settings
}) (*secretOutput, error) {
	key, err := in.Key(ctx, "create-webhook-endpoint", in.Body)
	if err != nil {
		return nil, err
	}
	made, err := f.webhooks.CreateEndpoint(ctx, webhooks.CreateEndpointRequest{Key: key, Settings: in.Body})
	if err != nil {
		return nil, err
	}
	return &secretOutput{
		"/v1/webhook-endpoints/" + made.Endpoint.ID, etag(made.Endpoint), web.ReplayedIf(made.Replayed),
		EndpointWithSecret{made.Endpoint, made.Secret},
	}, nil
}

// etag names what is shown of an endpoint: a writer is held to its settings, a cache to whether it fails as well.
func etag(e webhooks.Endpoint) string {
	if e.FailingSince == nil {
		return web.ETag(e.Version)
	}
	return web.ETag(e.Version, e.FailingSince.UnixMicro())
}

type pageOutput[T any] struct{ Body web.Page[T] }

func (f face) endpoints(ctx context.Context, in *struct{ web.PageQuery }) (*pageOutput[webhooks.Endpoint], error) {
	const list = "webhook-endpoints"
	after, err := in.After(list)
	if err != nil {
		return nil, err
	}
	page, err := f.webhooks.Endpoints(ctx, webhooks.EndpointsRequest{After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[webhooks.Endpoint]{web.NewPage(page.Endpoints, page.More, func(e webhooks.Endpoint) string { return e.ID }, list)}, nil
}

type endpointOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   webhooks.Endpoint
}

func (f face) endpoint(ctx context.Context, in *struct {
	EndpointPath
	web.Conditional
}) (*endpointOutput, error) {
	e, err := f.webhooks.Endpoint(ctx, webhooks.EndpointRequest{ID: in.ID})
	if err != nil {
		return nil, err
	}
	out := &endpointOutput{http.StatusOK, etag(e), e}
	if in.Unchanged(out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

func (f face) put(ctx context.Context, in *struct {
	EndpointPath
	web.Matched
	Body webhooks.Settings
}) (*endpointOutput, error) {
	version, err := in.IfVersion()
	if err != nil {
		return nil, err
	}
	e, err := f.webhooks.PutEndpoint(ctx, webhooks.PutEndpointRequest{ID: in.ID, IfVersion: version, Settings: in.Body})
	if err != nil {
		return nil, err
	}
	return &endpointOutput{http.StatusOK, etag(e), e}, nil
}

func (f face) remove(ctx context.Context, in *EndpointPath) (*struct{}, error) {
	_, err := f.webhooks.DeleteEndpoint(ctx, webhooks.EndpointRequest{ID: in.ID})
	return nil, err
}

type rotatedOutput struct {
	ETag string `header:"ETag"`
	Body EndpointWithSecret
}

func (f face) rotate(ctx context.Context, in *EndpointPath) (*rotatedOutput, error) {
	r, err := f.webhooks.RotateSecret(ctx, webhooks.EndpointRequest{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return &rotatedOutput{etag(r.Endpoint), EndpointWithSecret{r.Endpoint, r.Secret}}, nil
}

func (f face) deliveries(ctx context.Context, in *struct {
	EndpointPath
	web.PageQuery
	State string `query:"state" enum:"pending,delivered,failed"`
}) (*pageOutput[webhooks.Delivery], error) {
	list := []any{"webhook-deliveries", in.ID, in.State}
	before, err := in.After(list...)
	if err != nil {
		return nil, err
	}
	page, err := f.webhooks.Deliveries(ctx, webhooks.DeliveriesRequest{EndpointID: in.ID, State: in.State, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[webhooks.Delivery]{web.NewPage(page.Deliveries, page.More, func(d webhooks.Delivery) string { return d.ID }, list...)}, nil
}

type deliveryOutput struct{ Body webhooks.Delivery }

func (f face) delivery(ctx context.Context, in *DeliveryPath) (*deliveryOutput, error) {
	d, err := f.webhooks.Delivery(ctx, webhooks.DeliveryRequest{ID: in.ID})
	return &deliveryOutput{d}, err
}

type redeliveryOutput struct {
	Location string `header:"Location"`
	Body     webhooks.Delivery
}

func (f face) redeliver(ctx context.Context, in *DeliveryPath) (*redeliveryOutput, error) {
	d, err := f.webhooks.Redeliver(ctx, webhooks.DeliveryRequest{ID: in.ID})
	return &redeliveryOutput{"/v1/webhook-deliveries/" + d.ID, d}, err
}
