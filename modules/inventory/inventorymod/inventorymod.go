// Package inventorymod is the door of the inventory module: it puts the body behind the contract, on a channel layer, over a
// SQLite file of its own.
package inventorymod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/internal/stock"
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
	return fmt.Errorf("module %s needs %s", inventory.Module, strings.Join(missing, ", "))
}

// DefaultExpireEvery is how often the module looks for carts whose time is over.
const DefaultExpireEvery = time.Second

// Options are the settings of the module. The zero value takes the defaults.
type Options struct {
	Workers     int              // calls handled at once; 0: rpc.DefaultWorkers
	ExpireEvery time.Duration    // how often expired holds are given free; 0: DefaultExpireEvery
	Sourcing    string           // of orders and carts that don't say, see inventory.SourcingSplit; empty: split
	Fail        failpoint.Points // for tests; see store.Options
}

// Module is the inventory module, from the outside. It is safe for concurrent use.
type Module struct {
	deps    Deps
	options Options

	mu     sync.Mutex
	store  *store.Store // nil until it is started
	server *rpc.Server
	stop   context.CancelFunc // of the sweeper
	swept  chan struct{}      // closed when it has stopped
}

// New returns a module that has touched nothing yet. It fails if something of d is missing, or o is not valid.
func New(d Deps, o Options) (*Module, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if o.Sourcing != "" && o.Sourcing != inventory.SourcingSplit && o.Sourcing != inventory.SourcingWhole {
		return nil, fmt.Errorf("module %s: sourcing %q is neither %s nor %s", inventory.Module, o.Sourcing, inventory.SourcingSplit, inventory.SourcingWhole)
	}
	if o.ExpireEvery <= 0 {
		o.ExpireEvery = DefaultExpireEvery
	}
	return &Module{deps: d, options: o}, nil
}

// Start opens the store, brings its schema up to date, serves the contract, and ends the holds of carts in time. A module is started once.
func (m *Module) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return fmt.Errorf("module %s is started already", inventory.Module)
	}
	s, err := store.Open(ctx, store.Options{
		Datastore: m.deps.Datastore, Module: inventory.Module, Migrations: migrations.Of(inventory.Module), Fail: m.options.Fail,
	})
	if err != nil {
		return err
	}
	server := rpc.NewServer(m.deps.Layer, inventory.Module, rpc.ServerOptions{Workers: m.options.Workers, Log: m.deps.Log})
	body := stock.New(s, m.deps.Now, m.deps.NewID, m.options.Sourcing)
	inventory.Serve(server, body)
	if err := server.Start(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.store, m.server, m.stop, m.swept = s, server, stop, make(chan struct{})
	go func() { defer close(m.swept); body.Sweep(sweeping, m.options.ExpireEvery, m.deps.Log) }()
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
	err := server.Stop(ctx)
	m.stop()
	<-m.swept
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
