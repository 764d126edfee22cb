package shop_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/rpc"
)

// running is a whole shop over a data directory, with the demonstration's catalogue, and a client with every scope. Every
// answer that the client gets is held against the OpenAPI description.
type running struct {
	*client.Client
	shop   *shop.Shop
	data   string // its directory
	secret string
}

func open(t testing.TB, c shop.Config) *running {
	t.Helper()
	if c.Data == "" {
		c.Data = t.TempDir()
	}
	c.Version, c.Log = "test", slog.New(slog.DiscardHandler)
	s, err := shop.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{shop: s, data: c.Data, secret: "cpk_test_key_of_the_suite"}
	t.Cleanup(r.close(t))
	r.Client = r.clientWith(t, r.secret, auth.Scopes()...)
	if err := catalogue.Seed(t.Context(), r.Client); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) close(t testing.TB) func() {
	return func() {
		if err := r.shop.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// clientWith returns a client whose key has some scopes.
func (r *running) clientWith(t testing.TB, secret string, scopes ...string) *client.Client {
	t.Helper()
	if _, err := r.shop.Keys().Add(t.Context(), "test", secret, scopes); err != nil {
		t.Fatal(err)
	}
	return client.Into(described(t, r.shop.API()), secret)
}

func (r *running) get(t testing.TB, path string, into any) {
	t.Helper()
	if _, err := r.Do(t.Context(), http.MethodGet, path, nil, into); err != nil {
		t.Fatal(err)
	}
}

type order struct {
	ID, Status string
	Version    int64
}

type item struct{ Reserved, Available int64 }

type ledger struct {
	Data []struct {
		Operation string
		Amount    int64
	}
}

func body(sku string, quantity int, token string) map[string]any {
	return map[string]any{
		"currency": "EUR", "customer": map[string]string{"email": "ada@example.com"},
		"lines": []map[string]any{{"sku": sku, "quantity": quantity}}, "payment": map[string]string{"token": token},
	}
}

func (r *running) place(t testing.TB, key, sku string, quantity int, token string) (o order, err error) {
	t.Helper()
	_, err = r.Do(t.Context(), http.MethodPost, "/v1/orders", body(sku, quantity, token), &o, "Idempotency-Key", key)
	return o, err
}

// callsPerOrder is what one order costs on each edge between modules. A change of these figures is a change of the design:
// each call is a hop once the modules live apart.
var callsPerOrder = map[string]int{
	"http -> orders.place":         1,
	"orders -> inventory.check":    1,
	"orders -> inventory.reserve":  1,
	"orders -> inventory.finalise": 1,
	"orders -> pricing.calculate":  1,
	"orders -> pricing.price":      1,
	"orders -> payments.charge":    1,
}

func TestCallsPerOrder(t *testing.T) {
	var mu sync.Mutex
	calls := map[string]int{}
	c := shop.Config{
		Options: host.Options{Observe: func(o rpc.Observation) {
			mu.Lock()
			defer mu.Unlock()
			calls[o.From+" -> "+o.Operation]++
		}},
	}
	c.Checkout.SweepEvery, c.Webhooks.CollectEvery = time.Hour, time.Hour // what runs by itself calls too
	r := open(t, c)
	mu.Lock()
	clear(calls) // what the seeding cost
	mu.Unlock()
	const n = 10
	for i := range n {
		if _, err := r.place(t, fmt.Sprint("k", i), "MUG-1", 2, "pm_card_visa"); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EDGE\tCALLS PER ORDER\tEXPECTED")
	for _, edge := range slices.Sorted(maps.Keys(calls)) {
		fmt.Fprintf(w, "%s\t%g\t%d\n", edge, float64(calls[edge])/n, callsPerOrder[edge])
	}
	w.Flush()
	t.Log("\n" + table.String())
	for edge := range maps.Keys(callsPerOrder) {
		calls[edge] -= n * callsPerOrder[edge]
	}
	for edge, surplus := range calls {
		if surplus != 0 {
			t.Errorf("%s: %+d calls in %d orders beyond the expected ones", edge, surplus, n)
		}
	}
}

func TestCommitsPerOrder(t *testing.T) {
	r := open(t, shop.Config{})
	before := r.shop.Stores().Commits
	if _, err := r.place(t, "k", "MUG-1", 2, "pm_card_visa"); err != nil {
		t.Fatal(err)
	}
	if got := r.shop.Stores().Commits - before; got != 7 {
		t.Errorf("%d commits for one order, want 7: orders 3, inventory 2, payments 2", got)
	}
}

func TestConcurrentCustomers(t *testing.T) {
	for name, config := range map[string]shop.Config{"copied messages": {}, "encoded messages": {Options: host.Options{Strict: true}}} {
		t.Run(name+": fifty customers for the last unit, one gets it", func(t *testing.T) {
			r := open(t, config)
			var all sync.WaitGroup
			errs := make([]error, 50)
			for i := range errs {
				all.Go(func() { _, errs[i] = r.place(t, fmt.Sprint("k", i), "PIN-1", 1, "pm_card_visa") })
			}
			all.Wait()
			sold := 0
			for _, err := range errs {
				switch {
				case err == nil:
					sold++
				case !client.HasCode(err, "inventory.out_of_stock"):
					t.Errorf("got %v", err)
				}
			}
			var charges ledger
			r.get(t, "/v1/test-gateway/ledger", &charges)
			if sold != 1 || len(charges.Data) != 1 {
				t.Errorf("sold %d, charged %d, want 1 and 1", sold, len(charges.Data))
			}
			var pin item
			if r.get(t, "/v1/items/PIN-1", &pin); pin.Available != 0 || pin.Reserved != 0 {
				t.Errorf("left: %+v", pin)
			}
		})
		t.Run(name+": the same key twenty times at once, one order and one charge", func(t *testing.T) {
			r := open(t, config)
			var all sync.WaitGroup
			ids := make([]string, 20)
			for i := range ids {
				all.Go(func() {
					o, err := r.place(t, "same", "MUG-1", 1, "pm_card_visa")
					if err != nil && !client.HasCode(err, "idempotency_key_in_use") {
						t.Errorf("got %v", err)
					}
					ids[i] = o.ID
				})
			}
			all.Wait()
			var list struct{ Data []order }
			var charges ledger
			r.get(t, "/v1/orders", &list)
			r.get(t, "/v1/test-gateway/ledger", &charges)
			if len(list.Data) != 1 || len(charges.Data) != 1 {
				t.Fatalf("%d orders, %d charges, want 1 and 1", len(list.Data), len(charges.Data))
			}
			for _, id := range ids {
				if id != "" && id != list.Data[0].ID {
					t.Errorf("answered with %s, stored is %s", id, list.Data[0].ID)
				}
			}
		})
	}
}

func TestCapacity(t *testing.T) {
	r := open(t, shop.Config{Options: host.Options{Capacity: 1, Workers: 1}})
	var all sync.WaitGroup
	var refused, placed sync.Map
	for i := range 64 {
		all.Go(func() {
			start := time.Now()
			_, err := r.place(t, fmt.Sprint("k", i), "MUG-1", 1, "pm_card_visa")
			if err == nil {
				placed.Store(i, true)
				return
			}
			if !client.HasCode(err, "channel_full") {
				t.Errorf("got %v", err)
			}
			refused.Store(i, time.Since(start))
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) { m.Range(func(any, any) bool { n++; return true }); return n }
	if count(&placed) == 0 || count(&refused) == 0 {
		t.Errorf("%d placed, %d refused, want some of both", count(&placed), count(&refused))
	}
}

func TestRestart(t *testing.T) {
	data := t.TempDir()
	first := open(t, shop.Config{Options: host.Options{Data: data}})
	o, err := first.place(t, "k", "MUG-1", 2, "pm_card_visa")
	if err != nil {
		t.Fatal(err)
	}
	var before, after item
	first.get(t, "/v1/items/MUG-1", &before)
	if err := first.shop.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := open(t, shop.Config{Options: host.Options{Data: data}})
	var again order
	second.get(t, "/v1/orders/"+o.ID, &again)
	second.get(t, "/v1/items/MUG-1", &after)
	if again != o || after != before {
		t.Errorf("after the restart %+v and %+v, before it %+v and %+v", again, after, o, before)
	}
	if repeated, err := second.place(t, "k", "MUG-1", 2, "pm_card_visa"); err != nil || repeated != o {
		t.Errorf("the repeat of the key gives %+v (%v)", repeated, err)
	}
}

func TestOpen(t *testing.T) {
	t.Run("a data directory in use is refused", func(t *testing.T) {
		data := t.TempDir()
		open(t, shop.Config{Options: host.Options{Data: data}})
		_, err := shop.Open(t.Context(), shop.Config{Options: host.Options{Data: data, Log: slog.New(slog.DiscardHandler)}})
		if err == nil || !strings.Contains(err.Error(), "is in use by another cutpoint process") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a directory that can't be made is one clear error", func(t *testing.T) {
		_, err := shop.Open(t.Context(), shop.Config{Options: host.Options{Data: "/dev/null/data", Log: slog.New(slog.DiscardHandler)}})
		if err == nil || !strings.Contains(err.Error(), "make the data directory") {
			t.Errorf("got %v", err)
		}
	})
}
