package stock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/migrations"
	"cutpoint/modules/inventory"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// bench is a stock under test, with a clock that stands unless it is moved.
type bench struct {
	*Stock
	clock time.Time
}

func newBench(t testing.TB, datastore string) *bench {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{
		Datastore: datastore, Migrations: migrations.Of(inventory.Module),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{clock: time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)}
	now := func() time.Time { return b.clock }
	b.Stock = New(s, now, id.NewSource(now, rand.Reader), "")
	return b
}

// must returns the answer of a call that should succeed.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// stocked adds an item with units at locations: "MUG", "ams", 3, "ber", 5.
func (b *bench) stocked(t testing.TB, sku string, backorder bool, places ...any) {
	t.Helper()
	ctx := context.Background()
	must[inventory.Item](t)(b.PutItem(ctx, inventory.PutItemRequest{SKU: sku, Name: sku, Backorder: backorder, IfVersion: revision.None}))
	for i := 0; i < len(places); i += 2 {
		code, units := places[i].(string), places[i+1].(int)
		_, err := b.PutLocation(ctx, inventory.PutLocationRequest{Code: code, Name: code})
		if err != nil && !errors.Is(err, revision.ErrRequired) {
			t.Fatal(err)
		}
		must[inventory.Adjustment](t)(b.Adjust(ctx, inventory.AdjustRequest{SKU: sku, Location: code, Quantity: int64(units), Reason: "delivery"}))
	}
}

// figures describes an item: "8/3: ams 3/3, ber 5/0" are units on hand and reserved.
func (b *bench) figures(t testing.TB, sku string) string {
	t.Helper()
	i := must[inventory.Item](t)(b.Item(context.Background(), inventory.ItemRequest{SKU: sku}))
	var places []string
	for _, l := range i.Locations {
		places = append(places, fmt.Sprintf("%s %d/%d", l.Location, l.OnHand, l.Reserved))
	}
	return fmt.Sprintf("%d/%d: %s", i.OnHand, i.Reserved, strings.Join(places, ", "))
}

func (b *bench) wantFigures(t testing.TB, sku, want string) {
	t.Helper()
	if got := b.figures(t, sku); got != want {
		t.Fatalf("%s has %s, want %s", sku, got, want)
	}
}

// ledger describes an item's movements, oldest first: "adjusted +8=8, consumed -3=5".
func (b *bench) ledger(t testing.TB, sku string) string {
	t.Helper()
	page := must[inventory.MovementPage](t)(b.Movements(context.Background(), inventory.MovementsRequest{SKU: sku, Limit: maxLimit}))
	var told []string
	for _, m := range page.Movements {
		told = append([]string{fmt.Sprintf("%s %s %+d=%d", m.Location, m.Kind, m.Delta, m.OnHand)}, told...)
	}
	return strings.Join(told, ", ")
}

func order(n string, lines ...any) inventory.ReserveRequest {
	r := inventory.ReserveRequest{OrderID: n}
	for i := 0; i < len(lines); i += 2 {
		r.Lines = append(r.Lines, inventory.Line{SKU: lines[i].(string), Quantity: int64(lines[i+1].(int))})
	}
	return r
}

func TestPutLocation(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	first := must[inventory.Location](t)(b.PutLocation(ctx, inventory.PutLocationRequest{Code: "ber", Name: "Berlin"}))
	if first.Version != 1 || !first.CreatedAt.Equal(b.clock.Truncate(time.Microsecond)) {
		t.Fatalf("created %+v", first)
	}
	if _, err := b.PutLocation(ctx, inventory.PutLocationRequest{Code: "ber", Name: "x"}); !errors.Is(err, revision.ErrRequired) {
		t.Fatalf("without a version: %v", err)
	}
	if _, err := b.PutLocation(ctx, inventory.PutLocationRequest{Code: "ber", Name: "x", IfVersion: 7}); !errors.Is(err, revision.ErrStale) {
		t.Fatalf("with a version that never was: %v", err)
	}
	b.clock = b.clock.Add(time.Hour)
	second := must[inventory.Location](t)(b.PutLocation(ctx, inventory.PutLocationRequest{Code: "ber", Name: "Berlin 2", IfVersion: 1}))
	if second.Version != 2 || second.Name != "Berlin 2" || second.CreatedAt != first.CreatedAt || second.UpdatedAt != first.UpdatedAt.Add(time.Hour) {
		t.Fatalf("replaced %+v", second)
	}
	_, err := b.PutLocation(ctx, inventory.PutLocationRequest{Code: "-ber", Name: strings.Repeat("ä", 201)})
	mustPoint(t, err, fault.ErrInvalid, "/code", "/name")
}

