package ordersmod_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
)

const day = 24 * time.Hour

// feed reads the events after a position.
func (m *module) feed(t testing.TB, after int64) []orders.Event {
	t.Helper()
	page, err := m.Events(t.Context(), orders.EventsRequest{After: after, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return page.Events
}

func TestPruneEvents(t *testing.T) {
	keep := ordersmod.Policy{KeepEvents: 30 * day, SweepEvery: time.Hour}
	inBubble(t, "old events go, more than a batch of them, and what is kept of an order has no gap", keep, func(t *testing.T, m *module) {
		var old []orders.Order
		for i := range 110 { // 220 events
			old = append(old, m.place(t, request(fmt.Sprint("old", i))))
		}
		time.Sleep(29 * day)
		if n := len(m.feed(t, 20)); n != 200 {
			t.Fatalf("%d events after the 20th, on the 29th day", n)
		}
		touched, young := old[3], m.place(t, request("young"))
		m.fulfil(t, touched, orders.FulfilmentShipped, nil)
		time.Sleep(2 * day)
		kept := m.feed(t, 0)
		sequence := map[string]int64{touched.ID: 2, young.ID: 0}
		for _, e := range kept {
			if last, ok := sequence[e.OrderID]; !ok || e.Sequence != last+1 {
				t.Errorf("number %d of %s, after %d", e.Sequence, e.OrderID, last)
			}
			sequence[e.OrderID] = e.Sequence
		}
		if len(kept) < 4 || kept[0].Position != 221 || sequence[young.ID] != 2 || sequence[touched.ID] < 3 {
			t.Errorf("%d are kept, from %d on: %v", len(kept), kept[0].Position, sequence)
		}
		for after, want := range map[int64]error{1: orders.ErrEventsPruned, 219: orders.ErrEventsPruned, 220: nil, 221: nil, 1000: nil} {
			if _, err := m.Events(t.Context(), orders.EventsRequest{After: after}); !errors.Is(err, want) {
				t.Errorf("after %d: %v, want %v", after, err, want)
			}
		}
		m.wantSound(t)
		time.Sleep(31 * day)
		if left := m.feed(t, 0); len(left) > 0 {
			t.Errorf("%d are left", len(left))
		}
		if _, err := m.Events(t.Context(), orders.EventsRequest{After: 100}); !errors.Is(err, orders.ErrEventsPruned) {
			t.Errorf("after the 100th of an empty feed: %v", err)
		}
		m.wantSound(t)
		last := kept[len(kept)-1].Position
		m.place(t, request("new"))
		if now := m.feed(t, last); len(now) != 2 || now[0].Position != last+1 || now[0].Sequence != 1 {
			t.Errorf("%d new events: %+v", len(now), now)
		}
	})
	patient := ordersmod.Policy{KeepEvents: 30 * day, SweepEvery: time.Hour, UnknownLimit: 365 * day, LookupMin: 6 * time.Hour, LookupMax: 12 * time.Hour}
	inBubble(t, "those of an order under way stay, and those after them", patient, func(t *testing.T, m *module) {
		m.place(t, request("before"))
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		open := m.place(t, request("open"))
		m.answer("payments.charge", nil)
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		time.Sleep(40 * day)
		if kept := m.feed(t, 0); len(kept) != 1 || kept[0].OrderID != open.ID {
			t.Errorf("%d are kept: %+v", len(kept), kept)
		}
		m.answer("payments.charge", nil)
		time.Sleep(day)
		if kept := m.feed(t, 0); len(kept) != 1 || kept[0].Type != orders.EventCompleted {
			t.Errorf("%d are kept: %+v", len(kept), kept)
		}
	})
	erase := ordersmod.Policy{KeepEvents: 30 * day, EraseAfter: 60 * day, SweepEvery: time.Hour}
	inBubble(t, "those that the erasure of old orders has not looked at stay until it has", erase, func(t *testing.T, m *module) {
		o := m.placePersonal(t, "k")
		time.Sleep(50 * day)
		if kept := m.feed(t, 0); len(kept) != 2 {
			t.Errorf("%d are kept", len(kept))
		}
		time.Sleep(11 * day)
		if kept := m.feed(t, 0); m.read(t, o.ID).ErasedAt == nil || len(kept) != 1 || kept[0].Type != orders.EventErased {
			t.Errorf("%d are kept: %+v", len(kept), kept)
		}
	})
	inBubble(t, "without a policy they stay", ordersmod.Policy{SweepEvery: time.Hour}, func(t *testing.T, m *module) {
		m.place(t, request("k"))
		time.Sleep(1000 * day)
		if kept := m.feed(t, 0); len(kept) != 2 {
			t.Errorf("%d are kept", len(kept))
		}
	})
}
