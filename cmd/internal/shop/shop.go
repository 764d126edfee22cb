// Package shop is the composition root: the one place that knows every module. It reads from top to bottom: what a shop is made
// of, in which order it comes to life, and how it ends.
//
// Modules are handed clients of each other, never each other: every call between them goes over the channel layer, here as in
// a deployment where they live apart.
package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventoryhttp"
	"cutpoint/modules/inventory/inventorymod"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordershttp"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentshttp"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhookshttp"
	"cutpoint/modules/webhooks/webhooksmod"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/web"
)

// Defaults of a shop.
const (
	DefaultCallTimeout   = 5 * time.Second
	DefaultOrderPatience = 5 * time.Second
	edge                 = "http" // the name under which the HTTP faces call modules
)

// Config is what can be chosen about a shop. Data, Version and Log are required; the rest has defaults.
type Config struct {
	Data           string // directory of the datastores, made if it is not there
	Version        string
	Log            *slog.Logger
	Capacity       int                   // calls that may wait for a module; channel.DefaultCapacity
	Workers        int                   // calls that a module handles at once; rpc.DefaultWorkers
	ModuleCapacity map[string]int        // the same for single modules, by name; the others take Capacity
	ModuleWorkers  map[string]int        // the others take Workers
	CallTimeout    time.Duration         // longest wait of a module for another one; DefaultCallTimeout
	RequestTimeout time.Duration         // deadline of an HTTP request; web.DefaultRequestTimeout
	BodyLimit      int64                 // bytes of an HTTP request body; web.DefaultBodyLimit
	OrderPatience  time.Duration         // how long a request works on its order before it answers "in progress"; DefaultOrderPatience
	Checkout       CheckoutPolicy        // what else orders' patience is made of; OrderPatience and CallTimeout go before it
	Payments       PaymentsPolicy        // payments' patience with its provider
	Provider       string                // who charges cards: ProviderTestGateway, which "" means too, or ProviderStripe
	Stripe         Stripe                // how Stripe is reached
	Webhooks       WebhooksPolicy        // how webhooks go out
	QuoteValidity  time.Duration         // how long the figures of a quote are honoured; pricingmod.Options
	ExpireHolds    time.Duration         // how often the holds of carts that have expired are given free; inventorymod.DefaultExpireEvery
	Sourcing       string                // whether the stock of an order may come from several locations; see inventory.SourcingSplit, the default
	Strict         bool                  // modules exchange encoded messages, as if they were apart
	Still          bool                  // do nothing but what is asked for, as an audit wants it
	Observe        func(rpc.Observation) // told of every call between modules
	Random         io.Reader             // of ids and secrets; crypto/rand
	Dice           func() float64        // of jitter, uniform in [0, 1), safe for concurrent use; math/rand/v2

	// Fail, for tests, is asked around each commit of a module and each request to the payment provider.
	Fail failpoint.Points

	// Layer, if not nil, is given the layer of the shop and returns the one that modules are put on, for tests: to fail, to hold
	// messages back, to do without boundaries.
	Layer func(channel.Layer) channel.Layer
}

// CheckoutPolicy is how patient the checkout is.
type CheckoutPolicy = ordersmod.Policy

// PaymentsPolicy is how patient payments is with its provider.
type PaymentsPolicy = paymentsmod.Policy

// The payment providers.
const (
	ProviderTestGateway = paymentsmod.ProviderTestGateway
	ProviderStripe      = paymentsmod.ProviderStripe
)

// Stripe is how Stripe is reached.
type Stripe = paymentsmod.Stripe

// WebhooksPolicy is how webhooks go out.
type WebhooksPolicy = webhooksmod.Policy

// Shop is a running shop with all its modules.
type Shop struct {
	lock    *os.File
	layer   channel.Layer
	auth    *store.Store
	keys    *auth.Keys
	modules []module // in the order of starting
	faces   Contracts
	api     func() *web.API // made when it is first asked for: an audit needs none
	ready   atomic.Bool
	gateway atomic.Pointer[string] // where the test gateway sends its webhooks
}

// Contracts is a shop as a stranger in the same process sees it: what its modules promise, over the channel layer.
type Contracts struct {
	Inventory inventory.Service
	Pricing   pricing.Service
	Payments  payments.Client
	Orders    orders.Service
	Webhooks  webhooks.Service
}

// module is a door, opened.
type module interface {
	Start(context.Context) error
	Stop(context.Context) error
	StoreStats() store.Stats
}

