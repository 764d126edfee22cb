package webhooks

import (
	"context"

	"cutpoint/platform/rpc"
)

// Module is the name under which webhooks listens on the channel layer.
const Module = "webhooks"

var (
	createEndpoint = rpc.Define[CreateEndpointRequest, EndpointSecret](Module, "create_endpoint")
	endpoint       = rpc.Define[EndpointRequest, Endpoint](Module, "endpoint")
	endpoints      = rpc.Define[EndpointsRequest, EndpointPage](Module, "endpoints")
	putEndpoint    = rpc.Define[PutEndpointRequest, Endpoint](Module, "put_endpoint")
	deleteEndpoint = rpc.Define[EndpointRequest, Deleted](Module, "delete_endpoint")
	rotateSecret   = rpc.Define[EndpointRequest, EndpointSecret](Module, "rotate_secret")
	deliveries     = rpc.Define[DeliveriesRequest, DeliveryPage](Module, "deliveries")
	delivery       = rpc.Define[DeliveryRequest, Delivery](Module, "delivery")
	redeliver      = rpc.Define[DeliveryRequest, Delivery](Module, "redeliver")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, createEndpoint, body.CreateEndpoint)
	rpc.Handle(s, endpoint, body.Endpoint)
	rpc.Handle(s, endpoints, body.Endpoints)
	rpc.Handle(s, putEndpoint, body.PutEndpoint)
	rpc.Handle(s, deleteEndpoint, body.DeleteEndpoint)
	rpc.Handle(s, rotateSecret, body.RotateSecret)
	rpc.Handle(s, deliveries, body.Deliveries)
	rpc.Handle(s, delivery, body.Delivery)
	rpc.Handle(s, redeliver, body.Redeliver)
}

// Client is the contract spoken over a channel layer.
type Client struct{ caller *rpc.Caller }

var _ Service = Client{}

// NewClient returns the contract as the caller's module sees it.
func NewClient(c *rpc.Caller) Client { return Client{c} }

// CreateEndpoint implements Service.
func (c Client) CreateEndpoint(ctx context.Context, r CreateEndpointRequest) (EndpointSecret, error) {
	return createEndpoint.Call(ctx, c.caller, r)
}

// Endpoint implements Service.
func (c Client) Endpoint(ctx context.Context, r EndpointRequest) (Endpoint, error) {
	return endpoint.Call(ctx, c.caller, r)
}

// Endpoints implements Service.
func (c Client) Endpoints(ctx context.Context, r EndpointsRequest) (EndpointPage, error) {
	return endpoints.Call(ctx, c.caller, r)
}

// PutEndpoint implements Service.
func (c Client) PutEndpoint(ctx context.Context, r PutEndpointRequest) (Endpoint, error) {
	return putEndpoint.Call(ctx, c.caller, r)
}

// DeleteEndpoint implements Service.
func (c Client) DeleteEndpoint(ctx context.Context, r EndpointRequest) (Deleted, error) {
	return deleteEndpoint.Call(ctx, c.caller, r)
}

// RotateSecret implements Service.
func (c Client) RotateSecret(ctx context.Context, r EndpointRequest) (EndpointSecret, error) {
	return rotateSecret.Call(ctx, c.caller, r)
}

// Deliveries implements Service.
func (c Client) Deliveries(ctx context.Context, r DeliveriesRequest) (DeliveryPage, error) {
	return deliveries.Call(ctx, c.caller, r)
}

// Delivery implements Service.
func (c Client) Delivery(ctx context.Context, r DeliveryRequest) (Delivery, error) {
	return delivery.Call(ctx, c.caller, r)
}

// Redeliver implements Service.
func (c Client) Redeliver(ctx context.Context, r DeliveryRequest) (Delivery, error) {
	return redeliver.Call(ctx, c.caller, r)
}
