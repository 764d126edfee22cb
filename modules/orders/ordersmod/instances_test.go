package ordersmod_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
)

// Two instances of the module on one file, each with a layer of its own, as two processes have.

// watchedTill counts the charges of each order, and those that are under way at once.
type watchedTill struct {
	till
	mu      sync.Mutex
	charges map[string]int
	running map[string]bool
	twice   []string      // orders that two runners charged at once
	page    chan struct{} // of the feed: what a reader of a page waits for; nil: nothing
}

func (w *watchedTill) Charge(ctx context.Context, r payments.ChargeRequest) (payments.Payment, error) {
	w.mu.Lock()
	if w.running[r.OrderID] {
		w.twice = append(w.twice, r.OrderID)
	}
	w.charges[r.OrderID]++
	w.running[r.OrderID] = true
	w.mu.Unlock()
	p, err := w.till.Charge(ctx, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, r.OrderID)
	return p, err
}

// Changes lets two readers meet, so that both have read a page before either has stored it.
func (w *watchedTill) Changes(ctx context.Context, r payments.ChangesRequest) (payments.ChangePage, error) {
	page, err := w.till.Changes(ctx, r)
	if w.page != nil && len(page.Changes) > 0 {
		select {
		case w.page <- struct{}{}:
		case <-w.page:
		case <-ctx.Done():
		}
	}
	return page, err
}

func watch(n *neighbours) *watchedTill {
	return &watchedTill{till: till{neighbours: n}, charges: map[string]int{}, running: map[string]bool{}}
}

// instance starts one more instance on a file, with neighbours of its own but for payments.
func instance(t testing.TB, path string, n *neighbours, w *watchedTill, o ordersmod.Options) *module {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true, Capacity: 1000})
	now := func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	door, err := ordersmod.New(ordersmod.Deps{
		Layer: layer, Datastore: path, Inventory: stock{neighbours: n}, Pricing: prices{neighbours: n}, Payments: w,
		Now: now, NewID: id.NewSource(now, rand.Reader), Random: func() float64 { return 0.5 }, Log: slog.New(slog.DiscardHandler),
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := door.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := door.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	return &module{orders.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{Timeout: time.Minute})), n, door}
}

// completed counts the orders that are.
func (m *module) completed(t testing.TB) (n int) {
	t.Helper()
	last := int64(0)
	for {
		page, err := m.Events(t.Context(), orders.EventsRequest{After: last, Limit: 200, Brief: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if last = e.Position; e.Type == orders.EventCompleted {
				n++
			}
		}
		if !page.More {
			return n
		}
	}
}

// TestInstances_sweepers: of 200 orders that are due each is driven once, by one of two sweepers, and both have a share.
func TestInstances_sweepers(t *testing.T) {
	path := storetest.Datastore(t, "orders")
	w := watch(newNeighbours())
	still := instance(t, path, w.neighbours, w, ordersmod.Options{Still: true})
	for i := range 200 {
		r := request(fmt.Sprint(i))
		r.Wait = false
		still.place(t, r)
	}
	done := make(chan struct{}, 1000)
	var busy sync.WaitGroup // until both have a batch, none gets on
	busy.Add(2)
	var batches [2]sync.Once
	shares := [2]atomic.Int64{}
	for i := range 2 {
		n := newNeighbours()
		n.answer("inventory.reserve", func() error {
			batches[i].Do(busy.Done)
			busy.Wait()
			shares[i].Add(1)
			return nil
		})
		n.answer("inventory.finalise", func() error { done <- struct{}{}; return nil })
		instance(t, path, n, w, ordersmod.Options{})
	}
	for range 200 {
		<-done
	}
	for still.completed(t) < 200 { // the last commits
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for orderID, n := range w.charges {
		if n != 1 {
			t.Errorf("%s was charged %d times", orderID, n)
		}
	}
	if len(w.charges) != 200 || len(w.twice) > 0 {
		t.Errorf("%d orders charged, by two at once: %v", len(w.charges), w.twice)
	}
	if a, b := shares[0].Load(), shares[1].Load(); a == 0 || b == 0 || a+b != 200 {
		t.Errorf("the shares are %d and %d", a, b)
	}
}

// TestInstances_death: what an instance leaves behind is taken up by the other when its lease is over, and not before.
func TestInstances_death(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		path := storetest.Datastore(t, "orders")
		w := watch(newNeighbours())
		policy := ordersmod.Policy{Lease: 15 * time.Second}
		var dead atomic.Bool
		dying := instance(t, path, w.neighbours, w, ordersmod.Options{Policy: policy, Fail: func(string) error {
			if dead.Load() {
				return errors.New("the process is gone")
			}
			return nil
		}})
		instance(t, path, w.neighbours, w, ordersmod.Options{Policy: policy})
		charged := make(chan time.Time, 10)
		w.answer("payments.charge", func() error {
			dead.Store(true) // between the charge and its commit
			charged <- time.Now()
			return nil
		})
		placed := dying.place(t, request("k"))
		first := <-charged
		second := <-charged
		if wait := second.Sub(first); wait < policy.Lease || wait > policy.Lease+2*time.Second {
			t.Errorf("the other went on after %v", wait)
		}
		synctest.Wait()
		if told := dying.told(t, placed.ID); len(told) != 2 || told[1] != orders.EventCompleted || len(w.twice) > 0 {
			t.Errorf("it was told of %v", told)
		}
	})
}

