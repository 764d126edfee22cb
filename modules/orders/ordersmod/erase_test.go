package ordersmod_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/store/storetest"
)

// placePersonal places an order of which every piece of personal data can be searched for: each holds the word zebra.
func (m *module) placePersonal(t testing.TB, k string) orders.Order {
	t.Helper()
	r := request(k)
	r.Draft.Customer = orders.Customer{Email: "Zebra@example.com", ID: "zebra_7"}
	r.Draft.Shipping = &orders.Shipping{Method: "standard", Address: &orders.Address{
		Name: "Zoe Zebra", Line1: "1 Zebra St", City: "Zebratown", Country: "DE", PostalCode: "zebra",
	}}
	r.Draft.Metadata = map[string]string{"cart": "zebra"}
	return m.place(t, r)
}

// embellish gives an order a note, a parcel and a return that tell of its customer too.
func (m *module) embellish(t testing.TB, o orders.Order) {
	t.Helper()
	if _, err := m.AddNote(t.Context(), orders.AddNoteRequest{OrderID: o.ID, Text: "zebra called"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{
		OrderID: o.ID, Status: orders.FulfilmentShipped, Tracking: orders.Tracking{TrackingNumber: "zebra-1", TrackingURL: "https://dhl.example/zebra"},
	}); err != nil {
		t.Fatal(err)
	}
	a, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{OrderID: o.ID, Terms: orders.ReturnTerms{Lines: units(1, 1), Reason: "zebra is allergic", Refund: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReceiveReturn(t.Context(), orders.ReturnRequest{Key: key("rcv" + o.ID), OrderID: o.ID, ID: a.Return.ID}); err != nil {
		t.Fatal(err)
	}
}

// wantTraces looks for zebras in all that a store tells.
func wantTraces(t testing.TB, path string, want bool) {
	t.Helper()
	all := strings.ToLower(dump(t, path))
	if at := strings.Index(all, "zebra"); (at >= 0) != want {
		t.Errorf("the store tells of the customer: %v, want %v: %.300s", at >= 0, want, all[max(at-200, 0):])
	}
}

func (m *module) erasure(t testing.TB, id string) orders.Erasure {
	t.Helper()
	e, err := m.Erasure(t.Context(), orders.ErasureRequest{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestErase(t *testing.T) {
	for name, who := range map[string]orders.EraseRequest{
		"by email address, whatever its case": {Email: "zebra@EXAMPLE.com"},
		"by id":                               {CustomerID: "zebra_7"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.SQLiteOnly(t, "its time is virtual")
			synctest.Test(t, func(t *testing.T) {
				path := storetest.Datastore(t, "orders")
				m := start(t, path, newNeighbours(), ordersmod.Policy{})
				var placed []orders.Order
				for i := range 40 { // more than a batch
					o := m.placePersonal(t, fmt.Sprint("k", i))
					placed = append(placed, o)
				}
				m.embellish(t, placed[0])
				other := m.place(t, request("other"))
				before := m.read(t, placed[0].ID)
				wantTraces(t, path, true)
				who.Key, who.Requester = key("erase"), "key_9"
				e, err := m.Erase(t.Context(), who)
				if err != nil || e.RequestedBy != "key_9" || e.DoneAt != nil {
					t.Fatalf("got %+v (%v)", e, err)
				}
				time.Sleep(time.Minute)
				if done := m.erasure(t, e.ID); done.Status != "done" || done.Orders != 40 || done.DoneAt == nil {
					t.Errorf("got %+v", done)
				}
				wantTraces(t, path, false)
				after := m.read(t, placed[0].ID)
				if after.Totals != before.Totals || after.Payment.Refunded != before.Payment.Refunded || after.Lines[0] != before.Lines[0] {
					t.Errorf("the figures were %+v and are %+v", before, after)
				}
				if after.Customer.Email != orders.ErasedEmail || after.ErasedAt == nil || after.Shipping.Address.Country != "DE" {
					t.Errorf("got %+v", after)
				}
				if o := m.read(t, other.ID); o.Customer.Email != "ada@example.com" {
					t.Errorf("another customer's order is %+v", o)
				}
				if got := m.told(t, placed[0].ID); got[len(got)-1] != orders.EventErased {
					t.Errorf("told %v", got)
				}
				if p, err := m.Place(t.Context(), request("k0")); err != nil || !p.Replayed || p.Order.Customer.Email != orders.ErasedEmail {
					t.Errorf("the repeat answers %+v (%v)", p.Order.Customer, err)
				}
				m.wantSound(t)
			})
		})
	}
	inBubble(t, "an order under way, or being packed, is erased when it is at its end", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		late := m.placePersonal(t, "late")
		m.answer("payments.charge", nil)
		packed := m.placePersonal(t, "packed")
		f := m.fulfil(t, packed, "", nil)
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		e, err := m.Erase(t.Context(), orders.EraseRequest{Email: "zebra@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if now := m.erasure(t, e.ID); now.Status != "waiting" || now.Orders != 0 {
			t.Fatalf("got %+v", now)
		}
		m.answer("payments.charge", nil)
		if _, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: packed.ID, ID: f.ID, Status: orders.FulfilmentShipped}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if o := m.read(t, late.ID); o.Status != orders.StatusCompleted || o.ErasedAt == nil {
			t.Errorf("the order is %+v", o)
		}
		if now := m.erasure(t, e.ID); now.Status != "done" || now.Orders != 2 {
			t.Errorf("got %+v", now)
		}
	})
	inBubble(t, "an order from after it is none of its business", ordersmod.Policy{}, func(t *testing.T, m *module) {
		e, err := m.Erase(t.Context(), orders.EraseRequest{Email: "zebra@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		o := m.placePersonal(t, "later")
		time.Sleep(time.Minute)
		if o := m.read(t, o.ID); o.ErasedAt != nil || m.erasure(t, e.ID).Status != "done" {
			t.Errorf("the order is %+v", o)
		}
	})
	inBubble(t, "nothing is erased before pricing has done its part, and a call that fails is made again", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o, other := m.placePersonal(t, "k"), m.place(t, request("other"))
		m.answer("pricing.erase_customers", fails(unreachable))
		e, err := m.Erase(t.Context(), orders.EraseRequest{Email: "zebra@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		m.calls()
		time.Sleep(10*time.Minute + time.Second)
		if now := m.erasure(t, e.ID); now.Status != "running" || m.read(t, o.ID).ErasedAt != nil {
			t.Errorf("got %+v", now)
		}
		if n := len(m.calls()); n < 9 || n > 11 {
			t.Errorf("it asked %d times in ten minutes", n)
		}
		m.answer("pricing.erase_customers", nil)
		time.Sleep(time.Minute)
		if now := m.erasure(t, e.ID); now.Status != "done" || now.Orders != 1 {
			t.Errorf("got %+v", now)
		}
		if !slices.Contains(m.erasing, o.ID) || slices.Contains(m.erasing, other.ID) {
			t.Errorf("pricing was asked to erase %v", m.erasing)
		}
	})
	m := startNew(t)
	for name, r := range map[string]orders.EraseRequest{"nobody": {}, "two": {Email: "a@b", CustomerID: "c"}, "no address": {Email: "a"}} {
		if _, err := m.Erase(t.Context(), r); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := m.Erasure(t.Context(), orders.ErasureRequest{ID: "era_x"}); !errors.Is(err, orders.ErrErasureNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	policy := ordersmod.Policy{EraseAfter: 30 * day, SweepEvery: time.Hour, UnknownLimit: 365 * day, LookupMin: 6 * time.Hour, LookupMax: 12 * time.Hour}
	inBubble(t, "personal data go so many days after the end of an order", policy, func(t *testing.T, m *module) {
		ended := m.placePersonal(t, "ended")
		touched := m.placePersonal(t, "touched")
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		open := m.placePersonal(t, "open")
		time.Sleep(20 * day)
		m.fulfil(t, touched, orders.FulfilmentShipped, nil)
		time.Sleep(9 * day)
		if m.read(t, ended.ID).ErasedAt != nil {
			t.Fatal("it was erased too early")
		}
		time.Sleep(2 * day)
		for id, want := range map[string]bool{ended.ID: true, touched.ID: false, open.ID: false} {
			if o := m.read(t, id); (o.ErasedAt != nil) != want {
				t.Errorf("after 31 days %s (%s) is erased: %v", id, o.State, o.ErasedAt)
			}
		}
		m.answer("payments.charge", nil)
		time.Sleep(20 * day)
		for id, want := range map[string]bool{touched.ID: true, open.ID: false} {
			if o := m.read(t, id); (o.ErasedAt != nil) != want {
				t.Errorf("after 51 days %s (%s) is erased: %v", id, o.State, o.ErasedAt)
			}
		}
		time.Sleep(12 * day)
		if o := m.read(t, open.ID); o.State != "completed" || o.ErasedAt == nil {
			t.Errorf("after 63 days the last is %s, erased %v", o.State, o.ErasedAt)
		}
		m.wantSound(t)
		for _, id := range []string{ended.ID, touched.ID, open.ID} {
			if !slices.Contains(m.erasing, id) {
				t.Errorf("pricing was not asked to erase %s", id)
			}
		}
	})
	inBubble(t, "without a policy they stay", ordersmod.Policy{SweepEvery: time.Hour}, func(t *testing.T, m *module) {
		o := m.placePersonal(t, "k")
		time.Sleep(1000 * day)
		if o := m.read(t, o.ID); o.ErasedAt != nil {
			t.Errorf("erased at %v", o.ErasedAt)
		}
	})
}
