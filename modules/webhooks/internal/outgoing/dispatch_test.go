package outgoing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/webhook"
)

var errBoom = errors.New("boom")

// answers lets every receiver answer with a status.
func answers(status int) func(string, message) (int, error) {
	return func(string, message) (int, error) { return status, nil }
}

// ready returns a stage with an endpoint and two events of an order, the first of which is due.
func ready(t *testing.T, p outgoing.Policy) (*stage, webhooks.EndpointSecret) {
	t.Helper()
	s := newStage(t, storetest.Datastore(t, "webhooks"), p)
	e := s.endpoint(one)
	s.happens("ord_1", orders.EventReceived)
	s.happens("ord_1", orders.EventCompleted)
	s.collect()
	return s, e
}

func TestDispatch(t *testing.T) {
	t.Run("the receiver can verify what it gets", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.passes(time.Hour)
		s.dispatch()
		m := s.got[0]
		if err := m.verify(e.Secret); err != nil {
			t.Error(err)
		}
		if m.header["X-Correlation-ID"] != "cor_ord_1" || m.header["Content-Type"] != "application/json" || m.eventID != "evt_ord_1_1" {
			t.Errorf("%v", m.header)
		}
		m.body += " "
		if err := m.verify(e.Secret); !errors.Is(err, webhook.ErrForged) {
			t.Error(err)
		}
	})
	t.Run("the log tells of every attempt", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = func(string, message) (int, error) {
			s.passes(70 * time.Millisecond)
			if len(s.got) == 1 {
				return 0, errors.New("no connection in time")
			}
			return 500, nil
		}
		s.dispatch()
		s.passes(5 * time.Second)
		s.dispatch()
		d := s.deliveries(e.Endpoint.ID)[0]
		want := []webhooks.Attempt{
			{At: start, DurationMS: 70, Error: "no connection in time", Answer: "as told"},
			{At: start.Add(5*time.Second + 70*time.Millisecond), DurationMS: 70, StatusCode: 500, Error: "answered 500", Answer: "as told"},
		}
		if !slices.Equal(d.Attempts, want) || d.AttemptCount != 2 || d.State != webhooks.StatePending {
			t.Errorf("%+v", d)
		}
		if next := start.Add(35*time.Second + 140*time.Millisecond); d.NextAttempt == nil || !d.NextAttempt.Equal(next) {
			t.Errorf("next %v, want %v", d.NextAttempt, next)
		}
	})
	t.Run("an order's next event waits for the one before, other orders do not", func(t *testing.T) {
		s, _ := ready(t, outgoing.Policy{})
		s.happens("ord_2", orders.EventReceived)
		s.collect()
		s.post = func(_ string, m message) (int, error) {
			if m.orderID == "ord_1" && len(s.got) < 4 {
				return 503, nil
			}
			return 200, nil
		}
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_2/1")
		s.happens("ord_1", orders.EventRefunded)
		s.collect()
		expect(t, s.dispatch())
		s.passes(5 * time.Second)
		expect(t, s.dispatch(), one+" ord_1/1")
		s.passes(30 * time.Second)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2", one+" ord_1/3")
	})
	t.Run("it is given up after the last attempt, and the next event has its turn", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{Schedule: []time.Duration{time.Second, time.Minute}})
		s.post = func(_ string, m message) (int, error) {
			if m.sequence == 1 {
				return 404, nil
			}
			return 200, nil
		}
		s.dispatch()
		s.passes(time.Second)
		s.dispatch()
		s.passes(time.Minute)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
		d := s.deliveries(e.Endpoint.ID)
		if d[0].State != webhooks.StateFailed || d[0].AttemptCount != 3 || d[0].NextAttempt != nil || d[1].State != webhooks.StateDelivered {
			t.Errorf("%+v", d)
		}
	})
	t.Run("by default it is tried for three days", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = answers(500)
		for s.deliveries(e.Endpoint.ID)[0].State == webhooks.StatePending {
			s.dispatch()
			if next := s.deliveries(e.Endpoint.ID)[0].NextAttempt; next != nil {
				s.now = *next
			}
		}
		first := slices.DeleteFunc(slices.Clone(s.got), func(m message) bool { return m.sequence != 1 })
		if took := s.now.Sub(start); took < 70*time.Hour || took > 74*time.Hour || len(first) != 11 {
			t.Errorf("%v, %d attempts", took, len(first))
		}
	})
	t.Run("the waits differ by chance", func(t *testing.T) {
		for _, c := range []struct {
			random float64
			wait   time.Duration
		}{{0, 4 * time.Second}, {0.5, 5 * time.Second}, {0.75, 5500 * time.Millisecond}} {
			s, e := ready(t, outgoing.Policy{})
			s.random, s.post = func() float64 { return c.random }, answers(500)
			s.dispatch()
			if next := s.deliveries(e.Endpoint.ID)[0].NextAttempt; next.Sub(start) != c.wait {
				t.Errorf("%v after %v, want %v", c.random, next.Sub(start), c.wait)
			}
		}
	})
	t.Run("of many attempts the log keeps the latest", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{Schedule: slices.Repeat([]time.Duration{time.Second}, 24)})
		s.post = answers(500)
		for range 25 {
			s.dispatch()
			s.passes(time.Second)
		}
		d := s.deliveries(e.Endpoint.ID)[0]
		if len(d.Attempts) != webhooks.MaxAttempts || d.AttemptCount != 25 || !d.Attempts[19].At.Equal(start.Add(24*time.Second)) {
			t.Errorf("%d of %d, %v", len(d.Attempts), d.AttemptCount, d.Attempts[19])
		}
	})
}

