package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/cmd/internal/natsserver"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
)

func options(data string, modules ...string) Options {
	return Options{Data: data, Modules: modules, Known: []string{"stock", "till"}, Version: "test", Log: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, o Options) *Host {
	t.Helper()
	h, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// module is one that answers "count" and remembers in which order it began and ended.
type module struct {
	name   string
	server *rpc.Server
	log    *[]string
	fails  error
}

type question struct{ N int64 }
type answer struct{ N int64 }

func count(module string) *rpc.Op[question, answer] {
	return rpc.Define[question, answer](module, "count")
}

func (m *module) Start(ctx context.Context) error {
	if m.fails != nil {
		return m.fails
	}
	*m.log = append(*m.log, "start "+m.name)
	return m.server.Start(ctx)
}

func (m *module) Stop(ctx context.Context) error {
	*m.log = append(*m.log, "stop "+m.name)
	return m.server.Stop(ctx)
}

func (m *module) StoreStats() store.Stats { return store.Stats{Commits: 1, Writes: 2, Failed: 3} }

func newModule(h *Host, name string, log *[]string) *module {
	m := &module{name: name, log: log, server: rpc.NewServer(h.Layer, name, rpc.ServerOptions{Log: h.Log})}
	rpc.Handle(m.server, count(name), func(_ context.Context, q question) (answer, error) { return answer(q), nil })
	return m
}

// TestLocks lets two processes share a directory, and no module.
func TestLocks(t *testing.T) {
	data := t.TempDir()
	first := open(t, options(data, "stock"))
	open(t, options(data, "till"))
	if _, err := Open(t.Context(), options(data, "till", "stock")); !errors.Is(err, ErrInUse) {
		t.Errorf("a module that runs already: %v", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, options(data, "stock"))

	shared := options(data, "stock")
	shared.ModuleDB = map[string]string{"stock": "postgres://stock@db/shop"}
	if h := open(t, shared); h.Alone("stock") {
		t.Error("a database is shared by instances, and is nobody's alone")
	}
	if _, err := Open(t.Context(), options(data, "stok")); err == nil || !strings.Contains(err.Error(), `no module "stok"`) {
		t.Errorf("a module that there is not: %v", err)
	}
	if _, err := Open(t.Context(), options("", "stock")); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("no directory: %v", err)
	}
}

func TestDatastore(t *testing.T) {
	o := Options{Data: "data", DB: "postgres://shop@db/shop", ModuleDB: map[string]string{"till": "postgres://till@bank/till"}}
	files := Options{Data: "data"}
	for part, want := range map[string][3]string{
		"stock":   {"stock", "postgres://shop@db/shop", filepath.Join("data", "stock.db")},
		"till":    {"till", "postgres://till@bank/till", filepath.Join("data", "till.db")},
		"gateway": {"till", "postgres://till@bank/till", filepath.Join("data", "gateway.db")},
	} {
		if got := o.Store(want[0], part, nil); got.Datastore != want[1] || got.Module != part {
			t.Errorf("%s is in %s of %s, want %s", part, got.Module, got.Datastore, want[1])
		}
		if got := files.Store(want[0], part, nil); got.Datastore != want[2] || got.Module != part {
			t.Errorf("%s is in %s, want %s", part, got.Datastore, want[2])
		}
	}
}

// TestLife starts callees before callers and stops callers before callees, and says when it is ready.
func TestLife(t *testing.T) {
	var log []string
	h := open(t, options(t.TempDir(), "stock", "till"))
	if err := h.checkReady(t.Context()); !errors.Is(err, errShuttingDown) {
		t.Errorf("before the start: %v", err)
	}
	if err := h.Start(t.Context(), Running{"stock", newModule(h, "stock", &log)}, Running{"till", newModule(h, "till", &log)}); err != nil {
		t.Fatal(err)
	}
	if err := h.checkReady(t.Context()); err != nil {
		t.Errorf("started: %v", err)
	}
	if got := h.Stores(); got != (store.Stats{Commits: 2, Writes: 4, Failed: 6}) {
		t.Errorf("figures are %+v", got)
	}
	if _, err := count("stock").Call(t.Context(), h.Caller("till"), question{1}); err != nil {
		t.Error(err)
	}
	h.Retire()
	if err := h.checkReady(t.Context()); fault.From(err).Code != "not_ready" {
		t.Errorf("retired: %v", err)
	}
	for range 2 {
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(log[:4], ", "); got != "start stock, start till, stop till, stop stock" {
		t.Errorf("it went %s", got)
	}
	failed := open(t, options(t.TempDir(), "stock"))
	if err := failed.Start(t.Context(), Running{"stock", &module{fails: io.ErrUnexpectedEOF}}); !errors.Is(err, io.ErrUnexpectedEOF) || failed.ready.Load() {
		t.Errorf("a module that does not start: %v", err)
	}
}

// TestApart has two processes over a NATS server that comes after them: each calls the module of the other, and its own without the server.
func TestApart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	hosts := make(chan *Host, 2)
	for _, name := range []string{"stock", "till"} {
		o := options(t.TempDir(), name)
		o.Channel = "nats://" + addr
		go func() {
			h, err := Open(t.Context(), o)
			if err != nil {
				t.Error(err)
			}
			hosts <- h
		}()
	}
	server, err := natsserver.Start(addr, "")
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	var both []*Host
	for range 2 {
		h := <-hosts
		if h == nil {
			t.FailNow()
		}
		defer func() { _ = h.Close(context.Background()) }()
		if err := h.Start(t.Context(), Running{h.options.Modules[0], newModule(h, h.options.Modules[0], &log)}); err != nil {
			t.Fatal(err)
		}
		both = append(both, h)
	}
	for _, h := range both {
		for _, module := range []string{"stock", "till"} {
			if got, err := count(module).Call(t.Context(), h.Edge(), question{7}); err != nil || got.N != 7 {
				t.Errorf("%v calls %s: %v, %v", h.options.Modules, module, got, err)
			}
		}
	}
	var noticed []chan nats.Status
	for _, h := range both {
		noticed = append(noticed, h.far.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING))
	}
	server.Stop()
	for i, h := range both {
		<-noticed[i] // the client has seen the end of its connection
		own := h.options.Modules[0]
		if _, err := count(own).Call(t.Context(), h.Edge(), question{}); err != nil {
			t.Errorf("%s calls itself without the server: %v", own, err)
		}
		other := map[string]string{"stock": "till", "till": "stock"}[own]
		if _, err := count(other).Call(t.Context(), h.Edge(), question{}); !errors.Is(err, channel.ErrUnreachable) {
			t.Errorf("%s calls %s without the server: %v", own, other, err)
		}
		if err := h.checkReady(t.Context()); !errors.Is(err, errCutOff) {
			t.Errorf("cut off: %v", err)
		}
	}
}

// TestNoServer gives up in time, with one clear error and no password in it.
func TestNoServer(t *testing.T) {
	o := options(t.TempDir(), "stock")
	o.Channel, o.ConnectWait = "nats://shop:hunter2@127.0.0.1:1", 300*time.Millisecond
	_, err := Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "no NATS server answered within 300ms") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("said %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	o.ConnectWait = time.Hour
	if _, err := Open(ended, o); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop, it said %v", err)
	}
	if got, want := redacted("nats://a:b@h:1,tls://i:2"), "nats://a:xxxxx@h:1,tls://i:2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := url.Parse(o.Channel); err != nil {
		t.Fatal(err)
	}
}

// TestProgram says what is wrong in one line.
func TestProgram(t *testing.T) {
	var out, complaints bytes.Buffer
	p := Program{Name: "stock", Commands: &failing{}}
	if got := p.Run(t.Context(), nil, &out, &complaints); got != 1 || complaints.String() != "stock: one; two\n" {
		t.Errorf("status %d, said %q", got, complaints.String())
	}
	complaints.Reset()
	if got := p.Run(t.Context(), []string{"--nonsense"}, &out, &complaints); got != 2 || !strings.Contains(complaints.String(), "unknown flag --nonsense") {
		t.Errorf("status %d, said %q", got, complaints.String())
	}
}

type failing struct{ Config }

func (failing) Run() error { return errors.Join(errors.New("one"), errors.New(" two")) }
