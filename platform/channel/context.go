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

// NewHandling returns the context in which a received message is handled. It is fresh: nothing of the sender's context is in
// it but the header, and its deadline is the header's. base ends it early. The caller must call end when the handling is over.
//
// Its Done channel and timer are made when somebody asks for them, since most handlers never do (context.WithDeadline costs
// four allocations and half a microsecond a call).
func NewHandling(base context.Context, h Header) (ctx context.Context, end func()) {
	c := &handling{Context: base, header: h}
	return c, c.end
}

type handling struct {
	context.Context
	header Header

	mu    sync.Mutex
	done  chan struct{}
	err   error
	timer *time.Timer
	stop  func() bool
}

func (c *handling) Value(key any) any {
	if key == (headerKey{}) {
		return &c.header
	}
	return c.Context.Value(key)
}

func (c *handling) Deadline() (time.Time, bool) {
	if c.header.Deadline.IsZero() {
		return c.Context.Deadline()
	}
	return c.header.Deadline, true
}

func (c *handling) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err == nil && !c.header.Deadline.IsZero() {
			c.timer = time.AfterFunc(time.Until(c.header.Deadline), func() { c.fail(context.DeadlineExceeded) })
		}
		if c.err == nil {
			c.stop = context.AfterFunc(c.Context, func() { c.fail(c.Context.Err()) })
		} else {
			close(c.done)
		}
	}
	return c.done
}

func (c *handling) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case c.Context.Err() != nil:
		return c.Context.Err()
	case !c.header.Deadline.IsZero() && !time.Now().Before(c.header.Deadline):
		return context.DeadlineExceeded
	}
	return nil
}

func (c *handling) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
}

// end stops the timer and cancels what still uses the context.
func (c *handling) end() {
	c.fail(context.Canceled)
	c.mu.Lock()
	timer, stop := c.timer, c.stop
	c.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if stop != nil {
		stop()
	}
}
