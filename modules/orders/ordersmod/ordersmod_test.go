package ordersmod_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
)

// module is the real module behind its door, on a layer that encodes every message, with neighbours of the test's own.
type module struct {
	orders.Service
	*neighbours
	door *ordersmod.Module
}

func start(t testing.TB, path string, n *neighbours, p ordersmod.Policy) *module {
	t.Helper()
	return startWith(t, path, n, ordersmod.Options{Policy: p})
}

func startWith(t testing.TB, path string, n *neighbours, o ordersmod.Options) *module {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	now := func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	door, err := ordersmod.New(ordersmod.Deps{
		Layer: layer, Datastore: path, Inventory: stock{neighbours: n}, Pricing: prices{neighbours: n}, Payments: till{neighbours: n},
		Now: now, NewID: id.NewSource(now, rand.Reader), Random: func() float64 { return 0.5 }, Log: slog.New(slog.DiscardHandler),
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := door.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := door.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	return &module{orders.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{Timeout: time.Minute})), n, door}
}

func startNew(t testing.TB) *module {
	t.Helper()
	return start(t, storetest.Datastore(t, "orders"), newNeighbours(), ordersmod.Policy{})
}

func draft() orders.Draft {
	return orders.Draft{
		Basket:   orders.Basket{Currency: "EUR", Lines: []orders.Line{{SKU: "MUG-1", Quantity: 2}}},
		Customer: orders.Customer{Email: "ada@example.com", ID: "cus_7"},
		Payment:  orders.Instrument{Token: "pm_card_visa"},
	}
}

func request(key string) orders.PlaceRequest {
	return orders.PlaceRequest{Key: idempotency.Key{Caller: "key_1", Value: key, Digest: "d"}, Draft: draft(), Wait: true}
}

func (m *module) place(t testing.TB, r orders.PlaceRequest) orders.Order {
	t.Helper()
	p, err := m.Place(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p.Order
}

func wantCalls(t testing.TB, n *neighbours, want ...string) {
	t.Helper()
	if got := n.calls(); !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

// preflight is what is asked before an order is stored.
var preflight = []string{"inventory.check", "pricing.calculate"}

func TestPlace(t *testing.T) {
	t.Run("asks each module for one thing, in the order of the pipeline, and nothing else", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		wantCalls(t, m.neighbours, append(preflight, "inventory.reserve", "pricing.price", "payments.charge", "inventory.finalise")...)
		if o.Status != orders.StatusCompleted || o.State != "completed" || o.Failure != nil {
			t.Errorf("the order is %s (%s), failure %v", o.Status, o.State, o.Failure)
		}
		if want := money.Of(2580, "EUR"); o.Totals.Total != want || o.Payment.Captured != want {
			t.Errorf("total %v, captured %v, want %v", o.Totals.Total, o.Payment.Captured, want)
		}
		stored, err := m.Order(t.Context(), orders.OrderRequest{ID: o.ID})
		if err != nil || stored.Version != o.Version || stored.UpdatedAt != o.UpdatedAt || stored.Status != o.Status {
			t.Errorf("stored is %+v (%v), answered was %+v", stored, err, o)
		}
	})
	t.Run("stores the price that was frozen, not the one that was quoted", func(t *testing.T) {
		m := startNew(t)
		m.answer("inventory.reserve", func() error { m.price++; return nil })
		o := m.place(t, request("k"))
		stored, err := m.Order(t.Context(), orders.OrderRequest{ID: o.ID})
		if want := int64(2582); err != nil || stored.Totals.Total.Amount != want || stored.Lines[0].Total.Amount != want {
			t.Errorf("stored is %+v, %+v (%v)", stored.Totals, stored.Lines, err)
		}
		if stored.PriceTrace == nil || stored.PriceTrace.Arithmetic != 1291 {
			t.Errorf("the trace is %+v, want that of the frozen price", stored.PriceTrace)
		}
	})
	t.Run("costs three commits", func(t *testing.T) {
		m := startNew(t)
		before := m.door.StoreStats().Commits
		m.place(t, request("k"))
		if got := m.door.StoreStats().Commits - before; got != 3 {
			t.Errorf("%d commits, want 3: received, charging, completed", got)
		}
	})
	t.Run("tells each step in the timeline", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		timeline, err := m.Timeline(t.Context(), orders.OrderRequest{ID: o.ID})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range timeline.Entries {
			got = append(got, e.State+" "+e.Module+" "+e.Outcome)
			if e.EndedAt.Before(e.StartedAt) || e.Attempt != 1 {
				t.Errorf("entry %+v", e)
			}
		}
		want := []string{
			"received orders succeeded", "allocating inventory succeeded", "pricing pricing succeeded", "charging payments succeeded",
			"finalising_stock inventory succeeded", "finalising_order orders succeeded",
		}
		if !slices.Equal(got, want) {
			t.Errorf("timeline %q, want %q", got, want)
		}
	})
	t.Run("an order of nothing charges nobody", func(t *testing.T) {
		m := startNew(t)
		m.price = 0
		if o := m.place(t, request("k")); o.Status != orders.StatusCompleted || o.Payment.ID != "" {
			t.Errorf("the order is %s, paid by %q", o.Status, o.Payment.ID)
		}
		wantCalls(t, m.neighbours, append(preflight, "inventory.reserve", "pricing.price", "inventory.finalise")...)
	})
}

