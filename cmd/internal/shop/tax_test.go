package shop_test

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/load"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/rpc"
)

// TestDirectWiring compares a shop on the channel layer with the same modules wired by plain calls: what a customer sees is the
// same but for ids and times.
func TestDirectWiring(t *testing.T) {
	layer, direct := open(t, shop.Config{}), open(t, shop.Config{Options: host.Options{Layer: plainly}})
	for _, step := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/v1/orders", body("MUG-1", 2, "pm_card_visa")},
		{http.MethodPost, "/v1/orders", body("MUG-1", 3, "pm_card_visa_chargeDeclined")},
		{http.MethodPost, "/v1/orders", body("PIN-1", 2, "pm_card_visa")},
		{http.MethodPost, "/v1/orders", body("NOPE-1", 1, "pm_card_visa")},
		{http.MethodPost, "/v1/orders", body("MUG-1", 0, "pm_card_visa")},
		{http.MethodGet, "/v1/orders", nil},
		{http.MethodGet, "/v1/payments", nil},
		{http.MethodGet, "/v1/reservations", nil},
		{http.MethodGet, "/v1/items/MUG-1", nil},
		{http.MethodGet, "/v1/test-gateway/ledger", nil},
	} {
		want, got := layer.seen(t, step.method, step.path, step.body), direct.seen(t, step.method, step.path, step.body)
		if got != want {
			t.Errorf("%s %s %v\nlayer:  %s\ndirect: %s", step.method, step.path, step.body, want, got)
		}
	}
	for _, figures := range direct.shop.Channels() {
		if figures.Sent > 0 {
			t.Errorf("%d messages went over %s of the shop without boundaries", figures.Sent, figures.Name)
		}
	}
}

// plainly lets modules call each other without boundaries.
func plainly(l channel.Layer) channel.Layer { return rpc.NewDirect(l) }

