package channeltest

import (
	"context"
	"errors"
	"sync"
	"time"

	"cutpoint/platform/channel"
)

// Promise 10: emptying a layer, and ending it.

func flushEmpties(t *stage) {
	l := t.open(channel.Options{Capacity: 2})
	r := t.listen(l, name)
	t.join(l, "all", name)
	t.send(l, name, text("1"), text("2"))
	t.send(l, "nobody", text("3"))
	l.Flush()
	t.empty(r)
	if s := figures(l, name); s.Depth != 0 || s.Dropped != 2 || s.Sent != 2 {
		t.Errorf("figures %+v", s)
	}
	if s := figures(l, "nobody"); s.Name != "" {
		t.Errorf("a channel that was flushed and that nobody reads is still there: %+v", s)
	}
	t.group(l, "all", "4", 0, 0)
	t.send(l, name, text("5"), text("6")) // there is room for two again
	t.refused("a third message of two", l.Send(name, text("7")), channel.ErrFull)
	t.reads(r, "5", "6")
	t.join(l, "all", name)
	t.group(l, "all", "8", 1, 0)
	t.reads(r, "8")
}

func flushKeepsWaiters(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	first, second := t.wait(r), t.wait(t.listen(l, "price.request", name))
	l.Flush()
	first.waits()
	second.waits()
	t.send(l, name, text("1"), text("2"))
	first.gets("1")
	second.gets("2")
}

// drain drains a layer in a goroutine of its own.
func (t *stage) drain(ctx context.Context, l channel.Layer) <-chan error {
	result := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel)
	go func() { result <- l.Drain(ctx) }()
	t.settle()
	return result
}

// goesOn fails if a drain has returned.
func (t *stage) goesOn(drained <-chan error) {
	t.Helper()
	t.settle()
	select {
	case err := <-drained:
		t.Fatalf("drain returned %v while messages wait", err)
	default:
	}
}

func drainFinishes(t *stage) {
	l := t.open(channel.Options{})
	r, other := t.listen(l, name), t.listen(l, "price.request")
	t.send(l, name, text("1"), in("lane", "2"), in("lane", "3"))
	t.send(l, "price.request", text("4"))
	drained := t.drain(context.Background(), l)
	t.refused("a send while the layer drains", l.Send(name, text("5")), channel.ErrClosed)
	t.refused("a send to a new channel while the layer drains", l.Send("new", text("5")), channel.ErrClosed)
	_, _, err := l.GroupSend("all", text("5"))
	t.refused("a send to a group while the layer drains", err, channel.ErrClosed)
	t.reads(r, "1")
	m := t.receive(r)
	t.goesOn(drained)
	t.reads(other, "4")
	t.goesOn(drained)
	r.Handled(&m)
	t.reads(r, "3")
	if err := await(t, drained, "drain"); err != nil {
		t.Errorf("drain: %v", err)
	}
	t.refused("a send after the layer was drained", l.Send(name, text("5")), channel.ErrClosed)
	t.empty(r)

	idle := t.open(channel.Options{})
	t.listen(idle, name)
	if err := await(t, t.drain(context.Background(), idle), "the drain of an idle layer"); err != nil {
		t.Errorf("drain an idle layer: %v", err)
	}
}

func drainExpires(t *stage) {
	l := t.open(channel.Options{Expiry: 2 * t.unit})
	r := t.listen(l, name)
	t.send(l, name, text("1"))
	t.send(l, "nobody", text("2"))
	drained := t.drain(context.Background(), l)
	t.goesOn(drained)
	t.pass(2 * t.unit)
	if err := await(t, drained, "drain"); err != nil {
		t.Errorf("drain: %v", err)
	}
	t.empty(r)
}