func TestPlaceRefusedBeforeItStarts(t *testing.T) {
	for name, test := range map[string]struct {
		operation string
		answer    error
		change    func(*orders.PlaceRequest)
		want      error
		pointer   string
	}{
		"unknown item":          {operation: "inventory.check", answer: inventory.ErrUnknownSKU, change: func(r *orders.PlaceRequest) { r.Draft.Lines[0].SKU = "NOPE" }, want: inventory.ErrUnknownSKU, pointer: "/lines/0/sku"},
		"no price":              {operation: "pricing.calculate", answer: pricing.ErrNoPrice, want: pricing.ErrNoPrice},
		"unknown coupon":        {operation: "pricing.calculate", answer: pricing.ErrUnknownCoupon, want: pricing.ErrUnknownCoupon},
		"a module at capacity":  {operation: "inventory.check", answer: channel.ErrFull, want: channel.ErrFull},
		"quantity of nothing":   {change: func(r *orders.PlaceRequest) { r.Draft.Lines[0].Quantity = 0 }, want: fault.ErrInvalid, pointer: "/lines/0/quantity"},
		"quantity too large":    {change: func(r *orders.PlaceRequest) { r.Draft.Lines[0].Quantity = orders.MaxQuantity + 1 }, want: fault.ErrInvalid, pointer: "/lines/0/quantity"},
		"no lines":              {change: func(r *orders.PlaceRequest) { r.Draft.Lines = nil }, want: fault.ErrInvalid, pointer: "/lines"},
		"no currency":           {change: func(r *orders.PlaceRequest) { r.Draft.Currency = "EUX" }, want: fault.ErrInvalid, pointer: "/currency"},
		"no customer":           {change: func(r *orders.PlaceRequest) { r.Draft.Customer.Email = "" }, want: fault.ErrInvalid, pointer: "/customer/email"},
		"no instrument":         {change: func(r *orders.PlaceRequest) { r.Draft.Payment.Token = "" }, want: fault.ErrInvalid, pointer: "/payment/token"},
		"metadata out of bound": {change: func(r *orders.PlaceRequest) { r.Draft.Metadata = map[string]string{"k": strings.Repeat("v", 501)} }, want: fault.ErrInvalid, pointer: "/metadata"},
		"a quote that ended":    {operation: "pricing.calculate", answer: pricing.ErrQuoteExpired, want: pricing.ErrQuoteExpired},
		"a group too long":      {change: func(r *orders.PlaceRequest) { r.Draft.Customer.Group = strings.Repeat("g", 65) }, want: fault.ErrInvalid, pointer: "/customer/group"},
		"a quote too long":      {change: func(r *orders.PlaceRequest) { r.Draft.Quote = strings.Repeat("q", 65) }, want: fault.ErrInvalid, pointer: "/quote"},
	} {
		t.Run(name, func(t *testing.T) {
			m := startNew(t)
			if test.answer != nil {
				m.answer(test.operation, fails(test.answer))
			}
			r := request("k")
			if test.change != nil {
				test.change(&r)
			}
			_, err := m.Place(t.Context(), r)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if details := fault.From(err).Details; test.pointer != "" && (len(details) != 1 || details[0].Pointer != test.pointer) {
				t.Errorf("details %v, want one at %s", details, test.pointer)
			}
			page, err := m.Orders(t.Context(), orders.OrdersRequest{})
			if err != nil || len(page.Orders) != 0 {
				t.Errorf("stored %d orders (%v), want none", len(page.Orders), err)
			}
			if calls := m.calls(); slices.ContainsFunc(calls, func(c string) bool { return !slices.Contains(preflight, c) }) {
				t.Errorf("asked %v", calls)
			}
		})
	}
}

