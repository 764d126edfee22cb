package stock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
	"cutpoint/platform/store/storetest"
)

func cart(id string, ttl time.Duration, lines ...any) inventory.HoldRequest {
	return inventory.HoldRequest{HoldID: id, Lines: order("", lines...).Lines, TTL: ttl}
}

// from makes an order take over a cart's hold.
func from(holdID string, r inventory.ReserveRequest) inventory.ReserveRequest {
	r.HoldID = holdID
	return r
}

// holds is how many holds there are, expired ones too.
func (b *bench) holds(t testing.TB) (n int) {
	t.Helper()
	if err := b.store.Read(context.Background()).Raw("SELECT COUNT(*) FROM holds").Row().Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHold(t *testing.T) {
	ctx := context.Background()
	t.Run("holds all lines until its expiry", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ams", 3, "ber", 5)
		b.stocked(t, "PRINT", true, "ber", 1)
		h := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Minute, "PRINT", 2, "MUG", 4)))
		now := b.clock.Truncate(time.Microsecond)
		want := inventory.CartHold{ID: "c1", ExpiresAt: now.Add(time.Minute), CreatedAt: now, UpdatedAt: now, Lines: []inventory.ReservedLine{
			{SKU: "MUG", Location: "ams", Quantity: 3}, {SKU: "MUG", Location: "ber", Quantity: 1},
			{SKU: "PRINT", Location: "ber", Quantity: 1}, {SKU: "PRINT", Quantity: 1, Backordered: true},
		}}
		if !reflect.DeepEqual(h, want) {
			t.Fatalf("%+v, want %+v", h, want)
		}
		b.wantFigures(t, "MUG", "8/4: ams 3/3, ber 5/1")
		b.wantFigures(t, "PRINT", "1/1: ber 1/1")
	})
	t.Run("out of stock holds nothing", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ber", 1)
		b.stocked(t, "MUG", false, "ber", 1)
		_, err := b.Hold(ctx, cart("c1", time.Minute, "CUP", 1, "MUG", 2))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/1/quantity")
		b.wantFigures(t, "CUP", "1/0: ber 1/0")
		if b.holds(t) != 0 {
			t.Fatal("a hold is left")
		}
	})
	t.Run("the same lines lengthen it and never shorten it", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 3)
		first := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 3)))
		b.clock = b.clock.Add(time.Minute)
		shorter := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Second, "MUG", 1, "MUG", 2)))
		if !reflect.DeepEqual(shorter, first) {
			t.Fatalf("%+v, then %+v", first, shorter)
		}
		longer := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 3)))
		if !longer.ExpiresAt.Equal(first.ExpiresAt.Add(time.Minute)) || !reflect.DeepEqual(longer.Lines, first.Lines) {
			t.Fatalf("%+v, then %+v", first, longer)
		}
		b.wantFigures(t, "MUG", "3/3: ber 3/3")
	})
	t.Run("other lines replace it, with the units that it had", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ber", 2)
		b.stocked(t, "MUG", false, "ber", 3)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "CUP", 2, "MUG", 2)))
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 3)))
		b.wantFigures(t, "CUP", "2/0: ber 2/0")
		b.wantFigures(t, "MUG", "3/3: ber 3/3")
	})
	t.Run("a replacement that can't be had leaves the old one as it was", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 3)
		first := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 2)))
		_, err := b.Hold(ctx, cart("c1", time.Hour, "MUG", 4))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		b.wantFigures(t, "MUG", "3/2: ber 3/2")
		if again := must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 2))); !reflect.DeepEqual(again, first) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	})
	t.Run("refuses what is out of bounds", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		for at, r := range map[string]inventory.HoldRequest{
			"/hold_id": cart("not an id", time.Minute, "MUG", 1), "/lines": cart("c1", time.Minute),
			"/lines/0/quantity": cart("c1", time.Minute, "MUG", 0), "/ttl": cart("c1", inventory.MaxHoldTTL+1, "MUG", 1),
		} {
			_, err := b.Hold(ctx, r)
			mustPoint(t, err, fault.ErrInvalid, at)
		}
		_, err := b.Hold(ctx, cart("c1", inventory.MinHoldTTL-1, "MUG", 1))
		mustPoint(t, err, fault.ErrInvalid, "/ttl")
		_, err = b.Hold(ctx, cart("c1", time.Minute, "MUG", 1))
		mustPoint(t, err, inventory.ErrUnknownSKU, "/lines/0/sku")
	})
}

func TestReleaseHold(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 3)
	must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 2)))
	must[inventory.CartHold](t)(b.Hold(ctx, cart("c2", time.Hour, "MUG", 1)))
	for i, want := range []bool{true, false} {
		got := must[inventory.HoldRelease](t)(b.ReleaseHold(ctx, inventory.ReleaseHoldRequest{HoldID: "c1"}))
		if got != (inventory.HoldRelease{HoldID: "c1", Released: want}) {
			t.Fatalf("time %d: %+v", i+1, got)
		}
		b.wantFigures(t, "MUG", "3/1: ber 3/1")
	}
	_, err := b.ReleaseHold(ctx, inventory.ReleaseHoldRequest{})
	mustPoint(t, err, fault.ErrInvalid, "/hold_id")
}

