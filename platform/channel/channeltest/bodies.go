package channeltest

import (
	"bytes"
	"time"

	"cutpoint/platform/channel"
)

// Promise 8: what a message carries, and whose it is.

// scribble changes a body in place.
func scribble(b any) {
	if b, ok := b.([]byte); ok {
		for i := range b {
			b[i] = '#'
		}
	}
}

func noSharing(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	body := []byte("body")
	t.send(l, name, channel.Message{Body: body})
	scribble(body)
	m := t.receive(r)
	if said(m) != "body" {
		t.Errorf("the sender changed a message that waited into %q", said(m))
	}
	// The same when it never waits.
	copy(body, "body")
	w := t.wait(r)
	t.send(l, name, channel.Message{Body: body})
	m = await(t, w.result, "a reader").message
	scribble(body)
	if said(m) != "body" {
		t.Errorf("the sender changed a message that was received into %q", said(m))
	}
	copy(body, "body")
	scribble(m.Body)
	if string(body) != "body" {
		t.Errorf("the receiver changed what the sender holds into %q", body)
	}
}

func noSharingInGroups(t *stage) {
	l := t.open(channel.Options{})
	t.join(l, "all", "a", "b")
	a, b := t.listen(l, "a"), t.listen(l, "b")
	body := []byte("body")
	if _, _, err := l.GroupSend("all", channel.Message{Body: body}); err != nil {
		t.Fatal(err)
	}
	scribble(body)
	first := t.receive(a)
	if said(first) != "body" {
		t.Errorf("the sender changed a member's copy into %q", said(first))
	}
	scribble(first.Body)
	if m := t.receive(b); said(m) != "body" {
		t.Errorf("a member changed another one's copy into %q", said(m))
	}
}

func noSharingInAnswers(t *stage) {
	l := t.open(channel.Options{})
	s := t.slot(l)
	defer s.Release()
	answer := []byte("answer")
	l.Reply(s.Address(), answer)
	scribble(answer)
	body, ok := s.Wait(nil, time.Now().Add(t.patient))
	if b, _ := body.([]byte); !ok || string(b) != "answer" {
		t.Errorf("who gave the answer changed it into %q", body)
	}
}

func sizes(t *stage) {
	l := t.open(channel.Options{})
	t.join(l, "all", "a")
	r, member := t.listen(l, name), t.listen(l, "a")
	largest := bytes.Repeat([]byte("x"), channel.MaxBody)
	large := channel.Message{Body: append(largest, 'x')}

	t.refused("one byte too much", l.Send(name, large), channel.ErrTooLarge)
	_, _, err := l.GroupSend("all", large)
	t.refused("one byte too much for a group", err, channel.ErrTooLarge)
	t.empty(r)
	t.empty(member)

	t.send(l, name, channel.Message{Body: largest})
	t.group(l, "all", string(largest), 1, 0)
	s := t.slot(l)
	defer s.Release()
	l.Reply(s.Address(), largest)
	answer, _ := s.Wait(nil, time.Now().Add(t.patient))
	for what, body := range map[string]any{"message": t.receive(r).Body, "copy": t.receive(member).Body, "answer": answer} {
		if b, _ := body.([]byte); !bytes.Equal(b, largest) {
			t.Errorf("the largest %s arrived with %d bytes of %d", what, len(b), len(largest))
		}
	}
}

func plainBodies(t *stage) {
	type value struct{ n int }
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.join(l, "all", name)
	v := &value{1}
	_, _, err := l.GroupSend("all", channel.Message{Body: v})
	t.refused("a plain body to a group", err, channel.ErrBody)
	t.empty(r)
	if l.Encodes(name) {
		t.refused("a plain body to a layer that encodes", l.Send(name, channel.Message{Body: v}), channel.ErrBody)
		t.empty(r)
		return
	}
	t.send(l, name, channel.Message{Body: v})
	if m := t.receive(r); m.Body != any(v) {
		t.Errorf("sent %p, received %v", v, m.Body)
	}
	s := t.slot(l)
	defer s.Release()
	l.Reply(s.Address(), v)
	if body, _ := s.Wait(nil, time.Now().Add(t.patient)); body != any(v) {
		t.Errorf("answered %p, received %v", v, body)
	}
}

func headers(t *stage) {
	l := t.open(channel.Options{Expiry: time.Hour})
	r := t.listen(l, name)
	t.join(l, "all", name)
	s := t.slot(l)
	defer s.Release()
	sent := channel.Header{
		ID: channel.ID{Process: 1, Number: 2}, Causation: channel.ID{Process: 3, Number: 4}, CorrelationID: "cor_1", Operation: "stock.hold",
		From: "orders", Actor: "key_1", Lane: "ord_1", Deadline: time.Now().Add(time.Minute), ReplyTo: s.Address(),
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Tracestate: "vendor=1",
	}
	m := channel.Message{Channel: "forged", Header: sent, Body: []byte("body")}
	check := func() {
		t.Helper()
		got := t.receive(r)
		r.Handled(&got)
		off := got.Header.Deadline.Sub(sent.Deadline)
		got.Header.Deadline = sent.Deadline // it crosses a wire as remaining time
		if got.Channel != name || got.Header != sent || off.Abs() > t.instant {
			t.Errorf("received from %q with %+v, its deadline off by %v; sent %+v", got.Channel, got.Header, off, sent)
		}
	}
	t.send(l, name, m)
	check()
	if _, _, err := l.GroupSend("all", m); err != nil {
		t.Error(err)
	}
	check()
	t.send(l, name, text("nothing but a body"))
	if got := t.receive(r); got.Header != (channel.Header{}) {
		t.Errorf("a header from nowhere: %+v", got.Header)
	}
}

func information(t *stage) {
	a, b := t.open(channel.Options{}), t.open(channel.Options{})
	info := a.Info()
	if info.Driver == "" || info.Process == "" || info.Process == b.Info().Process {
		t.Errorf("%+v beside %+v", info, b.Info())
	}
	s := t.slot(a)
	defer s.Release()
	if want := "response." + info.Process + "!"; len(s.Address().String()) <= len(want) || s.Address().String()[:len(want)] != want {
		t.Errorf("an answer goes to %s, the process is %s", s.Address(), info.Process)
	}
}
