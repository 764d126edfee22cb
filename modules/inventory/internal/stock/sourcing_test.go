package stock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
)

// lines describes where a reservation takes its units from: "MUG ams 3, PRINT - 1".
func lines(list []inventory.ReservedLine) (told string) {
	for i, l := range list {
		if i > 0 {
			told += ", "
		}
		where := l.Location
		if l.Backordered {
			where = "-"
		}
		told += fmt.Sprintf("%s %s %d", l.SKU, where, l.Quantity)
	}
	return told
}

func (b *bench) putLocation(t testing.TB, code string, priority int64, inactive bool) {
	t.Helper()
	must[inventory.Location](t)(b.PutLocation(context.Background(), inventory.PutLocationRequest{
		Code: code, Name: code, Priority: priority, Inactive: inactive, IfVersion: revision.Any,
	}))
}

// put describes an item that is there already.
func (b *bench) put(t testing.TB, r inventory.PutItemRequest) inventory.Item {
	t.Helper()
	r.Name, r.IfVersion = r.SKU, revision.Any
	return must[inventory.Item](t)(b.PutItem(context.Background(), r))
}

// kit makes a new item of others: "MUG", 2, "TEA", 1.
func (b *bench) kit(t testing.TB, sku string, parts ...any) {
	t.Helper()
	must[inventory.Item](t)(b.PutItem(context.Background(), inventory.PutItemRequest{SKU: sku, Name: sku, Components: componentsOf(parts...)}))
}

func componentsOf(parts ...any) (list []inventory.Component) {
	for i := 0; i < len(parts); i += 2 {
		list = append(list, inventory.Component{SKU: parts[i].(string), Quantity: int64(parts[i+1].(int))})
	}
	return list
}

// events describes the feed: "MUG out_of_stock 0".
func (b *bench) events(t testing.TB) (told []string) {
	t.Helper()
	page := must[inventory.EventPage](t)(b.Events(context.Background(), inventory.EventsRequest{Limit: maxLimit}))
	for _, e := range page.Events {
		told = append(told, fmt.Sprintf("%s %s %d", e.SKU, e.Kind, e.Available))
	}
	return told
}

func TestSourcing(t *testing.T) {
	ctx := context.Background()
	whole := func(r inventory.ReserveRequest) inventory.ReserveRequest {
		r.Sourcing = inventory.SourcingWhole
		return r
	}
	newShop := func(t *testing.T) *bench {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ams", 1, "ber", 5, "par", 5)
		b.stocked(t, "MUG", false, "ams", 9, "ber", 1, "par", 3)
		b.stocked(t, "PRINT", true, "ams", 1)
		return b
	}
	t.Run("takes from a lower priority first, then by code", func(t *testing.T) {
		b := newShop(t)
		b.putLocation(t, "ams", 2, false)
		b.putLocation(t, "ber", 1, false)
		b.putLocation(t, "par", 1, false)
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 5)))
		if got := lines(r.Lines); got != "MUG ams 1, MUG ber 1, MUG par 3" {
			t.Fatal(got)
		}
	})
	t.Run("takes nothing from a location that is not active", func(t *testing.T) {
		b := newShop(t)
		b.putLocation(t, "ams", 0, true)
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 4, "PRINT", 1)))
		if got := lines(r.Lines); got != "MUG ber 1, MUG par 3, PRINT - 1" {
			t.Fatal(got)
		}
		_, err := b.Reserve(ctx, order("o2", "MUG", 1))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		if i := must[inventory.Item](t)(b.Item(ctx, inventory.ItemRequest{SKU: "MUG"})); i.OnHand != 13 || i.Available != 0 {
			t.Fatalf("%+v", i)
		}
	})
	t.Run("what is held at a location stays held when it closes", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 2)))
		b.putLocation(t, "ams", 0, true)
		must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		b.wantFigures(t, "MUG", "11/0: ams 7/0, ber 1/0, par 3/0")
	})
	t.Run("an undivided order comes from the first location that has all of it", func(t *testing.T) {
		b := newShop(t)
		for i, tt := range []struct {
			lines []any
			want  string
		}{
			{[]any{"MUG", 2, "CUP", 2}, "CUP par 2, MUG par 2"},
			{[]any{"MUG", 9}, "MUG ams 9"},
			{[]any{"MUG", 1, "PRINT", 3}, "MUG ber 1, PRINT - 3"}, // amsterdam has no mugs left
		} {
			r := must[inventory.Reservation](t)(b.Reserve(ctx, whole(order(fmt.Sprint(i), tt.lines...))))
			if got := lines(r.Lines); got != tt.want {
				t.Fatalf("%s, want %s", got, tt.want)
			}
		}
	})
	t.Run("an undivided order is refused where only a division would do", func(t *testing.T) {
		b := newShop(t)
		_, err := b.Reserve(ctx, whole(order("o1", "MUG", 4, "CUP", 2)))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines")
		_, err = b.Reserve(ctx, whole(order("o1", "MUG", 99)))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 4, "CUP", 2)))
	})
	t.Run("the module's own sourcing is that of who does not say", func(t *testing.T) {
		b := newShop(t)
		b.sourcing = inventory.SourcingWhole
		_, err := b.Reserve(ctx, order("o1", "MUG", 4, "CUP", 2))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines")
		r := order("o1", "MUG", 4, "CUP", 2)
		r.Sourcing = inventory.SourcingSplit
		must[inventory.Reservation](t)(b.Reserve(ctx, r))
		r.Sourcing = "any"
		_, err = b.Reserve(ctx, r)
		mustPoint(t, err, fault.ErrInvalid, "/sourcing")
	})
}

