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
	Timeout time.Duration // longest wait for an answer

	// WaitWhenFull is how long a call that meets a full channel is tried again, if its deadline allows, before it is refused with
	// channel.ErrFull. Zero: it is refused at once. Those who wait have no order among them, not within a lane either.
	WaitWhenFull time.Duration

	// Observe is told of every call that ended, in the goroutine that made it: it must be quick, and safe for concurrent use.
	Observe func(Observation)
}

// The pauses of a call that waits for room.
const (
	firstPause   = time.Millisecond
	longestPause = 50 * time.Millisecond
)

// Observation is a call that ended, as its caller saw it.
type Observation struct {
	From      string // the calling module
	Operation string
	Took      time.Duration // with the wait for room and for the answer
	Err       error
}

// Caller is the side of a module from which calls go out. It is safe for concurrent use.
type Caller struct {
	layer   channel.Layer
	direct  *Direct // of a test that measures; mostly nil
	from    string
	options CallerOptions
	process uint64
	start   time.Time // calls read the time since then: the monotonic clock alone, at half the cost of time.Now
	number  atomic.Uint64
}

// NewCaller returns the outgoing side of the module named from.
func NewCaller(l channel.Layer, from string, o CallerOptions) *Caller {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	d, _ := l.(*Direct)
	return &Caller{layer: l, direct: d, from: from, options: o, process: channel.NewProcess(), start: time.Now()}
}

// address fills in what goes with a call that is made in ctx and began then; it returns false if it is too late for it.
func (c *Caller) address(ctx context.Context, h *channel.Header, operation string, begin time.Duration) bool {
	h.Inherit(ctx)
	h.ID = channel.ID{Process: c.process, Number: c.number.Add(1)}
	h.Operation = operation
	h.From = c.from
	if h.Actor == "" {
		h.Actor = c.from
	}
	h.Deadline = c.start.Add(begin + c.options.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(h.Deadline) {
		h.Deadline = d
		if d.Sub(c.start) <= begin {
			return false
		}
	}
	return ctx.Err() == nil
}

// send reserves a slot for the answer and sends a message.
func (c *Caller) send(to string, m *channel.Message) (channel.ReplySlot, error) {
	slot, err := c.layer.OpenReply()
	if err != nil {
		return nil, err
	}
	m.Header.ReplyTo = slot.Address()
	if err := c.layer.Send(to, *m); err != nil {
		slot.Release()
		return nil, err
	}
	return slot, nil
}
