package channel

import (
	"context"
	"sync"
	"time"
)

// Handlings is the state of one goroutine that handles messages one after the other, each in a context of its own:
//
//	for l.Receive(nil, &s.Message) == nil {
//		handle(s.Begin(), &s.Message)
//		s.End()
//	}
//
// What a context needs is here and is used again for the next message, above all the message itself; the context that a handler
// gets is a few bytes that say whose turn it is. (A context that holds its message cost a quarter of a call, mostly in the garbage
// collector, and context.WithDeadline takes four allocations and half a microsecond.) Since a handler may have kept its context,
// everything goes through a lock, and a context whose turn is over sees nothing of those that follow.
//
// A channel for Done is made when somebody asks. The timer for the deadline is not stopped at the end, since the next deadline is
// mostly later: whenever it rings, it is set for the message that is being handled then.
type Handlings struct {
	Message Message // the next one is received here; not to be changed between Begin and End
	base    context.Context
	fresh   []Handling

	mu      sync.Mutex
	current *Handling // nil: between two messages
	watched bool      // somebody wants to be told of the end of the current one
	done    chan struct{}
	after   map[*ending]struct{} // called at the end
	timer   *time.Timer
	rings   time.Time   // when the timer will; zero: it is not set
	stop    func() bool // of the watch on base; nil: nobody has ever asked
}

// Handling is the context in which a message is handled: nothing of the sender's context is in it but the header, and its deadline
// is the header's. When the handling is over it is cancelled, and neither header nor deadline is in it any more: what outlives its
// handler, or leaves it by context.WithoutCancel, takes along what it needs (WithHeader).
type Handling struct {
	of  *Handlings
	err error // why it has ended, or nil
}

// ending is a function that AfterFunc was given.
type ending struct{ do func() }

// handlingBlock is how many contexts are made at once.
const handlingBlock = 63

var alwaysDone = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// NewHandlings returns the state of a goroutine that handles messages until base ends. Its owner must call Close when it leaves.
func NewHandlings(base context.Context) *Handlings { return &Handlings{base: base} }

// Begin returns the context of the message. It goes on until End, the header's deadline or the end of the base.
func (s *Handlings) Begin() *Handling {
	if len(s.fresh) == 0 {
		s.fresh = make([]Handling, handlingBlock)
	}
	c := &s.fresh[0]
	s.fresh = s.fresh[1:]
	c.of = s
	s.mu.Lock()
	s.current = c
	s.mu.Unlock()
	return c
}

// End cancels what still uses the context of the message.
func (s *Handlings) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.err == nil {
		s.finish(context.Canceled)
	}
	s.current, s.watched, s.done = nil, false, nil
}

// Close stops what watches time and base.
func (s *Handlings) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.stop != nil {
		s.stop()
	}
}

// Stopped returns the error of the base, or nil while it goes on.
func (s *Handlings) Stopped() error { return s.base.Err() }

// look ends the current context if its time is over and nobody has noticed, and returns its error. The caller holds the lock.
func (s *Handlings) look() error {
	deadline := s.Message.Header.Deadline
	switch {
	case s.current.err != nil:
	case s.base.Err() != nil:
		s.finish(s.base.Err())
	case !deadline.IsZero() && passed(deadline):
		s.finish(context.DeadlineExceeded)
	}
	return s.current.err
}

// finish gives the current context its error and tells those who wait for its end; the caller holds the lock and does so once.
func (s *Handlings) finish(err error) {
	s.current.err = err
	if s.done != nil {
		close(s.done)
	}
	if len(s.after) == 0 {
		return
	}
	for e := range s.after {
		go e.do()
	}
	clear(s.after)
}

// watch sees to it that the end of the current context is noticed; the caller holds the lock.
func (s *Handlings) watch() {
	s.watched = true
	if d := s.Message.Header.Deadline; !d.IsZero() && (s.rings.IsZero() || d.Before(s.rings)) {
		s.ringAt(d)
	}
	if s.stop == nil {
		s.stop = context.AfterFunc(s.base, s.notice)
	}
}

func (s *Handlings) ringAt(t time.Time) {
	s.rings = t
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(t), s.ring)
		return
	}
	s.timer.Reset(time.Until(t))
}

func (s *Handlings) ring() {
	s.mu.Lock()
	s.rings = time.Time{}
	s.mu.Unlock()
	s.notice()
}

// notice is called when the base ends and when the timer rings, which may have been set for an earlier message.
func (s *Handlings) notice() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched && s.look() == nil {
		s.watch()
	}
}

// header returns that of the message, while it is being handled.
func (c *Handling) header() (h Header) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.current == c {
		h = c.of.Message.Header
	}
	return h
}

func (c *Handling) bequeath(to *Header) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.current == c {
		to.inherit(&c.of.Message.Header)
	}
}

// Value implements context.Context.
func (c *Handling) Value(key any) any {
	if key == (headerKey{}) {
		return c
	}
	return c.of.base.Value(key)
}

// Deadline implements context.Context.
func (c *Handling) Deadline() (time.Time, bool) {
	d, ok := c.of.base.Deadline()
	if h := c.header().Deadline; !h.IsZero() && (!ok || h.Before(d)) {
		return h, true
	}
	return d, ok
}

// Err implements context.Context.
func (c *Handling) Err() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.current == c {
		return c.of.look() // which also closes Done: an error and an open Done would contradict each other
	}
	return c.err
}

// Done implements context.Context.
func (c *Handling) Done() <-chan struct{} {
	s := c.of
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current != c:
		return alwaysDone
	case s.done != nil:
		return s.done
	case s.look() != nil:
		s.done = alwaysDone
	default:
		s.done = make(chan struct{})
		s.watch()
	}
	return s.done
}

// AfterFunc calls f in a goroutine of its own once the context has ended, unless stop is called before; stop reports whether it
// was. Package context finds this method when it derives a context, and would start a goroutine to wait for Done without it.
func (c *Handling) AfterFunc(f func()) (stop func() bool) {
	s := c.of
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != c || s.look() != nil {
		go f()
		return func() bool { return false }
	}
	s.watch()
	if s.after == nil {
		s.after = map[*ending]struct{}{}
	}
	e := &ending{f}
	s.after[e] = struct{}{}
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, waits := s.after[e]
		delete(s.after, e)
		return waits
	}
}
