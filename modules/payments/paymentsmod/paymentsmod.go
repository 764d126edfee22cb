// Package paymentsmod is the door of the payments module: it puts the body behind the contract, on a channel layer, over a
// SQLite file of its own, with the built-in test gateway as its provider, over another.
package paymentsmod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/testgateway"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Deps are what the module needs. All but Deliver are required.
type Deps struct {
	Layer       channel.Layer
	Path        string // of the SQLite file
	GatewayPath string // of the SQLite file of the test gateway
	Now         func() time.Time
	NewID       id.Source
	Random      io.Reader // for the secret of the test gateway's webhooks
	Log         *slog.Logger

	// Deliver brings the test gateway's webhooks to where providers send theirs: header names are in lower case. nil: they wait.
	Deliver func(ctx context.Context, header map[string]string, body []byte) error
}

func (d Deps) check() error {
	var missing []string
	for name, there := range map[string]bool{
		"Layer": d.Layer != nil, "Path": d.Path != "", "GatewayPath": d.GatewayPath != "", "Now": d.Now != nil,
		"NewID": d.NewID != nil, "Random": d.Random != nil, "Log": d.Log != nil,
	} {
		if !there {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("module %s needs %s", payments.Module, strings.Join(missing, ", "))
}

// ProviderTestGateway is the built-in provider, which moves no money.
const ProviderTestGateway = testgateway.Name

// Policy is how patient the module is with its provider; the zero value takes the defaults.
type Policy = till.Policy

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Provider string // ProviderTestGateway, which "" means too
	Workers  int    // calls handled at once; 0: rpc.DefaultWorkers
	Policy   Policy
	Still    bool             // do nothing but what is asked for: an audit looks at a shop that stands still
	Fail     failpoint.Points // for tests: around the module's commits and its requests to the provider
}

// Module is the payments module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu      sync.Mutex
	store   *store.Store // nil until it is started
	gateway *testgateway.Gateway
	server  *rpc.Server
	quit    context.CancelFunc // ends the workers
	workers sync.WaitGroup
}

// New returns a module that has touched nothing yet. It fails if something of d is missing, or the provider is not known.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if o.Provider != "" && o.Provider != ProviderTestGateway {
		return nil, fmt.Errorf("module %s knows no provider %q", payments.Module, o.Provider)
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens both stores, brings their schemas up to date, serves the contract, and begins to work off what the provider tells
// by itself. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return fmt.Errorf("module %s is started already", payments.Module)
	}
	d := m.deps
	s, err := store.Open(ctx, store.Options{Path: d.Path, Migrations: migrations.SQLite(payments.Module), Fail: m.options.Fail})
	if err != nil {
		return err
	}
	books := store.Options{Path: d.GatewayPath, Migrations: migrations.SQLite(testgateway.Migrations)}
	gateway, err := testgateway.Open(ctx, books, testgateway.Deps{Now: d.Now, NewID: d.NewID, Random: d.Random, Log: d.Log, Deliver: d.Deliver})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	body := till.New(till.Deps{Store: s, Provider: gateway, Now: d.Now, NewID: d.NewID, Log: d.Log, Fail: m.options.Fail}, m.options.Policy)
	server := rpc.NewServer(d.Layer, payments.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: d.Log})
	payments.Serve(server, body)
	payments.ServeTestGateway(server, gateway)
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, gateway.Close(), s.Close())
	}
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	if !m.options.Still {
		m.workers.Go(func() { body.Run(working) })
		m.workers.Go(func() { gateway.Run(working, max(m.options.Policy.Idle, time.Second)) })
	}
	m.store, m.gateway, m.server, m.quit = s, gateway, server, quit
	return nil
}

// Stop finishes the calls that were taken, until ctx is done, and closes the stores. It may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	m.mu.Lock()
	server, s, gateway, quit := m.server, m.store, m.gateway, m.quit
	m.mu.Unlock() // the figures stay readable while calls are finished
	if s == nil {
		return nil
	}
	quit()
	err := server.Stop(ctx)
	m.workers.Wait()
	return errors.Join(err, gateway.Close(), s.Close())
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
