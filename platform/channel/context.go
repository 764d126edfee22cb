package channel

import (
	"context"
	"sync"
	"time"
)

type headerKey struct{}

// WithHeader returns a context in which h is the header of what is being handled: calls made with it go on under its
// correlation id, trace, actor and deadline. The HTTP edge makes the first one; package rpc makes those that follow.
func WithHeader(ctx context.Context, h Header) context.Context {
	return context.WithValue(ctx, headerKey{}, &h)
}

// HeaderOf returns the header of what is being handled, or a zero one. The caller must not change it.
func HeaderOf(ctx context.Context) *Header {
	if h, ok := ctx.Value(headerKey{}).(*Header); ok {
		return h
	}
	return &noHeader
}

var noHeader Header

// CorrelationID returns the id of the request at the edge that ctx serves, or "".
func CorrelationID(ctx context.Context) string { return HeaderOf(ctx).CorrelationID }

// Actor returns on whose behalf ctx acts, or "".
func Actor(ctx context.Context) string { return HeaderOf(ctx).Actor }

// Handlings makes the contexts in which one goroutine handles the messages that it receives. A context is fresh: nothing of
// the sender's context is in it but the header, and its deadline is the header's. It is never used again, since the handler
// may have kept it; but it is made in a block with its successors, and its Done channel and timer only when somebody asks for
// them, which most handlers never do (context.WithDeadline costs four allocations and half a microsecond a call).
type Handlings struct{ block []Handling }

const handlingBlock = 16

// New returns the context of a message. base ends it early. The caller must call End when the handling is over.
func (s *Handlings) New(base context.Context, h *Header) *Handling {
	if len(s.block) == 0 {
		s.block = make([]Handling, handlingBlock)
	}
	c := &s.block[0]
	s.block = s.block[1:]
	c.Context, c.header = base, *h
	return c
}

// Handling is the context of a message that is being handled.
type Handling struct {
	context.Context
	header Header

	mu    sync.Mutex
	done  chan struct{}
	err   error
	watch *watch // nil: nobody has asked to be told of the end
}

// watch is what it takes to tell of the end of a context.
type watch struct {
	timer *time.Timer
	stop  func() bool
	after map[*ending]struct{} // called at the end
}

// ending is a function that AfterFunc was given.
type ending struct{ do func() }

// Value implements context.Context.
func (c *Handling) Value(key any) any {
	if key == (headerKey{}) {
		return &c.header
	}
	return c.Context.Value(key)
}

// Deadline implements context.Context.
func (c *Handling) Deadline() (time.Time, bool) {
	d, ok := c.Context.Deadline()
	if h := c.header.Deadline; !h.IsZero() && (!ok || h.Before(d)) {
		return h, true
	}
	return d, ok
}

// Done implements context.Context.
func (c *Handling) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		return c.done
	}
	c.done = make(chan struct{})
	switch {
	case c.err != nil: // told already, when nobody asked for Done
		close(c.done)
	case c.check() != nil:
		c.tell()
	default:
		c.begin()
	}
	return c.done
}

// begin sees to it that the end is noticed; the caller holds the lock.
func (c *Handling) begin() {
	if c.watch != nil {
		return
	}
	c.watch = &watch{}
	if d := c.header.Deadline; !d.IsZero() {
		c.watch.timer = time.AfterFunc(time.Until(d), func() { c.finish(context.DeadlineExceeded) })
	}
	c.watch.stop = context.AfterFunc(c.Context, func() { c.finish(c.Context.Err()) })
}

// AfterFunc calls f in a goroutine of its own once the context has ended, unless stop is called before; stop reports whether it
// was. Package context finds this method when it derives a context, and would start a goroutine to wait for Done without it.
func (c *Handling) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.check() != nil {
		c.tell()
	}
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	c.begin()
	if c.watch.after == nil {
		c.watch.after = map[*ending]struct{}{}
	}
	e := &ending{f}
	c.watch.after[e] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.watch.after[e]
		delete(c.watch.after, e)
		return waits
	}
}

// tell lets those who wait for the end know of it; the caller holds the lock and does so once.
func (c *Handling) tell() {
	if c.done != nil {
		close(c.done)
	}
	if c.watch == nil {
		return
	}
	for e := range c.watch.after {
		go e.do()
	}
	c.watch.after = nil
}

// Err implements context.Context.
func (c *Handling) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.check() != nil {
		c.tell() // an error and an open Done would contradict each other
	}
	return c.err
}

// check sets and returns the error of a context that has ended without having been told yet. The caller holds the lock.
func (c *Handling) check() error {
	switch {
	case c.err != nil:
	case c.Context.Err() != nil:
		c.err = c.Context.Err()
	case !c.header.Deadline.IsZero() && passed(c.header.Deadline):
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// finish gives the context its error, unless it has one.
func (c *Handling) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.tell()
}

// End stops the timer and cancels what still uses the context.
func (c *Handling) End() {
	c.mu.Lock()
	if c.err == nil {
		c.err = context.Canceled
		c.tell()
	}
	watch := c.watch
	c.mu.Unlock()
	if watch == nil {
		return
	}
	if watch.timer != nil {
		watch.timer.Stop()
	}
	watch.stop()
}
