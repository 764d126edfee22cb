package channeltest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/platform/channel"
)

// Promises 3 and 4: how many messages wait, and for how long.

func fiftySenders(t *stage) {
	for range t.rounds(20) {
		l := t.open(channel.Options{Capacity: 5})
		r := t.listen(l, name)
		fifty(t, l, func(int) string { return name })
		if found := t.rest(r); len(found) != 5 {
			t.Errorf("five were accepted, %d arrived", len(found))
		}
		if s := figures(l, name); s.Sent != 5 || s.Full != 45 {
			t.Errorf("figures %+v", s)
		}
		l.Close()
	}
}

// fifty lets fifty senders go at the same time, and fails unless five are accepted and the others told that it is full.
func fifty(t *stage, l channel.Layer, to func(i int) string) {
	t.Helper()
	var accepted, full atomic.Int64
	var senders sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		senders.Go(func() {
			<-start
			switch err := l.Send(to(i), numbered(i)); {
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, channel.ErrFull):
				full.Add(1)
			default:
				t.Errorf("send: %v", err)
			}
		})
	}
	t.settle()
	close(start)
	senders.Wait()
	if accepted.Load() != 5 || full.Load() != 45 {
		t.Errorf("%d accepted, %d refused", accepted.Load(), full.Load())
	}
}

func atCapacity(t *stage) {
	l := t.open(channel.Options{Capacity: 2})
	r := t.listen(l, name)
	t.send(l, name, text("1"), text("2"))
	t.atOnce("a send at capacity", func() { t.refused("send at capacity", l.Send(name, text("3")), channel.ErrFull) })
	if s := figures(l, name); s.Depth != 2 || s.Capacity != 2 || s.Sent != 2 || s.Full != 1 {
		t.Errorf("figures %+v", s)
	}
	t.reads(r, "1")
	t.send(l, name, text("4"))
	t.refused("send at capacity again", l.Send(name, text("5")), channel.ErrFull)
	t.reads(r, "2", "4")
	t.empty(r)
}

func capacities(t *stage) {
	defaults := t.open(channel.Options{})
	patterns := t.open(channel.Options{Capacity: 4, Capacities: []channel.CapacityOption{
		{Pattern: "stock.*", Capacity: 1}, {Pattern: "stock.request", Capacity: 9}, {Pattern: "*.request", Capacity: 2},
	}})
	for _, c := range []struct {
		layer    channel.Layer
		to       string
		capacity int
	}{
		{defaults, name, 100},
		{patterns, "stock.request", 1}, {patterns, "stock.event", 1}, {patterns, "price.request", 2}, {patterns, "price.event", 4},
	} {
		t.listen(c.layer, c.to)
		for i := range c.capacity {
			if err := c.layer.Send(c.to, numbered(i)); err != nil {
				t.Errorf("message %d to %s, which holds %d: %v", i+1, c.to, c.capacity, err)
			}
		}
		t.refused(fmt.Sprintf("message %d to %s", c.capacity+1, c.to), c.layer.Send(c.to, numbered(0)), channel.ErrFull)
	}
}

func expiredTakeNoRoom(t *stage) {
	l := t.open(channel.Options{Capacity: 3, Expiry: time.Hour})
	r := t.listen(l, name)
	t.send(l, name, text("1"), until(time.Now().Add(t.unit), "short"), text("2"))
	t.refused("send at capacity", l.Send(name, text("3")), channel.ErrFull)
	t.pass(t.unit)
	t.send(l, name, text("4"))
	t.refused("one that expired made room for two: the second", l.Send(name, text("5")), channel.ErrFull)
	t.reads(r, "1", "2", "4")
	t.empty(r)
	if s := figures(l, name); s.Expired != 1 || s.Received != 3 || s.Full != 2 {
		t.Errorf("figures %+v", s)
	}
}

func expiry(t *stage) {
	// It ends a millisecond before the read, at no round time: a clock that is looked at now and then would not notice.
	l := t.open(channel.Options{Expiry: 2*t.unit - time.Millisecond})
	r := t.listen(l, name)
	t.pass(3 * time.Millisecond)
	t.send(l, name, text("1"), text("2"))
	t.pass(t.unit)
	t.reads(r, "1")
	t.send(l, name, text("3"))
	t.pass(t.unit)
	t.reads(r, "3")
	t.empty(r)
	if s := figures(l, name); s.Expired != 1 || s.Received != 2 {
		t.Errorf("figures %+v", s)
	}
	t.send(l, name, text("4"))
	t.pass(2 * t.unit)
	t.empty(r)
	w := t.wait(r) // which looks at the clock by itself
	t.send(l, name, text("5"))
	w.gets("5")
}

func deadline(t *stage) {
	l := t.open(channel.Options{Expiry: 3 * t.unit})
	r := t.listen(l, name)
	start := time.Now()
	t.send(l, name, until(start.Add(time.Hour*24), "long"), until(start.Add(t.unit), "short"), until(start.Add(2*t.unit), "middle"))
	t.pass(t.unit)
	t.reads(r, "long", "middle")
	t.empty(r)
	t.send(l, name, until(start.Add(time.Hour*24), "long"))
	t.pass(3 * t.unit)
	t.empty(r)
	if s := figures(l, name); s.Expired != 2 || s.Received != 2 {
		t.Errorf("figures %+v", s)
	}
}

func tooLateToRead(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	first, second := t.wait(r), t.wait(r)
	if err := l.Send(name, until(time.Now().Add(-time.Second), "late")); err != nil {
		t.Errorf("send: %v", err)
	}
	first.waits()
	second.waits()
	t.send(l, name, text("1"))
	first.gets("1")
	second.waits()
	t.addsUp(figures(l, name))
	if s := figures(l, name); s.Received != 1 {
		t.Errorf("figures %+v", s)
	}
}

func defaultExpiry(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.send(l, name, text("1"), text("2"))
	t.pass(59 * time.Second)
	t.reads(r, "1")
	t.pass(time.Second)
	t.empty(r)
}

func reclaimed(t *stage) {
	const count, size = 64, 256 << 10
	body := strings.Repeat("x", size)
	l := t.open(channel.Options{Expiry: 2 * t.unit})
	idle := t.listen(l, "idle") // which nobody reads
	t.leavesNothing(l, count, func(count int) {
		before := heap()
		for range count {
			t.send(l, "idle", text(body))
			t.send(l, "nobody", text(body))
		}
		if held := heap() - before; t.bubble && held < uint64(count*size) { // in real time some may be gone by now
			t.Errorf("%d bytes hold %d messages of %d", held, 2*count, size)
		}
		t.pass(2*t.unit + t.unit/5)
	})
	if s := figures(l, "idle"); s.Depth != 0 || s.Expired != s.Sent {
		t.Errorf("figures %+v", s)
	}
	t.empty(idle)
}
