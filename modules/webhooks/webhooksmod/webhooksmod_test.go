package webhooksmod_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhooksmod"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is an orders module that only has events.
type shop struct {
	orders.Service
	mu     sync.Mutex
	events []orders.Event
}

// Events implements orders.Service.
func (s *shop) Events(_ context.Context, r orders.EventsRequest) (page orders.EventPage, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events[min(int(r.After), len(s.events)):] {
		if page.More = len(page.Events) == r.Limit; page.More {
			break
		}
		page.Events = append(page.Events, e)
	}
	return page, nil
}

// happens adds an event of an order.
func (s *shop) happens(orderID string, sequence int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(s.events)) + 1
	s.events = append(s.events, orders.Event{
		ID: fmt.Sprintf("evt_%d", n), Position: n, Type: orders.EventCompleted, OrderID: orderID, Sequence: sequence, At: time.Now(),
		CorrelationID: "cor_" + orderID, Order: orders.Order{ID: orderID, Status: orders.StatusCompleted},
	})
}

// stage is the module on a layer that encodes every message, beside an orders module.
type stage struct {
	webhooks.Client
	*shop
	*webhooksmod.Module
	deps webhooksmod.Deps
}

func newStage(t *testing.T, o webhooksmod.Options) *stage {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	caller := rpc.NewCaller(layer, "test", rpc.CallerOptions{})
	s := &stage{Client: webhooks.NewClient(caller), shop: &shop{}}
	server := rpc.NewServer(layer, orders.Module, rpc.ServerOptions{Workers: 1})
	orders.Serve(server, s.shop)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.deps = webhooksmod.Deps{
		Layer: layer, Datastore: storetest.Datastore(t, "webhooks"),
		Orders: orders.NewClient(rpc.NewCaller(layer, webhooks.Module, rpc.CallerOptions{})),
		Now:    time.Now, NewID: id.NewSource(time.Now, rand.Reader), Random: mathrand.Float64, Secrets: rand.Reader,
		Log: slog.New(slog.DiscardHandler),
	}
	s.start(t, o)
	t.Cleanup(func() {
		for _, stop := range []func(context.Context) error{s.Stop, server.Stop} {
			if err := stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		layer.Close()
	})
	return s
}

// start starts the module, the first time or again.
func (s *stage) start(t *testing.T, o webhooksmod.Options) {
	t.Helper()
	var err error
	if s.Module, err = webhooksmod.New(s.deps, o); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) endpoint(t *testing.T, url string) webhooks.EndpointSecret {
	t.Helper()
	e, err := s.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: url}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// receivers take messages, and remember what they took.
type receivers struct {
	mu    sync.Mutex
	taken map[string][]int64 // sequences, by URL and order
	ids   map[string]int     // how often each event was taken, by URL and id
}

func newReceivers() *receivers { return &receivers{taken: map[string][]int64{}, ids: map[string]int{}} }

func (r *receivers) take(q webhooksmod.Request) {
	var body struct {
		Data struct {
			OrderID  string `json:"order_id"`
			Sequence int64  `json:"sequence"`
		} `json:"data"`
	}
	_ = json.Unmarshal(q.Body, &body) // a body that can't be read has no order, and is missed
	r.mu.Lock()
	defer r.mu.Unlock()
	order := q.URL + " " + body.Data.OrderID
	r.taken[order] = append(r.taken[order], body.Data.Sequence)
	r.ids[q.URL+" "+q.Header[webhook.HeaderID]]++
}

// check fails unless every event was taken once by each URL, those of one order in their sequence.
func (r *receivers) check(t *testing.T, s *shop, urls ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, url := range urls {
		for _, e := range s.events {
			if n := r.ids[url+" "+e.ID]; n != 1 {
				t.Errorf("%s took %s of %s %d times", url, e.ID, e.OrderID, n)
			}
		}
	}
	for order, sequences := range r.taken {
		for i, sequence := range sequences {
			if sequence != int64(i)+1 {
				t.Errorf("%s came as %v", order, sequences)
				break
			}
		}
	}
}

// TestDown is the promise of an hour: a receiver that is down for one gets every event once it is back, in order per order.
func TestDown(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(time.Hour)
		got := newReceivers()
		s := newStage(t, webhooksmod.Options{Post: func(_ context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
			if time.Now().Before(back) {
				return webhooksmod.Answer{}, errors.New("connection refused")
			}
			got.take(q)
			return webhooksmod.Answer{StatusCode: http.StatusOK}, nil
		}})
		e := s.endpoint(t, "https://example.com/").Endpoint
		for sequence := range int64(4) {
			for order := range 10 {
				s.happens(fmt.Sprintf("ord_%d", order), sequence+1)
				time.Sleep(time.Minute)
			}
		}
		time.Sleep(time.Until(back) + 2*time.Hour)
		got.check(t, s.shop, e.URL)
		if now, err := s.Endpoint(t.Context(), webhooks.EndpointRequest{ID: e.ID}); err != nil || !now.Enabled || now.FailingSince != nil {
			t.Errorf("%+v, %v", now, err)
		}
	})
}

