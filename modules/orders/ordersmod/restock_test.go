package ordersmod_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/platform/store/storetest"
)

const twoShirts = "inventory.restock 2 SHIRT-1"

func TestRestock(t *testing.T) {
	refund := func(t *testing.T, m *module, o orders.Order) (orders.Placement, error) {
		return m.Refund(t.Context(), orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(2, 2), Restock: true, Reason: "changed my mind"})
	}
	t.Run("units that were refunded before they were sent go back, after the money", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		for range 2 {
			if p, err := refund(t, m, o); err != nil || p.Order.State != "completed" || p.Order.Payment.Refunded.Amount != 2580 {
				t.Fatalf("got %+v (%v)", p.Order, err)
			}
		}
		wantCalls(t, m.neighbours, "payments.refund", twoShirts)
		if got := m.told(t, o.ID); got[len(got)-1] != orders.EventRefunded || len(got) != 3 {
			t.Errorf("told %v", got)
		}
		m.wantSound(t)
	})
	t.Run("units that were sent go back by a return alone", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, "", units(2, 1))
		if _, err := refund(t, m, o); !errors.Is(err, orders.ErrRestock) {
			t.Errorf("got %v", err)
		}
		wantCalls(t, m.neighbours)
	})
	t.Run("a return goes where it says, with or without money", func(t *testing.T) {
		for _, paid := range []bool{true, false} {
			m := startNew(t)
			o := m.placeTwo(t)
			m.fulfil(t, o, orders.FulfilmentShipped, nil)
			a, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{OrderID: o.ID, Terms: orders.ReturnTerms{
				Lines: units(2, 2), Refund: paid, Restock: true, Location: "RETURNS",
			}})
			if err != nil {
				t.Fatal(err)
			}
			if p, err := m.ReceiveReturn(t.Context(), orders.ReturnRequest{Key: key("k"), OrderID: o.ID, ID: a.Return.ID}); err != nil || p.Order.State != "completed" {
				t.Fatalf("got %+v (%v)", p.Order, err)
			}
			want, status := []string{"payments.refund", twoShirts + " at RETURNS"}, orders.ReturnRefunded
			if !paid {
				want, status = want[1:], orders.ReturnReceived
			}
			wantCalls(t, m.neighbours, want...)
			list, err := m.Returns(t.Context(), orders.OrderRequest{ID: o.ID})
			if err != nil || list.Returns[0].Status != status || list.Returns[0].Restocked == nil || list.Returns[0].Restocked.State != "done" {
				t.Errorf("the return is %+v (%v)", list.Returns, err)
			}
			m.wantSound(t)
		}
	})
	inBubble(t, "without an answer is asked again under the same id, and the money given back once", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o := m.placeTwo(t)
		m.answer(twoShirts, fails(unreachable))
		if p, err := refund(t, m, o); err != nil || p.Order.Status != orders.StatusProcessing || p.Order.State != "restocking" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		if _, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID}); !errors.Is(err, orders.ErrBusy) {
			t.Errorf("meanwhile: got %v", err)
		}
		m.answer(twoShirts, nil)
		time.Sleep(time.Minute)
		m.wantState(t, o.ID, "completed")
		if len(m.restocks) != 1 || len(m.refunds) != 1 {
			t.Errorf("restocked %v, refunded %v", m.restocks, m.refunds)
		}
	})
	t.Run("what inventory refuses is kept with its reason, and holds nobody up", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		a, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{OrderID: o.ID, Terms: orders.ReturnTerms{Lines: units(2, 2), Restock: true}})
		if err != nil {
			t.Fatal(err)
		}
		m.answer(twoShirts, fails(inventory.ErrUnknownLocation))
		if p, err := m.ReceiveReturn(t.Context(), orders.ReturnRequest{Key: key("k"), OrderID: o.ID, ID: a.Return.ID}); err != nil || p.Order.State != "completed" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		list, err := m.Returns(t.Context(), orders.OrderRequest{ID: o.ID})
		if r := list.Returns[0].Restocked; err != nil || r == nil || r.State != "refused" || r.Problem == "" {
			t.Errorf("the return is %+v (%v)", list.Returns, err)
		}
	})
	t.Run("another process takes over from one that died between the money and the stock", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			path := storetest.Datastore(t, "orders")
			first := start(t, path, newNeighbours(), ordersmod.Policy{})
			o := first.placeTwo(t)
			reached, never := make(chan struct{}), make(chan struct{})
			var once sync.Once
			first.answer(twoShirts, func() error { once.Do(func() { close(reached) }); <-never; return unreachable })
			go func() {
				_, _ = first.Refund(t.Context(), orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(2, 2), Restock: true})
			}()
			<-reached
			left := storetest.Datastore(t, "orders")
			copyStore(t, path, left)
			next := newNeighbours()
			next.amount = first.amount
			second := start(t, left, next, ordersmod.Policy{})
			time.Sleep(2 * time.Minute)
			second.wantState(t, o.ID, "completed")
			wantCalls(t, second.neighbours, "payments.refund", twoShirts) // under the key that the first one stored
			if !slices.Equal(first.refunds[:1], second.refunds) {
				t.Errorf("the keys were %v and %v", first.refunds, second.refunds)
			}
			close(never)
		})
	})
}
