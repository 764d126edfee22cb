package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

func TestWaitWhenFull(t *testing.T) {
	tests := map[string]struct {
		wait    time.Duration
		timeout time.Duration // of the context; 0: none
		own     time.Duration // of the caller; 0: the default
		roomIn  time.Duration
		cancel  bool          // after a second
		want    *fault.Error  // nil: answered
		took    time.Duration // at least
		most    time.Duration
	}{
		"no waiting":                {roomIn: time.Second, want: channel.ErrFull},
		"room comes":                {wait: 5 * time.Second, roomIn: time.Second, took: time.Second, most: 1100 * time.Millisecond},
		"no room in time":           {wait: 500 * time.Millisecond, roomIn: time.Second, want: channel.ErrFull, took: 500 * time.Millisecond, most: 500 * time.Millisecond},
		"the deadline comes first":  {wait: 5 * time.Second, timeout: 700 * time.Millisecond, roomIn: time.Second, want: channel.ErrFull, took: 700 * time.Millisecond, most: 700 * time.Millisecond},
		"the caller's time is over": {wait: 5 * time.Second, own: 600 * time.Millisecond, roomIn: time.Second, want: channel.ErrFull, took: 600 * time.Millisecond, most: 600 * time.Millisecond},
		"the caller goes away":      {wait: 5 * time.Second, roomIn: 3 * time.Second, cancel: true, want: channel.ErrFull, took: time.Second, most: time.Second},
		"nobody listens, who waits": {wait: 5 * time.Second, roomIn: -1, want: channel.ErrNoReceiver},
	}
	bothLayers(t, func(t *testing.T, o channel.Options) {
		o.Capacity = 1
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					gate := make(chan struct{})
					f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
						rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { <-gate; return r, nil })
					})
					results := make(chan error, 2)
					for range 2 { // one runs, one is queued
						go func() { _, err := ask.Call(t.Context(), f.Caller, flat{}); results <- err }()
						synctest.Wait()
					}
					if test.roomIn < 0 {
						close(gate)
						if err := f.Stop(t.Context()); err != nil {
							t.Error(err)
						}
					} else {
						time.AfterFunc(test.roomIn, func() { close(gate) })
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if test.timeout > 0 {
						ctx, cancel = context.WithTimeout(ctx, test.timeout)
						defer cancel()
					}
					if test.cancel {
						time.AfterFunc(time.Second, cancel)
					}
					var took time.Duration
					c := rpc.NewCaller(f.Memory, "edge", rpc.CallerOptions{Timeout: test.own, WaitWhenFull: test.wait, Observe: func(o rpc.Observation) { took = o.Took }})
					_, err := ask.Call(ctx, c, flat{})
					if test.want == nil && err != nil || test.want != nil && !isFault(err, test.want, fault.NotExecuted) {
						t.Errorf("got %v", err)
					}
					if took < test.took || took > test.most {
						t.Errorf("it took %v", took)
					}
					for range 2 {
						if err := <-results; err != nil {
							t.Error(err)
						}
					}
				})
			})
		}
	})
}

func TestHandledIsObserved(t *testing.T) {
	bothLayers(t, func(t *testing.T, o channel.Options) {
		synctest.Test(t, func(t *testing.T) {
			refusal := fault.New(fault.Conflict, "stock.sold_out", "sold out")
			seen := make(chan rpc.Handled, 10)
			f := serve(t, o, rpc.ServerOptions{Workers: 1, Observe: func(h rpc.Handled) { seen <- h }}, func(s *rpc.Server) {
				rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) {
					time.Sleep(time.Second)
					switch r.SKU {
					case "refuse":
						return flat{}, refusal
					case "panic":
						panic("at work")
					}
					return r, nil
				})
			})
			for _, sku := range []string{"fine", "refuse", "panic"} {
				go func() { _, _ = ask.Call(t.Context(), f.Caller, flat{SKU: sku}) }()
				synctest.Wait()
			}
			go func() { _, _ = missing.Call(t.Context(), f.Caller, flat{}) }()
			for i, want := range []error{nil, refusal, fault.ErrInternal, rpc.ErrUnknownOperation} {
				h := <-seen
				waited, took, operation := time.Duration(i)*time.Second, time.Second, "orders.ask"
				if i == 3 {
					took, operation = 0, "orders.missing"
				}
				if h.Operation != operation || h.From != "edge" || h.Waited != waited || h.Took != took || !errors.Is(h.Err, want) {
					t.Errorf("call %d was observed as %+v", i, h)
				}
			}
		})
	})
}

func TestTooLarge(t *testing.T) {
	var large = rpc.Define[order, order]("orders", "large")
	text := strings.Repeat("x", channel.MaxBody+1)
	half := strings.Repeat("x", channel.MaxBody/2+1)
	tests := map[string]order{
		"a string":              {ID: text},
		"two strings":           {ID: half, Embedded: Embedded{half}},
		"bytes":                 {Raw: make([]byte, channel.MaxBody+1)},
		"a map's key":           {Labels: map[string]string{text: ""}},
		"a map's value":         {Labels: map[string]string{"": text}},
		"slices in a map":       {Groups: map[string][]line{"a": {{SKU: half}, {SKU: half}}}},
		"behind a pointer":      {Lines: []line{{Note: &text}}},
		"slice in a pointer":    {Parent: &parent{Tags: []string{half, half}}},
		"elements of no weight": {Parent: &parent{Tags: make([]string, channel.MaxBody+1)}},
	}
	bothLayers(t, func(t *testing.T, o channel.Options) {
		var answer order
		started := 0
		f := serve(t, o, rpc.ServerOptions{Workers: 1}, func(s *rpc.Server) {
			rpc.Handle(s, large, func(context.Context, order) (order, error) { started++; return answer, nil })
			rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) {
				return flat{SKU: strings.Repeat("x", int(r.Quantity))}, nil
			})
		})
		for name, value := range tests {
			t.Run(name, func(t *testing.T) {
				before := started
				if _, err := large.Call(t.Context(), f.Caller, value); !isFault(err, channel.ErrTooLarge, fault.NotExecuted) || started != before {
					t.Errorf("request: %.200v", err)
				}
				answer = value
				if got, err := large.Call(t.Context(), f.Caller, order{}); !isFault(err, channel.ErrTooLarge, fault.Executed) || got.ID != "" {
					t.Errorf("answer: %.200v", err)
				}
			})
		}
		t.Run("flat values", func(t *testing.T) {
			if _, err := ask.Call(t.Context(), f.Caller, flat{SKU: text}); !isFault(err, channel.ErrTooLarge, fault.NotExecuted) {
				t.Errorf("request: %v", err)
			}
			if _, err := ask.Call(t.Context(), f.Caller, flat{Quantity: channel.MaxBody + 1}); !isFault(err, channel.ErrTooLarge, fault.Executed) {
				t.Errorf("answer: %v", err)
			}
			if _, err := ask.Call(t.Context(), f.Caller, flat{SKU: half, Quantity: int64(len(half))}); err != nil {
				t.Errorf("half of it: %v", err)
			}
		})
	})
}