// TestTogether sends to three receivers at once, one of them slow, one of them fickle.
func TestTogether(t *testing.T) {
	const quick, slow, fickle = "https://quick.example.com/", "https://slow.example.com/", "https://fickle.example.com/"
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		got := newReceivers()
		var mu sync.Mutex
		dice := mathrand.New(mathrand.NewPCG(1, 2))
		underWay, most, failures, all, mostOfAll := map[string]int{}, map[string]int{}, map[string]int{}, 0, 0
		s := newStage(t, webhooksmod.Options{Post: func(_ context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
			mu.Lock()
			underWay[q.URL]++
			all++
			most[q.URL], mostOfAll = max(most[q.URL], underWay[q.URL]), max(mostOfAll, all)
			wait, status := time.Duration(dice.IntN(200))*time.Millisecond, http.StatusOK
			if id := q.Header[webhook.HeaderID]; q.URL == fickle && failures[id] < 3 && dice.IntN(3) == 0 {
				failures[id]++
				status = http.StatusInternalServerError
			}
			mu.Unlock()
			if q.URL == slow {
				wait = 14 * time.Second
			}
			time.Sleep(wait)
			if status == http.StatusOK {
				got.take(q)
			}
			mu.Lock()
			defer mu.Unlock()
			underWay[q.URL]--
			all--
			return webhooksmod.Answer{StatusCode: status}, nil
		}})
		for _, url := range []string{quick, slow, fickle} {
			s.endpoint(t, url)
		}
		for sequence := range int64(5) {
			for order := range 30 {
				s.happens(fmt.Sprintf("ord_%d", order), sequence+1)
			}
		}
		time.Sleep(15 * time.Second)
		got.check(t, s.shop, quick) // 150 events, 100 ms each, 4 at once: the slow one took nothing of that
		time.Sleep(time.Hour)
		got.check(t, s.shop, quick, slow, fickle)
		if most[slow] != 4 || most[quick] != 4 || mostOfAll > 16 {
			t.Errorf("under way at most: %v, in all %d", most, mostOfAll)
		}
	})
}

func TestStop(t *testing.T) {
	hang := func(entered chan<- string, answer time.Duration) webhooksmod.Post {
		return func(ctx context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
			entered <- q.Header[webhook.HeaderID]
			select {
			case <-time.After(answer):
				return webhooksmod.Answer{StatusCode: http.StatusOK}, nil
			case <-ctx.Done():
				return webhooksmod.Answer{}, ctx.Err()
			}
		}
	}
	t.Run("attempts under way are finished", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			entered := make(chan string, 10)
			s := newStage(t, webhooksmod.Options{Post: hang(entered, 10*time.Second)})
			s.endpoint(t, "https://example.com/")
			s.happens("ord_1", 1)
			<-entered
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.start(t, webhooksmod.Options{Post: hang(entered, 0)})
			time.Sleep(time.Hour)
			if len(entered) > 0 {
				t.Error("it was sent again")
			}
		})
	})
	t.Run("those that are cut off are made again, with the same id", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			entered := make(chan string, 10)
			s := newStage(t, webhooksmod.Options{Post: hang(entered, 10*time.Second)})
			e := s.endpoint(t, "https://example.com/")
			s.happens("ord_1", 1)
			first := <-entered
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			restarted := time.Now()
			s.start(t, webhooksmod.Options{Post: hang(entered, 0)})
			if again := <-entered; again != first || time.Since(restarted) > time.Second {
				t.Errorf("%s after %s, %v later", again, first, time.Since(restarted))
			}
			synctest.Wait()
			page, err := s.Deliveries(t.Context(), webhooks.DeliveriesRequest{EndpointID: e.Endpoint.ID})
			if err != nil || page.Deliveries[0].State != webhooks.StateDelivered || len(page.Deliveries[0].Attempts) != 1 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	})
	t.Run("an attempt lasts at most as long as the policy says", func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			entered := make(chan string, 10)
			s := newStage(t, webhooksmod.Options{Post: hang(entered, time.Hour)})
			s.endpoint(t, "https://example.com/")
			s.happens("ord_1", 1)
			<-entered
			began := time.Now()
			<-entered
			if took := time.Since(began); took < 19*time.Second || took > 23*time.Second { // 15 s, and a wait of 4 to 6 s
				t.Errorf("%v", took)
			}
		})
	})
}

// TestReceiver sends to a real server on loopback, through the real sender.
func TestReceiver(t *testing.T) {
	type arrival struct {
		header http.Header
		body   []byte
	}
	arrived := make(chan arrival, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- arrival{r.Header, body}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	s := newStage(t, webhooksmod.Options{Policy: webhooksmod.Policy{AllowPrivate: true, CollectEvery: 5 * time.Millisecond}})
	secret, err := webhook.ParseSecret(s.endpoint(t, server.URL).Secret)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		s.happens("ord_1", n+1)
	}
	for n := range 3 {
		a := <-arrived
		if err := webhook.Verify(secret, a.header.Get, a.body, time.Now(), webhook.DefaultTolerance); err != nil {
			t.Errorf("%v: %v", a.header, err)
		}
		if a.header.Get("webhook-id") != fmt.Sprintf("evt_%d", n+1) || a.header.Get("X-Correlation-ID") != "cor_ord_1" || !bytes.Contains(a.body, []byte(`"ord_1"`)) {
			t.Errorf("%v\n%s", a.header, a.body)
		}
	}
}

func TestModule_lifecycle(t *testing.T) {
	layer := channel.NewMemory(channel.Options{Strict: true})
	defer layer.Close()
	if _, err := webhooksmod.New(webhooksmod.Deps{Layer: layer, Datastore: "webhooks.db"}, webhooksmod.Options{}); err == nil || !strings.Contains(err.Error(), "Orders") {
		t.Errorf("without orders: %v", err)
	}
	d := webhooksmod.Deps{
		Layer: layer, Datastore: storetest.Datastore(t, "webhooks"), Orders: &shop{}, Now: time.Now, NewID: id.NewSource(time.Now, rand.Reader),
		Random: mathrand.Float64, Secrets: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}
	m, err := webhooksmod.New(d, webhooksmod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context()); err != nil || m.StoreStats() != (store.Stats{}) {
		t.Errorf("stop before start: %v", err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err == nil {
		t.Error("it was started twice")
	}
	for range 2 {
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
