package rpc_test

import (
	"context"
	"errors"
	"testing"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
)

func TestDirect(t *testing.T) {
	memory := channel.NewMemory(channel.Options{})
	t.Cleanup(memory.Close)
	l := rpc.NewDirect(memory)
	s := rpc.NewServer(l, "bench", rpc.ServerOptions{})
	errBad := fault.New(fault.Conflict, "bench.bad", "bad")
	var got []line
	rpc.Handle(s, benchNested, func(ctx context.Context, r nested) (nested, error) {
		got = r.Lines
		if ctx.Value(strangeKey{}) == nil {
			t.Error("a fresh context")
		}
		return r, nil
	})
	rpc.Handle(s, benchFlat, func(_ context.Context, r flat) (flat, error) { return r, errBad })
	c := rpc.NewCaller(l, "edge", rpc.CallerOptions{})
	ctx := context.WithValue(t.Context(), strangeKey{}, true)
	if _, err := benchFlat.Call(ctx, c, flat{}); !errors.Is(err, channel.ErrNoReceiver) {
		t.Errorf("before Start: got %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}

	r := nested{Lines: []line{{SKU: "MUG-1"}}}
	if resp, err := benchNested.Call(ctx, c, r); err != nil || &got[0] != &r.Lines[0] || &resp.Lines[0] != &r.Lines[0] {
		t.Errorf("a call copies, or fails: %v", err)
	}
	if n := sent(l); n > 0 {
		t.Errorf("%d messages went over the layer", n)
	}
	l.Turn(false)
	if _, err := benchFlat.Call(ctx, c, flat{}); !errors.Is(err, errBad) || sent(l) != 1 {
		t.Errorf("turned off: got %v and %d messages", err, sent(l))
	}
	l.Turn(true)
	resp, err := benchFlat.Call(ctx, c, flat{SKU: "MUG-1"})
	if f := fault.From(err); !errors.Is(err, errBad) || f.Outcome != fault.Executed || resp != (flat{}) || sent(l) != 1 {
		t.Errorf("a refusal: got %v (%v) with %+v", err, f.Outcome, resp)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := benchFlat.Call(ctx, c, flat{}); !errors.Is(err, channel.ErrNoReceiver) {
		t.Errorf("after Stop: got %v", err)
	}
}

type strangeKey struct{}

// sent is how many messages went over the channels of a layer.
func sent(l channel.Layer) (n uint64) {
	for _, figures := range l.Stats() {
		n += figures.Sent
	}
	return n
}
