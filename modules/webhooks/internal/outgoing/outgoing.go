// Package outgoing is the body of the webhooks module: endpoints, the events that they want, and the deliveries in between.
//
//	orders' feed --Collect--> events, deliveries --Dispatch--> receivers
//
// Collect reads a page of the feed and stores, in one transaction, a delivery for each endpoint that wants an event, and how far
// it has come. Dispatch makes one attempt of one delivery: it is claimed, sent and recorded, the first and the last each a
// transaction. A crash between them leaves a claim that runs out, and the event is sent once more with the same id.
//
// Collect, Dispatch and Clean are steps without goroutines, so that a test can drive them one by one; Work (work.go) runs them
// side by side. Nothing here opens a connection: Post does, which package sender implements.
//
// endpoints.go and secrets.go keep the endpoints, settings.go says which settings are taken; collect.go, dispatch.go, record.go
// and clean.go are the life of a delivery, deliveries.go shows it.
package outgoing

import (
	"context"
	"io"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Feed is where events come from: orders.Service, as far as it is needed.
type Feed interface {
	Events(context.Context, orders.EventsRequest) (orders.EventPage, error)
}

// Request is what is posted to a receiver.
type Request struct {
	URL    string
	Header map[string]string
	Body   []byte
}

// Answer is what a receiver said to it.
type Answer struct {
	StatusCode int
	Body       []byte // the beginning of it
}

// Post sends a request. An error means that no answer came, whether or not the request arrived; its text is shown to the owner
// of the endpoint. It ends when the context does, follows no redirect, and is called by several goroutines at once.
type Post func(context.Context, Request) (Answer, error)

// Deps is what the body needs. All of it is required.
type Deps struct {
	Store   *store.Store
	Orders  Feed
	Post    Post
	Now     func() time.Time
	NewID   id.Source
	Random  func() float64 // uniform in [0, 1), for the jitter of retries; safe for concurrent use
	Secrets io.Reader      // of random bytes that nobody can guess; safe for concurrent use, and must not fail
	Log     *slog.Logger
}

// Outgoing implements webhooks.Service.
type Outgoing struct {
	Deps
	policy Policy
	wake   chan struct{} // a worker should look for something to send
}

var _ webhooks.Service = (*Outgoing)(nil)

// New returns the body over a store that has the migrations of webhooks. Its Work must run for events to be delivered.
func New(d Deps, p Policy) *Outgoing {
	return &Outgoing{Deps: d, policy: p.withDefaults(), wake: make(chan struct{}, 1)}
}

// clock returns the time as it will be read from the store again.
func (o *Outgoing) clock() time.Time { return store.Time(store.Micros(o.Now())) }

// write runs a command in a transaction and returns its answer once that is on the disk.
func write[T any](ctx context.Context, o *Outgoing, command func(tx *gorm.DB) (T, error)) (T, error) {
	var answer, none T
	err := o.Store.Write(ctx, func(tx *gorm.DB) (err error) {
		answer, err = command(tx)
		return err
	})
	if err != nil {
		return none, err
	}
	return answer, nil
}

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func limited(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}