// Now is the clock of a real shop: UTC, in the precision that the datastores keep.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Open locks the data directory, brings every datastore up to date and starts the modules. What it started before an error is
// stopped again.
func Open(ctx context.Context, c Config) (s *Shop, err error) {
	if c.CallTimeout <= 0 {
		c.CallTimeout = DefaultCallTimeout
	}
	if c.OrderPatience <= 0 {
		c.OrderPatience = DefaultOrderPatience
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Dice == nil {
		c.Dice = mathrand.Float64
	}
	s = &Shop{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
			s = nil
		}
	}()
	if s.lock, err = lockDirectory(c.Data); err != nil {
		return s, err
	}
	newID := id.NewSource(Now, c.Random)
	file := func(name string) string { return filepath.Join(c.Data, name+".db") }

	if s.auth, s.keys, err = openKeys(ctx, c.Data); err != nil {
		return s, err
	}
	if s.layer, err = c.newLayer(); err != nil {
		return s, err
	}
	caller := func(from string, timeout time.Duration) *rpc.Caller {
		return rpc.NewCaller(s.layer, from, rpc.CallerOptions{Timeout: timeout, Observe: c.Observe})
	}

	fromEdge := caller(edge, c.RequestTimeout)
	s.faces = Contracts{
		Inventory: inventory.NewClient(fromEdge), Pricing: pricing.NewClient(fromEdge), Payments: payments.NewClient(fromEdge),
		Orders: orders.NewClient(fromEdge), Webhooks: webhooks.NewClient(fromEdge),
	}

	stock, err := inventorymod.New(inventorymod.Deps{
		Layer: s.layer, Path: file(inventory.Module), Now: Now, NewID: newID, Log: c.Log,
	}, inventorymod.Options{Workers: c.workers(inventory.Module), ExpireEvery: c.ExpireHolds, Sourcing: c.Sourcing, Fail: c.Fail})
	if err != nil {
		return s, err
	}
	prices, err := pricingmod.New(pricingmod.Deps{
		Layer: s.layer, Path: file(pricing.Module), Now: Now, NewID: newID, Log: c.Log,
	}, pricingmod.Options{Workers: c.workers(pricing.Module), QuoteValidity: c.QuoteValidity, Fail: c.Fail})
	if err != nil {
		return s, err
	}
	money, err := paymentsmod.New(paymentsmod.Deps{
		Layer: s.layer, Path: file(payments.Module), GatewayPath: file("testgateway"), Now: Now, NewID: newID, Random: c.Random, Log: c.Log,
		Deliver: s.deliver,
	}, paymentsmod.Options{
		Provider: c.Provider, Stripe: c.Stripe, Workers: c.workers(payments.Module), Policy: c.Payments, Still: c.Still, Fail: c.Fail,
	})
	if err != nil {
		return s, err
	}
	policy := c.Checkout
	policy.Patience = c.OrderPatience
	policy.Lease = c.OrderPatience + 2*c.CallTimeout // it must outlive the patience and a call that began within it
	fromOrders := caller(orders.Module, c.CallTimeout)
	checkout, err := ordersmod.New(ordersmod.Deps{
		Layer: s.layer, Path: file(orders.Module), Now: Now, NewID: newID, Log: c.Log, Random: c.Dice,
		Inventory: inventory.NewClient(fromOrders), Pricing: pricing.NewClient(fromOrders), Payments: payments.NewClient(fromOrders),
	}, ordersmod.Options{Workers: c.workers(orders.Module), Policy: policy, Alone: true, Still: c.Still, Fail: c.Fail})
	if err != nil {
		return s, err
	}
	outgoing, err := webhooksmod.New(webhooksmod.Deps{
		Layer: s.layer, Path: file(webhooks.Module), Orders: orders.NewClient(caller(webhooks.Module, c.CallTimeout)),
		Now: Now, NewID: newID, Random: c.Dice, Secrets: c.Random, Log: c.Log,
	}, webhooksmod.Options{Workers: c.workers(webhooks.Module), Policy: c.Webhooks, Fail: c.Fail})
	if err != nil {
		return s, err
	}
	for _, m := range []module{stock, prices, money, checkout, outgoing} { // whoever is called stands before who calls
		if err := m.Start(ctx); err != nil {
			return s, err
		}
		s.modules = append(s.modules, m)
	}

	s.api = sync.OnceValue(func() *web.API {
		a := web.New(web.Options{
			Verifier: s.keys, Version: c.Version, BodyLimit: c.BodyLimit, RequestTimeout: c.RequestTimeout,
			Ready: s.checkReady, Log: c.Log, NewID: newID,
		})
		registerFaces(a, s.faces)
		if c.Provider != ProviderStripe {
			paymentshttp.RegisterTestGateway(a, s.faces.Payments)
		}
		return a
	})
	s.ready.Store(true)
	return s, nil
}

