package outgoing_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// BenchmarkDeliver collects events and delivers them, sixteen at a time, to a receiver that answers at once: alone, and beside an
// endpoint for which a hundred thousand events wait.
func BenchmarkDeliver(b *testing.B) {
	for _, backlog := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("backlog=%d", backlog), func(b *testing.B) {
			s := newStage(b, storetest.Datastore(b, "webhooks"), outgoing.Policy{PerEndpoint: 16, CollectBatch: 200})
			s.instant = true
			s.endpoint(two, orders.EventReceived)
			for n := range backlog {
				s.feed = append(s.feed, event(n))
			}
			s.collect()
			if err := s.store.Write(b.Context(), func(tx *gorm.DB) error {
				return tx.Exec("UPDATE deliveries SET due_at = ?", store.Micros(start.Add(time.Hour))).Error
			}); err != nil {
				b.Fatal(err)
			}
			s.endpoint(one, orders.EventCompleted)
			s.feed = nil
			for n := range b.N {
				e := event(backlog + n)
				e.Type = orders.EventCompleted
				s.feed = append(s.feed, e)
			}
			began := time.Now()
			s.collect()
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "collected/s")
			began = time.Now()
			var workers sync.WaitGroup
			for range 16 {
				workers.Go(func() {
					for found := true; found; {
						var err error
						if found, err = s.Dispatch(context.Background()); err != nil {
							b.Error(err)
						}
					}
				})
			}
			workers.Wait()
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "sent/s")
		})
	}
}

// event is the nth of a feed in which an order has three.
func event(n int) orders.Event {
	orderID := fmt.Sprintf("ord_%d", n/3)
	return orders.Event{
		ID: fmt.Sprintf("evt_%d", n), Position: int64(n) + 1, Type: orders.EventReceived, OrderID: orderID, Sequence: int64(n%3) + 1,
		At: start, Order: orders.Order{ID: orderID, Lines: make([]orders.PricedLine, 3)},
	}
}