func drainGivesUp(t *stage) {
	l := t.open(channel.Options{Expiry: 24 * time.Hour})
	t.listen(l, "idle")
	t.send(l, name, text("1"))
	ctx, cancel := context.WithCancel(context.Background())
	drained := t.drain(ctx, l)
	cancel()
	if err := await(t, drained, "drain with a cancelled context"); !errors.Is(err, context.Canceled) {
		t.Errorf("drain with a cancelled context: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), t.unit)
	defer cancel()
	if err := await(t, t.drain(ctx, l), "drain with a deadline"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain with a deadline: %v", err)
	}
	t.reads(t.listen(l, name), "1") // it was accepted
}

func drainAnswers(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	s := t.slot(l)
	defer s.Release()
	t.send(l, name, wanting(s))
	t.settle() // a driver that refuses late also accepts late
	drained := t.drain(context.Background(), l)
	m := t.receive(r)
	if err := await(t, drained, "drain"); err != nil {
		t.Errorf("drain: %v", err)
	}
	l.Reply(m.Header.ReplyTo, []byte("answer"))
	t.answered(s, "answer")
}

func closeWakes(t *stage) {
	l := t.open(channel.Options{})
	a, b := t.listen(l, name), t.listen(l, name, "price.request")
	waiters := []*waiter{t.wait(a), t.wait(a), t.wait(b)}
	s := t.slot(l)
	done, ended := make(chan struct{}), make(chan bool, 1)
	t.Cleanup(func() { close(done) }) // if nothing else ends the wait
	go func() {
		defer s.Release()
		_, ok := s.Wait(done, time.Now().Add(24*time.Hour))
		ended <- ok
	}()
	t.settle()
	l.Close()
	for _, w := range waiters {
		w.ends(channel.ErrClosed)
	}
	if await(t, ended, "a wait for an answer") {
		t.Error("an answer from nowhere")
	}
	t.wait(a).ends(channel.ErrClosed)
}

func closeDrops(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.send(l, name, text("1"), text("2"), text("3"))
	t.reads(r, "1")
	l.Close()
	t.empty(r)
	s := figures(l, name)
	t.addsUp(s)
	if s.Depth != 0 || s.Dropped != 2 || s.Sent != 3 {
		t.Errorf("figures %+v", s)
	}
}

func closeRefuses(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	s := t.slot(l)
	l.Close()
	l.Close()
	_, listen := l.Listen(name)
	_, listenNew := l.Listen("new")
	_, fresh := l.NewChannel("reply")
	_, open := l.OpenReply()
	_, _, group := l.GroupSend("all", text("1"))
	for what, err := range map[string]error{
		"Send": l.Send(name, text("1")), "Send to a new channel": l.Send("new", text("1")), "Listen": listen, "Listen to a new channel": listenNew,
		"NewChannel": fresh, "OpenReply": open, "GroupAdd": l.GroupAdd("all", name), "GroupDiscard": l.GroupDiscard("all", name),
		"GroupSend": group,
	} {
		t.refused(what+" after Close", err, channel.ErrClosed)
	}
	t.wait(r).ends(channel.ErrClosed)
	// What others still hold is harmless.
	l.Reply(s.Address(), []byte("answer"))
	if body, ok := s.Wait(nil, time.Now().Add(24*time.Hour)); ok {
		t.Errorf("an answer after the layer was closed: %s", body)
	}
	s.Release()
	t.empty(r)
	r.Handled(&channel.Message{Channel: name, Header: channel.Header{Lane: "1"}})
	r.Close()
	l.Flush()
	if err := await(t, t.drain(context.Background(), l), "drain after Close"); err != nil {
		t.Errorf("drain after Close: %v", err)
	}

	l = t.open(channel.Options{})
	var closing sync.WaitGroup
	for range 4 {
		closing.Go(l.Close)
	}
	closing.Wait()
}

func listenerCloses(t *stage) {
	l := t.open(channel.Options{})
	a, b := t.listen(l, name), t.listen(l, name, "price.request")
	mine, too, other := t.wait(a), t.wait(a), t.wait(b)
	a.Close()
	a.Close()
	mine.ends(channel.ErrClosed)
	too.ends(channel.ErrClosed)
	other.waits()
	t.wait(a).ends(channel.ErrClosed)
	t.send(l, name, text("1"), text("2"))
	other.gets("1")
	if m, ok := a.Poll(); ok {
		t.Errorf("a closed listener took %q from one that is open", said(m))
	}
	b.Close()
	t.send(l, name, text("3"))
	t.reads(t.listen(l, name), "2", "3")
}

func listenerFinishes(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name, "price.request")
	s, late := t.slot(l), t.slot(l)
	defer s.Release()
	defer late.Release()
	t.send(l, name, wanting(s), text("2"))
	t.send(l, "price.request", text("3"))
	r.Close()
	t.refused("a send when the only listener closed", t.asks(l, name, late), channel.ErrNoReceiver)
	if found := t.rest(r); len(found) != 3 {
		t.Errorf("the last listener found %q", found)
	}
}
