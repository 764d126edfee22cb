package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// order holds everything that may cross a boundary.
type order struct {
	ID      string            `json:"id"`
	Total   int64             `json:"total"`
	Rate    float64           `json:"rate"`
	Paid    bool              `json:"paid"`
	At      time.Time         `json:"at"`
	Lines   []line            `json:"lines"`
	Labels  map[string]string `json:"labels"`
	Groups  map[string][]line `json:"groups"`
	Parent  *parent           `json:"parent"`
	Raw     []byte            `json:"raw"`
	Pair    [2]*int64         `json:"pair"`
	Numbers [3]uint8          `json:"numbers"`
	Embedded
}

// Embedded gives its members to the struct around it, in JSON too.
type Embedded struct {
	Kind string `json:"kind"`
}

type parent struct {
	ID   string   `json:"id"`
	Tags []string `json:"tags"`
}

func anOrder() order {
	note, n := "gift", int64(7)
	return order{
		ID: "ord_1", Total: 1<<62 + 1, Rate: 0.1, Paid: true, At: time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC),
		Lines:  []line{{"MUG-1", 2, &note}, {"SHIRT-1", 1, nil}},
		Labels: map[string]string{"cart": "c1"}, Groups: map[string][]line{"a": {{"MUG-1", 1, &note}}},
		Parent: &parent{"ord_0", []string{"x", "y"}}, Raw: []byte{0, 255}, Pair: [2]*int64{&n, nil}, Numbers: [3]uint8{1, 2, 3},
		Embedded: Embedded{"gift"},
	}
}

// spoil changes everything that the order refers to.
func spoil(o *order) {
	for i := range o.Lines {
		if o.Lines[i].Note != nil {
			*o.Lines[i].Note = "spoiled"
		}
		o.Lines[i].SKU = "spoiled"
	}
	if o.Labels != nil {
		o.Labels["cart"], o.Labels["new"] = "spoiled", "spoiled"
	}
	for _, g := range o.Groups {
		g[0].SKU, *g[0].Note = "spoiled", "spoiled"
	}
	if o.Parent != nil {
		o.Parent.ID, o.Parent.Tags[0] = "spoiled", "spoiled"
	}
	if o.Pair[0] != nil {
		*o.Pair[0] = -1
	}
	if o.Raw != nil {
		o.Raw[0] = 99
	}
}

var (
	echo    = rpc.Define[order, order]("orders", "echo")
	ask     = rpc.Define[flat, flat]("orders", "ask")
	missing = rpc.Define[flat, flat]("orders", "missing")
	deeper  = rpc.Define[flat, channelHeader]("stock", "deeper")
)

// channelHeader is what a handler saw of its header.
type channelHeader struct {
	ID, Causation, CorrelationID, From, Actor, Traceparent, Tracestate string
	Deadline                                                           time.Time
}

func seen(ctx context.Context) channelHeader {
	h := channel.HeaderOf(ctx)
	return channelHeader{h.ID.String(), h.Causation.String(), h.CorrelationID, h.From, h.Actor, h.Traceparent, h.Tracestate, h.Deadline}
}

// bothLayers runs a test on a layer that hands values over and on one that encodes them.
func bothLayers(t *testing.T, test func(t *testing.T, o channel.Options)) {
	for name, o := range map[string]channel.Options{"plain": {}, "strict": {Strict: true}} {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

type fixture struct {
	*channel.Memory
	*rpc.Server
	*rpc.Caller
}

// serve starts a server with the operations that register adds.
func serve(t testing.TB, o channel.Options, so rpc.ServerOptions, register func(*rpc.Server)) fixture {
	t.Helper()
	l := channel.NewMemory(o)
	s := rpc.NewServer(l, "orders", so)
	register(s)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		l.Close()
	})
	return fixture{l, s, rpc.NewCaller(l, "edge", rpc.CallerOptions{})}
}

