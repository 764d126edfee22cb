// Package webhooksmod is the door of the webhooks module: it puts the body behind the contract, on a channel layer, over a SQLite
// file of its own, and gives it a life.
package webhooksmod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/modules/webhooks/internal/sender"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Feed is where events come from: orders.Service, as far as it is needed.
type Feed = outgoing.Feed

// Policy is how patient deliveries are; the zero value takes the defaults.
type Policy = outgoing.Policy

// Post sends a request to a receiver. The real one is in package sender; tests play the network with their own.
type Post = outgoing.Post

// Request is what is posted to a receiver.
type Request = outgoing.Request

// Answer is what a receiver said to it.
type Answer = outgoing.Answer

// Deps are what the module needs. All are required.
type Deps struct {
	Layer     channel.Layer
	Datastore string // see store.Options
	Orders    Feed
	Now       func() time.Time
	NewID     id.Source
	Random    func() float64 // uniform in [0, 1), safe for concurrent use
	Secrets   io.Reader      // of random bytes that nobody can guess; safe for concurrent use
	Log       *slog.Logger
}

func (d Deps) check() error {
	var missing []string
	for _, dep := range []struct {
		name  string
		there bool
	}{
		{"Layer", d.Layer != nil}, {"Datastore", d.Datastore != ""}, {"Orders", d.Orders != nil}, {"Now", d.Now != nil}, {"NewID", d.NewID != nil},
		{"Random", d.Random != nil}, {"Secrets", d.Secrets != nil}, {"Log", d.Log != nil},
	} {
		if !dep.there {
			missing = append(missing, dep.name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("module %s needs %s", webhooks.Module, strings.Join(missing, ", "))
}

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Workers int // calls handled at once; 0: rpc.DefaultWorkers
	Policy  Policy

	// Post, for tests, is called instead of the network. Fail, for tests, is asked around the commits of the store.
	Post Post
	Fail failpoint.Points
}

// Module is the webhooks module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu      sync.Mutex
	store   *store.Store // nil until it is started
	server  *rpc.Server
	retired bool
	retire  chan struct{} // closed: begin nothing new
	cut     context.CancelFunc
	done    chan struct{}
}

// New returns a module that has touched nothing yet. It fails if something of d is missing.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens the store, brings its schema up to date, serves the contract, and delivers what is due. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return fmt.Errorf("module %s is started already", webhooks.Module)
	}
	s, err := store.Open(ctx, store.Options{Datastore: m.deps.Datastore, Module: webhooks.Module, Migrations: migrations.Of(webhooks.Module), Fail: m.options.Fail})
	if err != nil {
		return err
	}
	post, hangUp := m.options.Post, func() {}
	if post == nil {
		network := sender.New(sender.Options{AllowPrivate: m.options.Policy.AllowPrivate, AllowHTTP: m.options.Policy.AllowHTTP})
		post, hangUp = network.Post, network.Close
	}
	body := outgoing.New(outgoing.Deps{
		Store: s, Orders: m.deps.Orders, Post: post, Now: m.deps.Now, NewID: m.deps.NewID, Random: m.deps.Random,
		Secrets: m.deps.Secrets, Log: m.deps.Log,
	}, m.options.Policy)
	server := rpc.NewServer(m.deps.Layer, webhooks.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	webhooks.Serve(server, body)
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	working, cut := context.WithCancel(context.WithoutCancel(ctx))
	m.store, m.server, m.cut, m.retire, m.done = s, server, cut, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(m.done)
		defer hangUp()
		body.Work(working, m.retire)
	}()
	return nil
}

// Stop finishes the calls that were taken and the attempts under way, until ctx is done, and closes the store. An attempt that is
// cut off is made again after the next start. Stop may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	m.mu.Lock()
	server, s := m.server, m.store
	if s != nil && !m.retired {
		m.retired = true
		close(m.retire)
	}
	m.mu.Unlock() // the figures stay readable while calls are finished
	if s == nil {
		return nil
	}
	err := server.Stop(ctx)
	select {
	case <-m.done:
	case <-ctx.Done():
	}
	m.cut()
	<-m.done
	return errors.Join(err, s.Close())
}

// StoreStats returns the figures of the store, zero before Start.
func (m *Module) StoreStats() store.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store == nil {
		return store.Stats{}
	}
	return m.store.Stats()
}
