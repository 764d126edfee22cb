// Package ordersmod is the door of the orders module: it assembles the body behind the contract and gives it a life.
package ordersmod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/internal/checkout"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

// Deps is what the module needs. All of it is required.
type Deps struct {
	Layer     channel.Layer
	Datastore string // see store.Options
	Inventory checkout.Inventory
	Pricing   checkout.Pricing
	Payments  checkout.Payments
	Now       func() time.Time
	NewID     id.Source
	Random    func() float64 // uniform in [0, 1), safe for concurrent use
	Log       *slog.Logger
}

// Policy is how patient the checkout is; the zero value takes the defaults.
type Policy = checkout.Policy

// Options are the settings of the module; the zero value takes the defaults.
type Options struct {
	Workers int // calls handled at once
	Policy  Policy
	Alone   bool             // no other process has this store: what an earlier one left under way need not wait for its lease
	Still   bool             // do nothing but what is asked for: an audit looks at a shop that stands still
	Fail    failpoint.Points // of tests
}

// Module is the orders module of this process.
type Module struct {
	deps    Deps
	options Options
	server  *rpc.Server
	store   *store.Store
	stop    context.CancelFunc
	swept   chan struct{}
}

// New checks what it is given and returns a module that is not started.
func New(d Deps, o Options) (*Module, error) {
	var missing []string
	for name, there := range map[string]bool{
		"Layer": d.Layer != nil, "Datastore": d.Datastore != "", "Inventory": d.Inventory != nil, "Pricing": d.Pricing != nil,
		"Payments": d.Payments != nil, "Now": d.Now != nil, "NewID": d.NewID != nil, "Random": d.Random != nil, "Log": d.Log != nil,
	} {
		if !there {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("orders module: Deps lacks %s", strings.Join(missing, ", "))
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens the store, brings its schema up to date, serves the contract and takes up what an earlier process left unfinished.
func (m *Module) Start(ctx context.Context) error {
	s, err := store.Open(ctx, store.Options{Datastore: m.deps.Datastore, Module: orders.Module, Migrations: migrations.Of(orders.Module), Fail: m.options.Fail})
	if err != nil {
		return err
	}
	body := checkout.New(checkout.Deps{
		Store: s, Inventory: m.deps.Inventory, Pricing: m.deps.Pricing, Payments: m.deps.Payments,
		Now: m.deps.Now, NewID: m.deps.NewID, Random: m.deps.Random, Log: m.deps.Log,
	}, m.options.Policy)
	if m.options.Alone {
		if err := body.Inherit(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	server := rpc.NewServer(m.deps.Layer, orders.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	orders.Serve(server, body)
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.server, m.store, m.stop, m.swept = server, s, stop, make(chan struct{})
	go func() {
		defer close(m.swept)
		if !m.options.Still {
			body.Sweep(sweeping)
		}
	}()
	return nil
}

// Stop finishes the calls that were accepted, stops the sweeper and closes the store. It may be called twice, and before Start.
func (m *Module) Stop(ctx context.Context) error {
	if m.server == nil {
		return nil
	}
	err := m.server.Stop(ctx)
	m.stop()
	<-m.swept
	return errors.Join(err, m.store.Close())
}

// StoreStats returns the figures of the module's store.
func (m *Module) StoreStats() store.Stats { return m.store.Stats() }
