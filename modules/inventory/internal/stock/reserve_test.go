package stock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/modules/inventory"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
)

func finalise(n string) inventory.FinaliseRequest { return inventory.FinaliseRequest{OrderID: n} }
func release(n string) inventory.ReleaseRequest   { return inventory.ReleaseRequest{OrderID: n} }

func TestReserve(t *testing.T) {
	ctx := context.Background()
	t.Run("holds units at the locations in order and says where", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "MUG", false, "ber", 5, "ams", 3)
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 2, "MUG", 2)))
		want := inventory.Reservation{
			ID: r.ID, OrderID: "o1", State: inventory.ReservationHeld, CreatedAt: b.clock.Truncate(time.Microsecond), UpdatedAt: b.clock.Truncate(time.Microsecond),
			Lines: []inventory.ReservedLine{{SKU: "MUG", Location: "ams", Quantity: 3}, {SKU: "MUG", Location: "ber", Quantity: 1}},
		}
		if !reflect.DeepEqual(r, want) {
			t.Fatalf("%+v, want %+v", r, want)
		}
		b.wantFigures(t, "MUG", "8/4: ams 3/3, ber 5/1")
	})
	t.Run("out of stock holds nothing", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false, "ber", 5)
		b.stocked(t, "MUG", false, "ber", 1)
		_, err := b.Reserve(ctx, order("o1", "MUG", 1, "CUP", 5, "MUG", 1))
		mustPoint(t, err, inventory.ErrOutOfStock, "/lines/0/quantity")
		b.wantFigures(t, "CUP", "5/0: ber 5/0")
		b.wantFigures(t, "MUG", "1/0: ber 1/0")
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 1))) // nor does it stand in the way
	})
	t.Run("an unknown SKU is named", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "CUP", false)
		_, err := b.Reserve(ctx, order("o1", "CUP", 1, "no item", 1))
		mustPoint(t, err, inventory.ErrUnknownSKU, "/lines/1/sku")
	})
	t.Run("what is backordered is promised and not counted", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		b.stocked(t, "PRINT", true, "ber", 2)
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "PRINT", 5)))
		if len(r.Lines) != 2 || r.Lines[1] != (inventory.ReservedLine{SKU: "PRINT", Quantity: 3, Backordered: true}) {
			t.Fatalf("%+v", r)
		}
		b.wantFigures(t, "PRINT", "2/2: ber 2/2")
		r = must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		b.wantFigures(t, "PRINT", "0/0: ber 0/0")
		if again := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "PRINT", 5))); !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v, stored %+v", again, r)
		}
	})
	t.Run("refuses ids and lines that can't be", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		_, err := b.Reserve(ctx, order("", "CUP", 1))
		mustPoint(t, err, fault.ErrInvalid, "/order_id")
		_, err = b.Reserve(ctx, order("o1"))
		mustPoint(t, err, fault.ErrInvalid, "/lines")
	})
	t.Run("takes the largest order, split and split again", func(t *testing.T) {
		b := newBench(t, storetest.Datastore(t, "inventory"))
		var lines []any
		for i := range 200 {
			sku := fmt.Sprintf("S-%03d", i)
			b.stocked(t, sku, true, "a", 1, "b", 1, "c", 1, "d", 1, "e", 1)
			lines = append(lines, sku, 6)
		}
		r := must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", lines...)))
		if len(r.Lines) != 200*6 {
			t.Fatal(len(r.Lines))
		}
		r = must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		page := must[inventory.ReservationPage](t)(b.Reservations(ctx, inventory.ReservationsRequest{OrderIDs: []string{"o1"}}))
		if len(page.Reservations) != 1 || !reflect.DeepEqual(page.Reservations[0], r) {
			t.Fatal("the stored reservation is another one")
		}
		b.wantFigures(t, "S-199", "0/0: a 0/0, b 0/0, c 0/0, d 0/0, e 0/0")
	})
}

