package channel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
)

// begin lets the handling of a message with this header begin.
func begin(s *channel.Handlings, h channel.Header) *channel.Handling {
	s.Message.Header = h
	return s.Begin()
}

func TestHandling(t *testing.T) {
	type key struct{}
	tests := map[string]struct {
		deadline time.Duration // of the header; 0: none
		end      func(cancelBase context.CancelFunc, s *channel.Handlings, c *channel.Handling)
		want     error
	}{
		"goes on until it is over":      {deadline: time.Hour, end: func(context.CancelFunc, *channel.Handlings, *channel.Handling) {}},
		"ends at the header's deadline": {deadline: time.Second, end: func(context.CancelFunc, *channel.Handlings, *channel.Handling) { time.Sleep(time.Second) }, want: context.DeadlineExceeded},
		"ends with its base":            {deadline: time.Hour, end: func(cancel context.CancelFunc, _ *channel.Handlings, _ *channel.Handling) { cancel() }, want: context.Canceled},
		"is cancelled when it is over":  {end: func(_ context.CancelFunc, s *channel.Handlings, _ *channel.Handling) { s.End() }, want: context.Canceled},
		"keeps its first error": {deadline: time.Second, want: context.DeadlineExceeded, end: func(cancel context.CancelFunc, s *channel.Handlings, c *channel.Handling) {
			time.Sleep(time.Second)
			_ = c.Err()
			cancel()
			s.End()
		}},
		"starts with its deadline passed": {deadline: -time.Second, end: func(context.CancelFunc, *channel.Handlings, *channel.Handling) {}, want: context.DeadlineExceeded},
	}
	for name, test := range tests {
		for _, asked := range []bool{true, false} { // for Done, before the end comes
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "base"))
					defer cancel()
					h := channel.Header{CorrelationID: "cor_1", Actor: "key_1"}
					if test.deadline != 0 {
						h.Deadline = time.Now().Add(test.deadline)
					}
					s := channel.NewHandlings(base)
					defer s.Close()
					c := begin(s, h)
					if d, ok := c.Deadline(); ok != (test.deadline != 0) || !d.Equal(h.Deadline) {
						t.Errorf("deadline %v %v", d, ok)
					}
					if channel.CorrelationID(c) != "cor_1" || channel.Actor(c) != "key_1" || c.Value(key{}) != "base" {
						t.Error("the header is not in the context")
					}
					var child context.Context = c
					if asked {
						var stop context.CancelFunc
						child, stop = context.WithCancel(c)
						defer stop()
					}
					test.end(cancel, s, c)
					// An error without a closed Done, or the reverse, would contradict each other.
					if err := c.Err(); !errors.Is(err, test.want) {
						t.Fatalf("error %v, want %v", err, test.want)
					}
					select {
					case <-c.Done():
						if test.want == nil {
							t.Fatal("done without an error")
						}
					default:
						if test.want != nil {
							t.Fatal("not done, with an error")
						}
					}
					synctest.Wait()
					if !errors.Is(child.Err(), test.want) {
						t.Errorf("a context made of it has error %v", child.Err())
					}
				})
			})
		}
	}
	t.Run("without a header there is nothing", func(t *testing.T) {
		if channel.HeaderOf(t.Context()) != (channel.Header{}) {
			t.Error("a header from nowhere")
		}
	})
	t.Run("a context whose turn is over sees nothing of those that follow", func(t *testing.T) {
		s := channel.NewHandlings(t.Context())
		defer s.Close()
		asked := begin(s, channel.Header{Actor: "key_1", Deadline: time.Now().Add(time.Hour)})
		done := asked.Done()
		kept, stop := context.WithCancel(asked)
		defer stop()
		s.End()
		silent := begin(s, channel.Header{Actor: "key_2", Deadline: time.Now().Add(time.Hour)})
		s.End()
		now := begin(s, channel.Header{Actor: "key_3", Deadline: time.Now().Add(time.Hour)})
		for _, c := range []context.Context{asked, silent, kept, context.WithoutCancel(asked)} {
			if h := channel.HeaderOf(c); h != (channel.Header{}) {
				t.Errorf("it has the header %+v", h)
			}
			var h channel.Header
			if h.Inherit(c); h != (channel.Header{}) {
				t.Errorf("it bequeaths %+v", h)
			}
		}
		<-done
		for _, c := range []context.Context{asked, silent} {
			<-c.Done()
			if _, ok := c.Deadline(); ok || !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("it has a deadline, %v, or the error %v", ok, c.Err())
			}
		}
		<-kept.Done()
		if channel.Actor(now) != "key_3" || now.Err() != nil {
			t.Errorf("the next one acts for %q, with error %v", channel.Actor(now), now.Err())
		}
	})
	t.Run("each message has its own deadline, whatever was timed before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := channel.NewHandlings(t.Context())
			defer s.Close()
			for _, seconds := range []time.Duration{10, 5, 20, 1, 30} {
				<-time.After(time.Second)
				start := time.Now()
				c := begin(s, channel.Header{Deadline: start.Add(seconds * time.Second)})
				<-c.Done()
				if took := time.Since(start); took != seconds*time.Second || !errors.Is(c.Err(), context.DeadlineExceeded) {
					t.Errorf("it ended after %v with %v, want %v s", took, c.Err(), seconds)
				}
				s.End()
				c = begin(s, channel.Header{Deadline: time.Now().Add(15 * time.Second)}) // leaves its timer behind
				_ = c.Done()
				s.End()
			}
		})
	})
	t.Run("what outlives the handler may go on asking", func(t *testing.T) {
		s := channel.NewHandlings(t.Context())
		defer s.Close()
		var group sync.WaitGroup
		for range 200 {
			c := begin(s, channel.Header{Actor: "key_1", Deadline: time.Now().Add(time.Hour)})
			group.Go(func() { <-c.Done() })
			group.Go(func() { _ = c.Err() })
			group.Go(func() { _, _ = channel.Actor(c), c.AfterFunc(func() {}) })
			s.End()
		}
		group.Wait()
	})
}