func TestItems(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	for _, sku := range []string{"C", "A", "B"} {
		b.stocked(t, sku, false, "ber", 2, "ams", 1)
	}
	t.Run("an item shows its levels by location and in all", func(t *testing.T) {
		b.wantFigures(t, "A", "3/0: ams 1/0, ber 2/0")
	})
	t.Run("versions of description and stock grow apart", func(t *testing.T) {
		i := must[inventory.Item](t)(b.PutItem(ctx, inventory.PutItemRequest{SKU: "A", Name: "Apple", Backorder: true, IfVersion: revision.Any}))
		if i.Version != 2 || i.StockVersion != 2 || i.OnHand != 3 || !i.Backorder {
			t.Fatalf("%+v", i)
		}
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "A", 1)))
		if i = must[inventory.Item](t)(b.Item(ctx, inventory.ItemRequest{SKU: "A"})); i.Version != 2 || i.StockVersion != 3 {
			t.Fatalf("%+v", i)
		}
	})
	t.Run("pages follow each other", func(t *testing.T) {
		page := must[inventory.ItemPage](t)(b.Items(ctx, inventory.ItemsRequest{Limit: 2}))
		if len(page.Items) != 2 || page.Items[1].SKU != "B" || !page.More || page.Items[1].OnHand != 3 {
			t.Fatalf("%+v", page)
		}
		page = must[inventory.ItemPage](t)(b.Items(ctx, inventory.ItemsRequest{After: "B", Limit: 1}))
		if len(page.Items) != 1 || page.Items[0].SKU != "C" || page.More {
			t.Fatalf("%+v", page)
		}
	})
	t.Run("what is no item is not found", func(t *testing.T) {
		if _, err := b.Item(ctx, inventory.ItemRequest{SKU: "D"}); !errors.Is(err, inventory.ErrItemNotFound) {
			t.Fatal(err)
		}
		got := must[inventory.Checked](t)(b.Check(ctx, inventory.CheckRequest{SKUs: []string{"x", "A", "no item", "x"}}))
		if !reflect.DeepEqual(got.Unknown, []string{"x", "no item"}) {
			t.Fatal(got)
		}
	})
}

func TestAdjust(t *testing.T) {
	b := newBench(t, storetest.Datastore(t, "inventory"))
	ctx := channel.WithHeader(context.Background(), channel.Header{Actor: "key_1", CorrelationID: "cor_1"})
	b.stocked(t, "MUG", false, "ber", 5)
	must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 3)))

	adjust := func(absolute bool, n int64) (inventory.Adjustment, error) {
		return b.Adjust(ctx, inventory.AdjustRequest{SKU: "MUG", Location: "ber", Absolute: absolute, Quantity: n, Reason: "count"})
	}
	t.Run("not below what orders hold", func(t *testing.T) {
		for _, err := range []error{second(adjust(false, -3)), second(adjust(true, 2)), second(adjust(false, -6))} {
			if !errors.Is(err, inventory.ErrBelowReserved) {
				t.Fatal(err)
			}
		}
		b.wantFigures(t, "MUG", "5/3: ber 5/3")
	})
	t.Run("a movement tells who, why and what is left", func(t *testing.T) {
		a := must[inventory.Adjustment](t)(adjust(false, -2))
		want := inventory.Movement{
			ID: a.Movement.ID, SKU: "MUG", Location: "ber", Kind: inventory.MovementAdjusted, Delta: -2, OnHand: 3,
			Reason: "count", Actor: "key_1", CorrelationID: "cor_1", At: b.clock.Truncate(time.Microsecond),
		}
		if a.Movement != want || (a.Level != inventory.Level{Location: "ber", OnHand: 3, Reserved: 3}) {
			t.Fatalf("%+v", a)
		}
		page := must[inventory.MovementPage](t)(b.Movements(ctx, inventory.MovementsRequest{SKU: "MUG", Limit: 1}))
		if page.Movements[0] != want || !page.More {
			t.Fatalf("%+v", page)
		}
	})
	t.Run("a count that changes nothing is written down", func(t *testing.T) {
		must[inventory.Adjustment](t)(adjust(true, 3))
		must[inventory.Adjustment](t)(adjust(false, 0))
		if got, want := b.ledger(t, "MUG"), "ber adjusted +5=5, ber adjusted -2=3, ber counted +0=3, ber adjusted +0=3"; got != want {
			t.Fatal(got)
		}
	})
	t.Run("movements page from one to the next older", func(t *testing.T) {
		all := must[inventory.MovementPage](t)(b.Movements(ctx, inventory.MovementsRequest{SKU: "MUG"})).Movements
		page := must[inventory.MovementPage](t)(b.Movements(ctx, inventory.MovementsRequest{SKU: "MUG", Before: all[1].ID, Limit: 1}))
		if len(page.Movements) != 1 || page.Movements[0] != all[2] || !page.More {
			t.Fatalf("%+v", page)
		}
		_, err := b.Movements(ctx, inventory.MovementsRequest{SKU: "MUG", Before: "mov_x"})
		mustPoint(t, err, fault.ErrInvalid, "/before")
		if _, err := b.Movements(ctx, inventory.MovementsRequest{SKU: "NONE"}); !errors.Is(err, inventory.ErrItemNotFound) {
			t.Fatal(err)
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		_, err := b.Adjust(ctx, inventory.AdjustRequest{SKU: "NONE", Location: "ber", Reason: "x"})
		if !errors.Is(err, inventory.ErrItemNotFound) {
			t.Fatal(err)
		}
		_, err = b.Adjust(ctx, inventory.AdjustRequest{SKU: "MUG", Location: "par", Reason: "x"})
		mustPoint(t, err, inventory.ErrUnknownLocation, "/location")
	})
	t.Run("bounds", func(t *testing.T) {
		for _, q := range []struct {
			absolute bool
			n        int64
		}{{true, -1}, {true, inventory.MaxQuantity + 1}, {false, -inventory.MaxQuantity - 1}, {false, inventory.MaxQuantity}} {
			if _, err := adjust(q.absolute, q.n); !errors.Is(err, fault.ErrInvalid) {
				t.Fatalf("%v: %v", q, err)
			}
		}
		must[inventory.Adjustment](t)(adjust(true, inventory.MaxQuantity))
	})
}