func TestFinalise(t *testing.T) {
	b := newBench(t, storetest.Datastore(t, "inventory"))
	ctx := channel.WithHeader(context.Background(), channel.Header{Actor: "orders", CorrelationID: "cor_1"})
	b.stocked(t, "MUG", false, "ber", 5)
	t.Run("needs a hold", func(t *testing.T) {
		if _, err := b.Finalise(ctx, finalise("o1")); !errors.Is(err, inventory.ErrNotReserved) {
			t.Fatal(err)
		}
	})
	t.Run("takes the units off the shelf, once, and writes it down", func(t *testing.T) {
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o1", "MUG", 2)))
		first := must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		b.clock = b.clock.Add(time.Minute)
		again := must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o1")))
		if first.State != inventory.ReservationConsumed || !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v, then %+v", first, again)
		}
		b.wantFigures(t, "MUG", "3/0: ber 3/0")
		m := must[inventory.MovementPage](t)(b.Movements(ctx, inventory.MovementsRequest{SKU: "MUG", Limit: 1})).Movements[0]
		if m.Kind != inventory.MovementConsumed || m.Delta != -2 || m.OnHand != 3 || m.Reference != "o1" || m.Actor != "orders" || m.CorrelationID != "cor_1" {
			t.Fatalf("%+v", m)
		}
	})
	t.Run("not after a release", func(t *testing.T) {
		must[inventory.Reservation](t)(b.Reserve(ctx, order("o2", "MUG", 1)))
		must[inventory.Reservation](t)(b.Release(ctx, release("o2")))
		if _, err := b.Finalise(ctx, finalise("o2")); !errors.Is(err, inventory.ErrReleased) {
			t.Fatal(err)
		}
	})
}

func TestRelease(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 5)
	releasedTwice := func(t *testing.T, n string) {
		t.Helper()
		first := must[inventory.Reservation](t)(b.Release(ctx, release(n)))
		b.clock = b.clock.Add(time.Minute)
		again := must[inventory.Reservation](t)(b.Release(ctx, release(n)))
		if first.State != inventory.ReservationReleased || !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	}
	t.Run("what is held becomes available", func(t *testing.T) {
		must[inventory.Reservation](t)(b.Reserve(ctx, order("held", "MUG", 2)))
		releasedTwice(t, "held")
		b.wantFigures(t, "MUG", "5/0: ber 5/0")
	})
	t.Run("what was consumed goes back to its shelf", func(t *testing.T) {
		must[inventory.Reservation](t)(b.Reserve(ctx, order("consumed", "MUG", 2)))
		must[inventory.Reservation](t)(b.Finalise(ctx, finalise("consumed")))
		releasedTwice(t, "consumed")
		b.wantFigures(t, "MUG", "5/0: ber 5/0")
		if got, want := b.ledger(t, "MUG"), "ber adjusted +5=5, ber consumed -2=3, ber returned +2=5"; got != want {
			t.Fatal(got)
		}
	})
	t.Run("a late Reserve is refused", func(t *testing.T) {
		releasedTwice(t, "late")
		for _, n := range []string{"late", "held", "consumed"} {
			if _, err := b.Reserve(ctx, order(n, "MUG", 1)); !errors.Is(err, inventory.ErrReleased) {
				t.Fatalf("%s: %v", n, err)
			}
		}
		b.wantFigures(t, "MUG", "5/0: ber 5/0")
	})
}

