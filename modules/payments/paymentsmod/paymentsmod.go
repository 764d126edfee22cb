// Package paymentsmod is the door of the payments module: it puts the body behind the contract, on a channel layer, over a
// SQLite file of its own, with the provider that is chosen: Stripe, or the built-in test gateway, over another file.
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
	"cutpoint/modules/payments/internal/stripe"
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
	Layer            channel.Layer
	Datastore        string // see store.Options
	GatewayDatastore string // of the test gateway
	Now              func() time.Time
	NewID            id.Source
	Random           io.Reader // for the secret of the test gateway's webhooks
	Log              *slog.Logger

	// Deliver brings the test gateway's webhooks to where providers send theirs: header names are in lower case. nil: they wait.
	Deliver func(ctx context.Context, header map[string]string, body []byte) error
}

func (d Deps) check() error {
	var missing []string
	for name, there := range map[string]bool{
		"Layer": d.Layer != nil, "Datastore": d.Datastore != "", "GatewayDatastore": d.GatewayDatastore != "", "Now": d.Now != nil,
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

// The providers.
const (
	ProviderTestGateway = testgateway.Name // built in, moves no money
	ProviderStripe      = stripe.Name
)

// GatewayDatastore names the datastore of the test gateway.
const GatewayDatastore = testgateway.Migrations

// Stripe is how Stripe is reached.
type Stripe struct {
	SecretKey     string // never logged, as the other
	WebhookSecret string
	URL           string // "": Stripe's own
	ReturnURL     string // where customers come back from 3-D Secure; "": cards that want it are declined
}

// Policy is how patient the module is with its provider; the zero value takes the defaults.
type Policy = till.Policy

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Provider string // ProviderTestGateway, which "" means too, or ProviderStripe
	Stripe   Stripe
	Workers  int // calls handled at once; 0: rpc.DefaultWorkers
	Policy   Policy
	Still    bool             // do nothing but what is asked for: an audit looks at a shop that stands still
	Fail     failpoint.Points // for tests: around the module's commits and its requests to the provider
}

// Module is the payments module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu      sync.Mutex
	store   *store.Store         // nil until it is started
	gateway *testgateway.Gateway // nil if that is not the provider
	server  *rpc.Server
	quit    context.CancelFunc // ends the workers
	workers sync.WaitGroup
}

// New returns a module that has touched nothing yet. It fails if something of d is missing, or the provider is not known.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	m := &Module{deps: d, options: o}
	switch o.Provider {
	case "", ProviderTestGateway:
	case ProviderStripe:
		if _, err := m.stripe(); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("module %s knows no provider %q", payments.Module, o.Provider)
	}
	return m, nil
}

func (m *Module) stripe() (*stripe.Adapter, error) {
	o := m.options.Stripe
	return stripe.New(stripe.Options{
		SecretKey: o.SecretKey, WebhookSecret: o.WebhookSecret, URL: o.URL, ReturnURL: o.ReturnURL, Now: m.deps.Now, Log: m.deps.Log,
	})
}

// provider opens what was chosen, and the test gateway itself if it is that.
func (m *Module) provider(ctx context.Context) (till.Provider, *testgateway.Gateway, error) {
	if m.options.Provider == ProviderStripe {
		adapter, err := m.stripe()
		return adapter, nil, err
	}
	d := m.deps
	gateway, err := testgateway.Open(ctx, store.Options{Datastore: d.GatewayDatastore, Module: testgateway.Migrations, Migrations: migrations.Of(testgateway.Migrations)},
		testgateway.Deps{Now: d.Now, NewID: d.NewID, Random: d.Random, Log: d.Log, Deliver: d.Deliver})
	return gateway, gateway, err
}

// closeAll closes the stores.
func closeAll(s *store.Store, gateway *testgateway.Gateway) error {
	if gateway == nil {
		return s.Close()
	}
	return errors.Join(gateway.Close(), s.Close())
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
	s, err := store.Open(ctx, store.Options{Datastore: d.Datastore, Module: payments.Module, Migrations: migrations.Of(payments.Module), Fail: m.options.Fail})
	if err != nil {
		return err
	}
	provider, gateway, err := m.provider(ctx)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	body := till.New(till.Deps{Store: s, Provider: provider, Now: d.Now, NewID: d.NewID, Log: d.Log, Fail: m.options.Fail}, m.options.Policy)
	server := rpc.NewServer(d.Layer, payments.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: d.Log})
	payments.Serve(server, body)
	if gateway != nil {
		payments.ServeTestGateway(server, gateway)
	}
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, closeAll(s, gateway))
	}
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	if !m.options.Still {
		m.workers.Go(func() { body.Run(working) })
	}
	if !m.options.Still && gateway != nil {
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
	return errors.Join(err, closeAll(s, gateway))
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