func TestKits(t *testing.T) {
	ctx := context.Background()
	newShop := func(t *testing.T) *bench {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 5)
		b.stocked(t, "TEA", true, "ber", 2)
		b.kit(t, "PAIR", "MUG", 2)
		b.kit(t, "SET", "MUG", 1, "TEA", 2)
		return b
	}
	t.Run("its parts are held, those that lines share added up", func(t *testing.T) {
		b := newShop(t)
		_, err := b.Reserve(ctx, order("o1", "PAIR", 2, "SET", 1, "MUG", 1))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity") // 4 + 1 + 1 of 5
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "PAIR", 1, "SET", 2, "MUG", 1)))
		if got := lines(r.Lines); got != "MUG ber 5, TEA ber 2, TEA - 2" {
			t.Fatal(got)
		}
		want := []inventory.ReservedKit{
			{SKU: "PAIR", Quantity: 1, Components: componentsOf("MUG", 2)}, {SKU: "SET", Quantity: 2, Components: componentsOf("MUG", 1, "TEA", 2)},
		}
		if again := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "PAIR", 1))); !reflect.DeepEqual(again, r) || !reflect.DeepEqual(r.Kits, want) {
			t.Fatalf("%+v, stored %+v", r.Kits, again)
		}
	})
	t.Run("a change of what it is made of touches nobody who holds it", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "PAIR", 2)))
		b.put(t, inventory.PutItemRequest{SKU: "PAIR", Components: componentsOf("TEA", 1)})
		must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		b.wantFigures(t, "MUG", "1/0: ber 1/0")
		got := must[inventory.Restocked](t)(b.Restock(ctx, inventory.RestockRequest{OrderID: "o1", RestockID: "r1", Lines: order("", "PAIR", 1).Lines, Reason: "x"}))
		if lines(got.Lines) != "MUG ber 2" {
			t.Fatal(lines(got.Lines))
		}
	})
	t.Run("an item becomes a kit and is one no more only where no stock is out of sight", func(t *testing.T) {
		b := newShop(t)
		for sku, want := range map[string]*fault.Error{"TEA": inventory.ErrNestedKit, "MUG": inventory.ErrNestedKit} {
			if _, err := b.PutItem(ctx, inventory.PutItemRequest{SKU: sku, Name: sku, Components: componentsOf("PAIR", 1), IfVersion: revision.Any}); !errors.Is(err, want) {
				t.Fatalf("%s: %v", sku, err)
			}
		}
		b.stocked(t, "BOWL", false, "ber", 0)
		if _, err := b.PutItem(ctx, inventory.PutItemRequest{SKU: "BOWL", Name: "x", Components: componentsOf("MUG", 1), IfVersion: revision.Any}); !errors.Is(err, inventory.ErrHasStock) {
			t.Fatal(err)
		}
		b.put(t, inventory.PutItemRequest{SKU: "PAIR"})
		must[inventory.Adjustment](t)(b.Adjust(ctx, inventory.AdjustRequest{SKU: "PAIR", Location: "ber", Quantity: 1, Reason: "x"}))
		b.wantFigures(t, "PAIR", "1/0: ber 1/0")
	})
	t.Run("what it comes to is bounded", func(t *testing.T) {
		b := newShop(t)
		_, err := b.Reserve(ctx, order("o1", "PAIR", inventory.MaxQuantity))
		mustPoint(t, err, fault.ErrInvalid, "/lines/0/quantity")
	})
}