func TestReserve_fromHold(t *testing.T) {
	ctx := context.Background()
	newShop := func(t *testing.T) *bench {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ber", 2)
		b.stocked(t, "MUG", false, "ber", 3)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "CUP", 1, "MUG", 2)))
		return b
	}
	t.Run("the order gets what its cart held, once", func(t *testing.T) {
		b := newShop(t)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c2", time.Hour, "MUG", 1))) // nothing else is left
		r := must[inventory.Reservation](t)(b.Reserve(ctx, from("c1", order("o1", "CUP", 1, "MUG", 2))))
		b.wantFigures(t, "MUG", "3/3: ber 3/3")
		b.clock = b.clock.Add(48 * time.Hour) // the order's hold has no expiry
		must[bool](t)(b.ExpireHolds(ctx))
		b.wantFigures(t, "MUG", "3/2: ber 3/2")
		if again := must[inventory.Reservation](t)(b.Reserve(ctx, from("c1", order("o1", "CUP", 1, "MUG", 2)))); !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v, then %+v", r, again)
		}
	})
	t.Run("what it does not want is given free, what it wants beside is taken", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Reservation](t)(b.Reserve(ctx, from("c1", order("o1", "MUG", 3))))
		b.wantFigures(t, "CUP", "2/0: ber 2/0")
		b.wantFigures(t, "MUG", "3/3: ber 3/3")
		if b.holds(t) != 0 {
			t.Fatal("the cart still holds")
		}
	})
	t.Run("a Reserve that fails leaves the hold alone", func(t *testing.T) {
		b := newShop(t)
		_, err := b.Reserve(ctx, from("c1", order("o1", "MUG", 4)))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		b.wantFigures(t, "MUG", "3/2: ber 3/2")
		must[inventory.Reservation](t)(b.Release(ctx, release("o1")))
		if _, err = b.Reserve(ctx, from("c1", order("o1", "MUG", 1))); !errors.Is(err, inventory.ErrReleased) {
			t.Fatalf("a Reserve after its Release: %v", err)
		}
		b.wantFigures(t, "MUG", "3/2: ber 3/2")
	})
	t.Run("without its id the cart's units are not the order's", func(t *testing.T) {
		b := newShop(t)
		_, err := b.Reserve(ctx, order("o1", "MUG", 2))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
	})
	t.Run("an unknown hold is no help and no harm", func(t *testing.T) {
		b := newShop(t)
		must[inventory.Reservation](t)(b.Reserve(ctx, from("c9", order("o1", "MUG", 1))))
		b.wantFigures(t, "MUG", "3/3: ber 3/3")
	})
}

func TestExpiry(t *testing.T) {
	ctx := context.Background()
	t.Run("gives free what is due, in batches, and nothing else", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 1000)
		for i := range expiryBatch + 1 {
			must[inventory.CartHold](t)(b.Hold(ctx, cart("due-"+strconv.Itoa(i), time.Minute, "MUG", 2)))
		}
		must[inventory.CartHold](t)(b.Hold(ctx, cart("later", time.Minute+time.Second, "MUG", 7)))
		b.clock = b.clock.Add(time.Minute)
		if more := must[bool](t)(b.ExpireHolds(ctx)); !more {
			t.Fatal("there was more than a batch")
		}
		b.wantFigures(t, "MUG", "1000/9: ber 1000/9")
		if more := must[bool](t)(b.ExpireHolds(ctx)); more {
			t.Fatal("it promises more")
		}
		b.wantFigures(t, "MUG", "1000/7: ber 1000/7")
	})
	t.Run("commits nothing where nothing is due", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 1)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Minute, "MUG", 1)))
		before := b.store.Stats()
		must[bool](t)(b.ExpireHolds(ctx))
		if after := b.store.Stats(); after != before {
			t.Fatalf("%+v, then %+v", before, after)
		}
	})
	t.Run("nobody is refused for what has expired, though no sweeper came by", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ber", 1)
		b.stocked(t, "MUG", false, "ber", 2*expiryBatch)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("a-cup", time.Minute, "CUP", 1)))
		for i := range 2 * expiryBatch {
			must[inventory.CartHold](t)(b.Hold(ctx, cart("c"+strconv.Itoa(i), time.Minute, "MUG", 1)))
		}
		b.clock = b.clock.Add(time.Minute)
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", expiryBatch+1)))
		must[inventory.CartHold](t)(b.Hold(ctx, cart("new", time.Minute, "MUG", expiryBatch-1)))
		b.wantFigures(t, "MUG", fmt.Sprintf("%d/%d: ber %[1]d/%[2]d", 2*expiryBatch, 2*expiryBatch))
		b.wantFigures(t, "CUP", "1/1: ber 1/1") // it is in nobody's way
	})
	t.Run("a hold that nobody missed is lengthened like any other", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 1)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Minute, "MUG", 1)))
		b.clock = b.clock.Add(time.Hour)
		must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Minute, "MUG", 1)))
		must[bool](t)(b.ExpireHolds(ctx))
		b.wantFigures(t, "MUG", "1/1: ber 1/1")
	})
}

// TestHold_lastUnit lets carts and orders run for the same units: each is promised once.
func TestHold_lastUnit(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 10)
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			id := "c" + strconv.Itoa(i)
			_, err := b.Hold(ctx, cart(id, time.Hour, "MUG", 1))
			if err == nil {
				_, err = b.Reserve(ctx, from(id, order("o"+strconv.Itoa(i), "MUG", 1)))
				won.Add(1)
			}
			if err != nil && !errors.Is(err, inventory.ErrOutOfStock) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 10 {
		t.Fatalf("%d won", won.Load())
	}
	b.wantFigures(t, "MUG", "10/10: ber 10/10")
}
