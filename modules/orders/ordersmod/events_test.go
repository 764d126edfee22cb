package ordersmod_test

import (
	"slices"
	"testing"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/audit"
	"cutpoint/platform/money"
)

// told is the types of an order's events, which are numbered without a gap.
func (m *module) told(t testing.TB, orderID string) (types []string) {
	t.Helper()
	last := int64(0)
	for {
		page, err := m.Events(t.Context(), orders.EventsRequest{After: last, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Position <= last {
				t.Fatalf("position %d comes after %d", e.Position, last)
			}
			last = e.Position
			if e.OrderID != orderID {
				continue
			}
			if types = append(types, e.Type); e.Sequence != int64(len(types)) {
				t.Errorf("event %d has the sequence %d", len(types), e.Sequence)
			}
			if e.Order.ID != orderID || e.CorrelationID != e.Order.CorrelationID {
				t.Errorf("the event tells of %+v", e.Order)
			}
		}
		if !page.More {
			return types
		}
	}
}

func TestEvents(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(*testing.T, *module) orders.Order
		want []string
	}{
		"a completed order": {
			do:   func(t *testing.T, m *module) orders.Order { return m.place(t, request("k")) },
			want: []string{orders.EventReceived, orders.EventCompleted},
		},
		"a declined one": {
			do: func(t *testing.T, m *module) orders.Order {
				m.becomes(payments.StatusDeclined)
				return m.place(t, request("k"))
			},
			want: []string{orders.EventReceived, orders.EventDeclined},
		},
		"one with another total than expected": {
			do: func(t *testing.T, m *module) orders.Order {
				r := request("k")
				r.Draft.ExpectedTotal = &money.Money{Amount: 1, Currency: "EUR"}
				return m.place(t, r)
			},
			want: []string{orders.EventReceived, orders.EventRejected},
		},
		"one that is authorised, captured and partly refunded": {
			do: func(t *testing.T, m *module) orders.Order {
				o := m.placeManual(t)
				if _, err := m.Capture(t.Context(), orders.CaptureRequest{Key: key("c"), ID: o.ID}); err != nil {
					t.Fatal(err)
				}
				if _, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("r"), ID: o.ID, Amount: &money.Money{Amount: 5, Currency: "EUR"}}); err != nil {
					t.Fatal(err)
				}
				return o
			},
			want: []string{orders.EventReceived, orders.EventCompleted, orders.EventCaptured, orders.EventRefunded},
		},
		"one that is cancelled": {
			do: func(t *testing.T, m *module) orders.Order {
				o := m.place(t, request("k"))
				if _, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID}); err != nil {
					t.Fatal(err)
				}
				return o
			},
			want: []string{orders.EventReceived, orders.EventCompleted, orders.EventRefunded, orders.EventCancelled},
		},
		"one in review": {
			do: func(t *testing.T, m *module) orders.Order {
				m.answer("payments.charge", fails(payments.ErrWrongAmount))
				return m.place(t, request("k"))
			},
			want: []string{orders.EventReceived, orders.EventReview},
		},
		"one whose customer must act": {
			do: func(t *testing.T, m *module) orders.Order {
				m.becomes(payments.StatusRequiresAction)
				return m.place(t, request("k"))
			},
			want: []string{orders.EventReceived, orders.EventRequiresAction},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := startNew(t)
			o := test.do(t, m)
			if got := m.told(t, o.ID); !slices.Equal(got, test.want) {
				t.Errorf("told %v, want %v", got, test.want)
			}
			page, err := m.Audit(t.Context(), audit.Request{})
			if err != nil || page.Checked != 1 || len(page.Findings) != 0 {
				t.Errorf("the audit says %+v (%v)", page, err)
			}
		})
	}
}

func TestSagas(t *testing.T) {
	m := startNew(t)
	m.place(t, request("done"))
	m.answer("payments.charge", fails(payments.ErrWrongAmount))
	o := m.place(t, request("review"))
	for _, stuck := range []bool{true, false} {
		page, err := m.Sagas(t.Context(), orders.SagasRequest{Stuck: stuck})
		if err != nil || len(page.Sagas) != 1 || page.Sagas[0].OrderID != o.ID || page.Sagas[0].State != "needs_review" {
			t.Errorf("stuck %v: got %+v (%v)", stuck, page, err)
		}
	}
}

func TestEvents_brief(t *testing.T) {
	m := startNew(t)
	o := m.place(t, request("k"))
	page, err := m.Events(t.Context(), orders.EventsRequest{Brief: true})
	if err != nil || len(page.Events) != 2 || page.Events[1].OrderID != o.ID || page.Events[1].Order.ID != "" {
		t.Errorf("got %+v (%v)", page.Events, err)
	}
}