func TestPlaceThatFails(t *testing.T) {
	expected := money.Of(1, "EUR")
	for name, test := range map[string]struct {
		prepare func(*module, *orders.PlaceRequest)
		status  string
		code    string
		calls   []string
	}{
		"out of stock releases nothing, since nothing is held": {
			prepare: func(m *module, _ *orders.PlaceRequest) { m.answer("inventory.reserve", fails(inventory.ErrOutOfStock)) },
			status:  orders.StatusRejected, code: "inventory.out_of_stock",
			calls: append(preflight, "inventory.reserve"),
		},
		"a declined card releases the stock": {
			prepare: func(m *module, _ *orders.PlaceRequest) {
				m.becomes(payments.StatusDeclined)
			},
			status: orders.StatusDeclined, code: "payments.declined",
			calls: append(preflight, "inventory.reserve", "pricing.price", "payments.charge", "inventory.release"),
		},
		"another total than expected holds and charges nothing": {
			prepare: func(_ *module, r *orders.PlaceRequest) { r.Draft.ExpectedTotal = &expected },
			status:  orders.StatusRejected, code: "pricing.total_changed",
			calls: preflight,
		},
		"a coupon that is used up holds and charges nothing": {
			prepare: func(m *module, r *orders.PlaceRequest) {
				r.Draft.Coupon = "FEW"
				m.answer("pricing.calculate", failsOnce(pricing.ErrCouponExhausted))
			},
			status: orders.StatusRejected, code: "pricing.coupon_exhausted",
			calls: append(preflight, preflight...),
		},
		"a price that changes after the stock is held releases it": {
			prepare: func(m *module, r *orders.PlaceRequest) {
				total := money.Of(2580, "EUR")
				r.Draft.ExpectedTotal = &total
				m.answer("inventory.reserve", func() error { m.price++; return nil })
			},
			status: orders.StatusRejected, code: "pricing.total_changed",
			calls: append(preflight, "inventory.reserve", "pricing.price", "inventory.release"),
		},
		"a price that goes away after the stock is held releases it": {
			prepare: func(m *module, _ *orders.PlaceRequest) {
				m.answer("inventory.reserve", func() error { m.answer("pricing.price", fails(pricing.ErrNoPrice)); return nil })
			},
			status: orders.StatusRejected, code: "pricing.no_price",
			calls: append(preflight, "inventory.reserve", "pricing.price", "inventory.release"),
		},
		"money that moved otherwise than asked is left to an operator": {
			prepare: func(m *module, _ *orders.PlaceRequest) { m.answer("payments.charge", fails(payments.ErrWrongAmount)) },
			status:  orders.StatusReview, code: "payments.wrong_amount",
			calls: append(preflight, "inventory.reserve", "pricing.price", "payments.charge"),
		},
		"paid stock that is gone is left to an operator": {
			prepare: func(m *module, _ *orders.PlaceRequest) { m.answer("inventory.finalise", fails(inventory.ErrReleased)) },
			status:  orders.StatusReview, code: "inventory.released",
			calls: append(preflight, "inventory.reserve", "pricing.price", "payments.charge", "inventory.finalise"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := startNew(t)
			r := request("k")
			test.prepare(m, &r)
			o := m.place(t, r)
			if o.Status != test.status || o.Failure == nil || o.Failure.Code != test.code {
				t.Errorf("the order is %s, failure %+v, want %s, %s", o.Status, o.Failure, test.status, test.code)
			}
			wantCalls(t, m.neighbours, test.calls...)
			again, err := m.Place(t.Context(), r)
			if err != nil || !again.Replayed || again.Order.ID != o.ID || again.Order.Failure == nil {
				t.Errorf("the repeat answers %+v (%v)", again, err)
			}
			wantCalls(t, m.neighbours)
		})
	}
}

func TestPlaceRepeatsWhatIsNotDefinite(t *testing.T) {
	for _, operation := range []string{"inventory.reserve", "payments.charge", "inventory.finalise"} {
		t.Run(operation+" without an answer is asked again", func(t *testing.T) {
			m := startNew(t)
			m.answer(operation, failsOnce(unreachable))
			if o := m.place(t, request("k")); o.Status != orders.StatusCompleted {
				t.Errorf("the order is %s", o.Status)
			}
			asked := slices.DeleteFunc(m.calls(), func(c string) bool { return c != operation })
			if len(asked) != 2 {
				t.Errorf("%s was asked %d times, want 2", operation, len(asked))
			}
		})
	}
}