// TestDerivedContexts: package context would start a goroutine for each context that is derived from one it does not know.
func TestDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := channel.NewHandlings(t.Context())
		defer s.Close()
		for name, end := range map[string]func(*channel.Handling){
			"the handling is over":      func(*channel.Handling) { s.End() },
			"the deadline has passed":   func(*channel.Handling) { time.Sleep(time.Minute) },
			"its error was asked for":   func(c *channel.Handling) { time.Sleep(time.Minute); _ = c.Err() },
			"those derived are stopped": nil,
		} {
			c := begin(s, channel.Header{Deadline: time.Now().Add(time.Minute)})
			before := goroutines()
			derived := make([]context.Context, 20)
			cancels := make([]context.CancelFunc, 20)
			for i := range derived {
				derived[i], cancels[i] = context.WithTimeout(c, time.Hour)
			}
			if after := goroutines(); after > before { // one of an earlier test may just end
				t.Errorf("%s: %d goroutines, %d before", name, after, before)
			}
			called := make(chan bool, 2)
			kept := c.AfterFunc(func() { called <- true })
			stopped := c.AfterFunc(func() { t.Error("called after it was stopped") })
			if !stopped() || stopped() {
				t.Error("a function was not stopped once")
			}
			if end == nil {
				for i := range derived {
					cancels[i]()
				}
				s.End()
			} else {
				end(c)
			}
			synctest.Wait()
			for i := range derived {
				if derived[i].Err() == nil {
					t.Errorf("%s: a derived context goes on", name)
				}
				cancels[i]()
			}
			if len(called) != 1 || kept() {
				t.Errorf("%s: a function was called %d times", name, len(called))
			}
			c.AfterFunc(func() { called <- true })
			synctest.Wait()
			if len(called) != 2 {
				t.Errorf("%s: a function that came later was not called", name)
			}
			if name != "the handling is over" && end != nil {
				s.End()
			}
		}
	})
}
