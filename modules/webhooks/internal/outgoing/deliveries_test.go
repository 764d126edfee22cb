package outgoing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store/storetest"
)

func (s *stage) redeliver(deliveryID string) webhooks.Delivery {
	s.t.Helper()
	d, err := s.Redeliver(s.t.Context(), webhooks.DeliveryRequest{ID: deliveryID})
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func TestRedeliver(t *testing.T) {
	t.Run("what was delivered is sent again, with the same id", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.dispatch()
		d := s.redeliver(s.deliveries(e.Endpoint.ID)[0].ID)
		if d.State != webhooks.StatePending || d.EndedAt != nil || d.NextAttempt == nil {
			t.Errorf("%+v", d)
		}
		expect(t, s.dispatch(), one+" ord_1/1")
		if again := s.deliveries(e.Endpoint.ID)[0]; s.got[2].eventID != s.got[0].eventID || again.State != webhooks.StateDelivered || again.AttemptCount != 2 {
			t.Errorf("%+v", again)
		}
	})
	t.Run("what was given up has all its attempts again, ahead of the order's later events", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{Schedule: []time.Duration{time.Second}})
		s.post = answers(500)
		s.dispatch()
		s.passes(time.Second)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
		s.redeliver(s.deliveries(e.Endpoint.ID)[0].ID)
		s.passes(time.Second)
		expect(t, s.dispatch(), one+" ord_1/1")
		s.post = nil
		s.passes(time.Second)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
	})
	t.Run("what waits for its next attempt is tried at once", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = answers(500)
		s.dispatch()
		s.post = nil
		expect(t, s.dispatch())
		s.redeliver(s.deliveries(e.Endpoint.ID)[0].ID)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
	})
	t.Run("what is under way is not sent twice", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = func(string, message) (int, error) {
			if d := s.redeliver(s.deliveries(e.Endpoint.ID)[0].ID); d.NextAttempt != nil {
				t.Errorf("%+v", d)
			}
			if found, err := s.Dispatch(t.Context()); found || err != nil {
				t.Error(found, err)
			}
			return 200, nil
		}
		if _, err := s.Dispatch(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("nothing goes to an endpoint that is disabled or gone", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.dispatch()
		d := s.deliveries(e.Endpoint.ID)[0]
		s.put(e.Endpoint, webhooks.Settings{URL: one, Disabled: true})
		if _, err := s.Redeliver(t.Context(), webhooks.DeliveryRequest{ID: d.ID}); !errors.Is(err, webhooks.ErrEndpointDisabled) {
			t.Error(err)
		}
		if _, err := s.DeleteEndpoint(t.Context(), webhooks.EndpointRequest{ID: e.Endpoint.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Redeliver(t.Context(), webhooks.DeliveryRequest{ID: d.ID}); !errors.Is(err, webhooks.ErrDeliveryNotFound) {
			t.Error(err)
		}
	})
}

func TestDeliveries(t *testing.T) {
	s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
	e := s.endpoint(one).Endpoint
	for range 3 {
		s.happens("ord_1", orders.EventReceived)
	}
	s.collect()
	s.post = func(_ string, m message) (int, error) {
		if m.sequence == 2 {
			return 500, nil
		}
		return 200, nil
	}
	s.dispatch()
	page, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.ID, Limit: 2})
	if err != nil || len(page.Deliveries) != 2 || page.Deliveries[0].Sequence != 3 || page.Deliveries[1].Sequence != 2 || !page.More {
		t.Fatalf("%+v, %v", page, err)
	}
	if waits := page.Deliveries[0]; waits.NextAttempt != nil || waits.State != webhooks.StatePending {
		t.Errorf("it waits for the event before it: %+v", waits)
	}
	rest, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.ID, Before: page.Deliveries[1].ID})
	if err != nil || len(rest.Deliveries) != 1 || rest.Deliveries[0].Sequence != 1 || rest.More {
		t.Errorf("%+v, %v", rest, err)
	}
	for state, want := range map[string]int{webhooks.StatePending: 2, webhooks.StateDelivered: 1, webhooks.StateFailed: 0} {
		if page, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.ID, State: state}); err != nil || len(page.Deliveries) != want {
			t.Errorf("%s: %+v, %v", state, page, err)
		}
	}
	if _, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.ID, State: "x' OR '1'='1"}); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	if _, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: "whe_none"}); !errors.Is(err, webhooks.ErrEndpointNotFound) {
		t.Error(err)
	}
}

func TestClean(t *testing.T) {
	clean := func(s *stage) {
		t.Helper()
		for more := true; more; {
			var err error
			if more, err = s.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	rows := func(s *stage) (n [3]int) {
		t.Helper()
		if err := s.store.Read(t.Context()).Raw("SELECT (SELECT COUNT(*) FROM deliveries), (SELECT COUNT(*) FROM events), (SELECT COUNT(*) FROM endpoints)").
			Row().Scan(&n[0], &n[1], &n[2]); err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("keys that count no longer go, more than a batch of them", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{CleanBatch: 2})
		add := func(key string) {
			t.Helper()
			k := idempotency.Key{Caller: "key_1", Value: key, Digest: "d"}
			if _, err := s.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Key: k, Settings: webhooks.Settings{URL: one}}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			add(fmt.Sprint("old", i))
		}
		s.passes(idempotency.Retention - time.Second)
		add("young")
		for _, want := range []int{6, 1} {
			clean(s)
			var kept int
			if err := s.store.Read(t.Context()).Raw("SELECT count(*) FROM idempotency_keys").Row().Scan(&kept); err != nil || kept != want {
				t.Errorf("%d keys are kept (%v), want %d", kept, err, want)
			}
			s.passes(2 * time.Second)
		}
	})
	t.Run("what ended is kept for thirty days, what is pending for longer", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{CleanBatch: 2})
		s.endpoint(one)
		s.endpoint(two, orders.EventCompleted)
		for range 7 {
			s.happens("ord_1", orders.EventReceived)
		}
		s.collect()
		s.dispatch()
		s.happens("ord_1", orders.EventCompleted)
		s.collect()
		s.post = answers(500)
		s.dispatch()
		s.passes(30*24*time.Hour - time.Second)
		clean(s)
		if n := rows(s); n != [3]int{9, 8, 2} {
			t.Errorf("before: %v", n)
		}
		s.passes(time.Second)
		clean(s)
		if n := rows(s); n != [3]int{2, 1, 2} {
			t.Errorf("after: %v", n)
		}
	})
	t.Run("a deleted endpoint goes with its deliveries, and leaves those of others", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{CleanBatch: 2})
		e := s.endpoint(one).Endpoint
		s.endpoint(two, orders.EventCompleted)
		for range 5 {
			s.happens("ord_1", orders.EventReceived)
		}
		s.happens("ord_1", orders.EventCompleted)
		s.collect()
		if _, err := s.DeleteEndpoint(t.Context(), webhooks.EndpointRequest{ID: e.ID}); err != nil {
			t.Fatal(err)
		}
		expect(t, s.dispatch(), two+" ord_1/6")
		clean(s)
		if n := rows(s); n != [3]int{1, 1, 1} {
			t.Errorf("%v", n)
		}
	})
	t.Run("what waits for a disabled endpoint is not kept for ever", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.put(e.Endpoint, webhooks.Settings{URL: one, Disabled: true})
		s.passes(30 * 24 * time.Hour)
		clean(s)
		if n := rows(s); n != [3]int{0, 0, 1} {
			t.Errorf("%v", n)
		}
	})
}
