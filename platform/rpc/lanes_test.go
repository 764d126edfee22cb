package rpc_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

func bySKU(r flat) string { return r.SKU }

var (
	hold  = rpc.Define[flat, flat]("orders", "hold").ByLane(bySKU)
	let   = rpc.Define[flat, flat]("orders", "let").ByLane(bySKU)
	outer = rpc.Define[flat, flat]("orders", "outer").ByLane(bySKU)
)

// work is a handler that takes some time, and tells of what happened to each lane.
type work struct {
	takes func(flat) time.Duration

	mu    sync.Mutex
	order map[string][]int64
	busy  map[string]bool
	most  int // lanes that were busy at once
}

func (w *work) do(_ context.Context, r flat) (flat, error) {
	w.mu.Lock()
	if w.order == nil {
		w.order, w.busy = map[string][]int64{}, map[string]bool{}
	}
	if w.busy[r.SKU] {
		w.mu.Unlock()
		return flat{}, fmt.Errorf("two of lane %s at once", r.SKU)
	}
	w.busy[r.SKU] = true
	w.order[r.SKU] = append(w.order[r.SKU], r.Quantity)
	w.most = max(w.most, len(w.busy))
	w.mu.Unlock()
	time.Sleep(w.takes(r))
	w.mu.Lock()
	delete(w.busy, r.SKU)
	w.mu.Unlock()
	return r, nil
}

func (w *work) register(s *rpc.Server) {
	rpc.Handle(s, hold, w.do)
	rpc.Handle(s, let, w.do)
}

// sendInOrder makes calls, each of which is accepted before the next one is made, and returns what becomes of them.
func sendInOrder(t *testing.T, c *rpc.Caller, calls ...flat) <-chan error {
	results := make(chan error, len(calls))
	for i, r := range calls {
		go func() {
			op := hold
			if i%2 == 1 {
				op = let // an operation of its own, in the same lanes
			}
			_, err := op.Call(t.Context(), c, r)
			results <- err
		}()
		synctest.Wait()
	}
	return results
}

