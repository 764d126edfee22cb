// Package webhooks is the contract of the webhooks module: it tells endpoints of other companies what happened to orders, by
// Standard Webhooks 1.0 (https://www.standardwebhooks.com).
//
// Webhooks is the source of truth for endpoints and deliveries, and a stranger to orders: it reads the feed of events through
// orders' contract and remembers in its own store how far it has come. Whatever a receiver does costs the shop nothing but rows here.
//
// An event reaches an endpoint at least once. It comes twice only where we died between sending it and writing down that we had,
// or where somebody asked for it; every attempt carries the event's id as webhook-id, by which the receiver knows it again. The
// events of one order come in their sequence: the next is not sent before the one before it was delivered or given up. Events
// of different orders overtake each other.
//
// When the feed tells that the personal data of an order were erased (orders.erased), they are erased from what is kept of it here, sent
// or not: see docs/orders.md.
//
// What is tried again, when, and for how long is the policy of package webhooksmod.
package webhooks

import (
	"context"
	"time"

	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
)

// Faults of this contract.
var (
	ErrEndpointNotFound = fault.New(fault.NotFound, "webhooks.endpoint_not_found", "there is no such webhook endpoint")
	ErrDeliveryNotFound = fault.New(fault.NotFound, "webhooks.delivery_not_found", "there is no such delivery; deliveries that ended are kept for a while only")
	ErrTooManyEndpoints = fault.New(fault.Conflict, "webhooks.too_many_endpoints", "there are as many webhook endpoints as there may be; delete one first")
	ErrTooManySecrets   = fault.New(fault.Conflict, "webhooks.too_many_secrets", "too many earlier secrets of this endpoint are still valid; rotate again when one has expired")
	ErrEndpointDisabled = fault.New(fault.Conflict, "webhooks.endpoint_disabled", "this endpoint is disabled; enable it first")
)

// Bounds of the module.
const (
	MaxEndpoints   = 100
	MaxURL         = 2048 // bytes
	MaxEventTypes  = 50   // in a filter
	MaxDescription = 500  // characters
	MaxSecrets     = 5    // of one endpoint that are valid at once
	MaxAttempts    = 20   // that the log of a delivery keeps, the latest ones
	MaxAnswer      = 500  // bytes of a receiver's answer that the log keeps
)

// Service is what webhooks promises. All methods are safe for concurrent use. Besides the errors listed, each may return
// fault.ErrInvalid and the errors of the channel layer.
type Service interface {
	// CreateEndpoint adds an endpoint, and tells its secret: nobody is told again. It gets the events that are collected from now
	// on. A repeat with the same key answers with the endpoint and its latest secret, marked as replayed. Errors:
	// ErrTooManyEndpoints, idempotency.ErrReused; ErrEndpointNotFound for a repeat after the endpoint was deleted.
	CreateEndpoint(context.Context, CreateEndpointRequest) (EndpointSecret, error)

	// Endpoint returns one endpoint. Errors: ErrEndpointNotFound.
	Endpoint(context.Context, EndpointRequest) (Endpoint, error)

	// Endpoints lists endpoints, oldest first.
	Endpoints(context.Context, EndpointsRequest) (EndpointPage, error)

	// PutEndpoint replaces the settings of an endpoint. One that is disabled is sent nothing and nothing is kept for it; what it
	// had not got before waits, and goes out when it is enabled. Errors: ErrEndpointNotFound, revision.ErrRequired,
	// revision.ErrStale.
	PutEndpoint(context.Context, PutEndpointRequest) (Endpoint, error)

	// DeleteEndpoint forgets an endpoint with its deliveries. What is on its way may still arrive. Errors: ErrEndpointNotFound.
	DeleteEndpoint(context.Context, EndpointRequest) (Deleted, error)

	// RotateSecret gives an endpoint a new secret and tells it. The ones before stay valid for the overlap, a day: deliveries carry
	// a signature with each of them meanwhile. Errors: ErrEndpointNotFound, ErrTooManySecrets.
	RotateSecret(context.Context, EndpointRequest) (EndpointSecret, error)

	// Deliveries lists what an endpoint was sent or is to be sent, newest first. Errors: ErrEndpointNotFound.
	Deliveries(context.Context, DeliveriesRequest) (DeliveryPage, error)

	// Delivery returns one delivery. Errors: ErrDeliveryNotFound.
	Delivery(context.Context, DeliveryRequest) (Delivery, error)

	// Redeliver sends an event to its endpoint again, with as many attempts as the first time; one that is waiting is tried at
	// once. It goes ahead of later events of the same order that were not delivered yet. Errors: ErrDeliveryNotFound,
	// ErrEndpointDisabled.
	Redeliver(context.Context, DeliveryRequest) (Delivery, error)
}

