// Package paymentsmod is the door of the payments module: it puts the body behind the contract, on a channel layer, over a
// SQLite file of its own, with the built-in test gateway as its provider, over another.
package paymentsmod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/testgateway"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Deps are what the module needs. All are required.
type Deps struct {
	Layer       channel.Layer
	Path        string // of the SQLite file
	GatewayPath string // of the SQLite file of the test gateway
	Now         func() time.Time
	NewID       id.Source
	Log         *slog.Logger
}

func (d Deps) check() error {
	var missing []string
	for _, dep := range []struct {
		name  string
		there bool
	}{
		{"Layer", d.Layer != nil}, {"Path", d.Path != ""}, {"GatewayPath", d.GatewayPath != ""},
		{"Now", d.Now != nil}, {"NewID", d.NewID != nil}, {"Log", d.Log != nil},
	} {
		if !dep.there {
			missing = append(missing, dep.name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("module %s needs %s", payments.Module, strings.Join(missing, ", "))
}

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Workers int // calls handled at once; 0: rpc.DefaultWorkers
}

// Module is the payments module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu      sync.Mutex
	store   *store.Store // nil until it is started
	gateway *store.Store
	server  *rpc.Server
}

// New returns a module that has touched nothing yet. It fails if something of d is missing.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens both stores, brings their schemas up to date, and serves the contract. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return fmt.Errorf("module %s is started already", payments.Module)
	}
	s, err := store.Open(ctx, store.Options{Path: m.deps.Path, Migrations: migrations.SQLite(payments.Module)})
	if err != nil {
		return err
	}
	g, err := store.Open(ctx, store.Options{Path: m.deps.GatewayPath, Migrations: migrations.SQLite(testgateway.Migrations)})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	gateway := testgateway.New(g, m.deps.Now, m.deps.NewID)
	server := rpc.NewServer(m.deps.Layer, payments.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	payments.Serve(server, till.New(s, gateway, m.deps.Now, m.deps.NewID))
	payments.ServeTestGateway(server, gateway)
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, g.Close(), s.Close())
	}
	m.store, m.gateway, m.server = s, g, server
	return nil
}

// Stop finishes the calls that were taken, until ctx is done, and closes the stores. It may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	m.mu.Lock()
	server, s, g := m.server, m.store, m.gateway
	m.mu.Unlock() // the figures stay readable while calls are finished
	if s == nil {
		return nil
	}
	return errors.Join(server.Stop(ctx), g.Close(), s.Close())
}

// StoreStats returns the figures of the module's own store, not of the gateway's; zero before Start.
func (m *Module) StoreStats() store.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store == nil {
		return store.Stats{}
	}
	return m.store.Stats()
}