func TestReservations(t *testing.T) {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	b.stocked(t, "MUG", false, "ber", 5)
	for _, n := range []string{"o3", "o1", "o2", "o4"} {
		must[inventory.Reservation](t)(b.Reserve(ctx, order(n, "MUG", 1)))
	}
	must[inventory.Reservation](t)(b.Finalise(ctx, finalise("o2")))
	must[inventory.Reservation](t)(b.Release(ctx, release("never")))
	list := func(r inventory.ReservationsRequest) (ids []string, more bool) {
		page := must[inventory.ReservationPage](t)(b.Reservations(ctx, r))
		for _, r := range page.Reservations {
			ids = append(ids, r.OrderID+" "+r.State)
		}
		return ids, page.More
	}
	for _, tt := range []struct {
		name    string
		request inventory.ReservationsRequest
		want    []string
		more    bool
	}{
		{"live holds", inventory.ReservationsRequest{}, []string{"o1 held", "o3 held", "o4 held"}, false},
		{"a page of them", inventory.ReservationsRequest{After: "o1", Limit: 1}, []string{"o3 held"}, true},
		{"an order's, whatever its state", inventory.ReservationsRequest{OrderIDs: []string{"o2"}}, []string{"o2 consumed"}, false},
		{"an order's without lines", inventory.ReservationsRequest{OrderIDs: []string{"never"}}, []string{"never released"}, false},
		{"of an order that has none", inventory.ReservationsRequest{OrderIDs: []string{"what"}}, nil, false},
		{"several orders', by their ids", inventory.ReservationsRequest{OrderIDs: []string{"what", "o2", "never", "o1"}},
			[]string{"never released", "o1 held", "o2 consumed"}, false},
		{"the rest of several", inventory.ReservationsRequest{OrderIDs: []string{"o2", "never", "o1"}, After: "never"}, []string{"o1 held", "o2 consumed"}, false},
	} {
		if got, more := list(tt.request); !reflect.DeepEqual(got, tt.want) || more != tt.more {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, more, tt.want, tt.more)
		}
	}
	_, err := b.Reservations(ctx, inventory.ReservationsRequest{OrderIDs: make([]string, inventory.MaxOrderIDs+1)})
	mustPoint(t, err, fault.ErrInvalid, "/order_ids")
}

