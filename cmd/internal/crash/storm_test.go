package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
)

// TestStorm kills the process at any time while customers order, again and again on the same data.
func TestStorm(t *testing.T) {
	data := seeded(t)
	dice := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	told := &told{orders: map[string]string{}}
	for range *kills {
		p := start(t, data, 0)
		var customers sync.WaitGroup
		over := make(chan struct{})
		for range 16 {
			customers.Go(func() { told.order(p, over) })
		}
		time.Sleep(time.Duration(dice.IntN(500)) * time.Millisecond) // of load, not for something
		p.kill()
		close(over)
		customers.Wait()
	}
	p := start(t, data, 0)
	for key, id := range told.orders {
		o := p.await(t, id)
		if times, net := p.charged(t, id); times > 1 || o.Status == "completed" && net != o.Totals.Total.Amount || o.Status == "declined" && net != 0 {
			t.Errorf("%s (key %s) is %s, was charged %d times, of which %d is left", id, key, o.Status, times, net)
		}
	}
	p.stop(t)
	audit(t, data)
	t.Logf("%d deaths, %d orders acknowledged, none lost", *kills, len(told.orders))
	if len(told.orders) == 0 {
		t.Error("no order was acknowledged, so nothing was shown")
	}
}

// told is what customers were told: the order of each key.
type told struct {
	number atomic.Int64
	mu     sync.Mutex
	orders map[string]string
}

// order places one order after the other until the shop is gone.
func (w *told) order(p *process, over chan struct{}) {
	for {
		select {
		case <-over:
			return
		default:
		}
		n := w.number.Add(1)
		key, token := fmt.Sprint("storm-", n), "pm_card_visa"
		if n%8 == 0 {
			token = "pm_sim_resetCharged" // which takes a second: most of these die unanswered
		}
		var o order
		_, err := p.Do(context.Background(), http.MethodPost, "/v1/orders", body(token, ""), &o, "Idempotency-Key", key)
		var problem *client.Problem
		if errors.As(err, &problem) {
			o.ID = problem.OrderID
		}
		if o.ID != "" {
			w.mu.Lock()
			w.orders[key] = o.ID
			w.mu.Unlock()
		}
	}
}
