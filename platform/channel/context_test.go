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

func TestHandling(t *testing.T) {
	type key struct{}
	var contexts channel.Handlings
	tests := map[string]struct {
		deadline time.Duration // of the header; 0: none
		end      func(cancelBase context.CancelFunc, c *channel.Handling)
		want     error
	}{
		"goes on until it is over":      {deadline: time.Hour, end: func(context.CancelFunc, *channel.Handling) {}},
		"ends at the header's deadline": {deadline: time.Second, end: func(context.CancelFunc, *channel.Handling) { time.Sleep(time.Second) }, want: context.DeadlineExceeded},
		"ends with its base":            {deadline: time.Hour, end: func(cancel context.CancelFunc, _ *channel.Handling) { cancel() }, want: context.Canceled},
		"is cancelled when it is over":  {end: func(_ context.CancelFunc, c *channel.Handling) { c.End() }, want: context.Canceled},
		"keeps its first error": {deadline: time.Second, want: context.DeadlineExceeded, end: func(cancel context.CancelFunc, c *channel.Handling) {
			time.Sleep(time.Second)
			_ = c.Err()
			cancel()
			c.End()
		}},
		"starts with its deadline passed": {deadline: -time.Second, end: func(context.CancelFunc, *channel.Handling) {}, want: context.DeadlineExceeded},
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
					c := contexts.New(base, &h)
					defer c.End()
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
					test.end(cancel, c)
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
		if *channel.HeaderOf(t.Context()) != (channel.Header{}) {
			t.Error("a header from nowhere")
		}
	})
	t.Run("two messages never share a context", func(t *testing.T) {
		seen := map[*channel.Handling]bool{}
		for range 100 {
			c := contexts.New(t.Context(), &channel.Header{})
			c.End()
			if seen[c] {
				t.Fatal("a context came again")
			}
			seen[c] = true
		}
	})
	t.Run("what outlives the handler may go on asking", func(t *testing.T) {
		var group sync.WaitGroup
		for range 200 {
			c := contexts.New(t.Context(), &channel.Header{Deadline: time.Now().Add(time.Hour)})
			group.Go(func() { <-c.Done() })
			group.Go(func() { _ = c.Err() })
			group.Go(c.End)
		}
		group.Wait()
	})
}

// TestDerivedContexts: package context would start a goroutine for each context that is derived from one it does not know.
func TestDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var contexts channel.Handlings
		for name, end := range map[string]func(*channel.Handling){
			"the handling is over":      (*channel.Handling).End,
			"the deadline has passed":   func(*channel.Handling) { time.Sleep(time.Minute) },
			"its error was asked for":   func(c *channel.Handling) { time.Sleep(time.Minute); _ = c.Err() },
			"those derived are stopped": nil,
		} {
			c := contexts.New(t.Context(), &channel.Header{Deadline: time.Now().Add(time.Minute)})
			before := goroutines()
			derived := make([]context.Context, 20)
			cancels := make([]context.CancelFunc, 20)
			for i := range derived {
				derived[i], cancels[i] = context.WithTimeout(c, time.Hour)
			}
			if after := goroutines(); after != before {
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
				c.End()
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
			c.End()
		}
	})
}
