package shop_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel"
	"cutpoint/platform/web"
)

// barrier is a layer whose readers of one channel, while it is shut, keep what they receive to themselves: a module whose
// workers are all stuck.
type barrier struct {
	channel.Layer
	name string

	mu   sync.Mutex
	pass chan struct{} // closed: messages pass
}

func newBarrier(name string) *barrier {
	b := &barrier{name: name, pass: make(chan struct{})}
	close(b.pass)
	return b
}

func (b *barrier) around(l channel.Layer) channel.Layer { b.Layer = l; return b }

func (b *barrier) Listen(names ...string) (channel.Listener, error) {
	l, err := b.Layer.Listen(names...)
	if err == nil && slices.Contains(names, b.name) {
		l = &stuck{l, b}
	}
	return l, err
}

type stuck struct {
	channel.Listener
	barrier *barrier
}

func (s *stuck) Receive(done <-chan struct{}, m *channel.Message) error {
	err := s.Listener.Receive(done, m)
	<-s.barrier.passing()
	return err
}

func (b *barrier) passing() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pass
}

func (b *barrier) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass = make(chan struct{})
}

func (b *barrier) lift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.pass:
	default:
		close(b.pass)
	}
}

// saturated is a shop whose payments module has one worker, which is stuck, and room for one call, which is taken.
type saturated struct {
	*running
	barrier *barrier
	filling sync.WaitGroup // the two calls
}

func saturate(t testing.TB, c shop.Config) *saturated {
	t.Helper()
	s := &saturated{barrier: newBarrier("payments.request")}
	c.ModuleCapacity, c.ModuleWorkers = map[string]int{"payments": 1}, map[string]int{"payments": 1}
	c.Layer = s.barrier.around
	c.Checkout.SweepEvery = 5 * time.Second // which asks payments too, but not while this test fills it up
	c.RequestTimeout = time.Minute          // the two calls wait for as long as the test needs
	s.running = open(t, c)
	t.Cleanup(s.lift)
	eventually(t, "the sweeper has asked payments once", func() bool { return s.payments().Received == 1 })
	s.barrier.shut()
	for n := range 2 {
		s.filling.Go(func() {
			if _, err := s.Do(context.WithoutCancel(t.Context()), http.MethodGet, "/v1/payments", nil, nil); err != nil {
				t.Errorf("a call that was accepted: %v", err)
			}
		})
		eventually(t, "the payments module takes a call", func() bool {
			p := s.payments()
			return p.Received == 2 && p.Depth == n
		})
	}
	return s
}

// lift lets the module work again.
func (s *saturated) lift() {
	s.barrier.lift()
	s.filling.Wait()
}

func (s *saturated) payments() channel.Stats {
	for _, figures := range s.shop.Channels() {
		if figures.Name == "payments.request" {
			return figures
		}
	}
	return channel.Stats{}
}

// eventually looks until it sees what goes on in the background, where nothing signals it to a stranger.
func eventually(t testing.TB, what string, seen func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	giveUp := time.After(30 * time.Second)
	for !seen() {
		select {
		case <-look.C:
		case <-giveUp:
			t.Fatalf("never seen: %s", what)
		}
	}
}

// TestFullModule goes over real HTTP to a shop whose payments module is stuck.
func TestFullModule(t *testing.T) {
	s := saturate(t, shop.Config{OrderPatience: 100 * time.Millisecond})
	server, err := web.Listen("127.0.0.1:0", s.shop.API())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	url := "http://" + server.Addr()
	stranger := client.New(url, s.secret, 8)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)

	t.Run("it is refused within milliseconds, with the time to come again", func(t *testing.T) {
		var slowest time.Duration
		for range 50 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/payments", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+s.secret)
			start := time.Now()
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(start))
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "1" {
				t.Fatalf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
			}
		}
		_, err := stranger.Do(t.Context(), http.MethodGet, "/v1/payments", nil, nil)
		if !client.HasCode(err, "channel_full") {
			t.Errorf("got %v", err)
		}
		t.Logf("the slowest of 50 refusals took %v", slowest)
		if slowest > 250*time.Millisecond {
			t.Errorf("the slowest refusal took %v", slowest)
		}
	})

	t.Run("quotes and stock queries are unaffected", func(t *testing.T) {
		basket := map[string]any{"currency": "EUR", "lines": []map[string]any{{"sku": "MUG-1", "quantity": 2}}}
		for range 50 {
			if a, err := stranger.Do(t.Context(), http.MethodPost, "/v1/quotes", basket, nil); err != nil || a.Status != http.StatusOK {
				t.Fatalf("a quote: %d (%v)", a.Status, err)
			}
			if _, err := stranger.Do(t.Context(), http.MethodGet, "/v1/items/MUG-1", nil, nil); err != nil {
				t.Fatalf("a stock query: %v", err)
			}
		}
	})

	t.Run("orders are answered, go on in the background and are charged once", func(t *testing.T) {
		placed := make([]order, 5)
		var customers sync.WaitGroup
		for i := range placed {
			customers.Go(func() {
				a, err := stranger.Do(t.Context(), http.MethodPost, "/v1/orders", body("MUG-1", 1, "pm_card_visa"), &placed[i], "Idempotency-Key", fmt.Sprint("k", i))
				if err != nil || a.Status != http.StatusAccepted || placed[i].Status != "processing" {
					t.Errorf("status %d, order %+v (%v)", a.Status, placed[i], err)
				}
			})
		}
		customers.Wait()
		if s.payments().Full == 0 || t.Failed() {
			t.Fatal("no order met the full module")
		}
		s.lift()
		for _, o := range placed {
			eventually(t, o.ID+" is completed", func() bool {
				s.get(t, "/v1/orders/"+o.ID, &o)
				return o.Status == "completed"
			})
		}
		var charges ledger
		if s.get(t, "/v1/test-gateway/ledger", &charges); len(charges.Data) != len(placed) {
			t.Errorf("%d charges for %d orders", len(charges.Data), len(placed))
		}
	})
}

func TestBulkheads(t *testing.T) {
	r := open(t, shop.Config{Options: host.Options{Capacity: 7, ModuleCapacity: map[string]int{"payments": 3, "orders": 11}}})
	got := map[string]int{}
	for _, figures := range r.shop.Channels() {
		got[figures.Name] = figures.Capacity
	}
	for name, want := range map[string]int{"payments.request": 3, "orders.request": 11, "inventory.request": 7, "pricing.request": 7} {
		if got[name] != want {
			t.Errorf("%s holds %d, want %d", name, got[name], want)
		}
	}
}