func TestDispatch_crash(t *testing.T) {
	crash := func(t *testing.T, point string) *stage {
		s, _ := ready(t, outgoing.Policy{})
		s.post = func(string, message) (int, error) {
			s.fail = func(p string) error {
				if p == point {
					return errBoom
				}
				return nil
			}
			return 200, nil
		}
		if _, err := s.Dispatch(t.Context()); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		s.fail, s.post = nil, nil
		s.restart()
		return s
	}
	t.Run("between sending and recording: it is sent once more, with the same id", func(t *testing.T) {
		s := crash(t, "webhooks.commit.before")
		expect(t, s.dispatch())
		s.passes(30 * time.Second) // the claim runs out
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
		if s.got[0].eventID != s.got[1].eventID || s.got[0].body != s.got[1].body || s.got[0].header[webhook.HeaderTimestamp] == s.got[1].header[webhook.HeaderTimestamp] {
			t.Errorf("%v\n%v", s.got[0], s.got[1])
		}
	})
	t.Run("after recording: it is not sent again", func(t *testing.T) {
		s := crash(t, "webhooks.commit.after")
		s.passes(time.Hour)
		expect(t, s.dispatch(), one+" ord_1/2")
	})
	t.Run("before sending: it is sent once", func(t *testing.T) {
		s, _ := ready(t, outgoing.Policy{})
		s.fail = func(point string) error {
			if point == "webhooks.commit.after" {
				return errBoom
			}
			return nil
		}
		if _, err := s.Dispatch(t.Context()); !errors.Is(err, errBoom) || len(s.got) > 0 {
			t.Fatal(err, s.got)
		}
		s.fail = nil
		s.restart()
		s.passes(30 * time.Second)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
	})
	t.Run("an attempt that was overtaken writes nothing", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = func(string, message) (int, error) {
			if len(s.got) > 1 {
				return 503, nil
			}
			s.passes(30 * time.Second) // this process stood still, and another one takes over
			sleeper := s.Outgoing
			s.restart()
			if _, err := s.Dispatch(context.Background()); err != nil {
				t.Error(err)
			}
			s.Outgoing = sleeper
			return 500, nil
		}
		if _, err := s.Dispatch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := s.deliveries(e.Endpoint.ID)[0]; d.AttemptCount != 2 || len(d.Attempts) != 1 || d.Attempts[0].StatusCode != 503 {
			t.Errorf("%+v", d)
		}
	})
	t.Run("an attempt that is cut off is not counted, and made again", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{Schedule: []time.Duration{time.Minute}})
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			s.post = func(string, message) (int, error) { cancel(); return 0, ctx.Err() }
			if _, err := s.Dispatch(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if d := s.deliveries(e.Endpoint.ID)[0]; d.State != webhooks.StatePending || len(d.Attempts) != 0 || !d.NextAttempt.Equal(start) {
			t.Errorf("%+v", d)
		}
	})
	t.Run("an answer that came before the cut counts", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		ctx, cancel := context.WithCancel(t.Context())
		s.post = func(string, message) (int, error) { cancel(); return 200, nil }
		if _, err := s.Dispatch(ctx); err != nil {
			t.Fatal(err)
		}
		if d := s.deliveries(e.Endpoint.ID)[0]; d.State != webhooks.StateDelivered {
			t.Errorf("%+v", d)
		}
	})
}

func TestDispatch_bounds(t *testing.T) {
	s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{PerEndpoint: 3})
	s.endpoint(one)
	s.endpoint(two)
	for _, order := range strings.Fields("ord_1 ord_2 ord_3 ord_4 ord_5") {
		s.happens(order, orders.EventReceived)
	}
	s.collect()
	underWay, most := map[string]int{}, map[string]int{}
	s.post = func(to string, _ message) (int, error) { // while this attempt is under way, others are begun
		underWay[to]++
		most[to] = max(most[to], underWay[to])
		if _, err := s.Dispatch(context.Background()); err != nil {
			t.Error(err)
		}
		underWay[to]--
		return 200, nil
	}
	s.dispatch()
	if most[one] != 3 || most[two] != 3 || len(s.got) != 10 {
		t.Errorf("at most %v under way, %d sent", most, len(s.got))
	}
}