// Settings are what is chosen about an endpoint.
type Settings struct {
	URL         string   `json:"url" format:"uri" minLength:"1" maxLength:"2048" doc:"https, of a public address" example:"https://example.com/cutpoint"`
	EventTypes  []string `json:"event_types,omitempty" maxItems:"50" doc:"Send these alone; empty: all of them" example:"[\"orders.completed\"]"`
	Description string   `json:"description,omitempty" maxLength:"500"`
	Disabled    bool     `json:"disabled,omitempty" doc:"Send nothing, and keep nothing for later"`
}

// CreateEndpointRequest asks for an endpoint.
type CreateEndpointRequest struct {
	Key      idempotency.Key `json:"key"` // zero: a repeat makes another one
	Settings Settings        `json:"settings"`
}

// PutEndpointRequest replaces the settings of the endpoint whose version the writer has read.
type PutEndpointRequest struct {
	ID        string   `json:"id"`
	IfVersion int64    `json:"if_version"` // see package revision
	Settings  Settings `json:"settings"`
}

// EndpointRequest names an endpoint.
type EndpointRequest struct {
	ID string `json:"id"`
}

// Deleted says that it is done.
type Deleted struct{}

// Endpoint is an address that is told of events.
type Endpoint struct {
	ID             string     `json:"id"` // "whe_..."
	URL            string     `json:"url"`
	EventTypes     []string   `json:"event_types" doc:"Empty: all of them"`
	Description    string     `json:"description"`
	Enabled        bool       `json:"enabled"`
	DisabledReason string     `json:"disabled_reason" doc:"Why it is not enabled"`
	FailingSince   *time.Time `json:"failing_since" doc:"The first failure since the last success; null: all is well"`
	Version        int64      `json:"version"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

// EndpointSecret is an endpoint with the secret that its deliveries are signed with.
type EndpointSecret struct {
	Endpoint Endpoint `json:"endpoint"`
	Secret   string   `json:"secret"` // "whsec_..."
	Replayed bool     `json:"replayed"`
}

// EndpointsRequest asks for at most Limit endpoints after the one named.
type EndpointsRequest struct {
	After string `json:"after"`
	Limit int    `json:"limit"`
}

// EndpointPage is a page of endpoints.
type EndpointPage struct {
	Endpoints []Endpoint `json:"endpoints"`
	More      bool       `json:"more"`
}

// The states of a delivery.
//
//	pending --> delivered --> pending (Redeliver)
//	      \---> failed -----> pending (Redeliver)
const (
	StatePending   = "pending"   // it was not sent yet, or is to be sent again
	StateDelivered = "delivered" // the receiver answered 2xx
	StateFailed    = "failed"    // given up, after the last attempt or for 410 Gone
)

// Delivery is an event on its way to an endpoint.
type Delivery struct {
	ID            string     `json:"id"` // "whd_..."
	EndpointID    string     `json:"endpoint_id"`
	EventID       string     `json:"event_id" doc:"Sent as webhook-id"`
	Type          string     `json:"type" example:"orders.completed"`
	OrderID       string     `json:"order_id"`
	Sequence      int64      `json:"sequence" doc:"Of this order's events"`
	CorrelationID string     `json:"correlation_id"`
	State         string     `json:"state" enum:"pending,delivered,failed"`
	AttemptCount  int64      `json:"attempt_count" doc:"All of them, also those that the log does not hold"`
	Attempts      []Attempt  `json:"attempts" doc:"The latest 20, oldest first"`
	NextAttempt   *time.Time `json:"next_attempt" doc:"null: it has ended, is under way, or waits for an earlier event of the same order"`
	CreatedAt     time.Time  `json:"created_at"`
	EndedAt       *time.Time `json:"ended_at"`
}

// Attempt is one request to an endpoint. One that we died in is counted, and not written down.
type Attempt struct {
	At         time.Time `json:"at"`
	DurationMS int64     `json:"duration_ms" doc:"Milliseconds"`
	StatusCode int       `json:"status_code" doc:"Of the answer; 0: there was none"`
	Error      string    `json:"error" doc:"Why it failed; empty: it did not"`
	Answer     string    `json:"answer" doc:"The first 500 bytes of it"`
}

// DeliveriesRequest asks for at most Limit deliveries of an endpoint that are older than the one named.
type DeliveriesRequest struct {
	EndpointID string `json:"endpoint_id"`
	State      string `json:"state"` // "": all
	Before     string `json:"before"`
	Limit      int    `json:"limit"`
}

// DeliveryPage is a page of deliveries. It may be shorter than its limit, so that it fits into a message.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	More       bool       `json:"more"`
}

// DeliveryRequest names a delivery.
type DeliveryRequest struct {
	ID string `json:"id"`
}