// TestInstances_keys: a command that comes to two instances under one key is one command.
func TestInstances_keys(t *testing.T) {
	path := storetest.Datastore(t, "orders")
	w := watch(newNeighbours())
	both := [2]*module{instance(t, path, w.neighbours, w, ordersmod.Options{}), instance(t, path, w.neighbours, w, ordersmod.Options{})}
	const keys = 20
	var mu sync.Mutex
	ids := map[string]map[string]bool{} // of orders, by key
	var customers sync.WaitGroup
	for i := range 4 * keys {
		customers.Go(func() {
			key := fmt.Sprint(i % keys)
			p, err := both[i/keys%2].Place(context.Background(), request(key))
			if errors.Is(err, idempotency.ErrInUse) {
				return
			}
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ids[key] == nil {
				ids[key] = map[string]bool{}
			}
			ids[key][p.Order.ID] = true
		})
	}
	customers.Wait()
	for key, of := range ids {
		if len(of) != 1 {
			t.Errorf("the key %s has the orders %v", key, of)
		}
	}
	if n := both[0].completed(t); n != keys || len(w.charges) != keys || len(w.twice) > 0 {
		t.Errorf("%d orders are complete, %d were charged, by two at once: %v", n, len(w.charges), w.twice)
	}
}

// TestInstances_changes: what payments tells is taken up once, though two instances have read it.
func TestInstances_changes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		path := storetest.Datastore(t, "orders")
		w := watch(newNeighbours())
		w.page = make(chan struct{})
		a := instance(t, path, w.neighbours, w, ordersmod.Options{})
		placed := a.place(t, request("k"))
		instance(t, path, w.neighbours, w, ordersmod.Options{})
		w.remark(placed.ID, "dispute_"+payments.DisputeOpen)
		time.Sleep(10 * time.Second)
		want := []string{orders.EventReceived, orders.EventCompleted, orders.EventDisputed}
		if told := a.told(t, placed.ID); fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told of %v, want %v", told, want)
		}
	})
}

// TestInstances_erasure: two instances that sweep erase each order once, and count it once.
func TestInstances_erasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		path := storetest.Datastore(t, "orders")
		w := watch(newNeighbours())
		a := instance(t, path, w.neighbours, w, ordersmod.Options{})
		for i := range 50 {
			a.place(t, request(fmt.Sprint(i)))
		}
		b := instance(t, path, w.neighbours, w, ordersmod.Options{})
		met := make(chan struct{})
		w.answer("pricing.erase_customers", func() error { // both have read a batch before either has stored that it is erased
			select {
			case met <- struct{}{}:
			case <-met:
			case <-time.After(5 * time.Second):
			}
			return nil
		})
		asked, err := a.Erase(t.Context(), orders.EraseRequest{Email: "ada@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		e, err := b.Erasure(t.Context(), orders.ErasureRequest{ID: asked.ID})
		if err != nil || e.Status != "done" || e.Orders != 50 {
			t.Errorf("%+v, %v", e, err)
		}
		erased := map[string]int{}
		page, err := b.Events(t.Context(), orders.EventsRequest{Limit: 200, Brief: true})
		for _, e := range page.Events {
			if e.Type == orders.EventErased {
				erased[e.OrderID]++
			}
		}
		for orderID, n := range erased {
			if n != 1 {
				t.Errorf("%s was told of %d times", orderID, n)
			}
		}
		if err != nil || len(erased) != 50 {
			t.Errorf("%d orders were told of, %v", len(erased), err)
		}
	})
}
