package rpc

import (
	"context"
	"sync/atomic"
	"time"

	"cutpoint/platform/channel"
)

// DefaultTimeout bounds a call whose context has no earlier deadline.
const DefaultTimeout = 10 * time.Second

// CallerOptions are the settings of a caller. The zero value takes the defaults.
type CallerOptions struct {
	Timeout time.Duration     // longest wait for an answer
	Observe func(Observation) // told of every call that ended; must be quick and safe for concurrent use
}

// Observation is a call that ended, as its caller saw it.
type Observation struct {
	From      string // the calling module
	Operation string
	Took      time.Duration
	Err       error
}

// Caller is the side of a module from which calls go out. It is safe for concurrent use.
type Caller struct {
	layer   channel.Layer
	direct  *direct // of a test that measures; mostly nil
	encodes bool
	from    string
	options CallerOptions
	process uint64
	number  atomic.Uint64
}

// NewCaller returns the outgoing side of the module named from.
func NewCaller(l channel.Layer, from string, o CallerOptions) *Caller {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	d, _ := l.(*direct)
	return &Caller{layer: l, direct: d, encodes: l.Info().Encodes, from: from, options: o, process: channel.NewProcess()}
}

// header is what goes with a call made in ctx.
func (c *Caller) header(ctx context.Context, operation string, now time.Time) channel.Header {
	h := *channel.HeaderOf(ctx)
	h.Causation = h.ID
	h.ID = channel.ID{Process: c.process, Number: c.number.Add(1)}
	h.Operation = operation
	h.From = c.from
	if h.Actor == "" {
		h.Actor = c.from
	}
	h.Deadline = now.Add(c.options.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(h.Deadline) {
		h.Deadline = d
	}
	return h
}