func allFine(t *testing.T, results <-chan error) {
	t.Helper()
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestLanes(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		o.Capacity = 1000
		var calls []flat
		for i := range 200 {
			calls = append(calls, flat{fmt.Sprint("lane ", i%10), int64(i)})
		}
		inOrder := func(t *testing.T, w *work) {
			t.Helper()
			total := 0
			for name, order := range w.order {
				total += len(order)
				for i := range order[1:] {
					if order[i] > order[i+1] {
						t.Errorf("%s ran as %v", name, order)
						break
					}
				}
			}
			if total != len(calls) {
				t.Errorf("%d calls ran", total)
			}
		}
		t.Run("each in its order, beside each other", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &work{takes: func(flat) time.Duration { return 100 * time.Millisecond }}
				f := serve(t, o, rpc.ServerOptions{}, w.register)
				begin := time.Now()
				allFine(t, sendInOrder(t, f.Caller, calls...))
				inOrder(t, w)
				if took := time.Since(begin); took != 2*time.Second || w.most != 10 {
					t.Errorf("10 lanes of 20 calls took %v, %d lanes at once", took, w.most)
				}
			})
		})
		t.Run("a slow one delays no other", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &work{takes: func(r flat) time.Duration {
					if r.SKU == "slow" {
						return 4 * time.Second
					}
					return 0
				}}
				f := serve(t, o, rpc.ServerOptions{Workers: 2}, w.register)
				slow := sendInOrder(t, f.Caller, flat{"slow", 1}, flat{"slow", 2})
				begin := time.Now()
				allFine(t, sendInOrder(t, f.Caller, flat{"quick", 1}, flat{"other", 2}, flat{"quick", 3}, flat{"", 4}))
				if took := time.Since(begin); took != 0 {
					t.Errorf("other lanes took %v", took)
				}
				allFine(t, slow)
			})
		})
		t.Run("Stop drains them", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &work{takes: func(flat) time.Duration { return 10 * time.Millisecond }}
				f := serve(t, o, rpc.ServerOptions{Workers: 3}, w.register)
				results := sendInOrder(t, f.Caller, calls...)
				if err := f.Stop(t.Context()); err != nil {
					t.Error(err)
				}
				allFine(t, results)
				inOrder(t, w)
			})
		})
		t.Run("a panic frees its lane", func(t *testing.T) {
			f := serve(t, o, rpc.ServerOptions{}, func(s *rpc.Server) {
				rpc.Handle(s, hold, func(context.Context, flat) (flat, error) { panic("at work") })
				rpc.Handle(s, let, func(_ context.Context, r flat) (flat, error) { return r, nil })
			})
			for range 3 {
				if _, err := hold.Call(t.Context(), f.Caller, flat{SKU: "a"}); !isFault(err, fault.ErrInternal, fault.Unknown) {
					t.Fatal(err)
				}
				if _, err := let.Call(t.Context(), f.Caller, flat{SKU: "a"}); err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run("a refusal frees its lane", func(t *testing.T) {
			f := serve(t, o, rpc.ServerOptions{}, func(s *rpc.Server) {
				rpc.Handle(s, let, func(_ context.Context, r flat) (flat, error) { return r, nil })
			})
			if _, err := hold.Call(t.Context(), f.Caller, flat{SKU: "a"}); !isFault(err, rpc.ErrUnknownOperation, fault.NotExecuted) {
				t.Fatal(err)
			}
			if _, err := let.Call(t.Context(), f.Caller, flat{SKU: "a"}); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("a call that expired in its lane frees it", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &work{takes: func(flat) time.Duration { return 5 * time.Second }} // more than the second call has
				f := serve(t, o, rpc.ServerOptions{}, w.register)
				first := sendInOrder(t, f.Caller, flat{"a", 1})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				expired := make(chan error, 1)
				go func() { _, err := let.Call(ctx, f.Caller, flat{"a", 2}); expired <- err }()
				synctest.Wait()
				last := sendInOrder(t, rpc.NewCaller(f.Memory, "edge", rpc.CallerOptions{Timeout: time.Minute}), flat{"a", 3})
				if err := <-expired; !isFault(err, rpc.ErrNoAnswer, fault.Unknown) {
					t.Error(err)
				}
				allFine(t, first)
				allFine(t, last)
				if got := fmt.Sprint(w.order["a"]); got != "[1 3]" {
					t.Errorf("ran %s", got)
				}
			})
		})
		t.Run("what Stop cancels frees its lane", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
					rpc.Handle(s, hold, func(ctx context.Context, r flat) (flat, error) { <-ctx.Done(); return r, nil })
					rpc.Handle(s, let, func(_ context.Context, r flat) (flat, error) { return r, nil })
				})
				results := sendInOrder(t, f.Caller, flat{SKU: "a"}, flat{SKU: "a"}, flat{SKU: "a"})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_ = f.Stop(ctx)
				refused := 0
				for range 3 {
					if err := <-results; isFault(err, channel.ErrNoReceiver, fault.NotExecuted) {
						refused++
					}
				}
				if refused != 2 {
					t.Errorf("%d of the lane were refused", refused)
				}
			})
		})
		t.Run("a call made in a lane is not of that lane", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var f fixture
				f = serve(t, o, rpc.ServerOptions{}, func(s *rpc.Server) {
					rpc.Handle(s, outer, func(ctx context.Context, r flat) (flat, error) { return ask.Call(ctx, f.Caller, r) })
					rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { return r, nil })
				})
				if _, err := outer.Call(t.Context(), f.Caller, flat{SKU: "a"}); err != nil {
					t.Error("it waited for itself:", err)
				}
			})
		})
	})
}

// TestLanesRace: real goroutines, and lanes that are busy and free all the time.
func TestLanesRace(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		w := &work{takes: func(flat) time.Duration { return 0 }}
		f := serve(t, o, rpc.ServerOptions{Workers: 64}, w.register)
		var callers sync.WaitGroup
		for i := range 64 {
			callers.Go(func() {
				for n := range int64(100) {
					op := hold
					if n%2 == 1 {
						op = let
					}
					if _, err := op.Call(t.Context(), f.Caller, flat{fmt.Sprint(i % 8), n}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
	})
}
