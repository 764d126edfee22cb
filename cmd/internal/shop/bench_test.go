package shop_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
)

// BenchmarkOrder places orders without a network in between, by one customer and by 64.
func BenchmarkOrder(b *testing.B) {
	for _, customers := range []int{1, 64} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			s, err := shop.Open(b.Context(), shop.Config{Options: host.Options{Data: b.TempDir(), Version: "bench", Log: slog.New(slog.DiscardHandler)}})
			if err != nil {
				b.Fatal(err)
			}
			r := &running{shop: s}
			b.Cleanup(r.close(b))
			if _, err := s.Keys().Add(b.Context(), "bench", "cpk_key_of_the_benchmark", auth.Scopes()); err != nil {
				b.Fatal(err)
			}
			r.Client = client.Into(s.API(), "cpk_key_of_the_benchmark")
			if err := catalogue.Seed(b.Context(), r.Client); err != nil {
				b.Fatal(err)
			}
			skus := []string{"MUG-1", "SHIRT-1", "POSTER-1", "BOOK-1", "BAG-1", "CAP-1"}
			before := s.Stores()
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(max(customers/runtime.GOMAXPROCS(0), 1))
			b.ResetTimer()
			place := func() {
				i := n.Add(1)
				_, err := r.Do(b.Context(), http.MethodPost, "/v1/orders", body(skus[int(i)%len(skus)], 1, "pm_card_visa"), nil,
					"Idempotency-Key", fmt.Sprint("k", i))
				if err != nil {
					b.Error(err)
				}
			}
			if customers == 1 {
				for b.Loop() {
					place()
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						place()
					}
				})
			}
			b.StopTimer()
			after := s.Stores()
			b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(float64(after.Commits-before.Commits)/float64(n.Load()), "commits/order")
		})
	}
}
