// Package host is what every program of ours is around the modules that it runs: a channel layer, datastores, API keys, an HTTP
// server, and the order in which all of it begins and ends. It knows no module, so that a program links those that it runs and no
// other.
package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/migrations"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/web"
)

// DefaultCallTimeout is the longest wait of a module for another one.
const DefaultCallTimeout = 5 * time.Second

// Edge is the name under which the HTTP faces call modules.
const Edge = "http"

// Options are the settings of a process. Data or DB, Log and Known are required.
type Options struct {
	Data     string            // directory of the datastores that lie in files, made if it is not there
	DB       string            // postgres:// URL of the database in which each module has a schema of its own; "": SQLite files in Data
	ModuleDB map[string]string // the same for single modules, with a role of their own

	Modules []string // that this process runs
	Known   []string // that there are

	Channel     string                   // "" or InMemory, or the URL of a NATS server (or of several, with commas between)
	Prefix      string                   // of the subjects; natslayer.DefaultPrefix
	User        string                   // whom the server knows this process as; "" if it keeps nobody apart
	NATS        natslayer.ConnectOptions // how the server is reached
	ConnectWait time.Duration            // how long to wait for it; DefaultConnectWait

	Capacity       int            // calls that may wait for a module; channel.DefaultCapacity
	Workers        int            // calls that a module handles at once; rpc.DefaultWorkers
	ModuleCapacity map[string]int // the same for single modules, by name; the others take Capacity
	ModuleWorkers  map[string]int // the others take Workers
	CallTimeout    time.Duration  // longest wait of a module for another one; DefaultCallTimeout
	RequestTimeout time.Duration  // deadline of an HTTP request; web.DefaultRequestTimeout
	BodyLimit      int64          // bytes of an HTTP request body; web.DefaultBodyLimit

	Version string
	Log     *slog.Logger
	Strict  bool                  // modules exchange encoded messages, as if they were apart
	Observe func(rpc.Observation) // told of every call that is made here
	Random  io.Reader             // of ids and secrets; crypto/rand
	Dice    func() float64        // of jitter, uniform in [0, 1), safe for concurrent use; math/rand/v2

	// Layer, if not nil, is given the layer of the process and returns the one that modules are put on, for tests: to fail, to hold
	// messages back, to do without boundaries.
	Layer func(channel.Layer) channel.Layer
}

// Module is a door, opened.
type Module interface {
	Start(context.Context) error
	Stop(context.Context) error
	StoreStats() store.Stats
}

// Running is a module that runs, by its name.
type Running struct {
	Name string
	Module
}

// Host is a process with its modules.
type Host struct {
	Layer  channel.Layer
	NewID  id.Source
	Random io.Reader
	Dice   func() float64
	Log    *slog.Logger

	options Options
	far     *nats.Conn // nil where all modules are here
	locks   []*os.File
	auth    *store.Store
	keys    *auth.Keys
	modules []Running // in the order of starting
	ready   atomic.Bool
}

// Now is the clock of a real process: UTC, in the precision that the datastores keep.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Open locks the datastores of the modules that are to run here and makes their channel layer. Close it in the end.
func Open(ctx context.Context, o Options) (h *Host, err error) {
	if o.CallTimeout <= 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Dice == nil {
		o.Dice = mathrand.Float64
	}
	h = &Host{NewID: id.NewSource(Now, o.Random), Random: o.Random, Dice: o.Dice, Log: o.Log, options: o}
	if err = h.lock(); err == nil {
		err = h.newLayer(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close(ctx))
	}
	return h, nil
}

func (h *Host) lock() error {
	for _, module := range h.options.Modules {
		if !slices.Contains(h.options.Known, module) {
			return fmt.Errorf("there is no module %q, only %v", module, h.options.Known)
		}
		if !h.Alone(module) {
			continue
		}
		if err := MakeDirectory(h.options.Data); err != nil {
			return err
		}
		lock, err := Lock(h.options.Data, module)
		if err != nil {
			return err
		}
		h.locks = append(h.locks, lock)
	}
	return nil
}

// database is the URL of the database of a module, "" if it has a file.
func (o Options) database(module string) string {
	if db, ok := o.ModuleDB[module]; ok {
		return db
	}
	return o.DB
}

// Alone reports whether no other process can run the module on the same datastore: its files are locked. A database is shared.
func (h *Host) Alone(module string) bool { return h.options.database(module) == "" }

// Datastore is where a module has its data: the path of a file, or the URL of a database. Part names a second datastore of the module;
// it is the module's name for the first.
func (h *Host) Datastore(module, part string) string {
	return h.options.Store(module, part, nil).Datastore
}