func TestCall(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		var kept []order // what handlers hold on to
		var mu sync.Mutex
		f := serve(t, o, rpc.ServerOptions{}, func(s *rpc.Server) {
			rpc.Handle(s, echo, func(_ context.Context, r order) (order, error) {
				mu.Lock()
				defer mu.Unlock()
				kept = append(kept, r)
				return r, nil
			})
		})
		tests := map[string]order{
			"everything":  anOrder(),
			"nothing":     {},
			"empty, full": {Lines: []line{}, Labels: map[string]string{}, Groups: map[string][]line{"none": nil, "empty": {}}, Raw: []byte{}},
		}
		for _, name := range slices.Sorted(maps.Keys(tests)) {
			t.Run(name, func(t *testing.T) {
				got, err := echo.Call(t.Context(), f.Caller, tests[name])
				if err != nil || !reflect.DeepEqual(got, tests[name]) {
					t.Fatalf("got %+v, %v\nwant %+v", got, err, tests[name])
				}
			})
		}
		t.Run("shares no memory", func(t *testing.T) {
			r := anOrder()
			got, err := echo.Call(t.Context(), f.Caller, r)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			inside := &kept[len(kept)-1]
			for name, o := range map[string]*order{"the caller's request": &r, "the handler's": inside, "the answer": &got} {
				if !reflect.DeepEqual(*o, anOrder()) {
					t.Errorf("%s was changed from elsewhere: %+v", name, *o)
				}
				spoil(o)
			}
		})
	})
}

func TestErrors(t *testing.T) {
	soldOut := fault.New(fault.Conflict, "stock.sold_out", "sold out")
	rich := soldOut.Saying("no %s", "MUG-1").At("/lines/0", "short", "3 left").About("ord_1").WithRetryAfter(90 * time.Second)
	tests := map[string]struct {
		err  error
		want fault.Error // besides the cause
	}{
		"a fault of the contract": {rich, fault.Error{Kind: fault.Conflict, Code: "stock.sold_out", Message: "no MUG-1", Outcome: fault.Executed,
			Details: []fault.Detail{{Pointer: "/lines/0", Code: "short", Detail: "3 left"}}, RetryAfter: 90 * time.Second, Subject: "ord_1"}},
		"a fault that is wrapped": {fmt.Errorf("reserve: %w", soldOut), fault.Error{Kind: fault.Conflict, Code: "stock.sold_out", Message: "sold out", Outcome: fault.Executed}},
		"a secret of the body":    {errors.New("password"), fault.Error{Kind: fault.Internal, Code: "internal", Message: fault.ErrInternal.Message}},
		"a neighbour is down":     {channel.ErrNoReceiver, fault.Error{Kind: fault.Unavailable, Code: "channel_no_receiver", Message: channel.ErrNoReceiver.Message, RetryAfter: time.Second}},
		"a deadline in the body":  {context.DeadlineExceeded, fault.Error{Kind: fault.Timeout, Code: "timeout", Message: fault.ErrTimeout.Message}},
	}
	bothLayers(t, func(t *testing.T, o channel.Options) {
		var next error
		f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
			rpc.Handle(s, ask, func(context.Context, flat) (flat, error) { return flat{"left behind", 1}, next })
		})
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				next = test.err
				got, err := ask.Call(t.Context(), f.Caller, flat{})
				var e *fault.Error
				if !errors.As(err, &e) || !reflect.DeepEqual(*e, test.want) {
					t.Fatalf("error %#v\nwant  %#v", err, test.want)
				}
				if got != (flat{}) {
					t.Errorf("an answer beside the error: %+v", got)
				}
				if errors.Is(err, soldOut) != (test.want.Code == soldOut.Code) {
					t.Error("errors.Is does not see the contract's sentinel")
				}
				if strings.Contains(err.Error(), "password") {
					t.Errorf("%v tells too much", err)
				}
			})
		}
		t.Run("an unknown operation", func(t *testing.T) {
			if _, err := missing.Call(t.Context(), f.Caller, flat{}); !isFault(err, rpc.ErrUnknownOperation, fault.NotExecuted) {
				t.Fatal(err)
			}
		})
		t.Run("a deadline that has passed", func(t *testing.T) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
			defer cancel()
			if _, err := ask.Call(ctx, f.Caller, flat{}); !isFault(err, rpc.ErrExpired, fault.NotExecuted) {
				t.Fatal(err)
			}
		})
	})
}

