package shop_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
)

var (
	stored   = flag.Int("stored", 10_000, "how many orders the largest shop of the benchmark holds")
	storedIn = flag.String("stored-in", "", "directory in which the largest shop is kept for the next run; else it is made anew")
)

// BenchmarkMillion alternates between shops that hold no orders, a hundredth of -stored, and -stored, and compares what they do in
// a second, how long they take to show what they hold, and how long to be ready. One iteration is one round:
//
//	make bench-million
//
// An empty shop holds a few thousand orders after some rounds.
func BenchmarkMillion(b *testing.B) {
	useAllProcessors(b)
	const (
		customers = 64
		each      = time.Second // of a run
	)
	sizes := []int{0, *stored / 100, *stored}
	shops := make([]*running, len(sizes))
	for i, size := range sizes {
		shops[i] = filledShop(b, size, i == len(sizes)-1)
	}
	for _, r := range shops {
		buy(b, r, customers, 500)
	}
	orders := int(buy(b, shops[0], customers, 1000) * each.Seconds())

	var speed, starts comparison
	work, tails, shared := newComparison(sizes), newComparison(sizes), newComparison(sizes)
	pages := make([]comparison, len(views()))
	for b.Loop() {
		speed.round(onEach(shops, func(i int, r *running) float64 {
			before, commits := processorTime(b), r.shop.Stores().Commits
			result := shopping(b, r, customers, orders)
			work.of[i] = append(work.of[i], float64((processorTime(b)-before).Microseconds())/float64(orders))
			tails.of[i] = append(tails.of[i], float64(result.P99.Microseconds()))
			shared.of[i] = append(shared.of[i], float64(r.shop.Stores().Commits-commits)/float64(orders))
			return result.PerSecond
		})...)
		b.Logf("orders/s %s", lastOf(&speed, sizes))
		for n, v := range views() {
			pages[n].round(onEach(shops, func(_ int, r *running) float64 { return p50(b, r, v.path(b, r)) })...)
		}
		starts.round(onEach(shops, func(_ int, r *running) float64 { return float64(restart(b, r).Microseconds()) })...)
	}
	tell(b, "orders/s", sizes, &speed)
	tell(b, "processor time of an order, client included, us", sizes, work)
	tell(b, "p99 of an order, us", sizes, tails)
	tell(b, "commits of an order", sizes, shared)
	for n, v := range views() {
		tell(b, v.name+", us", sizes, &pages[n])
	}
	tell(b, "ready, us", sizes, &starts)
	ratio, _, _ := speed.ratioOf(2, 0)
	b.ReportMetric(median(speed.of[2]), "orders/s")
	b.ReportMetric(ratio, "ratio")
}

// filledShop is a shop that holds some orders already.
func filledShop(b *testing.B, size int, keep bool) *running {
	b.Helper()
	data := filepath.Join(diskDirectory(b), "shop")
	if keep && *storedIn != "" {
		data = filepath.Join(*storedIn, fmt.Sprint(size))
	}
	if _, err := os.Stat(filepath.Join(data, "filled")); err != nil {
		start := time.Now()
		if per := min(size, batch); size > 0 {
			fill(b, data, size/per*per, per)
		} else {
			fill(b, data, 0, 1)
		}
		if err := os.WriteFile(filepath.Join(data, "filled"), nil, 0o600); err != nil {
			b.Fatal(err)
		}
		b.Logf("filled with %d orders in %s", size, time.Since(start).Round(time.Second))
	}
	return unchecked(b, shop.Config{Options: host.Options{Data: data}})
}

// newComparison is one whose figures are by-products of the rounds of another.
func newComparison[T any](sides []T) *comparison {
	return &comparison{of: make([][]float64, len(sides))}
}

func onEach(shops []*running, measure func(int, *running) float64) (sides []func() float64) {
	for i, r := range shops {
		sides = append(sides, func() float64 { return measure(i, r) })
	}
	return sides
}

// view is a way to look at what a shop holds.
type view struct {
	name string
	path func(testing.TB, *running) string
}