// Store is how a datastore is opened without its module. Whoever asks names the history, so that a program links those that it opens.
func (o Options) Store(module, part string, history fs.FS) store.Options {
	s := store.Options{Datastore: o.database(module), Module: part, Migrations: history}
	if s.Datastore == "" {
		s.Datastore = filepath.Join(o.Data, part+".db")
	}
	return s
}

// Workers is how many calls a module handles at once; 0 is the default of package rpc.
func (h *Host) Workers(module string) int {
	if n, ok := h.options.ModuleWorkers[module]; ok {
		return n
	}
	return h.options.Workers
}

// CallTimeout is the longest wait of a module for another one.
func (h *Host) CallTimeout() time.Duration { return h.options.CallTimeout }

// Caller is how a module calls others, wherever they are.
func (h *Host) Caller(from string) *rpc.Caller {
	return rpc.NewCaller(h.Layer, from, rpc.CallerOptions{Timeout: h.options.CallTimeout, Observe: h.options.Observe})
}

// Edge is how HTTP faces call modules.
func (h *Host) Edge() *rpc.Caller {
	return rpc.NewCaller(h.Layer, Edge, rpc.CallerOptions{Timeout: h.options.RequestTimeout, Observe: h.options.Observe})
}

// Start starts modules, one after the other: whoever is called stands before who calls.
func (h *Host) Start(ctx context.Context, modules ...Running) error {
	for _, m := range modules {
		if err := m.Start(ctx); err != nil {
			return err
		}
		h.modules = append(h.modules, m)
	}
	h.ready.Store(true)
	return nil
}

// OpenKeys opens the API keys, which a process that serves HTTP needs.
func (h *Host) OpenKeys(ctx context.Context) (err error) {
	h.auth, h.keys, err = OpenKeys(ctx, h.options)
	return err
}

// Keys are the API keys, once they are opened.
func (h *Host) Keys() *auth.Keys { return h.keys }

// NewAPI returns an HTTP API on which no face has laid its routes yet.
func (h *Host) NewAPI() *web.API {
	return web.New(web.Options{
		Verifier: h.keys, Version: h.options.Version, BodyLimit: h.options.BodyLimit, RequestTimeout: h.options.RequestTimeout,
		Ready: h.checkReady, Log: h.options.Log, NewID: h.NewID,
	})
}

// What /readyz says.
var (
	errShuttingDown = fault.New(fault.Unavailable, "not_ready", "the shop is shutting down")
	errCutOff       = fault.New(fault.Unavailable, "not_connected", "the connection to the other modules is lost; it is being made again")
)

func (h *Host) checkReady(context.Context) error {
	switch {
	case !h.ready.Load():
		return errShuttingDown
	case h.far != nil && !h.far.IsConnected():
		return errCutOff
	}
	return nil
}

// Retire lets /readyz say that no new requests should come, ahead of Close.
func (h *Host) Retire() { h.ready.Store(false) }

// Channels returns the figures of the channel layer.
func (h *Host) Channels() []channel.Stats { return h.Layer.Stats() }

// Running are the modules of this process, in the order of starting.
func (h *Host) Running() []Running { return slices.Clone(h.modules) }

// Runs reports whether a module runs in this process.
func (h *Host) Runs(module string) bool { return slices.Contains(h.options.Modules, module) }

// Stores returns the figures of the modules' datastores, added up.
func (h *Host) Stores() (sum store.Stats) {
	for _, m := range h.modules {
		one := m.StoreStats()
		sum.Commits += one.Commits
		sum.Writes += one.Writes
		sum.Failed += one.Failed
	}
	return sum
}

// Close stops the modules, callers before those that they call, each after the calls that it accepted, and gives the datastores
// free. If ctx ends first, what still runs is cut off; it goes on when the module is started again. It may be called twice.
func (h *Host) Close(ctx context.Context) error {
	h.Retire()
	var errs []error
	for _, m := range slices.Backward(h.modules) {
		errs = append(errs, m.Stop(ctx))
	}
	if h.Layer != nil {
		h.Layer.Close()
	}
	if h.auth != nil {
		errs = append(errs, h.auth.Close())
	}
	for _, lock := range h.locks {
		errs = append(errs, lock.Close())
	}
	h.locks = nil
	return errors.Join(errs...)
}

// authKeys is the datastore of API keys; it belongs to the HTTP edge.
const authKeys = "auth"

// OpenKeys opens the API keys alone, also while others use them. Close the store after use.
func OpenKeys(ctx context.Context, o Options) (*store.Store, *auth.Keys, error) {
	if o.database(authKeys) == "" {
		if err := MakeDirectory(o.Data); err != nil {
			return nil, nil, err
		}
	}
	s, err := store.Open(ctx, o.Store(authKeys, authKeys, migrations.Of(authKeys)))
	if err != nil {
		return nil, nil, err
	}
	return s, auth.NewKeys(s, Now, id.NewSource(Now, rand.Reader), rand.Reader), nil
}
