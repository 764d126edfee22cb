package channel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cutpoint/platform/channel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "stock.request"

func numbered(n int) channel.Message {
	return channel.Message{Header: channel.Header{ID: channel.ID{Process: 1, Number: uint64(n)}}, Body: n}
}

func layer(t testing.TB, o channel.Options) (*channel.Memory, channel.Listener) {
	t.Helper()
	l := channel.NewMemory(o)
	r, err := l.Listen(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, r
}

func send(t testing.TB, l channel.Layer, m channel.Message) {
	t.Helper()
	if err := l.Send(name, m); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func receive(r channel.Listener, done <-chan struct{}) (m channel.Message, err error) {
	err = r.Receive(done, &m)
	return m, err
}

// stats returns the figures of the channel that the tests use.
func stats(t testing.TB, l channel.Layer, of string) channel.Stats {
	t.Helper()
	for _, s := range l.Stats() {
		if strings.HasPrefix(s.Name, of) {
			return s
		}
	}
	t.Fatalf("no figures of %s", of)
	return channel.Stats{}
}

func TestOrder(t *testing.T) {
	t.Run("first in, first out, whatever is sent and read in between", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			l := channel.NewMemory(channel.Options{Capacity: rapid.IntRange(1, 20).Draw(t, "capacity")})
			defer l.Close()
			r, _ := l.Listen(name)
			var want []int
			for i, put := range rapid.SliceOf(rapid.Bool()).Draw(t, "put") {
				if put {
					if err := l.Send(name, numbered(i)); err == nil {
						want = append(want, i)
					} else if !errors.Is(err, channel.ErrFull) {
						t.Fatal(err)
					}
					continue
				}
				m, ok := r.Poll()
				if ok != (len(want) > 0) || ok && m.Body != want[0] {
					t.Fatalf("read %v %v, want %v", m.Body, ok, want)
				}
				if ok {
					want = want[1:]
				}
			}
		})
	})
	t.Run("the longest waiter is served first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := layer(t, channel.Options{})
			var got [5]any
			for i := range got {
				go func() {
					m, _ := receive(r, nil)
					got[i] = m.Body
				}()
				synctest.Wait() // it waits before the next one comes
			}
			for i := range got {
				send(t, l, numbered(i))
			}
			synctest.Wait()
			if want := [5]any{0, 1, 2, 3, 4}; got != want {
				t.Fatalf("waiters got %v, want %v", got, want)
			}
		})
	})
}

func TestCapacity(t *testing.T) {
	t.Run("fifty senders, capacity five: exactly five get in", func(t *testing.T) {
		for range 20 {
			l, _ := layer(t, channel.Options{Capacity: 5})
			var accepted, full atomic.Int64
			var senders sync.WaitGroup
			start := make(chan struct{})
			for i := range 50 {
				senders.Go(func() {
					<-start
					switch err := l.Send(name, numbered(i)); {
					case err == nil:
						accepted.Add(1)
					case errors.Is(err, channel.ErrFull):
						full.Add(1)
					}
				})
			}
			close(start)
			senders.Wait()
			if accepted.Load() != 5 || full.Load() != 45 {
				t.Fatalf("%d accepted, %d refused", accepted.Load(), full.Load())
			}
			if s := stats(t, l, name); s.Depth != 5 || s.Sent != 5 || s.Full != 45 || s.Capacity != 5 {
				t.Fatalf("figures %+v", s)
			}
		}
	})
	t.Run("the first pattern that matches counts", func(t *testing.T) {
		l := channel.NewMemory(channel.Options{Capacity: 3, Capacities: []channel.CapacityOption{{"stock.*", 1}, {"*", 2}}})
		defer l.Close()
		for to, capacity := range map[string]int{name: 1, "price.request": 2} {
			for i := range capacity + 1 {
				if err := l.Send(to, numbered(i)); errors.Is(err, channel.ErrFull) != (i == capacity) {
					t.Errorf("%s: message %d: %v", to, i, err)
				}
			}
		}
	})
	t.Run("expired messages do not count", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := layer(t, channel.Options{Capacity: 3, Expiry: time.Hour})
			short := numbered(1)
			short.Header.Deadline = time.Now().Add(time.Minute)
			send(t, l, numbered(0))
			send(t, l, short)
			send(t, l, numbered(2))
			if err := l.Send(name, numbered(3)); !errors.Is(err, channel.ErrFull) {
				t.Fatalf("over capacity: %v", err)
			}
			time.Sleep(time.Minute)
			send(t, l, numbered(4))
			if err := l.Send(name, numbered(5)); !errors.Is(err, channel.ErrFull) {
				t.Fatalf("one expired message made room for two: %v", err)
			}
			for _, want := range []int{0, 2, 4} {
				if m, _ := r.Poll(); m.Body != want {
					t.Fatalf("read %v, want %d", m.Body, want)
				}
			}
			if s := stats(t, l, name); s.Expired != 1 || s.Received != 3 || s.Full != 2 {
				t.Fatalf("figures %+v", s)
			}
		})
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := layer(t, channel.Options{Expiry: time.Minute})
		early := numbered(1)
		early.Header.Deadline = time.Now().Add(time.Second)
		late := numbered(2)
		late.Header.Deadline = time.Now().Add(time.Hour)
		send(t, l, early)
		send(t, l, late)
		time.Sleep(time.Second)
		if m, ok := r.Poll(); !ok || m.Body != 2 {
			t.Fatalf("a message was read at its deadline: %v", m.Body)
		}
		send(t, l, late)
		time.Sleep(time.Minute)
		if m, ok := r.Poll(); ok {
			t.Fatalf("a deadline made a message live longer than its expiry: %v", m.Body)
		}
		if s := stats(t, l, name); s.Expired != 2 || s.Received != 1 {
			t.Fatalf("figures %+v", s)
		}

		// A reader who waits already is no exception.
		got := make(chan any)
		go func() {
			m, _ := receive(r, nil)
			got <- m.Body
		}()
		synctest.Wait()
		send(t, l, early)
		synctest.Wait()
		send(t, l, numbered(3))
		if body := <-got; body != 3 {
			t.Fatalf("the waiter read %v, which had expired before it was sent", body)
		}
		if s := stats(t, l, name); s.Expired != 3 || s.Received != 2 {
			t.Fatalf("figures %+v", s)
		}
	})
}

