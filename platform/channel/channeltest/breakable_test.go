package channeltest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
)

// breakable is a correct layer; each function that is set replaces one of its methods.
type breakable struct {
	channel.Layer
	send         func(to string, m channel.Message) error
	listen       func(names ...string) (channel.Listener, error)
	newChannel   func(prefix string) (string, error)
	openReply    func() (channel.ReplySlot, error)
	reply        func(to channel.ReplyTo, body any)
	groupAdd     func(group, channel string) error
	groupDiscard func(group, channel string) error
	groupSend    func(group string, m channel.Message) (int, int, error)
	flush        func()
	drain        func(context.Context) error
	close        func()
	info         func() channel.Info
	stats        func() []channel.Stats

	reader func(channel.Listener) channel.Listener   // changes what Listen returns
	slot   func(channel.ReplySlot) channel.ReplySlot // changes what OpenReply returns
}

func (b *breakable) Send(to string, m channel.Message) error {
	if b.send != nil {
		return b.send(to, m)
	}
	return b.Layer.Send(to, m)
}

func (b *breakable) Listen(names ...string) (channel.Listener, error) {
	listen := b.Layer.Listen
	if b.listen != nil {
		listen = b.listen
	}
	r, err := listen(names...)
	if err == nil && b.reader != nil {
		r = b.reader(r)
	}
	return r, err
}

func (b *breakable) NewChannel(prefix string) (string, error) {
	if b.newChannel != nil {
		return b.newChannel(prefix)
	}
	return b.Layer.NewChannel(prefix)
}

func (b *breakable) OpenReply() (channel.ReplySlot, error) {
	open := b.Layer.OpenReply
	if b.openReply != nil {
		open = b.openReply
	}
	s, err := open()
	if err == nil && b.slot != nil {
		s = b.slot(s)
	}
	return s, err
}

func (b *breakable) Reply(to channel.ReplyTo, body any) {
	if b.reply != nil {
		b.reply(to, body)
		return
	}
	b.Layer.Reply(to, body)
}

func (b *breakable) GroupAdd(group, channel string) error {
	if b.groupAdd != nil {
		return b.groupAdd(group, channel)
	}
	return b.Layer.GroupAdd(group, channel)
}

func (b *breakable) GroupDiscard(group, channel string) error {
	if b.groupDiscard != nil {
		return b.groupDiscard(group, channel)
	}
	return b.Layer.GroupDiscard(group, channel)
}

func (b *breakable) GroupSend(group string, m channel.Message) (int, int, error) {
	if b.groupSend != nil {
		return b.groupSend(group, m)
	}
	return b.Layer.GroupSend(group, m)
}

func (b *breakable) Flush() {
	if b.flush != nil {
		b.flush()
		return
	}
	b.Layer.Flush()
}

func (b *breakable) Drain(ctx context.Context) error {
	if b.drain != nil {
		return b.drain(ctx)
	}
	return b.Layer.Drain(ctx)
}

func (b *breakable) Close() {
	if b.close != nil {
		b.close()
		return
	}
	b.Layer.Close()
}

func (b *breakable) Info() channel.Info {
	if b.info != nil {
		return b.info()
	}
	return b.Layer.Info()
}

func (b *breakable) Stats() []channel.Stats {
	if b.stats != nil {
		return b.stats()
	}
	return b.Layer.Stats()
}

// reader is a correct listener; each function that is set replaces one of its methods.
type reader struct {
	channel.Listener
	receive func(done <-chan struct{}) (channel.Message, error)
	poll    func() (channel.Message, bool)
	handled func(*channel.Message)
	close   func()
}

func (r *reader) Receive(done <-chan struct{}, m *channel.Message) (err error) {
	if r.receive == nil {
		return r.Listener.Receive(done, m)
	}
	*m, err = r.receive(done)
	return err
}

func (r *reader) Poll() (channel.Message, bool) {
	if r.poll != nil {
		return r.poll()
	}
	return r.Listener.Poll()
}

func (r *reader) Handled(m *channel.Message) {
	if r.handled != nil {
		r.handled(m)
		return
	}
	r.Listener.Handled(m)
}

func (r *reader) Close() {
	if r.close != nil {
		r.close()
		return
	}
	r.Listener.Close()
}

// slot is a correct reply slot; each function that is set replaces one of its methods.
type slot struct {
	channel.ReplySlot
	address func() channel.ReplyTo
	wait    func(done <-chan struct{}, deadline time.Time) (any, bool)
	release func()
}

func (s *slot) Address() channel.ReplyTo {
	if s.address != nil {
		return s.address()
	}
	return s.ReplySlot.Address()
}

func (s *slot) Wait(done <-chan struct{}, deadline time.Time) (any, bool) {
	if s.wait != nil {
		return s.wait(done, deadline)
	}
	return s.ReplySlot.Wait(done, deadline)
}

func (s *slot) Release() {
	if s.release != nil {
		s.release()
		return
	}
	s.ReplySlot.Release()
}

