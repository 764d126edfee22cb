package ordersmod_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// keys counts the idempotency keys that a store keeps.
func keys(t testing.TB, path string) (n int) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of(orders.Module)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Read(t.Context()).Raw("SELECT count(*) FROM idempotency_keys").Row().Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForgetKeys(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		path := storetest.Datastore(t, "orders")
		m := start(t, path, newNeighbours(), ordersmod.Policy{SweepEvery: time.Hour})
		var first orders.Order
		for i := range 250 { // more than a batch
			if o := m.place(t, request(fmt.Sprint("k", i))); i == 0 {
				first = o
			}
		}
		time.Sleep(7*day - 2*time.Hour)
		m.place(t, request("young"))
		if n := keys(t, path); n != 251 {
			t.Errorf("%d keys before their time is over", n)
		}
		if p, err := m.Place(t.Context(), request("k0")); err != nil || !p.Replayed || p.Order.ID != first.ID {
			t.Errorf("a repeat within the week: %+v (%v)", p.Order, err)
		}
		time.Sleep(4 * time.Hour)
		if n := keys(t, path); n != 1 {
			t.Errorf("%d keys, want the young one", n)
		}
		if p, err := m.Place(t.Context(), request("young")); err != nil || !p.Replayed {
			t.Errorf("the repeat of the young one: %+v (%v)", p.Order, err)
		}
		if o := m.place(t, request("k0")); o.ID == first.ID {
			t.Error("an old key still finds its order")
		}
		m.wantSound(t)
	})
}