// isFault reports whether err is a fault with the code of want and an outcome.
func isFault(err error, want *fault.Error, outcome fault.Outcome) bool {
	var f *fault.Error
	return errors.As(err, &f) && errors.Is(err, want) && f.Outcome == outcome
}

func TestPanic(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
			rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) {
				if r.SKU == "bad" {
					panic("secret")
				}
				return r, nil
			})
		})
		for range 3 { // the only worker lives on
			if _, err := ask.Call(t.Context(), f.Caller, flat{SKU: "bad"}); !isFault(err, fault.ErrInternal, fault.Unknown) || strings.Contains(err.Error(), "secret") {
				t.Fatalf("panic: %v", err)
			}
			if got, err := ask.Call(t.Context(), f.Caller, flat{SKU: "good"}); err != nil || got.SKU != "good" {
				t.Fatalf("after a panic: %v %v", got, err)
			}
		}
	})
}

func TestContext(t *testing.T) {
	type key struct{}
	bothLayers(t, func(t *testing.T, o channel.Options) {
		var first, second channelHeader
		var value any
		l := channel.NewMemory(o)
		defer l.Close()
		stock := rpc.NewServer(l, "stock", rpc.ServerOptions{Workers: 1})
		rpc.Handle(stock, deeper, func(ctx context.Context, _ flat) (channelHeader, error) { return seen(ctx), nil })
		orders := rpc.NewServer(l, "orders", rpc.ServerOptions{Workers: 1})
		fromOrders := rpc.NewCaller(l, "orders", rpc.CallerOptions{})
		rpc.Handle(orders, ask, func(ctx context.Context, r flat) (_ flat, err error) {
			first, value = seen(ctx), ctx.Value(key{})
			if d, ok := ctx.Deadline(); !ok || !d.Equal(first.Deadline) {
				t.Errorf("deadline %v %v, in the header %v", d, ok, first.Deadline)
			}
			second, err = deeper.Call(ctx, fromOrders, flat{})
			return r, err
		})
		for _, s := range []*rpc.Server{stock, orders} {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Stop(context.Background()) }()
		}
		edge := channel.Header{CorrelationID: "cor_1", Actor: "key_1", Traceparent: "00-aa-bb-01", Tracestate: "v=1"}
		ctx, cancel := context.WithTimeout(context.WithValue(channel.WithHeader(t.Context(), edge), key{}, "secret"), time.Second)
		defer cancel()
		if _, err := ask.Call(ctx, rpc.NewCaller(l, "edge", rpc.CallerOptions{}), flat{}); err != nil {
			t.Fatal(err)
		}
		if value != nil {
			t.Error("a value of the caller's context crossed")
		}
		for who, h := range map[string]channelHeader{"first": first, "second": second} {
			if h.CorrelationID != "cor_1" || h.Actor != "key_1" || h.Traceparent != "00-aa-bb-01" || h.Tracestate != "v=1" {
				t.Errorf("%s: %+v", who, h)
			}
			if d, _ := ctx.Deadline(); !h.Deadline.Equal(d) {
				t.Errorf("%s: deadline %v, want the caller's %v", who, h.Deadline, d)
			}
		}
		if first.From != "edge" || second.From != "orders" {
			t.Errorf("from %q and %q", first.From, second.From)
		}
		if second.Causation != first.ID || second.ID == first.ID || first.Causation != (channel.ID{}).String() {
			t.Errorf("%+v did not cause %+v", first, second)
		}
		if _, err := ask.Call(t.Context(), rpc.NewCaller(l, "cron", rpc.CallerOptions{}), flat{}); err != nil || first.Actor != "cron" || second.Actor != "cron" {
			t.Errorf("a module on its own behalf: %v, actors %q and %q", err, first.Actor, second.Actor)
		}
	})
}

