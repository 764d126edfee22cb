package rpc_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

// TestUnreliable: whatever a layer loses, each error says what is known.
func TestUnreliable(t *testing.T) {
	tests := map[string]struct {
		channel.Unreliability
		want    *fault.Error // nil: answered
		outcome fault.Outcome
		took    time.Duration
		runs    int
	}{
		"nothing happens":            {runs: 1},
		"refused":                    {Unreliability: channel.Unreliability{Refuse: 1}, want: channel.ErrFull, outcome: fault.NotExecuted},
		"the message is dropped":     {Unreliability: channel.Unreliability{DropSend: 1}, want: rpc.ErrNoAnswer, took: 10 * time.Second},
		"the message comes in time":  {Unreliability: channel.Unreliability{DelaySend: 1, MaxDelay: 9 * time.Second}, runs: 1, took: -1},
		"the answer is dropped":      {Unreliability: channel.Unreliability{DropReply: 1}, want: rpc.ErrNoAnswer, took: 10 * time.Second, runs: 1},
		"the answer comes in time":   {Unreliability: channel.Unreliability{DelayReply: 1, MaxDelay: 9 * time.Second}, runs: 1, took: -1},
		"the message comes too late": {Unreliability: channel.Unreliability{DelaySend: 1, MaxDelay: 1e6 * time.Second}, want: rpc.ErrNoAnswer, took: 10 * time.Second},
		"the answer comes too late":  {Unreliability: channel.Unreliability{DelayReply: 1, MaxDelay: 1e6 * time.Second}, want: rpc.ErrNoAnswer, took: 10 * time.Second, runs: 1},
	}
	bothLayers(t, func(t *testing.T, o channel.Options) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u := channel.Unreliable(channel.NewMemory(o), test.Unreliability)
					defer u.Close()
					s := rpc.NewServer(u, "orders", rpc.ServerOptions{Workers: 1})
					runs := 0
					rpc.Handle(s, ask, func(_ context.Context, r flat) (flat, error) { runs++; return r, nil })
					if err := s.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
					begin := time.Now()
					got, err := ask.Call(t.Context(), rpc.NewCaller(u, "edge", rpc.CallerOptions{Timeout: 10 * time.Second}), flat{"MUG-1", 2})
					took := time.Since(begin)
					if test.want == nil && (err != nil || got != flat{"MUG-1", 2}) || test.want != nil && !isFault(err, test.want, test.outcome) {
						t.Errorf("got %+v, %v", got, err)
					}
					if test.took >= 0 && took != test.took || test.took < 0 && (took == 0 || took >= 9*time.Second) {
						t.Errorf("it took %v", took)
					}
					time.Sleep(2e6 * time.Second) // whatever is still to come has come
					if err := s.Stop(t.Context()); err != nil {
						t.Error(err)
					}
					if runs != test.runs {
						t.Errorf("it ran %d times, want %d", runs, test.runs)
					}
				})
			})
		}
	})
	t.Run("many calls, a little of everything", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := channel.Unreliability{Seed: 3, Refuse: .1, DropSend: .1, DelaySend: .1, DropReply: .1, DelayReply: .1, MaxDelay: 20 * time.Second}
			u := channel.Unreliable(channel.NewMemory(channel.Options{}), o)
			defer u.Close()
			s := rpc.NewServer(u, "orders", rpc.ServerOptions{Workers: 4})
			ran := map[string]int{}
			rpc.Handle(s, hold, func(_ context.Context, r flat) (flat, error) { ran[r.SKU]++; return r, nil })
			c := rpc.NewCaller(u, "edge", rpc.CallerOptions{})
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			outcomes := map[fault.Outcome]int{}
			for i := range 500 {
				sku := fmt.Sprint(i)
				got, err := hold.Call(t.Context(), c, flat{SKU: sku})
				synctest.Wait()
				switch {
				case err == nil && (got.SKU != sku || ran[sku] != 1):
					t.Errorf("call %d was answered with %+v, and ran %d times", i, got, ran[sku])
				case err != nil && fault.From(err).Outcome == fault.NotExecuted && ran[sku] != 0:
					t.Errorf("call %d ran: %v", i, err)
				case err != nil:
					outcomes[fault.From(err).Outcome]++
				}
			}
			if outcomes[fault.NotExecuted] == 0 || outcomes[fault.Unknown] == 0 || outcomes[fault.Executed] != 0 {
				t.Errorf("outcomes %v", outcomes)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}
