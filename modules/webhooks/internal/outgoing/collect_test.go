package outgoing_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/store/storetest"
)

const (
	one = "https://one.example.com/hook"
	two = "https://two.example.com/hook"
)

func TestCollect(t *testing.T) {
	t.Run("an endpoint gets the events that it wants, from its making on", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		s.happens("ord_0", orders.EventReceived)
		s.collect()
		s.endpoint(one)
		s.endpoint(two, orders.EventCompleted, orders.EventDeclined)
		s.happens("ord_1", orders.EventReceived)
		s.happens("ord_1", orders.EventCompleted)
		s.collect()
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2", two+" ord_1/2")
	})
	t.Run("nothing is kept for an endpoint that is disabled or deleted", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		off, gone := s.endpoint(one), s.endpoint(two)
		s.put(off.Endpoint, webhooks.Settings{URL: one, Disabled: true})
		if _, err := s.DeleteEndpoint(t.Context(), webhooks.EndpointRequest{ID: gone.Endpoint.ID}); err != nil {
			t.Fatal(err)
		}
		s.happens("ord_1", orders.EventReceived)
		s.collect()
		e, err := s.Endpoint(t.Context(), webhooks.EndpointRequest{ID: off.Endpoint.ID})
		if err != nil {
			t.Fatal(err)
		}
		s.put(e, webhooks.Settings{URL: one})
		expect(t, s.dispatch())
	})
	t.Run("what is sent is the event with the order as it was, in the members of the specification", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		s.endpoint(one)
		e := s.happens("ord_1", orders.EventReceived)
		s.collect()
		s.dispatch()
		var sent struct {
			Type, Timestamp string
			Data            struct {
				EventID       string `json:"event_id"`
				Position      int64
				CorrelationID string `json:"correlation_id"`
				Order         orders.Order
			}
		}
		if err := json.Unmarshal([]byte(s.got[0].body), &sent); err != nil {
			t.Fatal(err)
		}
		if sent.Type != orders.EventReceived || sent.Timestamp != "2026-11-24T12:00:00Z" || sent.Data.EventID != e.ID || sent.Data.Position != 1 ||
			sent.Data.CorrelationID != "cor_ord_1" || sent.Data.Order.ID != "ord_1" {
			t.Errorf("%s", s.got[0].body)
		}
	})
	for _, point := range []string{"webhooks.commit.before", "webhooks.commit.after"} {
		t.Run("a failure at "+point+" loses nothing and doubles nothing", func(t *testing.T) {
			s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
			s.endpoint(one)
			s.happens("ord_1", orders.EventReceived)
			boom := errors.New("boom")
			s.fail = func(p string) error {
				if p == point {
					return boom
				}
				return nil
			}
			if _, err := s.Collect(t.Context()); !errors.Is(err, boom) {
				t.Fatal(err)
			}
			s.fail = nil
			s.restart()
			s.collect()
			expect(t, s.dispatch(), one+" ord_1/1")
		})
	}
	t.Run("of a feed whose next events were deleted it goes on with the oldest that is there", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		s.endpoint(one)
		s.happens("ord_1", orders.EventReceived)
		s.collect()
		s.happens("ord_2", orders.EventReceived)
		s.happens("ord_3", orders.EventReceived)
		s.feed, s.pruned = s.feed[2:], 2
		s.collect()
		s.collect()
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_3/1")
	})
	t.Run("of events that are large it reads fewer at once", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		s.endpoint(one)
		s.heaviest = 1
		for range 9 {
			s.happens("ord_1", orders.EventReceived)
		}
		s.collect()
		if got := s.dispatch(); len(got) != 9 {
			t.Errorf("%s", strings.Join(got, ", "))
		}
	})
}

// put replaces the settings of an endpoint.
func (s *stage) put(e webhooks.Endpoint, to webhooks.Settings) webhooks.Endpoint {
	s.t.Helper()
	e, err := s.PutEndpoint(s.t.Context(), webhooks.PutEndpointRequest{ID: e.ID, IfVersion: e.Version, Settings: to})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}