func views() []view {
	always := func(path string) func(testing.TB, *running) string {
		return func(testing.TB, *running) string { return path }
	}
	return []view{
		{"first page of orders", always("/v1/orders?limit=50")},
		{"first page of completed orders", always("/v1/orders?limit=50&status=completed")},
		{"page of rejected orders, of which there are none", always("/v1/orders?limit=50&status=rejected")},
		{"page by cursor, in the middle", func(t testing.TB, r *running) string { return middle(t, r, "/v1/orders?limit=50") }},
		{"page of completed orders by cursor, in the middle", func(t testing.TB, r *running) string {
			return middle(t, r, "/v1/orders?limit=50&status=completed")
		}},
		{"orders of a customer", func(t testing.TB, r *running) string { return "/v1/orders?customer=" + oldOrder(t, r).Customer.Email }},
		{"an old order", func(t testing.TB, r *running) string { return "/v1/orders/" + oldOrder(t, r).ID }},
		{"the timeline of an old order", func(t testing.TB, r *running) string { return "/v1/orders/" + oldOrder(t, r).ID + "/timeline" }},
		{"page of events, from the beginning", always("/v1/events?limit=50")},
		{"first page of payments", always("/v1/payments?limit=50")},
		{"movements of an item", always("/v1/items/MUG-1/movements?limit=50")},
		{"stuck orders", always("/v1/ops/sagas?stuck=true")},
	}
}

type oldOne struct {
	ID       string
	Customer struct{ Email string }
}

// oldOrder is the first one in the feed of events.
func oldOrder(t testing.TB, r *running) oldOne {
	t.Helper()
	var feed struct{ Data []struct{ Order oldOne } }
	r.get(t, "/v1/events?limit=1", &feed)
	return feed.Data[0].Order
}

// middle is a page by cursor behind half of the orders, by time.
func middle(t testing.TB, r *running, list string) string {
	t.Helper()
	var feed struct {
		Data []struct{ At time.Time }
	}
	r.get(t, "/v1/events?limit=1", &feed)
	first := feed.Data[0].At
	list += "&created_to=" + first.Add(time.Since(first)/2+time.Second).UTC().Format(time.RFC3339)
	var page struct {
		Next string `json:"next_cursor"`
	}
	if r.get(t, list, &page); page.Next == "" {
		return list
	}
	return list + "&cursor=" + page.Next
}

// p50 asks a hundred times, one after the other, and returns how many microseconds half of them took at most.
func p50(b *testing.B, r *running, path string) float64 {
	b.Helper()
	took := make([]time.Duration, 100)
	for i := range took {
		start := time.Now()
		r.get(b, path, nil)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds())
}

// restart closes a shop, opens it again, and returns how long it took from there until it said that it was ready.
func restart(b *testing.B, r *running) time.Duration {
	b.Helper()
	data := r.data
	r.close(b)()
	start := time.Now()
	again := unchecked(b, shop.Config{Options: host.Options{Data: data}})
	if _, err := again.Do(b.Context(), http.MethodGet, "/readyz", nil, nil); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	r.shop, r.Client = again.shop, again.Client
	return took
}

func lastOf(c *comparison, sizes []int) (text string) {
	for i, size := range sizes {
		text += fmt.Sprintf("  %d: %.0f", size, c.last(i))
	}
	return text + fmt.Sprintf("  ratio %.3f", c.last(2)/c.last(0))
}

// tell prints medians, and the ratios of the rounds to the empty shop.
func tell(b *testing.B, what string, sizes []int, c *comparison) {
	b.Helper()
	text := fmt.Sprintf("%-50s", what)
	for i, size := range sizes {
		text += fmt.Sprintf(" | %7d: %7.4g", size, median(c.of[i]))
		if i > 0 {
			ratio, low, high := c.ratioOf(i, 0)
			text += fmt.Sprintf(" x %.3f (%.3f-%.3f)", ratio, low, high)
		}
	}
	b.Log(text)
}
