package channeltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/platform/channel"
)

// Promises 1, 2 and 7: who gets a message, in which order, and what a reader who gives up does to the others.

func atMostOnce(t *stage) {
	const writers, readers = 4, 8
	each := t.rounds(1000)
	l := t.open(channel.Options{Capacity: writers * each})
	seen := make([]atomic.Int32, writers*each)
	var written atomic.Bool
	var sending, reading sync.WaitGroup
	for range readers {
		r := t.listen(l, name)
		reading.Go(func() {
			for {
				all := written.Load() // before the look: what was sent by now is there to be seen
				done := make(chan struct{})
				go close(done) // at any moment of the wait
				m, err := receive(r, done)
				if err != nil {
					var ok bool
					if m, ok = r.Poll(); !ok && all {
						return
					} else if !ok {
						continue
					}
				}
				if i := number(m); i >= 0 && i < len(seen) {
					seen[i].Add(1)
				}
			}
		})
	}
	for w := range writers {
		sending.Go(func() {
			for i := range each {
				if err := l.Send(name, numbered(w*each+i)); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	sending.Wait()
	written.Store(true)
	reading.Wait()
	read := 0
	for i := range seen {
		n := int(seen[i].Load())
		if n > 1 {
			t.Errorf("message %d was read %d times", i, n)
		}
		read += n
	}
	s := figures(l, name)
	t.addsUp(s)
	if s.Sent != uint64(writers*each) || s.Received != uint64(read) {
		t.Errorf("%d sent and %d read, the figures say %+v", writers*each, read, s)
	}
}

func orderOfWriters(t *stage) {
	const writers = 4
	each := t.rounds(500)
	l := t.open(channel.Options{Capacity: writers * each})
	r := t.listen(l, name)
	far := time.Now().Add(time.Hour)
	var sending sync.WaitGroup
	defer sending.Wait()
	for w := range writers {
		sending.Go(func() {
			for i := range each {
				// The later a message is sent, the earlier its deadline.
				if err := l.Send(name, until(far.Add(-time.Duration(i)*time.Second), fmt.Sprintf("%d %d", w, i))); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	var next [writers]int
	for range writers * each {
		var w, i int
		m := t.receive(r)
		if _, err := fmt.Sscanf(said(m), "%d %d", &w, &i); err != nil || w >= writers {
			t.Fatalf("nobody sent %q", said(m))
		}
		if i != next[w] {
			t.Fatalf("message %d of writer %d was read when it was the turn of %d", i, w, next[w])
		}
		next[w]++
	}
}

func orderOfTurns(t *stage) {
	random := rand.New(rand.NewPCG(1, 2))
	for range t.rounds(200) {
		capacity := 1 + random.IntN(20)
		l := t.open(channel.Options{Capacity: capacity})
		r := t.listen(l, name)
		var want []string // what is on the channel
		for i := range 100 {
			if random.IntN(100) < 55 && len(want) < capacity {
				m := numbered(i)
				t.send(l, name, m)
				want = append(want, said(m))
			} else if len(want) > 0 {
				t.reads(r, want[0])
				want = want[1:]
			}
		}
		t.reads(r, want...)
		t.empty(r)
		l.Close()
	}
}

func longestWaiter(t *stage) {
	l := t.open(channel.Options{})
	a, b := t.listen(l, name), t.listen(l, name, "price.request")
	var waiters []*waiter
	for i := range 6 {
		waiters = append(waiters, t.wait([]channel.Listener{a, b}[i%2]))
	}
	for i, w := range waiters {
		t.send(l, name, numbered(i))
		w.gets(said(numbered(i)))
		if i < 5 {
			waiters[i+1].waits()
		}
	}
}

func turns(t *stage) {
	reading := map[string]func(channel.Listener) string{
		"Receive": func(r channel.Listener) string { return said(t.receive(r)) },
		"Poll":    func(r channel.Listener) string { m, _ := r.Poll(); return said(m) },
	}
	for how, next := range reading {
		l := t.open(channel.Options{})
		r := t.listen(l, "busy", "idle", "quiet")
		t.send(l, "busy", text("b"), text("b"), text("b"), text("b"), text("b"), text("b"))
		t.send(l, "quiet", text("q"), text("q"), text("q"))
		t.settle()
		previous := ""
		for range 6 { // both have messages all the time
			got := next(r)
			if got == previous {
				t.Errorf("%s read %q twice while the other channel waited", how, got)
			}
			previous = got
		}
		for range 3 {
			if got := next(r); got != "b" {
				t.Errorf("%s read %q, want what was left", how, got)
			}
		}
	}
}

func oneForAll(t *stage) {
	for range t.rounds(200) {
		l := t.open(channel.Options{})
		r := t.listen(l, "a", "b", "c")
		w := t.wait(r)
		var senders sync.WaitGroup
		for _, to := range []string{"a", "b", "c"} {
			senders.Go(func() {
				if err := l.Send(to, text(to)); err != nil {
					t.Errorf("send: %v", err)
				}
			})
		}
		senders.Wait()
		got := await(t, w.result, "a reader")
		if got.err != nil || got.message.Channel != said(got.message) {
			t.Fatalf("read %q from %q, %v", said(got.message), got.message.Channel, got.err)
		}
		all := append(t.rest(r), said(got.message))
		if slices.Sort(all); !slices.Equal(all, []string{"a", "b", "c"}) {
			t.Fatalf("sent a, b and c, read %v", all)
		}
		// The one place that it waited at is gone on all three.
		w = t.wait(t.listen(l, "a", "b"))
		t.send(l, "a", text("again"))
		w.gets("again")
		l.Close()
	}
}

func cancelledBefore(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.send(l, name, text("1"), text("2"))
	done := make(chan struct{})
	close(done)
	for range 100 { // a select between both would take the message now and then
		if m, err := receive(r, done); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled receive returned %q, %v", said(m), err)
		}
	}
	t.reads(r, "1", "2")
	t.empty(r)
}

func cancelledMeanwhile(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	for i := range t.rounds(2000) {
		w := t.wait(r)
		race(w.leave, func() {
			for n := range 2 {
				if err := l.Send(name, numbered(2*i+n)); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
		var read []string
		if got := await(t, w.result, "a cancelled reader"); got.err == nil {
			read = append(read, said(got.message))
		}
		read = append(read, t.rest(r)...)
		if want := []string{said(numbered(2 * i)), said(numbered(2*i + 1))}; !slices.Equal(read, want) {
			t.Fatalf("read %q, want %q", read, want)
		}
	}
}

// race runs two functions at the same time.
func race(a, b func()) {
	var both sync.WaitGroup
	both.Go(a)
	both.Go(b)
	both.Wait()
}

func cancelledNeighbour(t *stage) {
	l := t.open(channel.Options{})
	for i := range t.rounds(2000) {
		a, b := t.listen(l, name), t.listen(l, name)
		leaving, staying := t.wait(a), t.wait(b)
		want := said(numbered(i))
		race(leaving.leave, func() {
			if err := l.Send(name, text(want)); err != nil {
				t.Errorf("send: %v", err)
			}
		})
		if got := await(t, leaving.result, "a cancelled reader"); got.err != nil {
			staying.gets(want)
		} else {
			staying.waits()
			staying.leave()
			staying.ends(context.Canceled)
		}
		t.empty(b)
		a.Close()
		b.Close()
	}
}

func cancelledInLine(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	var line []*waiter
	for range 5 {
		line = append(line, t.wait(r))
	}
	for _, i := range []int{0, 2, 4} {
		line[i].leave()
		line[i].ends(context.Canceled)
	}
	line = append(line, t.wait(r))
	t.send(l, name, text("1"), text("2"), text("3"))
	line[1].gets("1")
	line[3].gets("2")
	line[5].gets("3")
}