func TestNoReceiver(t *testing.T) {
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	slot, err := l.OpenReply()
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	ask := channel.Message{Header: channel.Header{ReplyTo: slot.Address()}}
	if err := l.Send(name, ask); !errors.Is(err, channel.ErrNoReceiver) {
		t.Fatalf("nobody ever listened: %v", err)
	}
	r, _ := l.Listen(name)
	if err := l.Send(name, ask); err != nil {
		t.Fatalf("somebody listens: %v", err)
	}
	r.Close()
	r.Close()
	if err := l.Send(name, ask); !errors.Is(err, channel.ErrNoReceiver) {
		t.Fatalf("the only listener closed: %v", err)
	}
	if err := l.Send(name, numbered(1)); err != nil {
		t.Fatalf("a message that wants no answer waits for its reader: %v", err)
	}
	if _, ok := r.Poll(); !ok {
		t.Fatal("the last listener can't finish what was accepted")
	}
	if _, err := l.Listen(name); err != nil {
		t.Fatal(err)
	}
	if m, ok := r.Poll(); ok {
		t.Fatalf("a closed listener took %v from one that is open", m.Body)
	}
}

func TestListenerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, a := layer(t, channel.Options{})
		b, _ := l.Listen(name)
		results := make(chan error, 2)
		for _, r := range []channel.Listener{a, b} {
			go func() { _, err := receive(r, nil); results <- err }()
		}
		synctest.Wait()
		a.Close()
		if err := <-results; !errors.Is(err, channel.ErrClosed) {
			t.Fatalf("the closed listener's reader got %v", err)
		}
		send(t, l, numbered(1))
		if err := <-results; err != nil {
			t.Fatalf("the other listener's reader got %v", err)
		}
	})
}

