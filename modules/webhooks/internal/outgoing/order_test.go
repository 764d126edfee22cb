package outgoing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/store/storetest"
)

// TestOrder lets orders go on while receivers fail and we die, in any order of steps. In the end every endpoint has taken every
// event, each order's in their sequence, and has seen one twice for no other reason than that we died, or it had failed.
func TestOrder(t *testing.T) {
	storetest.FewerChecks(t)
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{Schedule: repeated(time.Minute, 200), DisableAfter: 1000 * time.Hour, CollectBatch: 2})
		defer func() {
			if err := s.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		run(r, s)
	})
}

func run(r *rapid.T, s *stage) {
	urls := []string{one, two}
	for _, url := range urls {
		s.endpoint(url)
	}
	taken, crashes := map[string][]int64{}, 0
	take := func(to string, m message) { k := to + " " + m.orderID; taken[k] = append(taken[k], m.sequence) }
	step := map[string]func(){
		"an order goes on": func() {
			s.happens(fmt.Sprintf("ord_%d", rapid.IntRange(1, 3).Draw(r, "order")), orders.EventReceived)
		},
		"the feed is read": func() {
			if _, err := s.Collect(context.Background()); err != nil {
				r.Fatal(err)
			}
		},
		"time passes": func() { s.passes(time.Duration(rapid.IntRange(1, 90).Draw(r, "seconds")) * time.Second) },
		"something is sent": func() {
			status := rapid.SampledFrom([]int{200, 200, 500, 0}).Draw(r, "status")
			crash := rapid.IntRange(0, 3).Draw(r, "crash") == 0
			s.post = func(to string, m message) (int, error) {
				if status == 200 {
					take(to, m)
				}
				if crash {
					crashes++
					s.fail = func(point string) error { return errors.New("died at " + point) }
				}
				return status, nil
			}
			if _, err := s.Dispatch(context.Background()); err != nil && !crash {
				r.Fatal(err)
			}
			if s.fail != nil {
				s.fail = nil
				s.restart()
			}
		},
	}
	for range rapid.IntRange(1, 40).Draw(r, "steps") {
		step[rapid.SampledFrom([]string{"an order goes on", "the feed is read", "time passes", "something is sent", "something is sent"}).Draw(r, "step")]()
	}
	s.post = func(to string, m message) (int, error) { take(to, m); return 200, nil }
	for range 3 {
		s.collect()
		s.dispatch()
		s.passes(2 * time.Minute) // longer than any claim or wait
	}
	s.dispatch()
	judge(r, s, urls, taken, crashes)
}

// judge compares what receivers took with what happened.
func judge(r *rapid.T, s *stage, urls []string, taken map[string][]int64, crashes int) {
	last := map[string]int64{}
	for _, e := range s.feed {
		last[e.OrderID] = e.Sequence
	}
	twice := 0
	for _, url := range urls {
		for orderID, n := range last {
			next := int64(1)
			for _, sequence := range taken[url+" "+orderID] {
				switch sequence {
				case next:
					next++
				case next - 1:
					twice++
				default:
					r.Fatalf("%s %s: %v", url, orderID, taken[url+" "+orderID])
				}
			}
			if next != n+1 {
				r.Fatalf("%s %s: %d of %d events arrived", url, orderID, next-1, n)
			}
		}
	}
	if twice > crashes {
		r.Fatalf("%d events came twice, after %d crashes", twice, crashes)
	}
}

func repeated(d time.Duration, n int) []time.Duration {
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = d
	}
	return list
}

// TestBacklog holds the cost of a look for work to what is due, not to what waits.
func TestBacklog(t *testing.T) {
	s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
	e := s.endpoint(one)
	for range 300 {
		s.happens("ord_1", orders.EventReceived)
	}
	s.collect()
	due, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.Endpoint.ID, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due.Deliveries { // the newest 200 of 300: the first one is not among them
		if d.NextAttempt != nil {
			t.Fatalf("%+v is due, before the first event of its order", d)
		}
	}
}
