// Package eventstream publishes the feed of orders to a stream of NATS JetStream, for other systems to read. It is off unless a
// process is told where the stream is.
//
//	orders' feed --Step--> stream: each event once, in the order of the feed, without a gap
//
// It keeps nothing of its own: how far it has come stands in the stream, as the position of the last message. Each publish says
// behind which message it belongs, so the server refuses whatever would make a gap, a double or another order: of a publisher that
// died between sending and hearing of it, of one that was slow, of two at once. Who is refused reads the stream again and goes on
// from there. That the server has the event already, by its id, is the second wall.
//
// Orders knows nothing of it and never waits for it: while NATS is away the feed waits. docs/events.md is for those who read the
// stream and those who run it.
//
// stream.go finds the stream and the place in it, publish.go sends; this file has the life of a publisher.
package eventstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cutpoint/modules/orders"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/failpoint"
)

// Feed is where events come from: orders.Service, as far as it is needed.
type Feed interface {
	Events(context.Context, orders.EventsRequest) (orders.EventPage, error)
}

// Deps is what a publisher needs. All of it is required.
type Deps struct {
	Orders Feed
	URL    string // of the NATS server, or of several with commas between
	Random func() float64
	Log    *slog.Logger
}

// Defaults of the options.
const (
	DefaultStream = "CUTPOINT_EVENTS"
	DefaultPrefix = "cutpoint"
)

// User is the name of the publisher at a server that keeps users apart.
const User = "events"

// Options have defaults; the zero value takes them.
type Options struct {
	Stream    string // its name; DefaultStream
	Prefix    string // events go to the subjects <prefix>.events.<type>; DefaultPrefix
	Replicas  int    // of a stream that is made here, and the fewest of one that is there; 1
	AllowWeak bool   // publish also to a stream that may lose what it acknowledged

	Connect natslayer.ConnectOptions // how the server is reached; name, timeout and log are the publisher's

	Batch      int           // events read and under way at once, at most 200; 200
	PollEvery  time.Duration // how often the feed is read when there was nothing new; 250 ms
	AckTimeout time.Duration // longest wait for the server's word on an event; 5 s
	Standby    time.Duration // how long to leave a stream to another publisher before looking again, give or take half; 1 s
	PauseMin   time.Duration // wait after a failure; it doubles with each; 250 ms
	PauseMax   time.Duration // the longest such wait; 30 s

	Fail failpoint.Points // for tests
}

func (o Options) withDefaults() Options {
	for _, s := range []struct {
		of *string
		to string
	}{{&o.Stream, DefaultStream}, {&o.Prefix, DefaultPrefix}} {
		if *s.of == "" {
			*s.of = s.to
		}
	}
	for _, d := range []struct {
		of *time.Duration
		to time.Duration
	}{
		{&o.PollEvery, 250 * time.Millisecond}, {&o.AckTimeout, 5 * time.Second}, {&o.Standby, time.Second},
		{&o.PauseMin, 250 * time.Millisecond}, {&o.PauseMax, 30 * time.Second},
	} {
		if *d.of <= 0 {
			*d.of = d.to
		}
	}
	if o.Batch <= 0 || o.Batch > maxBatch {
		o.Batch = maxBatch
	}
	o.Replicas = max(o.Replicas, 1)
	return o
}

// maxBatch is the largest page of the feed.
const maxBatch = 200

// Publisher publishes the feed. Step is driven by one goroutine: Start's, or a test's.
type Publisher struct {
	deps    Deps
	options Options

	nc    *nats.Conn
	js    jetstream.JetStream
	place place
	room  int  // bytes that a message of the stream may have
	aside bool // another publisher was faster: it is looked whether it goes on

	mu   sync.Mutex
	cut  context.CancelFunc // nil before Start
	done chan struct{}
}

// New returns a publisher that has touched nothing yet. It fails if something of d is missing.
func New(d Deps, o Options) (*Publisher, error) {
	if d.Orders == nil || d.URL == "" || d.Random == nil || d.Log == nil {
		return nil, errors.New("the publisher of events lacks one of its dependencies")
	}
	return &Publisher{deps: d, options: o.withDefaults()}, nil
}

// Start publishes until Stop. It needs no server to be there: a publisher that finds none, or a stream that it may not use, says so
// in the log and tries again. A publisher is started once.
func (p *Publisher) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut != nil {
		return errors.New("the publisher of events is started already")
	}
	working, cut := context.WithCancel(context.WithoutCancel(ctx))
	p.cut, p.done = cut, make(chan struct{})
	go func() {
		defer close(p.done)
		defer p.hangUp()
		p.work(working)
	}()
	return nil
}

// Stop ends what is under way, which the next publisher finds in the stream or publishes, and waits for that. It may be called
// twice, and before Start.
func (p *Publisher) Stop() {
	p.mu.Lock()
	cut, done := p.cut, p.done
	p.mu.Unlock()
	if cut == nil {
		return
	}
	cut()
	<-done
}

// work takes one step after the other until ctx ends.
func (p *Publisher) work(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		found, err := p.Step(ctx)
		wait := p.options.PollEvery
		switch {
		case errors.Is(err, errTaken):
			wait, failures = p.jitter(p.options.Standby), 0
		case err != nil && ctx.Err() == nil:
			wait = p.jitter(min(p.options.PauseMin<<min(failures, 20), p.options.PauseMax))
			failures++
			p.deps.Log.ErrorContext(ctx, "publish events", "stream", p.options.Stream, "again_in", wait, "error", err)
		case err == nil:
			failures = 0
		}
		if found && err == nil {
			continue
		}
		pause(ctx, wait)
	}
}

// jitter spreads a wait over half of it to one and a half, so that publishers don't come back as one.
func (p *Publisher) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(p.deps.Random()*float64(d))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Step publishes the next page of the feed and reports whether there was one. After an error the place in the stream is looked for
// again.
func (p *Publisher) Step(ctx context.Context) (found bool, err error) {
	defer func() {
		if err != nil {
			p.place.known = false
		}
	}()
	if err := p.connect(); err != nil {
		return false, err
	}
	if !p.place.known {
		if err := p.find(ctx); err != nil {
			return false, err
		}
	}
	page, err := p.read(ctx)
	if err != nil || len(page.Events) == 0 {
		return false, err
	}
	return true, p.publish(ctx, page.Events)
}

// connect reaches the server, once: a connection that is lost comes back by itself.
func (p *Publisher) connect() error {
	if p.nc != nil {
		return nil
	}
	o := p.options.Connect
	o.Name, o.Timeout, o.Log = "cutpoint events", p.options.AckTimeout, p.deps.Log
	if o.Key != "" { // then the server may keep users apart, and lets this one read the answers to nobody else
		o.Other = append(slices.Clone(o.Other), nats.CustomInboxPrefix(natslayer.Inbox(p.options.Prefix, User)))
	}
	nc, err := natslayer.Connect(p.deps.URL, o)
	if err != nil {
		return fmt.Errorf("reach the NATS server: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(p.options.AckTimeout),
		jetstream.WithPublishAsyncTimeout(p.options.AckTimeout), jetstream.WithPublishAsyncMaxPending(p.options.Batch))
	if err != nil {
		nc.Close()
		return err
	}
	p.nc, p.js = nc, js
	return nil
}

func (p *Publisher) hangUp() {
	if p.nc != nil {
		p.nc.Close()
	}
}