// changing reads through a function, which may change a message or withhold it.
func changing(l channel.Listener, change func(channel.Message) (channel.Message, bool)) channel.Listener {
	return &reader{
		Listener: l,
		receive: func(done <-chan struct{}) (channel.Message, error) {
			for {
				m, err := receive(l, done)
				if err != nil {
					return m, err
				}
				if m, ok := change(m); ok {
					return m, nil
				}
			}
		},
		poll: func() (channel.Message, bool) {
			for {
				m, ok := l.Poll()
				if !ok {
					return m, false
				}
				if m, ok := change(m); ok {
					return m, true
				}
			}
		},
	}
}

// choosing takes all messages that are there, and reads the one that is chosen.
func choosing(l channel.Listener, choose func([]channel.Message) int) channel.Listener {
	var there []channel.Message
	take := func() channel.Message {
		for m, ok := l.Poll(); ok; m, ok = l.Poll() {
			there = append(there, m)
		}
		i := choose(there)
		m := there[i]
		there = slices.Delete(there, i, i+1)
		return m
	}
	return &reader{Listener: l, receive: func(done <-chan struct{}) (channel.Message, error) {
		if len(there) == 0 {
			m, err := receive(l, done)
			if err != nil {
				return m, err
			}
			there = append(there, m)
		}
		return take(), nil
	}}
}

// line lets readers stand in line and wakes one for each message, who then looks for itself: a usual way to build a layer, and
// one with many ways to go wrong. Who leaves the line after it was woken keeps that to itself.
type line struct {
	newestFirst bool
	noLeaving   bool // who gives up stays in line

	mu      sync.Mutex
	waiting []chan struct{}
}

func (l *line) over(inner channel.Layer) *breakable {
	return &breakable{
		Layer: inner,
		send: func(to string, m channel.Message) error {
			err := inner.Send(to, m)
			if err == nil {
				l.wake()
			}
			return err
		},
		reader: func(r channel.Listener) channel.Listener {
			return &reader{Listener: r, receive: func(done <-chan struct{}) (channel.Message, error) { return l.receive(r, done) }}
		},
	}
}

func (l *line) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return
	}
	i := 0
	if l.newestFirst {
		i = len(l.waiting) - 1
	}
	close(l.waiting[i])
	l.waiting = slices.Delete(l.waiting, i, i+1)
}

func (l *line) receive(r channel.Listener, done <-chan struct{}) (channel.Message, error) {
	for {
		if m, ok := r.Poll(); ok {
			return m, nil
		}
		me := make(chan struct{})
		l.mu.Lock()
		l.waiting = append(l.waiting, me)
		l.mu.Unlock()
		select {
		case <-me:
		case <-done:
			if !l.noLeaving {
				moment() // in which it may be woken
				l.mu.Lock()
				l.waiting = slices.DeleteFunc(l.waiting, func(w chan struct{}) bool { return w == me })
				l.mu.Unlock()
			}
			return channel.Message{}, context.Canceled
		}
	}
}

// moment lets all others in the bubble go on until they wait: what a race needs to be lost.
func moment() { time.Sleep(time.Nanosecond) }

// luggage is what a layer keeps of its messages while it sends no more than a number.
type luggage struct {
	mu   sync.Mutex
	kept map[string]channel.Message
}

// pack keeps a message and returns it with the number, in a field of the header that most cases don't use.
func (l *luggage) pack(m channel.Message) channel.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		l.kept = map[string]channel.Message{}
	}
	number := fmt.Sprint(len(l.kept))
	l.kept[number] = m
	m.Header.Tracestate = number
	return m
}

func (l *luggage) unpack(m channel.Message) channel.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.kept[m.Header.Tracestate]
	kept.Channel = m.Channel
	return kept
}

// recorder is a testing.TB that notes failures and does not report them.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Error(args ...any)   { r.Errorf("%s", fmt.Sprintln(args...)) }
func (r *recorder) Fatal(args ...any)   { r.Fatalf("%s", fmt.Sprintln(args...)) }
func (r *recorder) FailNow()            { r.Fatalf("failed") }
func (r *recorder) Logf(string, ...any) {}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// safely runs something that may panic, which is a failure like others.
func (r *recorder) safely(f func()) {
	defer func() {
		if p := recover(); p != nil {
			r.Errorf("panic: %v", p)
		}
	}()
	f()
}

// play plays one case with a driver in a bubble and returns how it failed.
func play(t *testing.T, d Driver, keep func(*stage)) []string {
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) {
		r.TB = t
		over := make(chan struct{})
		go func() { // which Fatal ends
			defer close(over)
			defer func() {
				for _, f := range slices.Backward(r.cleanups) {
					r.safely(f)
				}
			}()
			r.safely(func() { keep(virtual(r, d)) })
		}()
		<-over
		time.Sleep(time.Hour) // in which all that the case left behind comes to its end
	})
	return r.failures
}