// TestLastUnit lets fifty orders run for one unit, then for twenty.
func TestLastUnit(t *testing.T) {
	for _, units := range []int{1, 20} {
		b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
		b.stocked(t, "MUG", false, "ams", units/2, "ber", units-units/2)
		var won, lost atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				n := strconv.Itoa(i)
				_, err := b.Reserve(ctx, order(n, "MUG", 1))
				switch {
				case err == nil:
					won.Add(1)
					_, err = b.Finalise(ctx, finalise(n))
				case errors.Is(err, inventory.ErrOutOfStock):
					lost.Add(1)
					_, err = b.Release(ctx, release(n))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != int64(units) || lost.Load() != int64(50-units) {
			t.Fatalf("%d won and %d lost for %d units", won.Load(), lost.Load(), units)
		}
		b.wantFigures(t, "MUG", "0/0: ams 0/0, ber 0/0")
	}
}

// TestStockAddsUp drives any sequence of commands, each said twice, and holds the sums after each.
func TestStockAddsUp(t *testing.T) {
	storetest.FewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{bench: newBench(t, storetest.Datastore(t, "inventory")), first: map[string]inventory.Reservation{}, kits: map[string][]inventory.Component{}}
		defer func() { _ = m.store.Close() }() // and not all of them at the end
		m.stocked(t, "BACK", true, "ams", 2)
		m.stocked(t, "CUP", false, "ams", 3, "ber", 3)
		m.stocked(t, "MUG", false, "ber", 4)
		m.describe(t, inventory.PutItemRequest{SKU: "BACK", Backorder: true, BackorderLimit: 8})
		m.describe(t, inventory.PutItemRequest{SKU: "CUP", LowStockThreshold: 2})
		m.describe(t, inventory.PutItemRequest{SKU: "DUO", Components: []inventory.Component{{SKU: "CUP", Quantity: 1}, {SKU: "MUG", Quantity: 1}}})
		m.describe(t, inventory.PutItemRequest{SKU: "SET", Components: []inventory.Component{{SKU: "BACK", Quantity: 1}, {SKU: "CUP", Quantity: 2}}})
		m.look(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"adjust": m.adjust, "transfer": m.transfer, "allot": m.allot, "switch": m.switchLocation, "describe": m.describeAgain,
			"reserve": m.reserve, "finalise": m.finalise, "restock": m.restock, "release": m.release,
			"hold": m.hold, "release hold": m.releaseHold, "expire": m.expireHolds, "": m.addsUp,
		})
		if err := m.store.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

type machine struct {
	*bench
	first map[string]inventory.Reservation     // the first answer to each order
	kits  map[string][]inventory.Component     // as they are made of now
	seen  map[string]struct{ free, low int64 } // what was available of the items, and their thresholds, when we looked last
	heard int64                                // the last event
	keys  int
}

var (
	skus      = rapid.SampledFrom([]string{"BACK", "CUP", "MUG"})
	wares     = rapid.SampledFrom([]string{"BACK", "CUP", "MUG", "DUO", "SET"})
	orders    = rapid.SampledFrom([]string{"o1", "o2", "o3", "o4"})
	carts     = rapid.SampledFrom([]string{"c1", "c2"})
	locations = rapid.SampledFrom([]string{"ams", "ber"})
	sourcings = rapid.SampledFrom([]string{"", inventory.SourcingWhole})
)

func (m *machine) key() idempotency.Key {
	m.keys++
	return idempotency.Key{Caller: "key_1", Value: strconv.Itoa(m.keys), Digest: "d"}
}

// describe puts an item, whatever its version.
func (m *machine) describe(t testing.TB, r inventory.PutItemRequest) {
	t.Helper()
	m.kits[r.SKU], r.Name = r.Components, r.SKU
	var had int
	if err := m.store.Read(context.Background()).Raw("SELECT COUNT(*) FROM items WHERE sku = ?", r.SKU).Row().Scan(&had); err != nil {
		t.Fatal(err)
	}
	if had > 0 {
		r.IfVersion = revision.Any
	}
	must[inventory.Item](t)(m.PutItem(context.Background(), r))
}

// describeAgain changes the threshold of an item, or what a kit is made of.
func (m *machine) describeAgain(t *rapid.T) {
	r := inventory.PutItemRequest{SKU: rapid.SampledFrom([]string{"CUP", "DUO"}).Draw(t, "sku"), Name: "again", IfVersion: revision.Any}
	units := rapid.Int64Range(1, 3).Draw(t, "units")
	if r.SKU == "CUP" {
		r.LowStockThreshold = units
	} else {
		r.Components = []inventory.Component{{SKU: "CUP", Quantity: units}, {SKU: "MUG", Quantity: 1}}
	}
	m.kits[r.SKU] = r.Components
	if _, err := m.PutItem(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) switchLocation(t *rapid.T) {
	code := locations.Draw(t, "location")
	r := inventory.PutLocationRequest{
		Code: code, Name: code, Priority: rapid.Int64Range(0, 1).Draw(t, "priority"), Inactive: rapid.Bool().Draw(t, "inactive"), IfVersion: revision.Any,
	}
	if _, err := m.PutLocation(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) transfer(t *rapid.T) {
	r := inventory.TransferRequest{
		Key: m.key(), SKU: skus.Draw(t, "sku"), From: locations.Draw(t, "from"), To: locations.Draw(t, "to"),
		Quantity: rapid.Int64Range(1, 4).Draw(t, "quantity"), Reason: "move",
	}
	onHand := func() (units int64) {
		if err := m.store.Read(context.Background()).Raw("SELECT SUM(on_hand) FROM levels WHERE sku = ?", r.SKU).Row().Scan(&units); err != nil {
			t.Fatal(err)
		}
		return units
	}
	before := onHand()
	_, _ = twice(t, m, func() (inventory.Transferred, error) {
		moved, err := m.Transfer(context.Background(), r)
		moved.Replayed = false
		return moved, err
	})
	if after := onHand(); after != before {
		t.Fatalf("%d units of %s were there, and after a transfer %d", before, r.SKU, after)
	}
}

func (m *machine) allot(t *rapid.T) {
	r := inventory.AllotRequest{Key: m.key(), SKU: "BACK", Location: locations.Draw(t, "location"), Quantity: rapid.Int64Range(0, 3).Draw(t, "quantity")}
	if _, err := twice(t, m, func() (inventory.Allotted, error) {
		a, err := m.Allot(context.Background(), r)
		a.Replayed = false
		return a, err
	}); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) restock(t *rapid.T) {
	m.keys++
	r := inventory.RestockRequest{
		OrderID: orders.Draw(t, "order"), RestockID: "r" + strconv.Itoa(m.keys), Reason: "returned",
		Lines:    []inventory.Line{{SKU: wares.Draw(t, "sku"), Quantity: rapid.Int64Range(1, 2).Draw(t, "quantity")}},
		Location: rapid.SampledFrom([]string{"", "ams", "ber"}).Draw(t, "location"),
	}
	_, _ = twice(t, m, func() (inventory.Restocked, error) { return m.Restock(context.Background(), r) })
}

// twice says a command twice: the second answer is the first one, and changes nothing.
func twice[T any](t *rapid.T, m *machine, command func() (T, error)) (T, error) {
	m.clock = m.clock.Add(time.Second)
	first, firstErr := command()
	if firstErr != nil && fault.From(firstErr).Kind == fault.Internal {
		t.Fatal(firstErr)
	}
	before := m.dump(t)
	m.clock = m.clock.Add(time.Second)
	again, err := command()
	if !reflect.DeepEqual(first, again) || !reflect.DeepEqual(fault.From(firstErr), fault.From(err)) {
		t.Fatalf("answered %+v, %v; then %+v, %v", first, firstErr, again, err)
	}
	if after := m.dump(t); after != before {
		t.Fatalf("the repeat changed the stock from %s to %s", before, after)
	}
	return first, firstErr
}

func (m *machine) adjust(t *rapid.T) {
	r := inventory.AdjustRequest{
		Key: m.key(), SKU: skus.Draw(t, "sku"), Location: locations.Draw(t, "location"),
		Absolute: rapid.Bool().Draw(t, "absolute"), Quantity: rapid.Int64Range(-4, 6).Draw(t, "quantity"), Reason: "count",
	}
	_, _ = twice(t, m, func() (inventory.Adjustment, error) {
		a, err := m.Adjust(context.Background(), r)
		a.Replayed = false
		return a, err
	})
}

func (m *machine) reserve(t *rapid.T) {
	r := inventory.ReserveRequest{OrderID: orders.Draw(t, "order"), Lines: someLines(t), Sourcing: sourcings.Draw(t, "sourcing")}
	if rapid.Bool().Draw(t, "from a cart") {
		r.HoldID = carts.Draw(t, "cart")
	}
	had, repeated := m.first[r.OrderID]
	got, err := twice(t, m, func() (inventory.Reservation, error) { return m.Reserve(context.Background(), r) })
	if errors.Is(err, inventory.ErrOutOfStock) && r.Sourcing == "" {
		m.mustBeShort(t, r.Lines, r.HoldID)
	}
	if err != nil {
		return
	}
	if repeated && (got.ID != had.ID || !reflect.DeepEqual(got.Kits, had.Kits) || unitsOf(got) != unitsOf(had)) {
		t.Fatalf("reserved %+v, and now %+v", had, got)
	}
	m.first[r.OrderID] = got
}

func (m *machine) finalise(t *rapid.T) {
	n := orders.Draw(t, "order")
	_, reserved := m.first[n]
	_, err := twice(t, m, func() (inventory.Reservation, error) { return m.Finalise(context.Background(), finalise(n)) })
	if err != nil && reserved && !errors.Is(err, inventory.ErrReleased) {
		t.Fatalf("%s holds stock, and Finalise says %v", n, err)
	}
}

func (m *machine) release(t *rapid.T) {
	n := orders.Draw(t, "order")
	if _, err := twice(t, m, func() (inventory.Reservation, error) { return m.Release(context.Background(), release(n)) }); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reserve(context.Background(), order(n, "BACK", 1)); !errors.Is(err, inventory.ErrReleased) {
		t.Fatalf("reserved after its release: %v", err)
	}
}

// unitsOf is what an order got of each item, wherever it lies and whoever has waited for it.
func unitsOf(r inventory.Reservation) string {
	units := map[string]int64{}
	for _, l := range r.Lines {
		units[l.SKU] += l.Quantity
	}
	return fmt.Sprint(units)
}

func someLines(t *rapid.T) (lines []inventory.Line) {
	for range rapid.IntRange(1, 4).Draw(t, "lines") {
		lines = append(lines, inventory.Line{SKU: wares.Draw(t, "sku"), Quantity: rapid.Int64Range(1, 4).Draw(t, "quantity")})
	}
	return lines
}

func (m *machine) hold(t *rapid.T) {
	r := inventory.HoldRequest{HoldID: carts.Draw(t, "cart"), Lines: someLines(t), Sourcing: sourcings.Draw(t, "sourcing"), TTL: rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "ttl")}
	m.clock = m.clock.Add(time.Second)
	h, err := m.Hold(context.Background(), r)
	switch {
	case errors.Is(err, inventory.ErrOutOfStock):
		if r.Sourcing == "" {
			m.mustBeShort(t, r.Lines, r.HoldID)
		}
	case err != nil:
		t.Fatal(err)
	case h.ExpiresAt.Before(m.clock.Add(r.TTL).Truncate(time.Microsecond)):
		t.Fatalf("held until %v at %v", h.ExpiresAt, m.clock)
	}
}

func (m *machine) releaseHold(t *rapid.T) {
	r := inventory.ReleaseHoldRequest{HoldID: carts.Draw(t, "cart")}
	for i := range 2 {
		if got, err := m.ReleaseHold(context.Background(), r); err != nil || i == 1 && got.Released {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

func (m *machine) expireHolds(t *rapid.T) {
	if _, err := m.ExpireHolds(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// mustBeShort holds a refusal to the promise: an item of the lines has fewer units than are wanted, counting as free what expired
// carts hold and what the asking cart holds itself.
func (m *machine) mustBeShort(t *rapid.T, lines []inventory.Line, holdID string) {
	wanted := map[string]int64{}
	for _, l := range lines {
		for _, c := range m.kits[l.SKU] {
			wanted[c.SKU] += l.Quantity * c.Quantity
		}
		if m.kits[l.SKU] == nil {
			wanted[l.SKU] += l.Quantity
		}
	}
	for sku, units := range wanted {
		var free, promised, limit int64
		if err := m.store.Read(context.Background()).Raw(`WITH ended AS (SELECT id FROM holds WHERE expires_at <= @now OR id = @hold),
				active AS (SELECT code FROM locations WHERE active = 1)
			SELECT (SELECT COALESCE(SUM(on_hand - reserved), 0) FROM levels WHERE sku = @sku AND location IN (SELECT code FROM active))
				+ (SELECT COALESCE(SUM(quantity), 0) FROM hold_lines WHERE sku = @sku AND location IN (SELECT code FROM active) AND hold_id IN (SELECT id FROM ended)),
				backordered - (SELECT COALESCE(SUM(quantity), 0) FROM hold_lines WHERE sku = @sku AND location = '' AND hold_id IN (SELECT id FROM ended)),
				backorder_limit FROM items WHERE sku = @sku`,
			map[string]any{"sku": sku, "now": m.clock.UnixMicro(), "hold": holdID}).Row().Scan(&free, &promised, &limit); err != nil {
			t.Fatal(err)
		}
		if free+max(0, limit-promised) < units {
			return
		}
	}
	t.Fatalf("refused %v, and there is enough", lines)
}

// addsUp finds levels that break a promise of the contract.
func (m *machine) addsUp(t *rapid.T) {
	m.look(t)
	m.keepsAccounts(t)
	rows, err := m.store.Read(context.Background()).Raw(`SELECT l.sku, l.location, l.on_hand, l.reserved,
		(SELECT COALESCE(SUM(quantity), 0) FROM reservation_lines JOIN reservations USING (order_id)
			WHERE state = 'held' AND sku = l.sku AND location = l.location)
			+ (SELECT COALESCE(SUM(quantity), 0) FROM hold_lines WHERE sku = l.sku AND location = l.location),
		(SELECT COALESCE(SUM(delta), 0) FROM movements WHERE sku = l.sku AND location = l.location),
		COALESCE((SELECT on_hand FROM movements WHERE sku = l.sku AND location = l.location ORDER BY seq DESC LIMIT 1), 0)
		FROM levels l`).Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var sku, location string
		var onHand, reserved, held, moved, told int64
		if err := rows.Scan(&sku, &location, &onHand, &reserved, &held, &moved, &told); err != nil {
			t.Fatal(err)
		}
		if reserved < 0 || onHand < reserved || reserved != held || onHand != moved || onHand != told {
			t.Fatalf("%s at %s: on hand %d, movements add up to %d and the last says %d; reserved %d, orders and carts hold %d",
				sku, location, onHand, moved, told, reserved, held)
		}
	}
}

// look finds out what is available of each item, wants an event for each line that was crossed since the last look, and no other, and
// wants kits to be available as their parts are.
func (m *machine) look(t *rapid.T) {
	var want, got []string
	seen := map[string]struct{ free, low int64 }{}
	page, err := m.Items(context.Background(), inventory.ItemsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range page.Items {
		if m.kits[i.SKU] != nil {
			continue
		}
		seen[i.SKU] = struct{ free, low int64 }{i.Available, i.LowStockThreshold}
		was := m.seen[i.SKU]
		if i.LowStockThreshold > 0 && i.Available <= i.LowStockThreshold && (was.low == 0 || was.free > was.low) {
			want = append(want, fmt.Sprint(i.SKU, inventory.EventLowStock, i.Available))
		}
		if was.free > 0 && i.Available == 0 {
			want = append(want, fmt.Sprint(i.SKU, inventory.EventOutOfStock, i.Available))
		}
		if was.free == 0 && i.Available > 0 {
			want = append(want, fmt.Sprint(i.SKU, inventory.EventBackInStock, i.Available))
		}
	}
	for _, i := range page.Items {
		gives := int64(inventory.MaxQuantity)
		for _, c := range m.kits[i.SKU] {
			gives = min(gives, seen[c.SKU].free/c.Quantity)
		}
		if m.kits[i.SKU] != nil && (i.Available != gives || i.OnHand != 0 || len(i.Locations) != 0) {
			t.Fatalf("%d of kit %+v can be made", gives, i)
		}
	}
	told, err := m.Events(context.Background(), inventory.EventsRequest{After: m.heard})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range told.Events {
		m.heard = e.Sequence
		got = append(got, fmt.Sprint(e.SKU, e.Kind, e.Available))
	}
	slices.Sort(want)
	slices.Sort(got)
	if m.seen != nil && !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q; available were %v, are %v", got, want, m.seen, seen)
	}
	m.seen = seen
}

// keepsAccounts holds what orders took and brought back to the ledger, and what is promised to the lines that promise it.
func (m *machine) keepsAccounts(t *rapid.T) {
	var wrong string
	if err := m.store.Read(context.Background()).Raw(`SELECT COALESCE((SELECT string_agg(who || ' took ' || took || ', moved ' || moved, ',') FROM (
			SELECT order_id || ' ' || sku AS who, SUM(took) AS took, SUM(moved) AS moved FROM (
				SELECT order_id, sku, CASE state WHEN 'consumed' THEN quantity - returned ELSE 0 END AS took, 0 AS moved
					FROM reservation_lines JOIN reservations USING (order_id) WHERE location <> ''
				UNION ALL SELECT reference, sku, 0, -delta FROM movements WHERE kind IN ('consumed', 'returned')) AS orders
			GROUP BY order_id, sku HAVING SUM(took) <> SUM(moved)) AS wrong), '')
		|| COALESCE((SELECT string_agg('transfer ' || reference, ',') FROM
			(SELECT reference FROM movements WHERE kind = 'transferred' GROUP BY reference HAVING SUM(delta) <> 0 OR COUNT(*) <> 2) AS halves), '')
		|| COALESCE((SELECT string_agg(sku || ' has promised ' || backordered, ',') FROM items WHERE backordered <>
			(SELECT COALESCE(SUM(quantity), 0) FROM reservation_lines l JOIN reservations USING (order_id)
				WHERE l.sku = items.sku AND location = '' AND state <> 'released')
			+ (SELECT COALESCE(SUM(quantity), 0) FROM hold_lines l WHERE l.sku = items.sku AND location = '')), '')`).Row().Scan(&wrong); err != nil {
		t.Fatal(err)
	}
	if wrong != "" {
		t.Fatal(wrong)
	}
}

// dump is everything that a command may change.
func (m *machine) dump(t *rapid.T) (dump string) {
	err := m.store.Read(context.Background()).Raw(`SELECT
		(SELECT COALESCE(string_agg(sku || ' ' || location || ' ' || on_hand || ' ' || reserved || ' ' || version, ',' ORDER BY sku, location), '') FROM levels) ||
		(SELECT COALESCE(string_agg(order_id || ' ' || id || ' ' || state || ' ' || updated_at, ',' ORDER BY order_id, id), '') FROM reservations) ||
		(SELECT COALESCE(string_agg(order_id || ' ' || sku || ' ' || location || ' ' || quantity || ' ' || returned, ',' ORDER BY order_id, sku, location), '') FROM reservation_lines) ||
		(SELECT COALESCE(string_agg(sku || ' ' || backordered, ',' ORDER BY sku), '') FROM items) || (SELECT COUNT(*) FROM events) || '/' || (SELECT COUNT(*) FROM restocks) ||
		(SELECT COALESCE(string_agg(hold_id || ' ' || sku || ' ' || location || ' ' || quantity, ',' ORDER BY hold_id, sku, location), '') FROM hold_lines) ||
		(SELECT COUNT(*) FROM reservation_lines) || '/' || (SELECT COUNT(*) FROM movements) || '/' || (SELECT COUNT(*) FROM idempotency_keys)`).
		Row().Scan(&dump)
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// BenchmarkOrder is what an order costs the stock: a check, then Reserve and Finalise of two lines.
func BenchmarkOrder(b *testing.B) {
	for _, customers := range []int{1, 64} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			s, ctx := newBench(b, storetest.Datastore(b, "inventory")), context.Background()
			s.now = time.Now
			s.newID = id.NewSource(s.now, rand.Reader) // ids that follow each other, as they do in life
			for i := range 10 {
				s.stocked(b, fmt.Sprintf("S-%d", i), false, "ams", inventory.MaxQuantity, "ber", inventory.MaxQuantity)
			}
			var next atomic.Int64
			var all sync.WaitGroup
			before := s.store.Stats()
			b.ResetTimer()
			for range customers {
				all.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := placeAndFinalise(ctx, s, n); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			after := s.store.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(after.Commits-before.Commits)/float64(b.N), "commits/order")
		})
	}
}

func placeAndFinalise(ctx context.Context, s *bench, n int64) error {
	orderID := s.newID("ord")
	lines := []any{fmt.Sprintf("S-%d", n%10), 1, fmt.Sprintf("S-%d", (n+3)%10), 2}
	if _, err := s.Check(ctx, inventory.CheckRequest{SKUs: []string{lines[0].(string), lines[2].(string)}}); err != nil {
		return err
	}
	if _, err := s.Reserve(ctx, order(orderID, lines...)); err != nil {
		return err
	}
	_, err := s.Finalise(ctx, finalise(orderID))
	return err
}
