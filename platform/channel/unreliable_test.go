package channel_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
)

// received takes what waits.
func received(r channel.Listener) (bodies []string) {
	for m, ok := r.Poll(); ok; m, ok = r.Poll() {
		bodies = append(bodies, string(m.Body.([]byte)))
	}
	return bodies
}

func TestUnreliable(t *testing.T) {
	all := channel.Unreliability{Seed: 7, Refuse: 0.2, DropSend: 0.2, DelaySend: 0.2, DropReply: 0.3, DelayReply: 0.3, MaxDelay: time.Second}
	// story sends 200 messages and answers 200 calls, and returns all that can be seen of it.
	story := func(t *testing.T, o channel.Unreliability) (seen string, counts channel.UnreliableCounts) {
		l, r := layer(t, channel.Options{Capacity: 1000})
		u := channel.Unreliable(l, o)
		defer u.Close()
		body := make([]byte, 3)
		for i := range 200 {
			copy(body, fmt.Sprintf("%03d", i))
			seen += fmt.Sprintln(u.Send(name, channel.Message{Body: body}))
		}
		for range 200 {
			s := open(t, u)
			u.Reply(s.Address(), body)
			_, ok := s.Wait(nil, time.Now().Add(time.Millisecond))
			s.Release()
			seen += fmt.Sprintln(ok)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		bodies := received(r)
		once := map[string]bool{}
		for _, b := range bodies {
			if once[b] {
				t.Errorf("%s arrived twice", b)
			}
			once[b] = true
		}
		c := u.Counts()
		if want := 200 - int(c.Refused+c.DroppedSends); len(bodies) != want {
			t.Errorf("%d arrived, want %d", len(bodies), want)
		}
		return seen + fmt.Sprint(bodies), c
	}
	t.Run("the same seed, the same story", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			first, counts := story(t, all)
			second, again := story(t, all)
			if first != second || counts != again {
				t.Error("two runs differ")
			}
			for what, n := range map[string]uint64{"refused": counts.Refused, "dropped": counts.DroppedSends, "delayed": counts.DelayedSends} {
				if n < 20 || n > 60 {
					t.Errorf("%d of 200 sends at 0.2 were %s", n, what)
				}
			}
			if counts.DroppedReplies < 40 || counts.DelayedReplies < 40 || counts.Lost != 0 {
				t.Errorf("counts %+v", counts)
			}
			other := all
			other.Seed++
			if third, _ := story(t, other); third == first {
				t.Error("another seed makes no difference")
			}
		})
	})
	t.Run("the zero value never fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			if _, counts := story(t, channel.Unreliability{}); counts != (channel.UnreliableCounts{}) {
				t.Errorf("counts %+v", counts)
			}
		})
	})
	late := channel.Unreliability{DelaySend: 1, MaxDelay: time.Second}
	ends := map[string]struct {
		capacity int
		end      func(*testing.T, *channel.UnreliableLayer)
		arrive   int
	}{
		"a full channel drops what comes late": {2, func(*testing.T, *channel.UnreliableLayer) { time.Sleep(time.Second) }, 2},
		"Flush drops what is still to come":    {10, func(_ *testing.T, u *channel.UnreliableLayer) { u.Flush(); time.Sleep(time.Second) }, 0},
		"Drain sends what is still to come": {10, func(t *testing.T, u *channel.UnreliableLayer) {
			go func() {
				if err := u.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			}()
		}, 5},
		"Close stops what is still to come": {10, func(_ *testing.T, u *channel.UnreliableLayer) { u.Close(); time.Sleep(time.Second) }, 0},
	}
	for promise, test := range ends {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := layer(t, channel.Options{Capacity: test.capacity})
				u := channel.Unreliable(l, late)
				defer u.Close()
				for i := range 5 {
					send(t, u, numbered(i))
				}
				test.end(t, u)
				synctest.Wait()
				arrived := 0
				for _, ok := r.Poll(); ok; _, ok = r.Poll() {
					arrived++
				}
				if c := u.Counts(); arrived != test.arrive || int(c.Lost) != 5-test.arrive || c.DelayedSends != 5 {
					t.Errorf("%d arrived; counts %+v", arrived, c)
				}
			})
		})
	}
	t.Run("what no layer accepts is refused", func(t *testing.T) {
		strict := channel.NewMemory(channel.Options{Strict: true})
		u := channel.Unreliable(strict, channel.Unreliability{DropSend: 1})
		tests := map[error]error{
			channel.ErrName:     u.Send("a..b", channel.Message{Body: []byte{}}),
			channel.ErrBody:     u.Send(name, channel.Message{}),
			channel.ErrTooLarge: u.Send(name, channel.Message{Body: make([]byte, channel.MaxBody+1)}),
		}
		u.Close()
		tests[channel.ErrClosed] = u.Send(name, channel.Message{Body: []byte{}})
		for want, err := range tests {
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if c := u.Counts(); c.DroppedSends != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}
