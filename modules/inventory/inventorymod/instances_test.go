package inventorymod

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cutpoint/modules/inventory"
	"cutpoint/platform/store/storetest"
)

// Two instances of the module on one file, each with a layer of its own, as two processes have.

// TestInstances_twenty: of twenty in stock sixty customers at two instances get twenty, also if each asks both.
func TestInstances_twenty(t *testing.T) {
	path := storetest.Datastore(t, "inventory")
	a, _ := start(t, path)
	b, _ := start(t, path)
	stocked(t, a, "MUG", 20)
	var sold [2]atomic.Int64
	var customers sync.WaitGroup
	for i := range 60 {
		for n, s := range []inventory.Service{a, b} {
			customers.Go(func() {
				order := fmt.Sprint("o", i)
				_, err := s.Reserve(context.Background(), reserve(order, "MUG", 1))
				if err == nil {
					_, err = s.Finalise(context.Background(), inventory.FinaliseRequest{OrderID: order})
					sold[n].Add(1)
				}
				if err != nil && !errors.Is(err, inventory.ErrOutOfStock) {
					t.Error(err)
				}
			})
		}
	}
	customers.Wait()
	i, err := b.Item(t.Context(), inventory.ItemRequest{SKU: "MUG"})
	if err != nil || i.OnHand != 0 || i.Reserved != 0 || sold[0].Load() < 1 || sold[1].Load() < 1 || sold[0].Load() > 20 || sold[1].Load() > 20 {
		t.Errorf("%d on hand, %d reserved, %d and %d told that they have one, %v", i.OnHand, i.Reserved, sold[0].Load(), sold[1].Load(), err)
	}
}

// TestInstances_holds: what carts held through one instance, which is then stopped, the other gives free in time, once.
func TestInstances_holds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		path := storetest.Datastore(t, "inventory")
		a, dying := start(t, path)
		b, _ := start(t, path)
		stocked(t, a, "MUG", 50)
		for i := range 50 {
			r := inventory.HoldRequest{HoldID: fmt.Sprint("cart", i), TTL: time.Minute, Lines: []inventory.Line{{SKU: "MUG", Quantity: 1}}}
			if _, err := a.Hold(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(59 * time.Second)
		if err := dying.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i, err := b.Item(t.Context(), inventory.ItemRequest{SKU: "MUG"}); err != nil || i.Available != 0 {
			t.Errorf("%+v, %v", i, err)
		}
		time.Sleep(3 * time.Second)
		if i, err := b.Item(t.Context(), inventory.ItemRequest{SKU: "MUG"}); err != nil || i.Available != 50 || i.Reserved != 0 {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// TestInstances_model: commands through either of two instances are those of one.
func TestInstances_model(t *testing.T) {
	path := storetest.Datastore(t, "inventory")
	a, _ := start(t, path)
	b, _ := start(t, path)
	stocked(t, a, "MUG", 0)
	ctx, onHand, orders := context.Background(), int64(0), 0
	held := map[string]int64{}
	rapid.Check(t, func(t *rapid.T) {
		for range 15 {
			s := []inventory.Service{a, b}[rapid.IntRange(0, 1).Draw(t, "instance")]
			units := rapid.Int64Range(1, 5).Draw(t, "units")
			reserved := int64(0)
			for _, n := range held {
				reserved += n
			}
			switch rapid.SampledFrom([]string{"count", "reserve", "release", "look"}).Draw(t, "command") {
			case "count":
				_, err := s.Adjust(ctx, inventory.AdjustRequest{SKU: "MUG", Location: "ber", Quantity: units, Reason: "count"})
				if err != nil {
					t.Fatal(err)
				}
				onHand += units
			case "reserve":
				orders++
				order := fmt.Sprint("o", orders)
				_, err := s.Reserve(ctx, reserve(order, "MUG", units))
				if fits := units <= onHand-reserved; fits != (err == nil) || err != nil && !errors.Is(err, inventory.ErrOutOfStock) {
					t.Fatalf("%d of %d: %v", units, onHand-reserved, err)
				} else if fits {
					held[order] = units
				}
			case "release":
				if len(held) == 0 {
					continue
				}
				order := slices.Min(slices.Collect(maps.Keys(held)))
				if _, err := s.Release(ctx, inventory.ReleaseRequest{OrderID: order}); err != nil {
					t.Fatal(err)
				}
				delete(held, order)
			default:
				if i, err := s.Item(ctx, inventory.ItemRequest{SKU: "MUG"}); err != nil || i.OnHand != onHand || i.Reserved != reserved {
					t.Fatalf("%d on hand, %d reserved, %v; want %d and %d", i.OnHand, i.Reserved, err, onHand, reserved)
				}
			}
		}
	})
}
