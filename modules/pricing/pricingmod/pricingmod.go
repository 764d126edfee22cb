// Package pricingmod is the door of the pricing module: it puts the body behind the contract, on a channel layer, over a SQLite
// file of its own.
package pricingmod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/pricebook"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Deps are what the module needs. All are required.
type Deps struct {
	Layer     channel.Layer
	Datastore string // see store.Options
	Now       func() time.Time
	NewID     id.Source
	Log       *slog.Logger
}

func (d Deps) check() error {
	var missing []string
	for _, dep := range []struct {
		name  string
		there bool
	}{{"Layer", d.Layer != nil}, {"Datastore", d.Datastore != ""}, {"Now", d.Now != nil}, {"NewID", d.NewID != nil}, {"Log", d.Log != nil}} {
		if !dep.there {
			missing = append(missing, dep.name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("module %s needs %s", pricing.Module, strings.Join(missing, ", "))
}

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Workers int // calls handled at once; 0: rpc.DefaultWorkers
	Cached  int // price sets, and coupons, kept in memory, about 200 bytes and 40 a price each; 0: 50,000. See pricebook.Options

	QuoteValidity time.Duration // how long a quote is honoured; 0: 15 minutes
	Alone         bool          // no other instance has this store: what was not put through this one is not looked for

	Fail failpoint.Points // for tests; see store.Options
}

// Module is the pricing module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu     sync.Mutex
	store  *store.Store // nil until it is started
	server *rpc.Server
}

// New returns a module that has touched nothing yet. It fails if something of d is missing.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens the store, brings its schema up to date, and serves the contract. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return fmt.Errorf("module %s is started already", pricing.Module)
	}
	s, err := store.Open(ctx, store.Options{
		Datastore: m.deps.Datastore, Module: pricing.Module, Migrations: migrations.Of(pricing.Module), Fail: m.options.Fail,
	})
	if err != nil {
		return err
	}
	server := rpc.NewServer(m.deps.Layer, pricing.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	pricing.Serve(server, pricebook.New(s, m.deps.Now, m.deps.NewID, pricebook.Options{
		Cached: m.options.Cached, QuoteValidity: m.options.QuoteValidity, Alone: m.options.Alone,
	}))
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	m.store, m.server = s, server
	return nil
}

// Stop finishes the calls that were taken, until ctx is done, and closes the store. It may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	m.mu.Lock()
	server, s := m.server, m.store
	m.mu.Unlock() // the figures stay readable while calls are finished
	if s == nil {
		return nil
	}
	return errors.Join(server.Stop(ctx), s.Close())
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
