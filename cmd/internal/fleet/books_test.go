package fleet

import (
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// ending is how long orders may take to come to their ends once every process is there.
const ending = 60 * time.Second

// check holds what customers were told against the shop and the provider's ledger, when all is still: every acknowledged order is
// there and at its end, each was placed once and charged once, and of each thing no more was sold than there was.
func (c *crowd) check(t testing.TB, rare map[string]int) {
	t.Helper()
	for _, f := range c.faults {
		t.Error(f)
	}
	c.awaitEnd(t)
	orders := map[string]order{}
	for _, o := range pages[order](t, c, "/v1/orders") {
		orders[o.ID] = o
	}
	if len(orders) != len(c.told) {
		t.Errorf("%d orders were acknowledged, one for each key, and the shop has %d", len(c.told), len(orders))
	}
	charges, left := map[string]int{}, map[string]int64{}
	for _, e := range pages[entry](t, c, "/v1/test-gateway/ledger") {
		switch e.Operation {
		case "charge":
			charges[e.OrderID]++
			left[e.OrderID] += e.Amount
		case "refund":
			left[e.OrderID] -= e.Amount
		}
	}
	sold := map[string]int{}
	for key, a := range c.told {
		o, ok := orders[a.id]
		if !ok {
			t.Errorf("order %s (%s) was acknowledged and is lost", a.id, key)
			continue
		}
		if !o.right(charges[a.id], left[a.id]) {
			t.Errorf("order %s (%s, %s) is %s (%s) of %d, charged %d times, of which %d is left", a.id, key, a.token, o.Status, o.State, o.Totals.Total.Amount, charges[a.id], left[a.id])
		}
		if o.Status == "completed" {
			sold[a.sku]++
		}
	}
	for sku, units := range rare {
		c.checkSold(t, sku, units, sold[sku])
	}
}

// right reports whether an order has come to its end, and the money is where it should be then.
func (o order) right(charges int, left int64) bool {
	switch o.Status {
	case "completed":
		return charges == 1 && left == o.Totals.Total.Amount
	case "declined", "rejected":
		return charges == 0
	default:
		return false
	}
}

func (c *crowd) checkSold(t testing.TB, sku string, units, sold int) {
	t.Helper()
	var item struct {
		OnHand   int `json:"on_hand"`
		Reserved int
	}
	c.insist(t, http.MethodGet, "/v1/items/"+sku, nil, &item)
	if sold != units || item.OnHand != 0 || item.Reserved != 0 {
		t.Errorf("of %d %s, %d were sold; the shelf says %+v", units, sku, sold, item)
	}
}

// awaitEnd waits until no order is under way.
func (c *crowd) awaitEnd(t testing.TB) {
	t.Helper()
	var open []order
	for late := time.Now().Add(ending); time.Now().Before(late); time.Sleep(5 * pause) {
		if open = pages[order](t, c, "/v1/orders?status=processing"); len(open) == 0 {
			return
		}
	}
	t.Errorf("after %v, %d orders are still under way: %+v", ending, len(open), open[0])
}

// audit wants a clean data directory.
func audit(t testing.TB, data string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "audit", "--data", data).CombinedOutput(); err != nil {
		t.Errorf("the audit says (%v):\n%s", err, out)
	}
}
