package channeltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cutpoint/platform/channel"
)

// Promise 9: what is over leaves nothing behind.

func noReadersLeft(t *stage) {
	const crowd = 1000
	l := t.open(channel.Options{})
	r := t.listen(l, name, "price.request")
	t.leavesNothing(l, t.rounds(100), func(rounds int) {
		for i := range rounds {
			passing := t.listen(l, fmt.Sprintf("passing.%d", i))
			done := make(chan struct{})
			var readers sync.WaitGroup
			for n := range crowd {
				from, want := r, context.Canceled
				if n%2 == 0 {
					from, want = passing, channel.ErrClosed
				}
				readers.Go(func() {
					if m, err := receive(from, done); !errors.Is(err, want) {
						t.Errorf("a reader got %q, %v; want %v", said(m), err, want)
					}
				})
			}
			t.settle()
			passing.Close()
			t.settle()
			close(done)
			readers.Wait()
		}
	})
	// Nor do they stand in the way.
	w := t.wait(r)
	t.send(l, name, text("1"))
	w.gets("1")
}

func noWaitsLeft(t *stage) {
	const crowd = 1000
	calls := 0
	// Across processes what remains of a call's time travels with it, so that a call outlives its caller by its journey.
	l := t.open(channel.Options{Capacity: 4 * crowd, Expiry: time.Hour})
	r := t.listen(l, name)
	t.leavesNothing(l, t.rounds(100), func(rounds int) {
		calls += rounds * crowd
		for range rounds {
			var callers sync.WaitGroup
			for range crowd {
				callers.Go(func() {
					s, err := l.OpenReply()
					if err != nil {
						t.Errorf("open a reply slot: %v", err)
						return
					}
					defer s.Release()
					limit := time.Now().Add(t.unit / 10)
					if err := l.Send(name, channel.Message{Header: channel.Header{Deadline: limit, ReplyTo: s.Address()}, Body: []byte("1")}); err != nil {
						t.Errorf("send: %v", err)
					}
					if body, ok := s.Wait(nil, limit); ok {
						t.Errorf("an answer from nowhere: %v", body)
					}
				})
			}
			callers.Wait()
			t.settle()
		}
	})
	t.empty(r)
	if s := answersOf(l); s.Depth != 0 || s.GaveUp != uint64(calls) {
		t.Errorf("after %d waits: %+v", calls, s)
	}
	if s := figures(l, name); s.Depth != 0 || s.Expired != uint64(calls) {
		t.Errorf("after %d messages: %+v", calls, s)
	}
}

func noChannelsLeft(t *stage) {
	l := t.open(channel.Options{Expiry: t.unit})
	t.leavesNothing(l, t.rounds(10_000), func(n int) {
		for i := range n {
			if i%100 == 0 {
				t.pass(t.unit / 100) // or thousands would expire in the same moment, each in a goroutine that the runtime keeps
			}
			once := fmt.Sprintf("once.%d", i)
			switch i % 4 {
			case 1:
				once = t.fresh(l, "once")
			case 2:
				once = t.fresh(l, once)
			case 3: // nobody reads it
				t.send(l, once, text("1"))
				continue
			}
			t.send(l, once, text("1"), in("lane", "2"))
			r := t.listen(l, once)
			t.reads(r, "1")
			m := t.receive(r)
			if i%8 < 4 {
				r.Handled(&m)
				r.Close()
			} else { // the reader goes first, and a message comes in between
				t.send(l, once, text("3"))
				r.Close()
				r.Handled(&m)
				if _, ok := r.Poll(); !ok {
					t.Errorf("the last reader can't finish what is on %s", once)
				}
			}
		}
		t.pass(t.unit + t.unit/5)
	})
}

func noGroupsLeft(t *stage) {
	l := t.open(channel.Options{GroupExpiry: t.unit})
	t.leavesNothing(l, t.rounds(10_000), func(n int) {
		for i := range n {
			group := fmt.Sprintf("once.%d", i)
			t.join(l, group, "a", "b", "c")
			if i%4 == 0 {
				for _, c := range []string{"a", "b", "c"} {
					if err := l.GroupDiscard(group, c); err != nil {
						t.Errorf("discard: %v", err)
					}
				}
			}
		}
		t.pass(t.unit + t.unit/5)
	})
}