func TestDeadlines(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			var started atomic.Int32
			var ended error
			f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
				rpc.Handle(s, ask, func(ctx context.Context, r flat) (flat, error) {
					started.Add(1)
					if r.SKU == "slow" {
						<-ctx.Done()
						ended = ctx.Err()
						<-gate
					}
					return r, nil
				})
			})
			begin := time.Now()
			if _, err := ask.Call(t.Context(), f.Caller, flat{SKU: "slow"}); !isFault(err, rpc.ErrNoAnswer, fault.Unknown) {
				t.Fatalf("no answer: %v", err)
			}
			if took := time.Since(begin); took != rpc.DefaultTimeout {
				t.Errorf("gave up after %v, want %v", took, rpc.DefaultTimeout)
			}
			synctest.Wait()
			if !errors.Is(ended, context.DeadlineExceeded) {
				t.Errorf("the handler's context ended with %v", ended)
			}

			// The only worker hangs: this one waits in the queue until its deadline has passed.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := ask.Call(ctx, f.Caller, flat{SKU: "queued"}); !isFault(err, rpc.ErrNoAnswer, fault.Unknown) {
				t.Fatalf("queued: %v", err)
			}
			cancelled, stop := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, stop)
			if _, err := ask.Call(cancelled, f.Caller, flat{SKU: "given up"}); !isFault(err, rpc.ErrNoAnswer, fault.Unknown) || !errors.Is(err, context.Canceled) {
				t.Fatalf("given up: %v", err)
			}
			time.Sleep(time.Minute)
			close(gate)
			synctest.Wait()
			if n := started.Load(); n != 1 {
				t.Fatalf("%d handlers were started, want the first alone", n)
			}
			for range 3 { // the late answer went nowhere
				if got, err := ask.Call(t.Context(), f.Caller, flat{"MUG-1", 2}); err != nil || got != (flat{"MUG-1", 2}) {
					t.Fatalf("next call: %+v %v", got, err)
				}
			}
		})
	})
}

// TestLate has many callers give up at about the time when their answers come: each gets its own answer or none.
func TestLate(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		f := serve(t, o, rpc.ServerOptions{Workers: 8}, func(s *rpc.Server) {
			rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { return r, nil })
		})
		var callers sync.WaitGroup
		for c := range 16 {
			callers.Go(func() {
				for i := range 1000 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%10)*5*time.Microsecond)
					want := flat{fmt.Sprint(c), int64(i)}
					got, err := ask.Call(ctx, f.Caller, want)
					cancel()
					if err == nil && got != want {
						t.Errorf("got the answer %v to %v", got, want)
					}
				}
			})
		}
		callers.Wait()
	})
}

func TestBackPressure(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		synctest.Test(t, func(t *testing.T) {
			o.Capacity = 2
			gate := make(chan struct{})
			f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
				rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { <-gate; return r, nil })
			})
			results := make(chan error, 3)
			for range 3 { // one runs, two are queued
				go func() { _, err := ask.Call(t.Context(), f.Caller, flat{}); results <- err }()
				synctest.Wait()
			}
			begin := time.Now()
			if _, err := ask.Call(t.Context(), f.Caller, flat{}); !isFault(err, channel.ErrFull, fault.NotExecuted) || time.Since(begin) > 0 {
				t.Errorf("over capacity: %v after %v", err, time.Since(begin))
			}
			close(gate)
			for range 3 {
				if err := <-results; err != nil {
					t.Error(err)
				}
			}
		})
	})
}

