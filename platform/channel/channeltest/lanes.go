package channeltest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/platform/channel"
)

// Lanes, and the figures.

func laneOrder(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.send(l, name, in("a", "a1"), in("a", "a2"), in("b", "b1"), text("plain"), in("a", "a3"), in("b", "b2"))
	a1 := t.receive(r)
	if said(a1) != "a1" {
		t.Fatalf("read %q, want the first", said(a1))
	}
	b1 := t.receive(r)
	if said(b1) != "b1" {
		t.Fatalf("read %q, want the first of another lane", said(b1))
	}
	t.reads(r, "plain")
	t.empty(r)
	if s := figures(l, name); s.Depth != 3 {
		t.Errorf("figures %+v", s)
	}
	r.Handled(&channel.Message{Channel: name}) // of no lane
	t.empty(r)
	w := t.wait(r) // also he who waits is not served before
	t.send(l, name, in("a", "a4"))
	w.waits()
	r.Handled(&a1)
	w.gets("a2")
	t.empty(r)
	r.Handled(&b1)
	b2 := t.receive(r)
	if said(b2) != "b2" {
		t.Fatalf("read %q, want the next of the lane", said(b2))
	}
	r.Handled(&a1) // as if it were a2
	a3 := t.receive(r)
	if said(a3) != "a3" {
		t.Fatalf("read %q, want the next of the lane", said(a3))
	}
	t.empty(r)
	r.Handled(&a3)
	a4 := t.receive(r)
	r.Handled(&a4)
	r.Handled(&b2)
	w = t.wait(r) // a lane that nobody is in is as free as ever
	t.send(l, name, in("a", "a5"), in("a", "a6"))
	w.gets("a5")
	t.empty(r)
}

func laneCapacity(t *stage) {
	l := t.open(channel.Options{Capacity: 2})
	r := t.listen(l, name)
	t.send(l, name, in("a", "1"))
	first := t.receive(r)
	t.send(l, name, in("a", "2"), in("a", "3"))
	t.refused("a third message that waits for its lane", l.Send(name, in("a", "4")), channel.ErrFull)
	t.refused("a message of no lane", l.Send(name, text("5")), channel.ErrFull)
	if s := figures(l, name); s.Depth != 2 {
		t.Errorf("figures %+v", s)
	}
	r.Handled(&first)
	t.refused("one that may be read, and still waits", l.Send(name, text("5")), channel.ErrFull)
	second := t.receive(r)
	t.send(l, name, text("6"))
	r.Handled(&second)
	if found := t.rest(r); len(found) != 2 {
		t.Errorf("found %q", found)
	}
}

func laneExpiry(t *stage) {
	l := t.open(channel.Options{Expiry: time.Hour})
	r := t.listen(l, name)
	soon := func(s string) channel.Message {
		m := until(time.Now().Add(t.unit), s)
		m.Header.Lane = "a"
		return m
	}
	t.send(l, name, in("a", "1"))
	first := t.receive(r)
	t.send(l, name, soon("2"), in("a", "3"), soon("4"), in("a", "5"))
	t.pass(t.unit + t.unit/5)
	if s := figures(l, name); s.Depth != 2 || s.Expired != 2 {
		t.Errorf("figures %+v", s)
	}
	r.Handled(&first)
	third := t.receive(r)
	if said(third) != "3" {
		t.Fatalf("read %q, want what has not expired", said(third))
	}
	t.empty(r)
	r.Handled(&third)
	last := t.receive(r)
	r.Handled(&last)

	// A message that may be read, but is not read in time, gives way to the next of its lane.
	t.send(l, name, soon("6"), in("a", "7"))
	t.pass(t.unit + t.unit/5)
	seventh := t.receive(r)
	t.send(l, name, soon("8"), in("a", "9"))
	r.Handled(&seventh)
	t.pass(t.unit + t.unit/5)
	ninth := t.receive(r)
	r.Handled(&ninth)
	if said(last) != "5" || said(seventh) != "7" || said(ninth) != "9" {
		t.Errorf("read %q, %q, %q", said(last), said(seventh), said(ninth))
	}
	// Nor does one that comes too late to a reader who waits.
	w := t.wait(r)
	late := in("a", "late")
	late.Header.Deadline = time.Now().Add(-time.Second)
	if err := l.Send(name, late); err != nil {
		t.Errorf("send: %v", err)
	}
	t.settle()
	t.send(l, name, in("a", "10"))
	w.gets("10")
	t.addsUp(figures(l, name))
}

