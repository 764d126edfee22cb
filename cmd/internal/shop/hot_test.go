package shop_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
)

// What a round of BenchmarkHot is made of.
const (
	hotCustomers = 200
	hotUnits     = 10_000
	hotTurn      = 500 // orders of one side before it is the other's turn
	coldSKUs     = 1_000
)

// BenchmarkHot alternates between everybody wanting one item and everybody wanting another one: the same customers place the same
// number of orders of one unit, on one side of a single SKU with as many units, on the other of 1,000 SKUs. The single one must be
// sold out to the unit. The sides take turns until it is. One iteration is one such sale:
//
//	make hot
func BenchmarkHot(b *testing.B) {
	useAllProcessors(b)
	r := onDisk(b, shop.Config{Options: host.Options{Capacity: 2 * hotCustomers}}) // nobody is turned away: that is another benchmark
	importer := catalogue.NewImporter(r.Client)
	offer := func(sku string, units int64) {
		row := catalogue.Row{SKU: sku, Name: sku, Stock: &units, Prices: []catalogue.Price{{Currency: "EUR", Amount: 1290}}}
		if refused, err := importer.Apply(b.Context(), "hot-"+sku, []catalogue.Row{row}); err != nil || len(refused) > 0 {
			b.Fatal(refused, err)
		}
	}
	for i := range coldSKUs {
		offer(coldSKU(i), 1_000_000)
	}
	buyAll(b, r, func(n int) string { return coldSKU(n % coldSKUs) }, 1000) // to warm up
	var sides comparison
	for round := 0; b.Loop(); round++ {
		hot := fmt.Sprintf("HOT-%d-%d", b.N, round)
		offer(hot, hotUnits)
		for range hotUnits / hotTurn {
			sides.round(
				func() float64 { return buyAll(b, r, func(int) string { return hot }, hotTurn) },
				func() float64 { return buyAll(b, r, func(n int) string { return coldSKU(n % coldSKUs) }, hotTurn) })
		}
		soldOut(b, r, hot)
	}
	ratio, low, high := sides.ratio()
	b.Logf("median: one SKU %.0f orders/s, %d SKUs %.0f; ratio of a turn %.3f, middle half %.3f to %.3f",
		median(sides.of[0]), coldSKUs, median(sides.of[1]), ratio, low, high)
	b.ReportMetric(median(sides.of[0]), "hot-orders/s")
	b.ReportMetric(median(sides.of[1]), "cold-orders/s")
	b.ReportMetric(ratio, "ratio")
}

func coldSKU(n int) string { return fmt.Sprintf("COLD-%d", n) }

// buyAll lets all customers place orders of one unit, and returns how many a second were completed. Each must be.
func buyAll(b *testing.B, r *running, sku func(n int) string, orders int) float64 {
	b.Helper()
	var next atomic.Int64
	run := time.Now().UnixNano()
	start := time.Now()
	eachCustomer(func() {
		for n := int(next.Add(1)); n <= orders && !b.Failed(); n = int(next.Add(1)) {
			a, err := r.Do(b.Context(), http.MethodPost, "/v1/orders", body(sku(n), 1, "pm_card_visa"), nil, "Idempotency-Key", fmt.Sprintf("%d-%d", run, n))
			if err != nil || a.Status != http.StatusCreated {
				b.Errorf("order %d of %s: %d, %v", n, sku(n), a.Status, err)
				return
			}
		}
	})
	return float64(orders) / time.Since(start).Seconds()
}

func eachCustomer(do func()) {
	var all sync.WaitGroup
	for range hotCustomers {
		all.Go(do)
	}
	all.Wait()
}

// soldOut fails unless every customer is refused one unit more, and nothing is left or held.
func soldOut(b *testing.B, r *running, sku string) {
	b.Helper()
	var next atomic.Int64
	eachCustomer(func() {
		_, err := r.Do(b.Context(), http.MethodPost, "/v1/orders", body(sku, 1, "pm_card_visa"), nil, "Idempotency-Key", fmt.Sprint(sku, next.Add(1)))
		if !client.HasCode(err, "inventory.out_of_stock") {
			b.Errorf("one more of %s: %v", sku, err)
		}
	})
	var item struct {
		OnHand    int64 `json:"on_hand"`
		Reserved  int64 `json:"reserved"`
		Available int64 `json:"available"`
	}
	if _, err := r.Do(b.Context(), http.MethodGet, "/v1/items/"+sku, nil, &item); err != nil || item.OnHand != 0 || item.Reserved != 0 || item.Available != 0 {
		b.Errorf("%s is not sold out: %+v, %v", sku, item, err)
	}
}