func TestSweep(t *testing.T) {
	t.Run("an order without an answer in time is answered as in progress, and completed later", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			m := startNew(t)
			m.answer("payments.charge", fails(unreachable))
			o := m.place(t, request("k"))
			if o.Status != orders.StatusProcessing || o.State != "charging" {
				t.Fatalf("the order is %s (%s)", o.Status, o.State)
			}
			m.answer("payments.charge", nil)
			time.Sleep(2 * time.Minute) // virtual: longer than the longest pause between attempts
			done, err := m.Order(t.Context(), orders.OrderRequest{ID: o.ID})
			if err != nil || done.Status != orders.StatusCompleted {
				t.Fatalf("the order is %s (%v)", done.Status, err)
			}
			again, err := m.Place(t.Context(), request("k"))
			if err != nil || !again.Replayed || again.Order.Status != orders.StatusCompleted {
				t.Errorf("the repeat answers %+v (%v)", again, err)
			}
		})
	})
	t.Run("an order that need not be waited for is answered at once", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			m := startNew(t)
			r := request("k")
			r.Wait = false
			o := m.place(t, r)
			if o.Status != orders.StatusProcessing {
				t.Errorf("the order is %s", o.Status)
			}
			synctest.Wait() // until the sweeper has nothing left to do
			if done, err := m.Order(t.Context(), orders.OrderRequest{ID: o.ID}); err != nil || done.Status != orders.StatusCompleted {
				t.Errorf("the order is %s (%v)", done.Status, err)
			}
			again, err := m.Place(t.Context(), r)
			if err != nil || !again.Replayed || again.Order.Status != orders.StatusProcessing {
				t.Errorf("the repeat answers %+v (%v), want the first answer", again, err)
			}
		})
	})
	t.Run("another process goes on where one stopped", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			path := storetest.Datastore(t, "orders")
			first := start(t, path, newNeighbours(), ordersmod.Policy{})
			first.answer("inventory.finalise", fails(unreachable))
			o := first.place(t, request("k"))
			if err := first.door.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			second := start(t, path, newNeighbours(), ordersmod.Policy{})
			time.Sleep(2 * time.Minute)
			second.wantCompleted(t, o.ID)
			wantCalls(t, second.neighbours, "inventory.finalise")
		})
	})
	t.Run("another process takes over from one that died, and asks for the same charge again", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			path := storetest.Datastore(t, "orders")
			first := start(t, path, newNeighbours(), ordersmod.Policy{})
			reached, never := make(chan struct{}), make(chan struct{})
			var once sync.Once
			first.answer("inventory.finalise", func() error { once.Do(func() { close(reached) }); <-never; return unreachable })
			go func() { _, _ = first.Place(t.Context(), request("k")) }()
			<-reached
			left := storetest.Datastore(t, "orders") // what is on the disk while the first one is still at it
			copyStore(t, path, left)
			second := start(t, left, newNeighbours(), ordersmod.Policy{})
			time.Sleep(2 * time.Minute)
			page, err := second.Orders(t.Context(), orders.OrdersRequest{})
			if err != nil || len(page.Orders) != 1 {
				t.Fatalf("%d orders (%v)", len(page.Orders), err)
			}
			second.wantCompleted(t, page.Orders[0].ID)
			wantCalls(t, second.neighbours, "payments.charge", "inventory.finalise")
			close(never)
		})
	})
}

func (m *module) wantCompleted(t testing.TB, orderID string) {
	t.Helper()
	if o, err := m.Order(t.Context(), orders.OrderRequest{ID: orderID}); err != nil || o.Status != orders.StatusCompleted {
		t.Fatalf("the order is %s (%v)", o.Status, err)
	}
}