func TestBackorders(t *testing.T) {
	ctx := context.Background()
	newShop := func(t *testing.T) *bench {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "PRINT", true, "ber", 1)
		b.put(t, inventory.PutItemRequest{SKU: "PRINT", Backorder: true, BackorderLimit: 5})
		must[inventory.Reservation](t)(b.Reserve(ctx, order("old", "PRINT", 3)))
		must[inventory.Reservation](t)(b.Finalise(ctx, finalise("old")))
		b.clock = b.clock.Add(time.Second)
		must[inventory.Reservation](t)(b.Reserve(ctx, order("new", "PRINT", 2)))
		return b
	}
	promised := func(t *testing.T, b *bench, want int64) {
		t.Helper()
		if i := must[inventory.Item](t)(b.Item(ctx, inventory.ItemRequest{SKU: "PRINT"})); i.Backordered != want {
			t.Fatalf("%d are promised, want %d", i.Backordered, want)
		}
	}
	t.Run("no more is promised than the limit, and a release takes it back", func(t *testing.T) {
		b := newShop(t)
		promised(t, b, 4)
		_, err := b.Reserve(ctx, order("o3", "PRINT", 2))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		must[inventory.Reservation](t)(b.Release(ctx, release("old")))
		promised(t, b, 2)
		b.wantFigures(t, "PRINT", "1/0: ber 1/0")
	})
	t.Run("units are allotted to the oldest order, which holds or consumes them", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Adjustment](t)(b.Adjust(ctx, inventory.AdjustRequest{SKU: "PRINT", Location: "ber", Kind: inventory.MovementReceived, Quantity: 3, Reason: "delivery"}))
		key := idempotency.Key{Caller: "key_1", Value: "k", Digest: "d"}
		a := must[inventory.Allotted](t)(b.Allot(ctx, inventory.AllotRequest{Key: key, SKU: "PRINT", Location: "ber"}))
		if want := []inventory.Allotment{{OrderID: "old", Quantity: 2}, {OrderID: "new", Quantity: 1}}; !slices.Equal(a.Orders, want) || a.Backordered != 1 {
			t.Fatalf("%+v", a)
		}
		b.wantFigures(t, "PRINT", "1/1: ber 1/1")
		promised(t, b, 1)
		if got, want := b.ledger(t, "PRINT"), "ber adjusted +1=1, ber consumed -1=0, ber received +3=3, ber consumed -2=1"; got != want {
			t.Fatal(got)
		}
		must[inventory.Reservation](t)(b.Release(ctx, release("old")))
		b.wantFigures(t, "PRINT", "4/1: ber 4/1")
	})
}

