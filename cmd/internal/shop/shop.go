// Package shop is the composition root: the one place that knows every module. It reads from top to bottom: what a shop is made
// of, in which order it comes to life, and how it ends.
//
// How a module is opened, and what can be chosen about it, stands in a file with its name. That file is all that knows its door.
//
// Modules are handed clients of each other, never each other: every call between them goes over the channel layer, here as in
// a deployment where they live apart.
package shop

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/cmd/internal/host"
	"cutpoint/migrations"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventoryhttp"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordershttp"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentshttp"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhookshttp"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/store"
	"cutpoint/platform/telemetry"
	"cutpoint/platform/web"
)

// DefaultOrderPatience is how long a request works on its order before it answers "in progress".
const DefaultOrderPatience = 5 * time.Second

// Config is what can be chosen about a shop. Where its data are, Version and Log are required; the rest has defaults. Without Modules,
// all of them run here.
type Config struct {
	host.Options
	Headless bool // serve no HTTP: a process for modules alone needs no API keys

	OrderPatience time.Duration  // DefaultOrderPatience
	Checkout      CheckoutPolicy // what else orders' patience is made of; OrderPatience and CallTimeout go before it
	Payments      PaymentsPolicy // payments' patience with its provider
	Provider      string         // who charges cards: ProviderTestGateway, which "" means too, or ProviderStripe
	Stripe        Stripe         // how Stripe is reached
	Webhooks      WebhooksPolicy // how webhooks go out
	QuoteValidity time.Duration  // how long the figures of a quote are honoured; pricingmod.Options
	ExpireHolds   time.Duration  // how often the holds of carts that have expired are given free; inventorymod.DefaultExpireEvery
	Sourcing      string         // whether the stock of an order may come from several locations; see inventory.SourcingSplit, the default
	Still         bool           // do nothing but what is asked for, as an audit wants it

	// Fail, for tests, is asked around each commit of a module and each request to the payment provider.
	Fail failpoint.Points
}

// Shop is a running shop, or that part of one which this process runs.
type Shop struct {
	*host.Host
	faces   Contracts
	api     func() *web.API        // made when it is first asked for: an audit needs none
	gateway atomic.Pointer[string] // where the test gateway sends its webhooks
	calls   telemetry.Calls        // between modules, counted
	version string
}

// Contracts is a shop as a stranger in the same process sees it: what its modules promise, over the channel layer.
type Contracts struct {
	Inventory inventory.Service
	Pricing   pricing.Service
	Payments  payments.Client
	Orders    orders.Service
	Webhooks  webhooks.Service
}

// Now is the clock of a real shop.
func Now() time.Time { return host.Now() }

// Modules names every module of a shop: whoever is called stands before who calls.
func Modules() []string {
	return []string{inventory.Module, pricing.Module, payments.Module, orders.Module, webhooks.Module}
}

// Open locks the datastores, brings each up to date and starts the modules. What it started before an error is stopped again.
func Open(ctx context.Context, c Config) (s *Shop, err error) {
	if c.OrderPatience <= 0 {
		c.OrderPatience = DefaultOrderPatience
	}
	if c.Known = Modules(); c.Modules == nil {
		c.Modules = c.Known
	}
	s = &Shop{version: c.Version}
	c.Observe = s.count(c.Observe)
	if s.Host, err = host.Open(ctx, c.Options); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
			s = nil
		}
	}()
	if !c.Headless {
		if err := s.OpenKeys(ctx); err != nil {
			return s, err
		}
	}
	fromEdge := s.Edge()
	s.faces = Contracts{
		Inventory: inventory.NewClient(fromEdge), Pricing: pricing.NewClient(fromEdge), Payments: payments.NewClient(fromEdge),
		Orders: orders.NewClient(fromEdge), Webhooks: webhooks.NewClient(fromEdge),
	}
	modules, err := s.build(c)
	if err != nil {
		return s, err
	}
	if err := s.Start(ctx, modules...); err != nil {
		return s, err
	}
	s.api = sync.OnceValue(func() *web.API {
		a := s.NewAPI()
		registerFaces(a, s.faces)
		registerOps(a, s.Live)
		if c.Provider != ProviderStripe {
			paymentshttp.RegisterTestGateway(a, s.faces.Payments)
		}
		return a
	})
	return s, nil
}

// build opens the doors of the modules that run here, in the order in which they are to start.
func (s *Shop) build(c Config) (modules []host.Running, err error) {
	for _, m := range []struct {
		name string
		open func(Config) (host.Module, error)
	}{
		{inventory.Module, s.newInventory}, {pricing.Module, s.newPricing}, {payments.Module, s.newPayments}, {orders.Module, s.newOrders},
		{webhooks.Module, s.newWebhooks},
	} {
		if !slices.Contains(c.Modules, m.name) {
			continue
		}
		opened, err := m.open(c)
		if err != nil {
			return nil, err
		}
		modules = append(modules, host.Running{Name: m.name, Module: opened})
	}
	return modules, nil
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
	registerOps(a, func() []LiveModule { return nil })
	return a.OpenAPI()
}

// Contracts is what the modules promise.
func (s *Shop) Contracts() Contracts { return s.faces }

// API is the HTTP side of the shop.
func (s *Shop) API() *web.API { return s.api() }

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

// datastores names the datastores of each module, and those of the HTTP edge.
func datastores() map[string][]string {
	return map[string][]string{
		"auth": {"auth"}, inventory.Module: {inventory.Module}, pricing.Module: {pricing.Module},
		payments.Module: {payments.Module, gatewayDatastore}, orders.Module: {orders.Module}, webhooks.Module: {webhooks.Module},
	}
}

// Datastores names every datastore of a shop.
func Datastores() (names []string) {
	for _, module := range append([]string{"auth"}, Modules()...) {
		names = append(names, datastores()[module]...)
	}
	return names
}

// Migrate brings the datastores of a shop up to date without starting anything.
func Migrate(ctx context.Context, o host.Options) (err error) {
	o.Modules, o.Known, o.Log = Modules(), Modules(), slog.New(slog.DiscardHandler)
	h, err := host.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	for _, module := range append([]string{"auth"}, Modules()...) {
		for _, name := range datastores()[module] {
			if err := store.Migrate(ctx, o.Store(module, name, migrations.Of(name))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Migrations returns the history of a datastore.
func Migrations(ctx context.Context, o host.Options, name string) ([]store.MigrationStatus, error) {
	module := name
	if name == gatewayDatastore {
		module = payments.Module
	}
	return store.Migrations(ctx, o.Store(module, name, migrations.Of(name)))
}
