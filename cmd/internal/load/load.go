// Package load places orders in a shop, many at a time, and measures how that went.
package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cutpoint/cmd/internal/client"
)

// Run describes a run of customers who each place one order after the other.
type Run struct {
	Shop        *client.Client
	Others      []*client.Client // more addresses of the same shop: orders go to each in turn
	SKUs        []string
	Currency    string
	Token       string        // of the test card
	Concurrency int           // customers at a time
	Orders      int           // orders in all, or 0:
	Duration    time.Duration // place orders for that long
	KeyPrefix   string        // makes the idempotency keys of this run its own
	Progress    func()        // called after every order, if not nil; safe for concurrent use

	Order func(n int) Order // the nth order; nil: one or two lines of SKUs, in Currency, paid with Token

	// Sold is told the total of every completed order, if not nil, in which case the answers are read; safe for concurrent use.
	Sold func(amount int64, currency string)
}

// Order is what a customer sends.
type Order struct {
	Currency string            `json:"currency"`
	Customer map[string]string `json:"customer"`
	Lines    []Line            `json:"lines"`
	Coupon   string            `json:"coupon,omitempty"`
	Payment  map[string]string `json:"payment"`
}

// Line is a quantity of an item.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// order is the nth order of a run.
func (r Run) order(n int) Order {
	if r.Order != nil {
		return r.Order(n)
	}
	o := Order{
		Currency: r.Currency, Customer: Customer(n),
		Lines:   []Line{{r.SKUs[n%len(r.SKUs)], 1 + n%3}},
		Payment: map[string]string{"token": r.Token},
	}
	if n%2 == 0 && len(r.SKUs) > 1 {
		o.Lines = append(o.Lines, Line{r.SKUs[(n+1)%len(r.SKUs)], 1})
	}
	return o
}

// shop is where the nth order goes.
func (r Run) shop(n int) *client.Client {
	if i := n % (1 + len(r.Others)); i > 0 {
		return r.Others[i-1]
	}
	return r.Shop
}

// Customers is how many different ones orders come from.
const Customers = 100_000

// Customer is who places the nth order. One after the other they are as far apart as those of a real shop are: were they
// neighbours, a shop would write to one place of its indexes where a real one writes to many.
func Customer(n int) map[string]string {
	return map[string]string{"email": fmt.Sprintf("customer%d@example.com", n*7919%Customers)}
}

// Result is how a run went. Latencies are of accepted orders, from sending the request to reading the whole answer.
type Result struct {
	Concurrency int            `json:"concurrency"`
	Orders      int            `json:"orders"` // completed
	Errors      map[string]int `json:"errors"` // by code
	Seconds     float64        `json:"seconds"`
	PerSecond   float64        `json:"orders_per_second"`
	P50         time.Duration  `json:"p50_ns"`
	P95         time.Duration  `json:"p95_ns"`
	P99         time.Duration  `json:"p99_ns"`
}

// Failed is the number of orders that did not complete.
func (r Result) Failed() (n int) {
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// Do runs it. It ends early, with what was measured so far, when ctx is done.
func (r Run) Do(ctx context.Context) Result {
	if r.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Duration)
		defer cancel()
	}
	var next atomic.Int64
	var customers sync.WaitGroup
	samples := make([]sample, r.Concurrency)
	start := time.Now()
	for i := range samples {
		samples[i].errors = map[string]int{}
		customers.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1))
				if r.Orders > 0 && n > r.Orders {
					return
				}
				samples[i].place(ctx, r, n)
				if r.Progress != nil {
					r.Progress()
				}
			}
		})
	}
	customers.Wait()
	return summarise(r.Concurrency, samples, time.Since(start))
}

// key is the idempotency key of the nth order, as random as those of real clients, for the same reason.
func (r Run) key(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s-%d", r.KeyPrefix, n))
	return fmt.Sprintf("%x", sum[:16])
}

// sample is what one customer saw.
type sample struct {
	took   []time.Duration
	errors map[string]int
}

func (s *sample) place(ctx context.Context, r Run, n int) {
	var answer struct {
		Totals struct {
			Total struct {
				Amount   int64
				Currency string
			}
		}
	}
	var into any
	if r.Sold != nil {
		into = &answer
	}
	order := r.order(n)
	start := time.Now()
	a, err := r.shop(n).Do(ctx, http.MethodPost, "/v1/orders", order, into, "Idempotency-Key", r.key(n))
	var problem *client.Problem
	switch {
	case err == nil && a.Status == http.StatusCreated:
		s.took = append(s.took, time.Since(start))
		if r.Sold != nil {
			r.Sold(answer.Totals.Total.Amount, answer.Totals.Total.Currency)
		}
	case err == nil:
		s.errors["in_progress"]++
	case errors.As(err, &problem):
		s.errors[problem.Code]++
	case ctx.Err() == nil: // an order that was under way when the time was up is no error
		s.errors["no_answer"]++
	}
}

func summarise(concurrency int, samples []sample, took time.Duration) Result {
	r := Result{Concurrency: concurrency, Errors: map[string]int{}, Seconds: took.Seconds()}
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s.took...)
		for code, n := range s.errors {
			r.Errors[code] += n
		}
	}
	slices.Sort(all)
	r.Orders = len(all)
	r.PerSecond = float64(r.Orders) / took.Seconds()
	r.P50, r.P95, r.P99 = percentile(all, 50), percentile(all, 95), percentile(all, 99)
	return r
}

// percentile returns the smallest value that p percent of the sorted values do not exceed (nearest rank).
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := (p*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}
