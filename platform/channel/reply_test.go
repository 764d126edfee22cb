package channel_test

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
)

func open(t testing.TB, l channel.Layer) channel.ReplySlot {
	t.Helper()
	s, err := l.OpenReply()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReply(t *testing.T) {
	hour := func() time.Time { return time.Now().Add(time.Hour) }
	t.Run("the first answer arrives, also before the wait; a second one is late", func(t *testing.T) {
		l, _ := layer(t, channel.Options{})
		s := open(t, l)
		l.Reply(s.Address(), 1)
		l.Reply(s.Address(), 2)
		if m, ok := s.Wait(nil, hour()); !ok || m != 1 {
			t.Fatalf("answer %v %v", m, ok)
		}
		s.Release()
		if r := stats(t, l, "response."); r.Late != 1 || r.Depth != 0 {
			t.Fatalf("figures %+v", r)
		}
	})
	t.Run("a late answer does not reach the next use", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, _ := layer(t, channel.Options{Replies: 1}) // one slot: each use takes the same one
			s := open(t, l)
			old := s.Address()
			if _, ok := s.Wait(nil, time.Now().Add(time.Second)); ok {
				t.Fatal("an answer from nowhere")
			}
			l.Reply(old, 1) // between the deadline and the release
			s.Release()
			l.Reply(old, 2)
			s = open(t, l)
			if s.Address() == old {
				t.Fatal("an address came again")
			}
			l.Reply(old, 3)
			l.Reply(channel.ReplyTo{Process: old.Process + 1, Slot: s.Address().Slot}, numbered(4))
			l.Reply(channel.ReplyTo{Process: old.Process, Slot: 99}, numbered(5))
			l.Reply(channel.ReplyTo{}, 6)
			l.Reply(s.Address(), 7)
			if m, ok := s.Wait(nil, hour()); !ok || m != 7 {
				t.Fatalf("answer %v %v", m, ok)
			}
			s.Release()
			if r := stats(t, l, "response."); r.Late != 6 {
				t.Fatalf("figures %+v", r)
			}
		})
	})
	t.Run("a wait ends at its own deadline, whatever the slot waited for before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, _ := layer(t, channel.Options{Replies: 1})
			for _, wait := range []time.Duration{10, 1, 30, 5, 0, -1, 20} {
				s := open(t, l)
				start := time.Now()
				if _, ok := s.Wait(nil, start.Add(wait*time.Second)); ok {
					t.Fatal("an answer from nowhere")
				}
				if took := time.Since(start); took != max(wait, 0)*time.Second {
					t.Errorf("waited %v, want %v", took, wait*time.Second)
				}
				s.Release()

				s = open(t, l) // answered early: its timer runs on, and must not disturb the next wait
				address := s.Address()
				time.AfterFunc(time.Nanosecond, func() { l.Reply(address, 1) })
				if _, ok := s.Wait(nil, time.Now().Add(time.Minute)); !ok {
					t.Fatal("no answer")
				}
				s.Release()
			}
		})
	})
	t.Run("done ends the wait", func(t *testing.T) {
		l, _ := layer(t, channel.Options{})
		s := open(t, l)
		defer s.Release()
		done := make(chan struct{})
		close(done)
		if _, ok := s.Wait(done, hour()); ok {
			t.Fatal("an answer from nowhere")
		}
	})
	t.Run("slots are bounded", func(t *testing.T) {
		l, _ := layer(t, channel.Options{Replies: 2})
		a, b := open(t, l), open(t, l)
		if _, err := l.OpenReply(); !errors.Is(err, channel.ErrFull) {
			t.Fatalf("a third of two: %v", err)
		}
		a.Release()
		open(t, l).Release()
		b.Release()
	})
}

// TestReplyRace answers, times out and releases at the same time: an answer reaches the use that it belongs to, or none.
func TestReplyRace(t *testing.T) {
	l, _ := layer(t, channel.Options{})
	var callers, answers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for i := range 2000 {
				s := open(t, l)
				address := s.Address()
				answers.Go(func() {
					runtime.Gosched()
					l.Reply(address, address)
				})
				m, ok := s.Wait(nil, time.Now().Add(time.Duration(i%20)*time.Microsecond))
				if ok && m != address {
					t.Errorf("slot %v got the answer for %v", address, m)
				}
				s.Release()
			}
		})
	}
	callers.Wait()
	answers.Wait()
	if s := stats(t, l, "response."); s.Depth != 0 {
		t.Fatalf("figures %+v", s)
	}
}

// TestNoResidue: 100,000 calls that time out leave no slot and no goroutine.
func TestNoResidue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines()
		l, r := layer(t, channel.Options{Capacity: 10})
		for range 1000 {
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() {
					s := open(t, l)
					defer s.Release()
					deadline := time.Now().Add(time.Second)
					_ = l.Send(name, channel.Message{Header: channel.Header{ReplyTo: s.Address(), Deadline: deadline}})
					if _, ok := s.Wait(nil, deadline); ok {
						t.Error("an answer from nowhere")
					}
				})
			}
			group.Wait()
		}
		if _, ok := r.Poll(); ok {
			t.Error("an expired message was read")
		}
		s, reply := stats(t, l, name), stats(t, l, "response.")
		if s.Sent != s.Expired || s.Depth != 0 || reply.Depth != 0 {
			t.Errorf("figures %+v %+v", s, reply)
		}
		synctest.Wait()
		if after := goroutines(); after > before {
			t.Errorf("%d goroutines, %d before", after, before)
		}
	})
}

// goroutines counts those that have a stack. runtime.NumGoroutine may count some that have just ended.
func goroutines() int {
	all := make([]byte, 1<<20)
	return bytes.Count(all[:runtime.Stack(all, true)], []byte("\n\ngoroutine ")) + 1
}
