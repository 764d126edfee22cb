package outgoing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/store/storetest"
)

// personal adds an event of an order that tells of its customer: each piece holds the word zebra.
func (s *stage) personal(orderID, kind string) {
	s.happens(orderID, kind)
	s.feed[len(s.feed)-1].Order.Customer.Email = "zebra@example.com"
	s.feed[len(s.feed)-1].Order.Metadata = map[string]string{"cart": "zebra"}
}

// traces counts the rows that tell of zebras.
func (s *stage) traces() (n int) {
	s.t.Helper()
	if err := s.store.Read(s.t.Context()).Raw(`SELECT (SELECT count(*) FROM events WHERE payload LIKE '%zebra%')
		+ (SELECT count(*) FROM deliveries WHERE log LIKE '%zebra%')`).Row().Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func TestErase(t *testing.T) {
	const echo = `{"thanks": "zebra@example.com"}`
	for name, told := range map[string]bool{"with an endpoint that is told": true, "with none left": false} {
		t.Run("what is stored of the order is erased, "+name, func(t *testing.T) {
			s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
			s.answer = echo
			e := s.endpoint(one)
			s.personal("ord_1", orders.EventReceived)
			s.personal("ord_2", orders.EventReceived)
			s.collect()
			s.dispatch()
			s.personal("ord_1", orders.EventCompleted) // not sent yet
			s.collect()
			if n := s.traces(); n != 5 {
				t.Fatalf("%d traces of two that were sent, and one that was not", n)
			}
			if !told {
				s.put(e.Endpoint, webhooks.Settings{URL: one, Disabled: true})
			}
			s.happens("ord_1", orders.EventErased)
			s.collect()
			if n := s.traces(); n != 2 {
				t.Errorf("%d traces, want those of the other order", n)
			}
			if log := s.deliveries(e.Endpoint.ID)[0].Attempts; len(log) != 1 || log[0].StatusCode != 204 || log[0].Answer != "" {
				t.Errorf("the log says %+v", log)
			}
			if !told {
				return
			}
			expect(t, s.dispatch(), one+" ord_1/2", one+" ord_1/3")
			if sent := s.got[2]; strings.Contains(sent.body, "zebra") || !strings.Contains(sent.body, orders.ErasedEmail) || sent.eventID != "evt_ord_1_2" {
				t.Errorf("%+v", sent)
			}
			if n := s.traces(); n != 3 { // the answer to orders.erased itself: this receiver talks of zebras whatever it is sent
				t.Errorf("%d traces", n)
			}
		})
	}
	t.Run("the answer to an attempt that was under way meanwhile is not kept", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		s.answer = echo
		e := s.endpoint(one, orders.EventReceived)
		s.personal("ord_1", orders.EventReceived)
		s.collect()
		s.post = func(string, message) (int, error) {
			s.happens("ord_1", orders.EventErased)
			s.collect()
			return 500, nil
		}
		s.dispatch()
		s.post = nil
		s.passes(time.Hour)
		s.dispatch()
		if n := s.traces(); n != 0 {
			t.Errorf("%d traces: %s", n, fmt.Sprint(s.deliveries(e.Endpoint.ID)))
		}
		if d := s.deliveries(e.Endpoint.ID); len(d) != 1 || len(d[0].Attempts) != 2 || d[0].State != webhooks.StateDelivered {
			t.Errorf("%+v", d)
		}
	})
}