func laneGoesOn(t *stage) {
	l := t.open(channel.Options{})
	r := t.listen(l, name)
	t.send(l, name, in("a", "1"), in("a", "2"), in("a", "3"))
	first := t.receive(r)
	r.Close()
	t.empty(r)
	r.Handled(&first)
	second, ok := r.Poll()
	if !ok || said(second) != "2" {
		t.Fatalf("read %q, want the next of the lane", said(second))
	}
	t.empty(r)
	other := t.listen(l, name) // before the one in hand is handled
	t.empty(other)
	r.Handled(&second)
	t.reads(other, "3")
	other.Handled(&channel.Message{Channel: name, Header: channel.Header{Lane: "a"}})

	// What is being handled is not flushed, what waits for it is.
	t.send(l, name, in("a", "4"), in("a", "5"))
	fourth := t.receive(other)
	l.Flush()
	t.send(l, name, in("a", "6"))
	t.empty(other)
	other.Handled(&fourth)
	sixth := t.receive(other)
	if said(sixth) != "6" {
		t.Fatalf("read %q, want the next of the lane", said(sixth))
	}
	// One that may be read is flushed as well, and its lane is free.
	t.send(l, name, in("a", "7"))
	other.Handled(&sixth)
	l.Flush()
	t.send(l, name, in("a", "8"))
	t.reads(other, "8")
}

func laneWorkers(t *stage) {
	const workers, lanes = 8, 5
	each := t.rounds(200)
	l := t.open(channel.Options{Capacity: lanes * each})
	r := t.listen(l, name)
	var busy, next [lanes]atomic.Int32
	var left atomic.Int32
	left.Store(int32(lanes * each))
	done := make(chan struct{})
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				m, err := receive(r, done)
				if err != nil {
					return
				}
				var lane, i int
				if _, err := fmt.Sscanf(said(m), "%d %d", &lane, &i); err != nil || lane >= lanes {
					t.Errorf("nobody sent %q", said(m))
					continue
				}
				if busy[lane].Add(1) > 1 {
					t.Errorf("two messages of lane %d are handled at the same time", lane)
				}
				if n := next[lane].Add(1) - 1; int(n) != i {
					t.Errorf("message %d of lane %d was read when it was the turn of %d", i, lane, n)
				}
				if i%16 == 0 {
					time.Sleep(t.unit / 1000) // so that others overtake
				}
				busy[lane].Add(-1)
				r.Handled(&m)
				if left.Add(-1) == 0 {
					close(done)
				}
			}
		})
	}
	for i := range each {
		for lane := range lanes {
			t.send(l, name, in(fmt.Sprintf("lane %d", lane), fmt.Sprintf("%d %d", lane, i)))
		}
	}
	select {
	case <-done:
	case <-time.After(t.patient):
		t.Errorf("%d messages are not handled", left.Load())
		close(done)
	}
	working.Wait()
	t.addsUp(figures(l, name))
}

func figuresAddUp(t *stage) {
	l := t.open(channel.Options{Capacity: 20})
	r := t.listen(l, name)
	t.join(l, "all", name)
	var accepted, full, read atomic.Uint64
	over := make(chan struct{})
	var writing, reading sync.WaitGroup
	for w := range 4 {
		writing.Go(func() {
			for i := range t.rounds(300) {
				m := in([]string{"", "a", "b"}[i%3], "1")
				if i%5 == w {
					m.Header.Deadline = time.Now().Add(t.unit / 1000)
				}
				if err := l.Send(name, m); err == nil {
					accepted.Add(1)
				} else {
					full.Add(1)
				}
				if i%10 == 0 {
					time.Sleep(t.unit / 1000)
				}
				if i%100 == 99 {
					l.Flush()
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for {
				m, err := receive(r, over)
				if err != nil {
					return
				}
				time.Sleep(t.unit / 2000)
				read.Add(1)
				r.Handled(&m)
			}
		})
	}
	writing.Wait()
	t.settle()
	close(over)
	reading.Wait()
	t.send(l, name, text("1"), text("2"), text("3"))
	s := figures(l, name)
	t.addsUp(s)
	if s.Sent != accepted.Load()+3 || s.Full != full.Load() || s.Received != read.Load() || s.Depth < 3 {
		t.Errorf("%d accepted, %d refused, %d read; figures %+v", accepted.Load()+3, full.Load(), read.Load(), s)
	}
	if s.Expired == 0 || s.Dropped == 0 || s.Full == 0 || s.Received == 0 {
		t.Logf("this run said little: %+v", s)
	}
}

func figuresOfTime(t *stage) {
	l := t.open(channel.Options{Expiry: time.Hour})
	r := t.listen(l, name)
	about := func(what string, got, want time.Duration) {
		t.Helper()
		if got < want || got > want+t.instant {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	t.send(l, name, text("1"))
	t.pass(t.unit)
	t.send(l, name, text("2"))
	t.pass(t.unit)
	about("the age of the first", figures(l, name).Oldest, 2*t.unit)
	t.reads(r, "1")
	about("the age of the second", figures(l, name).Oldest, t.unit)
	about("the time that the first waited", figures(l, name).Waited, 2*t.unit)
	t.reads(r, "2")
	about("the age of nothing", figures(l, name).Oldest, 0)
	w := t.wait(r)
	t.pass(t.unit)
	t.send(l, name, text("3"))
	w.gets("3")
	s := figures(l, name)
	about("the time that all waited together", s.Waited, 3*t.unit)
	if s.Name != name || s.Received != 3 || s.Capacity != 100 {
		t.Errorf("figures %+v", s)
	}
}