// registerFaces lays every route but those of the test gateway.
func registerFaces(a *web.API, c Contracts) {
	ordershttp.Register(a, c.Orders)
	inventoryhttp.Register(a, c.Inventory)
	pricinghttp.Register(a, c.Pricing)
	paymentshttp.Register(a, c.Payments)
	webhookshttp.Register(a, c.Webhooks)
}

// OpenAPI returns the description of the API of a shop, without opening one.
func OpenAPI(version string) []byte {
	a := web.New(web.Options{Version: version})
	paymentshttp.RegisterTestGateway(a, payments.Client{})
	registerFaces(a, Contracts{
		Inventory: inventory.Client{}, Pricing: pricing.Client{}, Payments: payments.Client{}, Orders: orders.Client{}, Webhooks: webhooks.Client{},
	})
	return a.OpenAPI()
}

// Contracts is what the modules promise.
func (s *Shop) Contracts() Contracts { return s.faces }

// API is the HTTP side of the shop.
func (s *Shop) API() *web.API { return s.api() }

// Keys are the API keys of the shop.
func (s *Shop) Keys() *auth.Keys { return s.keys }

// Channels returns the figures of the channel layer.
func (s *Shop) Channels() []channel.Stats { return s.layer.Stats() }

// Stores returns the figures of the modules' datastores, added up.
func (s *Shop) Stores() (sum store.Stats) {
	for _, m := range s.modules {
		one := m.StoreStats()
		sum.Commits += one.Commits
		sum.Writes += one.Writes
		sum.Failed += one.Failed
	}
	return sum
}

// errNotReady is what /readyz says while the shop is going down.
var errNotReady = fault.New(fault.Unavailable, "not_ready", "the shop is shutting down")

func (s *Shop) checkReady(context.Context) error {
	if !s.ready.Load() {
		return errNotReady
	}
	return nil
}

// Retire lets /readyz say that no new requests should come, ahead of Close.
func (s *Shop) Retire() { s.ready.Store(false) }

// Close stops the modules, callers before those that they call, each after the calls that it accepted, and gives the data
// directory free. If ctx ends first, what still runs is cut off; it goes on when the shop is opened again. It may be called
// twice.
func (s *Shop) Close(ctx context.Context) error {
	s.Retire()
	var errs []error
	for i := len(s.modules) - 1; i >= 0; i-- {
		errs = append(errs, s.modules[i].Stop(ctx))
	}
	if s.layer != nil {
		s.layer.Close()
	}
	if s.auth != nil {
		errs = append(errs, s.auth.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// OpenContracts opens a shop that stands still: it does what is asked of its contracts, and nothing by itself. Nobody else may have it
// open. Call the function after use.
func OpenContracts(ctx context.Context, c Config) (Contracts, func(context.Context) error, error) {
	c.Still = true
	s, err := Open(ctx, c)
	if err != nil {
		return Contracts{}, nil, err
	}
	return s.Contracts(), s.Close, nil
}

// OpenKeys opens the API keys of a data directory alone, also while a shop runs on it. Close the store after use.
func OpenKeys(ctx context.Context, data string) (*store.Store, *auth.Keys, error) {
	if err := makeDirectory(data); err != nil {
		return nil, nil, err
	}
	return openKeys(ctx, data)
}

func openKeys(ctx context.Context, data string) (*store.Store, *auth.Keys, error) {
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(data, "auth.db"), Migrations: migrations.SQLite("auth")})
	if err != nil {
		return nil, nil, err
	}
	return s, auth.NewKeys(s, Now, id.NewSource(Now, rand.Reader), rand.Reader), nil
}

// Datastores names every datastore of a shop.
func Datastores() []string {
	return []string{"auth", inventory.Module, pricing.Module, payments.Module, "testgateway", orders.Module, webhooks.Module}
}

// Migrate brings the datastores of a data directory up to date without starting anything.
func Migrate(ctx context.Context, data string) (err error) {
	lock, err := lockDirectory(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for _, name := range Datastores() {
		if err := store.Migrate(ctx, filepath.Join(data, name+".db"), migrations.SQLite(name)); err != nil {
			return err
		}
	}
	return nil
}

// Migrations returns the history of a datastore in a data directory.
func Migrations(ctx context.Context, data, name string) ([]store.MigrationStatus, error) {
	return store.Migrations(ctx, filepath.Join(data, name+".db"), migrations.SQLite(name))
}

func makeDirectory(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}