func TestCancelledReceive(t *testing.T) {
	t.Run("consumes nothing when it is cancelled before", func(t *testing.T) {
		l, r := layer(t, channel.Options{})
		send(t, l, numbered(1))
		done := make(chan struct{})
		close(done)
		if _, err := receive(r, done); !errors.Is(err, context.Canceled) {
			t.Fatalf("receive: %v", err)
		}
		if m, ok := r.Poll(); !ok || m.Body != 1 {
			t.Fatal("the message is gone")
		}
	})
	t.Run("loses nothing that was handed over at the same time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, r := layer(t, channel.Options{})
			for i := range 20_000 {
				done, received := make(chan struct{}), false
				go func() {
					_, err := receive(r, done)
					received = err == nil
				}()
				synctest.Wait() // it waits
				close(done)     // and now it wakes, in a race with the message
				send(t, l, numbered(i))
				synctest.Wait()
				if _, queued := r.Poll(); queued == received {
					t.Fatalf("message %d: received %v, still queued %v", i, received, queued)
				}
			}
		})
	})
	t.Run("each message goes to one of many readers who come and go", func(t *testing.T) {
		const messages, readers = 20_000, 8
		l, r := layer(t, channel.Options{Capacity: messages})
		var seen [messages]atomic.Int32
		var left atomic.Int64
		left.Store(messages)
		over, allRead := context.WithCancel(t.Context())
		defer allRead()
		var group sync.WaitGroup
		for range readers {
			group.Go(func() {
				for over.Err() == nil {
					ctx, cancel := context.WithTimeout(over, 5*time.Microsecond)
					if m, err := receive(r, ctx.Done()); err == nil {
						seen[m.Body.(int)].Add(1)
						if left.Add(-1) == 0 {
							allRead()
						}
					}
					cancel()
				}
			})
		}
		for i := range messages {
			send(t, l, numbered(i))
		}
		group.Wait()
		for i := range seen {
			if n := seen[i].Load(); n != 1 {
				t.Fatalf("message %d was read %d times", i, n)
			}
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := layer(t, channel.Options{})
		slot, _ := l.OpenReply()
		defer slot.Release()
		readers := make(chan error, 3)
		for range 3 {
			go func() { _, err := receive(r, nil); readers <- err }()
		}
		answered := make(chan bool)
		go func() {
			_, ok := slot.Wait(nil, time.Now().Add(time.Hour))
			answered <- ok
		}()
		synctest.Wait()
		before := time.Now()
		l.Close()
		l.Close()
		for range 3 {
			if err := <-readers; !errors.Is(err, channel.ErrClosed) {
				t.Errorf("reader woke with %v", err)
			}
		}
		if <-answered || time.Since(before) > 0 {
			t.Error("a wait for an answer went on after Close")
		}
		_, listen := l.Listen(name)
		_, other := l.Listen("other.request")
		_, open := l.OpenReply()
		_, receive := receive(r, nil)
		for what, err := range map[string]error{
			"send": l.Send(name, numbered(1)), "send elsewhere": l.Send("new.request", numbered(1)),
			"listen": listen, "listen elsewhere": other, "open": open, "receive": receive,
		} {
			if !errors.Is(err, channel.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
	})
}

// A layer keeps nothing in package variables: each simulation has its bubble.
func TestLayersOfTwoBubbles(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			l, r := layer(t, channel.Options{})
			go func() { _ = l.Send(name, numbered(1)) }()
			if _, err := receive(r, t.Context().Done()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"inventory.request", true}, {"a", true}, {"A-b_c.9", true}, {"response.aF53!17", true}, {"a!b.c", true},
		{strings.Repeat("n", channel.MaxName), true}, {strings.Repeat("n", channel.MaxName+1), false},
		{"", false}, {".", false}, {".a", false}, {"a.", false}, {"a..b", false}, {"!a", false}, {"a!", false}, {"a!b!c", false},
		{"a.!b", false}, {"a!.b", false}, {"a b", false}, {"a*", false}, {"a>", false}, {"é", false}, {"a\x00", false}, {"a/b", false},
	}
	l := channel.NewMemory(channel.Options{})
	defer l.Close()
	for _, test := range tests {
		if err := channel.CheckName(test.name); (err == nil) != test.ok {
			t.Errorf("CheckName(%q) = %v", test.name, err)
		}
		if err := l.Send(test.name, channel.Message{}); (err == nil) != test.ok || err != nil && !errors.Is(err, channel.ErrName) {
			t.Errorf("Send(%q) = %v", test.name, err)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"inventory.request", "response.aF53!17", "a..b", "a!.b", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := s != "" && len(s) <= channel.MaxName && strings.Count(s, "!") <= 1 && strings.Trim(s, "!") == s &&
			strings.IndexFunc(s, func(r rune) bool {
				return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!", r)
			}) < 0
		for _, part := range strings.FieldsFunc("."+s+".", func(r rune) bool { return r == '!' }) {
			part = strings.TrimSuffix(strings.TrimPrefix(part, "."), ".")
			want = want && part != "" && !strings.HasPrefix(part, ".") && !strings.HasSuffix(part, ".") && !strings.Contains(part, "..")
		}
		want = want && !strings.Contains(s, ".!") && !strings.Contains(s, "!.") && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
		if got := channel.CheckName(s) == nil; got != want {
			t.Fatalf("CheckName(%q): %v, want %v", s, got, want)
		}
	})
}

func ExampleReplyTo() {
	fmt.Println(channel.ReplyTo{Process: 0x9f2c01d4, Slot: 7})
	// Output: response.000000009f2c01d4!7
}