// copyStore copies a SQLite file with its log, as a crash would leave them.
func copyStore(t testing.TB, from, to string) {
	t.Helper()
	storetest.SQLiteOnly(t, "it copies a file")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIdempotency(t *testing.T) {
	t.Run("twenty at once make one order", func(t *testing.T) {
		m := startNew(t)
		var all sync.WaitGroup
		ids := make([]string, 20)
		for i := range ids {
			all.Go(func() {
				p, err := m.Place(t.Context(), request("same"))
				switch {
				case err == nil:
					ids[i] = p.Order.ID
				case !errors.Is(err, idempotency.ErrInUse):
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		page, err := m.Orders(t.Context(), orders.OrdersRequest{})
		if err != nil || len(page.Orders) != 1 {
			t.Fatalf("%d orders (%v), want 1", len(page.Orders), err)
		}
		for _, got := range ids {
			if got != "" && got != page.Orders[0].ID {
				t.Errorf("answered with %s, stored is %s", got, page.Orders[0].ID)
			}
		}
		charges := slices.DeleteFunc(m.calls(), func(c string) bool { return c != "payments.charge" })
		if len(charges) != 1 {
			t.Errorf("%d charges, want 1", len(charges))
		}
	})
	t.Run("the same key with another request is refused", func(t *testing.T) {
		m := startNew(t)
		m.place(t, request("k"))
		other := request("k")
		other.Key.Digest = "another"
		if _, err := m.Place(t.Context(), other); !errors.Is(err, idempotency.ErrReused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the same key of another caller is another key", func(t *testing.T) {
		m := startNew(t)
		other := request("k")
		other.Key.Caller = "key_2"
		if m.place(t, request("k")).ID == m.place(t, other).ID {
			t.Error("one order for two callers")
		}
	})
	t.Run("a key is forgotten after its retention", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			policy := ordersmod.Policy{SweepEvery: time.Hour} // virtual hours are cheap, a sweep for each of their seconds is not
			m := start(t, storetest.Datastore(t, "orders"), newNeighbours(), policy)
			first := m.place(t, request("k"))
			time.Sleep(idempotency.Retention + time.Second)
			if again := m.place(t, request("k")); again.ID == first.ID {
				t.Error("still the first order")
			}
		})
	})
}

func TestCancel(t *testing.T) {
	cancel := func(m *module, o orders.Order, key string) (orders.Placement, error) {
		return m.Cancel(t.Context(), orders.CancelRequest{
			Key: idempotency.Key{Caller: "key_1", Value: key, Digest: "c"}, ID: o.ID, Reason: "changed my mind",
		})
	}
	t.Run("a completed order gives money back, then stock", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		m.calls()
		p, err := cancel(m, o, "c1")
		if err != nil || p.Order.Status != orders.StatusCancelled || p.Order.Payment.Refunded.Amount != 2580 {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		wantCalls(t, m.neighbours, "payments.refund", "inventory.release")
		for _, key := range []string{"c1", "c2"} {
			again, err := cancel(m, o, key)
			if err != nil || again.Order.Status != orders.StatusCancelled || again.Replayed != (key == "c1") {
				t.Errorf("the repeat with %s answers %+v (%v)", key, again, err)
			}
		}
		wantCalls(t, m.neighbours)
	})
	t.Run("a refund that the provider declines is left to an operator, with the stock gone", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		m.calls()
		m.decline = &payments.Failure{Code: "refund_failed"}
		p, err := cancel(m, o, "c1")
		if err != nil || p.Order.Status != orders.StatusReview || p.Order.Failure.Code != "payments.refund_declined" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		wantCalls(t, m.neighbours, "payments.refund")
	})
	t.Run("an order that ended without success can't be cancelled", func(t *testing.T) {
		m := startNew(t)
		m.answer("inventory.reserve", fails(inventory.ErrOutOfStock))
		if _, err := cancel(m, m.place(t, request("k")), "c"); !errors.Is(err, orders.ErrNotCancelable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown order can't be cancelled", func(t *testing.T) {
		if _, err := cancel(startNew(t), orders.Order{ID: "ord_x"}, "c"); !errors.Is(err, orders.ErrOrderNotFound) {
			t.Errorf("got %v", err)
		}
	})
	for operation, calls := range map[string][]string{
		"inventory.reserve": append(preflight, "inventory.reserve", "pricing.price", "inventory.release"),
		"payments.charge": append(preflight, "inventory.reserve", "pricing.price", "payments.charge", "inventory.finalise",
			"payments.refund", "inventory.release"),
	} {
		t.Run("an order under way at "+operation+" is turned", func(t *testing.T) {
			m := startNew(t)
			reached, goOn := make(chan struct{}), make(chan struct{})
			m.answer(operation, func() error { close(reached); <-goOn; return nil })
			placed := make(chan orders.Order)
			go func() { placed <- m.place(t, request("k")) }()
			<-reached
			page, err := m.Orders(t.Context(), orders.OrdersRequest{Status: orders.StatusProcessing})
			if err != nil || len(page.Orders) != 1 {
				t.Fatalf("%d orders under way (%v)", len(page.Orders), err)
			}
			if p, err := cancel(m, page.Orders[0], "c"); err != nil || p.Order.Status != orders.StatusProcessing {
				t.Fatalf("got %+v (%v)", p.Order, err)
			}
			close(goOn)
			if o := <-placed; o.Status != orders.StatusCancelled {
				t.Errorf("the order is %s (%s)", o.Status, o.State)
			}
			wantCalls(t, m.neighbours, calls...)
		})
	}
}

func TestOrders(t *testing.T) {
	m := startNew(t)
	var placed []orders.Order
	for i := range 5 {
		r := request(string(rune('a' + i)))
		if i == 2 {
			r.Draft.Customer = orders.Customer{Email: "bob@example.com"}
			r.Key.Caller = "key_2"
		}
		placed = append(placed, m.place(t, r))
	}
	slices.Reverse(placed) // newest first
	day := time.Now().Add(-time.Hour)
	for _, r := range []orders.OrdersRequest{{TotalMin: 1, CreatedFrom: day}, {TotalMax: 1, Currency: "EUR"}} {
		if _, err := m.Orders(t.Context(), r); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("totals without a currency or a beginning are answered %v", err)
		}
	}
	for name, test := range map[string]struct {
		request orders.OrdersRequest
		want    []orders.Order
		more    bool
	}{
		"all":                   {orders.OrdersRequest{}, placed, false},
		"first page":            {orders.OrdersRequest{Limit: 2}, placed[:2], true},
		"next page":             {orders.OrdersRequest{Limit: 2, Before: placed[1].ID}, placed[2:4], true},
		"last page":             {orders.OrdersRequest{Limit: 2, Before: placed[3].ID}, placed[4:], false},
		"by email":              {orders.OrdersRequest{Customer: "bob@example.com"}, placed[2:3], false},
		"by customer id":        {orders.OrdersRequest{Customer: "cus_7"}, []orders.Order{placed[0], placed[1], placed[3], placed[4]}, false},
		"by key":                {orders.OrdersRequest{PlacedBy: "key_2"}, placed[2:3], false},
		"by total":              {orders.OrdersRequest{Currency: "EUR", CreatedFrom: day, TotalMin: 2580, TotalMax: 2580}, placed, false},
		"by a larger total":     {orders.OrdersRequest{Currency: "EUR", CreatedFrom: day, TotalMin: 2581}, nil, false},
		"by a smaller total":    {orders.OrdersRequest{Currency: "EUR", CreatedFrom: day, TotalMax: 2579}, nil, false},
		"by another currency":   {orders.OrdersRequest{Currency: "USD", CreatedFrom: day, TotalMin: 1}, nil, false},
		"by status":             {orders.OrdersRequest{Status: orders.StatusCompleted}, placed, false},
		"by another status":     {orders.OrdersRequest{Status: orders.StatusReview}, nil, false},
		"from a time on":        {orders.OrdersRequest{CreatedFrom: placed[2].CreatedAt}, placed[:3], false},
		"before a time":         {orders.OrdersRequest{CreatedTo: placed[2].CreatedAt}, placed[3:], false},
		"within a span of none": {orders.OrdersRequest{CreatedFrom: placed[2].CreatedAt, CreatedTo: placed[2].CreatedAt}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			page, err := m.Orders(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			ids := func(list []orders.Order) (ids []string) {
				for _, o := range list {
					ids = append(ids, o.ID)
				}
				return ids
			}
			if !slices.Equal(ids(page.Orders), ids(test.want)) || page.More != test.more {
				t.Errorf("got %v, more %v; want %v, %v", ids(page.Orders), page.More, ids(test.want), test.more)
			}
		})
	}
	if _, err := m.Order(t.Context(), orders.OrderRequest{ID: placed[0].ID, PlacedBy: "key_2"}); !errors.Is(err, orders.ErrOrderNotFound) {
		t.Errorf("another key's order: got %v", err)
	}
}

func TestNew(t *testing.T) {
	if _, err := ordersmod.New(ordersmod.Deps{}, ordersmod.Options{}); err == nil || !strings.Contains(err.Error(), "Payments") {
		t.Errorf("got %v, want the missing dependencies", err)
	}
}