func TestRestock(t *testing.T) {
	ctx := context.Background()
	newShop := func(t *testing.T) *bench {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ams", 2, "ber", 5)
		b.stocked(t, "TEA", false, "ber", 5)
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 4, "TEA", 1)))
		must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		return b
	}
	back := func(id, location string, lines ...any) inventory.RestockRequest {
		return inventory.RestockRequest{OrderID: "o1", RestockID: id, Lines: order("", lines...).Lines, Location: location, Reason: "did not fit"}
	}
	t.Run("units come back to where they left, once, and a release returns the rest", func(t *testing.T) {
		b := newShop(t)
		first := must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "", "MUG", 3)))
		if lines(first.Lines) != "MUG ams 2, MUG ber 1" {
			t.Fatal(lines(first.Lines))
		}
		if again := must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "", "MUG", 3))); !reflect.DeepEqual(again, first) {
			t.Fatalf("%+v, then %+v", first, again)
		}
		b.wantFigures(t, "MUG", "6/0: ams 2/0, ber 4/0")
		must[inventory.Reservation](t)(b.Release(ctx, release("o1")))
		b.wantFigures(t, "MUG", "7/0: ams 2/0, ber 5/0")
		b.wantFigures(t, "TEA", "5/0: ber 5/0")
		if got, want := b.ledger(t, "MUG"), "ams adjusted +2=2, ber adjusted +5=5, ams consumed -2=0, ber consumed -2=3, ams returned +2=2, ber returned +1=4, ber returned +1=5"; got != want {
			t.Fatal(got)
		}
		if again := must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "", "MUG", 3))); !reflect.DeepEqual(again, first) {
			t.Fatalf("after the release %+v", again)
		}
		if _, err := b.Restock(ctx, back("r2", "", "MUG", 1)); !errors.Is(err, inventory.ErrReleased) {
			t.Fatal(err)
		}
	})
	t.Run("units come to the location that is named", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Location](t)(b.PutLocation(ctx, inventory.PutLocationRequest{Code: "par", Name: "Paris"}))
		got := must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "par", "MUG", 4)))
		if lines(got.Lines) != "MUG par 4" {
			t.Fatal(lines(got.Lines))
		}
		b.wantFigures(t, "MUG", "7/0: ams 0/0, ber 3/0, par 4/0")
		must[inventory.Reservation](t)(b.Release(ctx, release("o1")))
		b.wantFigures(t, "MUG", "7/0: ams 0/0, ber 3/0, par 4/0")
	})
	t.Run("never more than the order took", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "", "MUG", 3)))
		_, err := b.Restock(ctx, back("r2", "", "TEA", 1, "MUG", 2))
		mustPoint(t, err, inventory.ErrTooManyBack, "/lines/1/quantity")
		b.wantFigures(t, "TEA", "4/0: ber 4/0")
		must[inventory.Restocked](t)(b.Restock(ctx, back("r2", "", "TEA", 1, "MUG", 1)))
		_, err = b.Restock(ctx, back("r3", "", "CUP", 1))
		mustPoint(t, err, inventory.ErrTooManyBack, "/lines/0/quantity")
	})
	t.Run("refuses what can't be", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Restocked](t)(b.Restock(ctx, back("r1", "", "MUG", 1)))
		if _, err := b.Restock(ctx, back("r1", "", "MUG", 2)); !errors.Is(err, idempotency.ErrReused) {
			t.Fatal(err)
		}
		_, err := b.Restock(ctx, back("r2", "par", "MUG", 1))
		mustPoint(t, err, inventory.ErrUnknownLocation, "/location")
		_, err = b.Restock(ctx, inventory.RestockRequest{OrderID: "o1", RestockID: "no id", Location: "no code", Lines: order("", "MUG", 1).Lines})
		mustPoint(t, err, fault.ErrInvalid, "/restock_id", "/location", "/reason")
		must[inventory.Reservation](t)(b.Reserve(ctx, order("held", "MUG", 1)))
		for _, id := range []string{"held", "none"} {
			r := back("r1", "", "MUG", 1)
			r.OrderID = id
			if _, err := b.Restock(ctx, r); !errors.Is(err, inventory.ErrNotConsumed) {
				t.Fatalf("%s: %v", id, err)
			}
		}
	})
}

func TestEvents(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ams", 4, "ber", 6)
	b.put(t, inventory.PutItemRequest{SKU: "MUG", LowStockThreshold: 3})
	for i, units := range []int{6, 1, 1, 1} { // 4, 3, 2, 1 are left
		must[inventory.Reservation](t)(b.Reserve(ctx, order(fmt.Sprint("o", i), "MUG", units)))
	}
	must[inventory.CartHold](t)(b.Hold(ctx, cart("c", inventory.MaxHoldTTL, "MUG", 1)))
	must[inventory.CartHold](t)(b.Hold(ctx, cart("c", inventory.MinHoldTTL, "MUG", 1)))
	must[inventory.Reservation](t)(b.Reserve(ctx, from("c", order("o4", "MUG", 1)))) // nobody noticed that it was free
	must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o0")))
	must[inventory.Reservation](t)(b.Release(ctx, release("o0")))
	b.put(t, inventory.PutItemRequest{SKU: "MUG", LowStockThreshold: 6})
	b.put(t, inventory.PutItemRequest{SKU: "MUG", LowStockThreshold: 7})
	want := []string{"MUG back_in_stock 4", "MUG low_stock 3", "MUG out_of_stock 0", "MUG back_in_stock 6", "MUG low_stock 6"}
	if got := b.events(t); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}