// personal is what differs between two shops that do the same.
var personal = regexp.MustCompile(`[a-z]+_[0-9a-z]{20,}|\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// seen is the answer to a request, or the problem, without what differs between shops.
func (r *running) seen(t testing.TB, method, path string, body any) string {
	t.Helper()
	var answer map[string]any
	key := fnv.New64()
	fmt.Fprint(key, body)
	a, err := r.Do(t.Context(), method, path, body, &answer, "Idempotency-Key", fmt.Sprint(key.Sum64()))
	return personal.ReplaceAllString(fmt.Sprint(a.Status, answer, err), "*")
}

// BenchmarkTax lets one shop take turns: its modules call each other over the channel layer, or plainly. It is one shop, since two
// that are alike differ by some per cent from the first order to the last. In each round plain calls have two turns: how far these
// are apart tells how much the rest can be trusted. One iteration is one round:
//
//	make tax
func BenchmarkTax(b *testing.B) {
	var wiring *rpc.Direct
	r := onDisk(b, shop.Config{
		Options: host.Options{Capacity: 1000, Layer: func(l channel.Layer) channel.Layer {
			wiring = rpc.NewDirect(l)
			return wiring
		}},
	})
	for _, customers := range []int{8, 64} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			useAllProcessors(b)
			const turn = 200 * time.Millisecond // many short ones tell more than a few long ones, since the machine drifts
			orders := int(buy(b, r, customers, 1000) * turn.Seconds())
			var sides, work, commits comparison
			work.of, commits.of = make([][]float64, 3), make([][]float64, 3)
			side := func(i int, plain bool) func() float64 {
				return func() float64 {
					wiring.Turn(plain)
					processor, committed := processorTime(b), r.shop.Stores().Commits
					perSecond := buy(b, r, customers, orders)
					work.of[i] = append(work.of[i], float64((processorTime(b)-processor)/time.Microsecond)/float64(orders))
					commits.of[i] = append(commits.of[i], float64(r.shop.Stores().Commits-committed)/float64(orders))
					return perSecond
				}
			}
			for b.Loop() {
				sides.round(side(0, false), side(1, true), side(2, true))
			}
			sides.tell(b, "orders a second")
			work.tell(b, "microseconds of processor time an order, client included")
			commits.tell(b, "commits an order")
			ratio, _, _ := sides.ratio()
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// tell logs the three sides of a tax.
func (c *comparison) tell(b *testing.B, what string) {
	b.Helper()
	ratio, low, high := c.ratio()
	same, sameLow, sameHigh := c.ratioOf(2, 1)
	b.Logf("%s, medians of %d rounds: layer %.4g, plain %.4g; layer to plain %.3f, middle half %.3f to %.3f; plain to plain %.3f, %.3f to %.3f",
		what, len(c.of[0]), median(c.of[0]), median(c.of[1]), ratio, low, high, same, sameLow, sameHigh)
}

// buy places orders and returns how many a second were completed.
func buy(t testing.TB, r *running, customers, orders int) float64 {
	t.Helper()
	return shopping(t, r, customers, orders).PerSecond
}

// shopping places orders and returns how that went.
func shopping(t testing.TB, r *running, customers, orders int) load.Result {
	t.Helper()
	result := load.Run{
		Shop: r.Client, SKUs: []string{"MUG-1", "SHIRT-1", "POSTER-1", "BOOK-1", "BAG-1", "CAP-1"}, Currency: "EUR", Token: "pm_card_visa",
		Concurrency: customers, Orders: orders, KeyPrefix: fmt.Sprint(time.Now().UnixNano()),
	}.Do(t.Context())
	if result.Failed() > 0 {
		t.Fatalf("%v", result.Errors)
	}
	return result
}

// processorTime is what this process has used so far. On a machine that others use too it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// comparison holds what the sides reached in each round.
type comparison struct{ of [][]float64 }

// round measures all sides; who is first changes, so that whatever drifts meets them alike.
func (c *comparison) round(sides ...func() float64) {
	if c.of == nil {
		c.of = make([][]float64, len(sides))
	}
	first := len(c.of[0])
	for n := range sides {
		i := (first + n) % len(sides)
		runtime.GC() // what the side before left behind
		c.of[i] = append(c.of[i], sides[i]())
	}
}

func (c *comparison) last(side int) float64 { return c.of[side][len(c.of[side])-1] }

// ratio returns the median of the rounds' ratios, first side to second, and the quartiles beside it.
func (c *comparison) ratio() (middle, low, high float64) { return c.ratioOf(0, 1) }

// ratioOf does the same for any two sides.
func (c *comparison) ratioOf(a, b int) (middle, low, high float64) {
	var ratios []float64
	for i := range c.of[a] {
		ratios = append(ratios, c.of[a][i]/c.of[b][i])
	}
	slices.Sort(ratios)
	return median(ratios), ratios[len(ratios)/4], ratios[(3*len(ratios)-1)/4]
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	n := len(of)
	return (of[(n-1)/2] + of[n/2]) / 2
}

// useAllProcessors does what serve does. It must be called in each benchmark, since the testing package sets the number anew.
func useAllProcessors(b *testing.B) {
	before := runtime.GOMAXPROCS(2 * runtime.NumCPU())
	b.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// onDisk is a seeded shop whose data lies beside the test.
func onDisk(b *testing.B, c shop.Config) *running {
	b.Helper()
	c.Data = diskDirectory(b)
	return seeded(b, c)
}

// diskDirectory is a directory beside the test, since a temporary one may be kept in memory.
func diskDirectory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(".", "cutpoint-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// seeded is a new shop with the catalogue.
func seeded(t testing.TB, c shop.Config) *running {
	t.Helper()
	r := unchecked(t, c)
	if _, err := r.shop.Keys().Add(t.Context(), "bench", r.secret, auth.Scopes()); err != nil {
		t.Fatal(err)
	}
	r.Client = client.Into(r.shop.API(), r.secret)
	if err := catalogue.Seed(t.Context(), r.Client); err != nil {
		t.Fatal(err)
	}
	return r
}

// unchecked opens a shop whose answers are not held against the description, which would cost more than the orders.
func unchecked(t testing.TB, c shop.Config) *running {
	t.Helper()
	c.Version, c.Log = "bench", slog.New(slog.DiscardHandler)
	s, err := shop.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{shop: s, data: c.Data, secret: "cpk_key_of_the_benchmark"}
	t.Cleanup(r.close(t))
	r.Client = client.Into(s.API(), r.secret)
	return r
}
