package natslayer_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

type question struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type reply struct {
	Held  int64    `json:"held"`
	Where []string `json:"where"`
}

var (
	hold = rpc.Define[question, reply]("stock", "hold")
	errs = fault.New(fault.Conflict, "stock.none_left", "there is none left")
)

// host serves the stock module of the tests.
func host(t testing.TB, l channel.Layer, o rpc.ServerOptions, do func(context.Context, question) (reply, error)) {
	t.Helper()
	s := rpc.NewServer(l, "stock", o)
	rpc.Handle(s, hold, do)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A caller can't tell whether its neighbour is in the same process: values, headers and faults are equal.
func TestCallsAreTheSameNearAndFar(t *testing.T) {
	s := serve(t, server.Options{})
	do := func(ctx context.Context, q question) (reply, error) {
		if q.Quantity > 5 {
			return reply{}, errs.Saying("%d are too many", q.Quantity).At("/quantity", "too_many", "take 5").About("res_1").WithRetryAfter(time.Minute)
		}
		if q.Quantity == 0 {
			panic("nothing to hold")
		}
		return reply{Held: q.Quantity, Where: []string{channel.CorrelationID(ctx), channel.Actor(ctx), q.SKU}}, nil
	}
	near := open(t, s, natslayer.Options{Hosted: []string{"stock.request"}, Prefix: "near"})
	host(t, near, rpc.ServerOptions{}, do)
	host(t, open(t, s, natslayer.Options{Prefix: "far"}), rpc.ServerOptions{}, do)
	far := open(t, s, natslayer.Options{Prefix: "far"})
	ctx := channel.WithHeader(t.Context(), channel.Header{CorrelationID: "cor_1", Actor: "key_1"})
	for _, q := range []question{{"MUG-1", 2}, {"MUG-1", 6}, {"MUG-1", 0}} {
		a, errA := hold.Call(ctx, rpc.NewCaller(near, "orders", rpc.CallerOptions{}), q)
		b, errB := hold.Call(ctx, rpc.NewCaller(far, "orders", rpc.CallerOptions{}), q)
		if a.Held != b.Held || !slices.Equal(a.Where, b.Where) {
			t.Errorf("%+v: %+v near, %+v far", q, a, b)
		}
		fa, fb := fault.From(errA), fault.From(errB)
		if (fa == nil) != (fb == nil) {
			t.Fatalf("%+v: %v near, %v far", q, errA, errB)
		}
		if fa == nil {
			continue
		}
		if !errors.Is(errB, fa) || fa.Message != fb.Message || fa.Outcome != fb.Outcome || fa.Subject != fb.Subject ||
			fa.RetryAfter != fb.RetryAfter || !slices.Equal(fa.Details, fb.Details) {
			t.Errorf("%+v: %+v near, %+v far", q, fa, fb)
		}
	}
}

// Waiting for room is the caller's choice, though it learns only from the answer that there is none.
func TestWaitWhenFullAcrossProcesses(t *testing.T) {
	s := serve(t, server.Options{})
	stock := open(t, s, natslayer.Options{Options: channel.Options{Capacity: 1}})
	var busy atomic.Int64
	release := make(chan struct{})
	host(t, stock, rpc.ServerOptions{Workers: 1}, func(context.Context, question) (reply, error) {
		busy.Add(1)
		<-release
		return reply{}, nil
	})
	l := open(t, s, natslayer.Options{})
	call := func(o rpc.CallerOptions) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := hold.Call(t.Context(), rpc.NewCaller(l, "orders", o), question{})
			done <- err
		}()
		return done
	}
	queued := func() (n int) {
		for _, s := range stock.Stats() {
			if s.Name == "stock.request" {
				n = s.Depth
			}
		}
		return n
	}
	first := call(rpc.CallerOptions{})
	eventually(t, "the worker is busy", func() bool { return busy.Load() == 1 })
	second := call(rpc.CallerOptions{})
	eventually(t, "the queue is full", func() bool { return queued() == 1 })
	if err := <-call(rpc.CallerOptions{}); !errors.Is(err, channel.ErrFull) {
		t.Errorf("without waiting: %v", err)
	}
	patient := call(rpc.CallerOptions{WaitWhenFull: patience})
	close(release)
	for _, c := range []<-chan error{first, second, patient} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
}

// A call whose caller gave up before it was started is not started.
func TestRemainingTimeTravels(t *testing.T) {
	s := serve(t, server.Options{})
	var started atomic.Int64
	release := make(chan struct{})
	stock := open(t, s, natslayer.Options{})
	host(t, stock, rpc.ServerOptions{Workers: 1}, func(context.Context, question) (reply, error) {
		started.Add(1)
		<-release
		return reply{}, nil
	})
	l := open(t, s, natslayer.Options{})
	go func() { _, _ = hold.Call(t.Context(), rpc.NewCaller(l, "orders", rpc.CallerOptions{}), question{}) }()
	eventually(t, "the worker is busy", func() bool { return started.Load() == 1 })
	const hasty = 50 * time.Millisecond
	if _, err := hold.Call(t.Context(), rpc.NewCaller(l, "orders", rpc.CallerOptions{Timeout: hasty}), question{}); !errors.Is(err, rpc.ErrNoAnswer) {
		t.Errorf("a call that nobody has time for: %v", err)
	}
	eventually(t, "its time is over where it waits, which began to run when it arrived", func() bool {
		i := slices.IndexFunc(stock.Stats(), func(s channel.Stats) bool { return s.Name == "stock.request" })
		return i >= 0 && stock.Stats()[i].Expired == 1
	})
	close(release)
	if _, err := hold.Call(t.Context(), rpc.NewCaller(l, "orders", rpc.CallerOptions{}), question{}); err != nil {
		t.Error(err)
	}
	if n := started.Load(); n != 2 {
		t.Errorf("%d calls were started, want the first and the last", n)
	}
}
