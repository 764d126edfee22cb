package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
)

const secret = "cpk_key_of_the_fleet_test"

// crowd is customers who order over HTTP whatever becomes of the shop: each repeats an order under its key until it is acknowledged.
type crowd struct {
	shop atomic.Pointer[client.Client]

	mu       sync.Mutex
	told     map[string]acknowledged // by key
	faults   []string
	worst    time.Duration    // the longest HTTP request since the last look
	healed   time.Time        // when the latest fault was repaired
	resumed  chan<- time.Time // told of the first order that was begun after that and is complete; nil: nobody waits
	requests int
	complete int // orders that were, when they were answered
}

// acknowledged is what a customer was told.
type acknowledged struct{ id, sku, token string }

func newCrowd(url string) *crowd {
	c := &crowd{told: map[string]acknowledged{}}
	c.find(url)
	return c
}

// find tells customers where the shop is.
func (c *crowd) find(url string) { c.shop.Store(client.New(url, secret, 128)) }

// pause is how long a customer thinks: between two orders, and before an order is repeated.
const pause = 40 * time.Millisecond

// stream starts customers who order one thing after the other, until stop is called. stop waits for their last orders.
func (c *crowd) stream(customers int) (stop func()) {
	over := make(chan struct{})
	var running sync.WaitGroup
	var number atomic.Int64
	for range customers {
		running.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(pause):
				}
				n := number.Add(1)
				c.place(fmt.Sprint("stream-", n), "MUG-1", token(n))
			}
		})
	}
	return sync.OnceFunc(func() { close(over); running.Wait() })
}

// token is the card of an order: most are good, some are refused, some make the provider silent.
func token(n int64) string {
	switch {
	case n%23 == 0:
		return "pm_sim_timeoutCharged"
	case n%11 == 0:
		return "pm_sim_resetCharged"
	case n%7 == 0:
		return "pm_card_visa_chargeDeclined"
	default:
		return "pm_card_visa"
	}
}

// rush is many customers who want one thing at the same moment. wait returns when each was told how that ended.
func (c *crowd) rush(customers int, sku string) (wait func()) {
	var running sync.WaitGroup
	for n := range customers {
		running.Go(func() { c.place(fmt.Sprint(sku, "-", n), sku, "pm_card_visa") })
	}
	return running.Wait
}

// maxTries bounds how often an order is repeated.
const maxTries = 2000

// place repeats an order until it is acknowledged.
func (c *crowd) place(key, sku, token string) {
	var latest error
	for range maxTries {
		began := time.Now()
		var o order
		_, err := c.shop.Load().Do(context.Background(), http.MethodPost, "/v1/orders", map[string]any{
			"currency": "EUR", "customer": map[string]any{"email": "ada@example.com"},
			"lines": []map[string]any{{"sku": sku, "quantity": 1}}, "payment": map[string]any{"token": token},
		}, &o, "Idempotency-Key", key)
		var problem *client.Problem
		if errors.As(err, &problem) {
			o.ID = problem.OrderID
		}
		c.seen(began, o.Status == "completed")
		if o.ID != "" {
			c.note(key, acknowledged{o.ID, sku, token})
			return
		}
		if problem != nil && problem.Status < 500 && problem.Status != http.StatusConflict { // 409: its first attempt is under way
			c.complain("%s: %v", key, err)
			return
		}
		latest = err
		time.Sleep(pause)
	}
	c.complain("%s was never acknowledged: %v", key, latest)
}

// seen takes note of an answer.
func (c *crowd) seen(began time.Time, completed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.worst = max(c.worst, time.Since(began))
	if completed {
		c.complete++
	}
	if completed && c.resumed != nil && began.After(c.healed) {
		c.resumed <- time.Now()
		c.resumed = nil
	}
}

func (c *crowd) note(key string, a acknowledged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if was, ok := c.told[key]; ok && was != a {
		c.faults = append(c.faults, fmt.Sprintf("%s is %+v and %+v", key, was, a))
	}
	c.told[key] = a
}

func (c *crowd) complain(format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, a...))
}

// resumes returns a channel that is told once, when an order that is placed from now on is complete.
func (c *crowd) resumes() <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := make(chan time.Time, 1)
	c.healed, c.resumed = time.Now(), told
	return told
}

func (c *crowd) completions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete
}

// longest returns the longest request since it was last asked.
func (c *crowd) longest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	worst := c.worst
	c.worst = 0
	return worst
}

// insist does something to the shop until it succeeds, for a shop that has just come back.
func (c *crowd) insist(t testing.TB, method, path string, body, into any, headers ...string) {
	t.Helper()
	var err error
	for range 200 {
		if _, err = c.shop.Load().Do(t.Context(), method, path, body, into, headers...); err == nil {
			return
		}
		time.Sleep(pause)
	}
	t.Fatalf("%s %s: %v", method, path, err)
}

// stock puts a new thing on the shelf.
func (c *crowd) stock(t testing.TB, sku string, units int) {
	t.Helper()
	const key = "Idempotency-Key"
	c.insist(t, http.MethodPut, "/v1/items/"+sku, map[string]any{"name": sku}, nil, "If-None-Match", "*")
	c.insist(t, http.MethodPut, "/v1/prices/"+sku, map[string]any{"prices": []map[string]any{{"currency": "EUR", "amount": 500}}}, nil, "If-None-Match", "*")
	c.insist(t, http.MethodPost, "/v1/items/"+sku+"/adjustments", map[string]any{"location": "main", "delta": units, "reason": "received"}, nil, key, "stock-"+sku)
}

// order is what these tests read of an order.
type order struct {
	ID, Status, State string
	Totals            struct{ Total struct{ Amount int64 } }
}

// entry is one of the test gateway's ledger.
type entry struct {
	Operation string
	OrderID   string `json:"order_id"`
	Amount    int64
}

// pages reads a list to its end.
func pages[T any](t testing.TB, c *crowd, path string) (all []T) {
	t.Helper()
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	for cursor, more := "", true; more; {
		var page struct {
			Data       []T
			NextCursor string `json:"next_cursor"`
			HasMore    bool   `json:"has_more"`
		}
		c.insist(t, http.MethodGet, path+joint+"limit=200&cursor="+cursor, nil, &page)
		all = append(all, page.Data...)
		cursor, more = page.NextCursor, page.HasMore
	}
	return all
}
