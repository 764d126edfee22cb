// Package pricingmod is the door of the pricing module: it assembles the body, opens its store and serves its contract on a
// channel layer. Nothing else of the body can be reached from outside.
package pricingmod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/pricebook"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Deps are what the module needs; all are required. Prices are named by their SKUs, so NewID makes nothing yet: it is here
// because all doors have one shape.
type Deps struct {
	Layer channel.Layer
	Path  string // of the SQLite file
	Now   func() time.Time
	NewID id.Source
	Log   *slog.Logger
}

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Workers int // calls handled at once; 0: rpc.DefaultWorkers
	Cached  int // price sets kept in memory, about 200 bytes and 40 a price each; 0: pricebook.DefaultCached, 50,000
}

// Module is the pricing module of a process.
type Module struct {
	deps    Deps
	options Options
	store   *store.Store
	server  *rpc.Server
}

// New returns the module, or an error that names what is missing.
func New(d Deps, o Options) (*Module, error) {
	switch {
	case d.Layer == nil:
		return nil, errors.New("pricing needs a channel layer")
	case d.Path == "":
		return nil, errors.New("pricing needs the path of its store")
	case d.Now == nil:
		return nil, errors.New("pricing needs a clock")
	case d.NewID == nil:
		return nil, errors.New("pricing needs a source of ids")
	case d.Log == nil:
		return nil, errors.New("pricing needs a log")
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens and migrates the store, then serves the contract. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	if m.server != nil {
		return errors.New("pricing is started already")
	}
	s, err := store.Open(ctx, store.Options{Path: m.deps.Path, Migrations: migrations.SQLite(pricing.Module)})
	if err != nil {
		return fmt.Errorf("start pricing: %w", err)
	}
	server := rpc.NewServer(m.deps.Layer, pricing.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	pricing.Serve(server, pricebook.New(s, m.deps.Now, pricebook.Options{Cached: m.options.Cached}))
	if err := server.Start(ctx); err != nil {
		return errors.Join(fmt.Errorf("start pricing: %w", err), s.Close())
	}
	m.store, m.server = s, server
	return nil
}

// Stop finishes the calls that were taken, then closes the store. It may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	if m.server == nil {
		return nil
	}
	return errors.Join(m.server.Stop(ctx), m.store.Close())
}

// StoreStats returns the figures of the store; before Start they are zero.
func (m *Module) StoreStats() store.Stats {
	if m.store == nil {
		return store.Stats{}
	}
	return m.store.Stats()
}
