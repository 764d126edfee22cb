package shop_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/shop"
)

// BenchmarkHeadOfLine alternates between an idle shop and one whose payments module is stuck and refuses what eight customers
// go on asking of it, and compares how long quotes and stock queries take. One iteration is one round:
//
//	make headofline
func BenchmarkHeadOfLine(b *testing.B) {
	basket := map[string]any{"currency": "EUR", "lines": []map[string]any{{"sku": "MUG-1", "quantity": 2}, {"sku": "BOOK-1", "quantity": 1}}}
	quote := func(r *running) error {
		_, err := r.Do(b.Context(), http.MethodPost, "/v1/quotes", basket, nil)
		return err
	}
	stock := func(r *running) error {
		_, err := r.Do(b.Context(), http.MethodGet, "/v1/items/MUG-1", nil, nil)
		return err
	}
	for name, query := range map[string]func(*running) error{"quotes": quote, "stock": stock} {
		b.Run(name, func(b *testing.B) {
			useAllProcessors(b)
			idle, full := open(b, shop.Config{}), saturate(b, shop.Config{})
			for _, r := range []*running{idle, full.running} { // without the check of answers, which costs more than they do
				r.Client = client.Into(r.shop.API(), r.secret)
			}
			p99(b, idle, query)
			p99(b, full.running, query)
			var sides comparison
			for b.Loop() {
				sides.round(
					func() float64 {
						before := full.payments().Full
						defer full.insist(b)()
						took := p99(b, full.running, query)
						b.Logf("%d calls refused meanwhile", full.payments().Full-before)
						return took
					},
					func() float64 { return p99(b, idle, query) })
				b.Logf("p99: payments full %.0f us, idle %.0f us, ratio %.2f", sides.last(0), sides.last(1), sides.last(0)/sides.last(1))
			}
			ratio, low, high := sides.ratio()
			b.Logf("median p99: payments full %.0f us, idle %.0f us; ratio of a round %.2f, middle half %.2f to %.2f, at most 1.5 wanted",
				median(sides.of[0]), median(sides.of[1]), ratio, low, high)
			b.ReportMetric(median(sides.of[0]), "full-p99-us")
			b.ReportMetric(median(sides.of[1]), "idle-p99-us")
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// p99 asks two thousand times, one after the other, and returns how many microseconds the slowest but one percent took.
func p99(b *testing.B, r *running, query func(*running) error) float64 {
	b.Helper()
	took := make([]time.Duration, 2000)
	for i := range took {
		start := time.Now()
		if err := query(r); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return float64(took[len(took)*99/100-1]) / float64(time.Microsecond)
}

// insist lets eight customers ask for payments, each a hundred times a second, until the returned function is called: enough to
// keep the queue full, and not so much that the measurement is of a machine without processors left.
func (s *saturated) insist(b *testing.B) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var customers sync.WaitGroup
	for range 8 {
		customers.Go(func() {
			again := time.NewTicker(10 * time.Millisecond)
			defer again.Stop()
			for ctx.Err() == nil {
				if _, err := s.Do(ctx, http.MethodGet, "/v1/payments", nil, nil); ctx.Err() == nil && !client.HasCode(err, "channel_full") {
					b.Errorf("got %v", err)
				}
				select {
				case <-again.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return func() { cancel(); customers.Wait() }
}