func second[T any](_ T, err error) error { return err }

func TestAdjustKey(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 5)
	request := inventory.AdjustRequest{
		Key: idempotency.Key{Caller: "key_1", Value: "k", Digest: "d"},
		SKU: "MUG", Location: "ber", Quantity: 2, Reason: "delivery",
	}
	t.Run("twenty at once count once", func(t *testing.T) {
		answers := make([]inventory.Adjustment, 20)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i], _ = b.Adjust(ctx, request) })
		}
		all.Wait()
		fresh := 0
		for _, a := range answers {
			if !a.Replayed {
				fresh++
			}
			if a.Movement != answers[0].Movement || a.Level.OnHand != 7 {
				t.Fatalf("%+v and %+v", a, answers[0])
			}
		}
		if fresh != 1 {
			t.Fatalf("%d answers are not replayed", fresh)
		}
		b.wantFigures(t, "MUG", "7/0: ber 7/0")
	})
	t.Run("another request with the key is refused", func(t *testing.T) {
		other := request
		other.Key.Digest = "e"
		if _, err := b.Adjust(ctx, other); !errors.Is(err, idempotency.ErrReused) {
			t.Fatal(err)
		}
	})
	t.Run("the key is free again after its retention", func(t *testing.T) {
		b.clock = b.clock.Add(idempotency.Retention)
		if a := must[inventory.Adjustment](t)(b.Adjust(ctx, request)); a.Replayed || a.Level.OnHand != 9 {
			t.Fatalf("%+v", a)
		}
	})
	t.Run("a refused adjustment does not use up its key", func(t *testing.T) {
		taking := request
		taking.Key.Value, taking.Quantity = "k2", -10
		if _, err := b.Adjust(ctx, taking); !errors.Is(err, inventory.ErrBelowReserved) {
			t.Fatal(err)
		}
		b.stocked(t, "CUP", false)
		taking.SKU, taking.Quantity = "CUP", 1
		must[inventory.Adjustment](t)(b.Adjust(ctx, taking))
	})
}

// TestSchema holds the second wall: what the code never does, the database refuses.
func TestSchema(t *testing.T) {
	b := newBench(t, storetest.Datastore(t, "inventory"))
	b.stocked(t, "MUG", false, "ber", 5)
	for name, sql := range map[string]string{
		"overselling":               "UPDATE levels SET reserved = 6",
		"a negative hold":           "UPDATE levels SET reserved = -1",
		"a level of no item":        "INSERT INTO levels VALUES ('NONE', 'ber', 1, 0, 1)",
		"a level at no location":    "INSERT INTO levels VALUES ('MUG', 'par', 1, 0, 1)",
		"changing a movement":       "UPDATE movements SET delta = 9",
		"deleting a movement":       "DELETE FROM movements",
		"a reservation in no state": "INSERT INTO reservations (order_id, id, state, created_at, updated_at) VALUES ('o', 'r', 'lost', 0, 0)",
		"a movement of no kind":     "INSERT INTO movements (id, sku, location, kind, delta, on_hand, reason, reference, actor, correlation_id, at) VALUES ('m', 'MUG', 'ber', 'lost', 1, 1, '', '', '', '', 0)",
		"returning more than left":  "INSERT INTO reservation_lines (order_id, sku, location, quantity, returned) VALUES ('o', 'MUG', 'ber', 1, 2)",
		"a negative promise":        "UPDATE items SET backordered = -1",
		"a kit of itself":           "INSERT INTO components VALUES ('MUG', 'MUG', 1)",
	} {
		if err := b.store.Write(context.Background(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err == nil {
			t.Errorf("%s is possible", name)
		}
	}
}
