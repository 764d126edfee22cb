package eventstream_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"cutpoint/cmd/internal/eventstream"
)

// BenchmarkPublish is how fast a feed that is there already is published, to a server that writes each event to the disk before it
// acknowledges it, and to one with its own default.
func BenchmarkPublish(b *testing.B) {
	for _, always := range []bool{true, false} {
		b.Run(fmt.Sprint("sync_always=", always), func(b *testing.B) {
			j := serveJet(b, server.Options{})
			j.stop()
			j.options.SyncAlways = always
			j.start(b)
			real, place := openShop(b)
			orderMany(place, 8)
			f := &feed{events: every(b, real)}
			for i := len(f.events); i < b.N; i++ { // events of a real size
				e := f.events[i%16]
				e.ID, e.Position = fmt.Sprint("evt_", i+1), int64(i+1)
				f.events = append(f.events, e)
			}
			p := publisher(b, j, f, eventstream.Options{})
			b.ResetTimer()
			drain(b, p)
			b.ReportMetric(float64(len(f.events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkOrders places orders by 64 customers with and without a publisher beside them, in turns.
func BenchmarkOrders(b *testing.B) {
	for _, published := range []bool{false, true} {
		b.Run(fmt.Sprint("published=", published), func(b *testing.B) {
			j := serveJet(b, server.Options{})
			f, place := openShop(b)
			p := publisher(b, j, f, eventstream.Options{})
			if published {
				if err := p.Start(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var customers sync.WaitGroup
			for c := range 64 {
				customers.Go(func() {
					for i := c; i < b.N; i += 64 {
						place(fmt.Sprint("k", i))
					}
				})
			}
			customers.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			p.Stop()
			if published {
				behind := time.Now()
				drain(b, publisher(b, j, f, eventstream.Options{}))
				b.ReportMetric(time.Since(behind).Seconds(), "s-behind")
			}
		})
	}
}