func TestStop(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		t.Run("drains what was accepted and refuses the rest", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
					rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { <-gate; return r, nil })
				})
				results := make(chan error, 10)
				for range 10 { // one runs, nine are queued
					go func() { _, err := ask.Call(t.Context(), f.Caller, flat{}); results <- err }()
				}
				synctest.Wait()
				stopped := make(chan error, 2)
				for range 2 {
					go func() { stopped <- f.Stop(t.Context()) }()
				}
				synctest.Wait()
				if _, err := ask.Call(t.Context(), f.Caller, flat{}); !isFault(err, channel.ErrNoReceiver, fault.NotExecuted) {
					t.Fatalf("a call to a stopping module: %v", err)
				}
				if len(stopped) > 0 {
					t.Fatal("Stop did not wait for what runs")
				}
				close(gate)
				for range 10 {
					if err := <-results; err != nil {
						t.Errorf("an accepted call: %v", err)
					}
				}
				for range 2 {
					if err := <-stopped; err != nil {
						t.Errorf("stop: %v", err)
					}
				}
			})
		})
		t.Run("cancels and refuses when its time is up", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stuck := make(chan struct{})
				var cause atomic.Value
				f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
					rpc.Handle(s, ask, func(ctx context.Context, r flat) (flat, error) {
						<-ctx.Done()
						cause.Store(ctx.Err())
						<-stuck
						return r, nil
					})
				})
				results := make(chan error, 2)
				for range 2 {
					go func() { _, err := ask.Call(t.Context(), f.Caller, flat{}); results <- err }()
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := f.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("stop: %v", err)
				}
				if err := f.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("stop again, with a worker still there: %v", err)
				}
				synctest.Wait()
				if cause.Load() != context.Canceled {
					t.Errorf("the running handler's context ended with %v", cause.Load())
				}
				close(stuck)
				refused := 0
				for range 2 {
					if err := <-results; isFault(err, channel.ErrNoReceiver, fault.NotExecuted) {
						refused++
					} else if err != nil {
						t.Error(err)
					}
				}
				if refused != 1 {
					t.Errorf("%d calls were refused, want the queued one", refused)
				}
			})
		})
	})
	t.Run("before Start, and Start twice", func(t *testing.T) {
		l := channel.NewMemory(channel.Options{})
		defer l.Close()
		s := rpc.NewServer(l, "orders", rpc.ServerOptions{})
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Start(t.Context()); err == nil {
			t.Error("started twice")
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

type hidden struct {
	Open   string
	secret string //nolint:unused // that it is unexported is the point
}

type tree struct{ Children []tree }

type twice struct {
	Embedded
	Also string `json:"kind"`
}

func TestRefusedTypes(t *testing.T) {
	tests := map[string]struct {
		named string
		call  func(context.Context, *rpc.Caller, *rpc.Server) error
	}{
		"func":             {"func()", refused[struct{ F func() }]},
		"channel":          {"chan int", refused[struct{ C []chan int }]},
		"interface":        {"interface {}", refused[map[string]any]},
		"unexported field": {"hidden.secret", refused[*hidden]},
		"not encoded": {"Lost", refused[struct {
			Lost int `json:"-"`
		}]},
		"itself":        {"tree", refused[tree]},
		"keys":          {"map[int]string", refused[map[int]string]},
		"complex":       {"complex128", refused[complex128]},
		"two of a name": {`"kind"`, refused[twice]},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := channel.NewMemory(channel.Options{})
			defer l.Close()
			s := rpc.NewServer(l, "orders", rpc.ServerOptions{})
			err := test.call(t.Context(), rpc.NewCaller(l, "edge", rpc.CallerOptions{}), s)
			var f *fault.Error
			if !errors.As(err, &f) || f.Outcome != fault.NotExecuted || !strings.Contains(err.Error(), test.named) {
				t.Errorf("call: %v", err)
			}
			if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), test.named) || !strings.Contains(err.Error(), "orders.refused") {
				t.Errorf("start: %v", err)
			}
		})
	}
}

func refused[T any](ctx context.Context, c *rpc.Caller, s *rpc.Server) error {
	op := rpc.Define[T, flat]("orders", "refused")
	rpc.Handle(s, op, func(context.Context, T) (flat, error) { return flat{}, nil })
	var zero T
	_, err := op.Call(ctx, c, zero)
	return err
}

func TestWrongModule(t *testing.T) {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	s := rpc.NewServer(l, "stock", rpc.ServerOptions{})
	rpc.Handle(s, ask, func(context.Context, flat) (flat, error) { return flat{}, nil })
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "orders.ask") {
		t.Fatalf("start: %v", err)
	}
}

func TestObserve(t *testing.T) {
	var got []rpc.Observation
	f := serve(t, channel.Options{}, rpc.ServerOptions{}, func(s *rpc.Server) {
		rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { return r, nil })
	})
	c := rpc.NewCaller(f.Memory, "edge", rpc.CallerOptions{Observe: func(o rpc.Observation) { got = append(got, o) }})
	_, _ = ask.Call(t.Context(), c, flat{})
	_, _ = missing.Call(t.Context(), c, flat{})
	if len(got) != 2 || got[0].Operation != "orders.ask" || got[0].Err != nil || got[0].From != "edge" ||
		!errors.Is(got[1].Err, rpc.ErrUnknownOperation) || got[1].Took <= 0 {
		t.Fatalf("observed %+v", got)
	}
}
