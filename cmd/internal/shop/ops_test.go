package shop_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/rpc"
)

// TestLive places orders and reads what they cost on each edge.
func TestLive(t *testing.T) {
	var observed atomic.Int64 // of orders.place, by the test itself: it sees the calls as well
	c := shop.Config{
		Options: host.Options{Observe: func(o rpc.Observation) {
			if o.Operation == "orders.place" {
				observed.Add(1)
			}
		}},
	}
	c.Checkout.SweepEvery, c.Webhooks.CollectEvery = time.Hour, time.Hour // what runs by itself calls too
	r := open(t, c)
	const n = 5
	for i := range n {
		if _, err := r.place(t, fmt.Sprint("k", i), "MUG-1", 1, "pm_card_visa"); err != nil {
			t.Fatal(err)
		}
	}
	r.refused(t, "declined", body("MUG-1", 1, "pm_card_chargeDeclined"), http.StatusPaymentRequired, "payments.declined")
	r.refused(t, "too many", body("MUG-1", 1_000_000, "pm_card_visa"), http.StatusConflict, "inventory.out_of_stock")

	var live struct{ Data []shop.LiveModule }
	r.get(t, "/v1/ops/modules", &live)
	names := []string{}
	for _, m := range live.Data {
		names = append(names, m.Name)
		if m.Runs != shop.InProcess || m.Version != "test" || m.Channel == nil || m.Channel.Capacity == 0 || m.Store == nil || m.Store.Commits+m.Store.Writes == 0 && m.Name != "webhooks" {
			t.Errorf("%+v", m)
		}
	}
	if !slices.Equal(names, []string{"inventory", "orders", "payments", "pricing", "webhooks"}) {
		t.Errorf("modules %v", names)
	}
	for _, want := range []struct {
		to, from, operation string
		count               uint64
		failed              map[string]uint64
	}{
		{"orders", "http", "orders.place", n + 2, nil},
		{"inventory", "orders", "inventory.reserve", n + 2, map[string]uint64{"inventory.out_of_stock": 1}},
		{"inventory", "orders", "inventory.finalise", n, nil},
		{"payments", "orders", "payments.charge", n + 1, nil},
	} {
		at := slices.Index(names, want.to)
		from := slices.IndexFunc(live.Data[at].CalledBy, func(e shop.LiveEdge) bool { return e.From == want.from })
		if from < 0 {
			t.Errorf("%s is not called by %s", want.to, want.from)
			continue
		}
		e := live.Data[at].CalledBy[from]
		i := slices.IndexFunc(e.Operations, func(o shop.LiveOperation) bool { return o.Name == want.operation })
		if i < 0 {
			t.Errorf("%s does not call %s", want.from, want.operation)
			continue
		}
		if o := e.Operations[i]; o.Count != want.count || o.P50US <= 0 || o.P99US < o.P50US || !maps.Equal(o.Errors, want.failed) {
			t.Errorf("%+v, want %d calls, failed %v", o, want.count, want.failed)
		}
		var sum uint64
		for _, o := range e.Operations {
			sum += o.Count
		}
		if e.Count != sum {
			t.Errorf("%s -> %s: %d calls, its operations %d", want.from, want.to, e.Count, sum)
		}
	}
	if observed.Load() != n+2 {
		t.Errorf("the test's own observer saw %d orders, want %d", observed.Load(), n+2)
	}
}
