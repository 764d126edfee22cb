package rpc

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// NewDirect returns a layer on which a call to a module that is served on the same layer is a plain function call: what a
// program without boundaries would do. Nothing is copied, queued or bounded, the handler runs in the caller's goroutine and
// context, its panic is the caller's, and Stop does not wait for it. Only how errors look stays the same.
//
// It is there to measure what the boundaries cost (the shop's tax test), and for nothing else: it gives up all that this
// package promises. Whatever is not such a call goes to l.
func NewDirect(l channel.Layer) *Direct {
	d := &Direct{Layer: l}
	d.functions.Store(&map[string]any{})
	return d
}

// Direct is a layer with plain calls; see NewDirect.
type Direct struct {
	channel.Layer

	off       atomic.Bool
	mu        sync.Mutex
	functions atomic.Pointer[map[string]any] // by operation, of type function; replaced, never changed in place
}

// Turn turns plain calls on, as they are at first, or off: then later calls go to the layer below, so that one program can be
// measured both ways.
func (d *Direct) Turn(on bool) { d.off.Store(!on) }

// function is a registered handler without its message.
type function[Req, Resp any] func(context.Context, Req) (Resp, *fault.Error)

// serve offers the functions of a server; it does nothing on any other layer.
func serve(l channel.Layer, functions map[string]any) {
	replace(l, func(all map[string]any) { maps.Copy(all, functions) })
}

// leave takes them back. Calls that come later meet the layer below.
func leave(l channel.Layer, functions map[string]any) {
	replace(l, func(all map[string]any) {
		maps.DeleteFunc(all, func(operation string, _ any) bool { return functions[operation] != nil })
	})
}

func replace(l channel.Layer, change func(map[string]any)) {
	d, ok := l.(*Direct)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(*d.functions.Load())
	change(all)
	d.functions.Store(&all)
}

// directly returns the function behind an operation, or nil if it has to be called over the layer.
func directly[Req, Resp any](d *Direct, op *Op[Req, Resp]) function[Req, Resp] {
	if d == nil || d.off.Load() {
		return nil
	}
	f, _ := (*d.functions.Load())[op.name].(function[Req, Resp])
	return f
}

// call makes the plain call. An error comes with a zero answer, as over a layer.
func (f function[Req, Resp]) call(ctx context.Context, req Req) (Resp, error) {
	resp, err := f(ctx, req)
	if err != nil {
		var none Resp
		return none, err
	}
	return resp, nil
}
