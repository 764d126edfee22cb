package shop_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
)

var (
	seeds = flag.Int("seeds", 20, "how many seeds the simulation runs")
	seed  = flag.Uint64("seed", 0, "run this seed alone")
)

// TestSimulation lets customers shop while the channel layer loses, delays and refuses messages, in virtual time. Whatever
// happened, in the end every order is final, nothing is held, nothing was sold twice, and everybody was charged once for what
// they got. Each seed gives other faults and other customers; a failing one is named, and -seed runs it alone.
func TestSimulation(t *testing.T) {
	first, last := uint64(1), uint64(*seeds)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { simulate(t, n) }) })
	}
}

// simulation is a shop on a layer that can't be relied on.
type simulation struct {
	*client.Client
	dice *rand.Rand
}

func simulate(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 0))
	var unreliable *channel.UnreliableLayer
	s, err := shop.Open(t.Context(), shop.Config{
		Options: host.Options{Data: t.TempDir(), Version: "sim", Log: slog.New(slog.DiscardHandler), Workers: 8, CallTimeout: time.Second, Layer: func(l channel.Layer) channel.Layer {
			unreliable = channel.Unreliable(l, channel.Unreliability{
				Seed: seed, MaxDelay: 3 * time.Second,
				DropSend: 0.1 * dice.Float64(), DelaySend: 0.2 * dice.Float64(), Refuse: 0.1 * dice.Float64(),
				DropReply: 0.1 * dice.Float64(), DelayReply: 0.2 * dice.Float64(),
			})
			return unreliable
		}},
		OrderPatience: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	const secret = "cpk_key_of_the_simulation"
	if _, err := s.Keys().Add(t.Context(), "sim", secret, auth.Scopes()); err != nil {
		t.Fatal(err)
	}
	sim := &simulation{client.Into(s.API(), secret), dice}
	importer := catalogue.NewImporter(sim.Client)
	if err := again(t, func() error { _, err := importer.Apply(t.Context(), "seed", wares()); return err }); err != nil {
		t.Fatal(err)
	}
	placed := sim.shopAround(t)
	time.Sleep(10 * time.Minute) // virtual: for what goes on in the background
	sim.check(t, placed)
}

// wares are what customers wish for.
func wares() []catalogue.Row {
	return slices.DeleteFunc(catalogue.Demo(), func(r catalogue.Row) bool { return r.SKU != "MUG-1" && r.SKU != "PIN-1" })
}

// again repeats what may be repeated until it is answered. A definite refusal is an answer, which it returns.
func again(t *testing.T, do func() error) error {
	t.Helper()
	for range 200 {
		err := do()
		var p *client.Problem
		if err == nil || errors.As(err, &p) && p.Status < 500 && p.Code != "idempotency_key_in_use" {
			return err
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal("no answer in 200 attempts")
	return nil
}

// wish is an order that a customer wants, and what became of it as far as the customer knows.
type wish struct {
	sku      string
	quantity int
	token    string
	key      string
}

func (sim *simulation) shopAround(t *testing.T) map[string]wish {
	var wishes []wish
	for i := range 24 {
		w := wish{sku: "MUG-1", quantity: 1 + sim.dice.IntN(3), token: "pm_card_visa", key: fmt.Sprint("wish-", i)}
		switch sim.dice.IntN(4) {
		case 0:
			w.sku, w.quantity = "PIN-1", 1 // of which there is one
		case 1:
			w.token = "pm_card_visa_chargeDeclined"
		}
		wishes = append(wishes, w)
	}
	var mu sync.Mutex
	placed := map[string]wish{} // by order
	var customers sync.WaitGroup
	for _, w := range wishes {
		customers.Go(func() {
			var o order
			err := again(t, func() error {
				_, err := sim.Do(t.Context(), http.MethodPost, "/v1/orders", body(w.sku, w.quantity, w.token), &o, "Idempotency-Key", w.key)
				return err
			})
			var p *client.Problem
			if errors.As(err, &p) {
				o.ID = p.OrderID
			}
			mu.Lock()
			defer mu.Unlock()
			if other, taken := placed[o.ID]; taken || o.ID == "" {
				t.Errorf("%s was answered with order %q (%v), as %s was", w.key, o.ID, err, other.key)
			}
			placed[o.ID] = w
		})
	}
	customers.Wait()
	return placed
}

// check holds the shop against what can't be otherwise.
func (sim *simulation) check(t *testing.T, placed map[string]wish) {
	read := func(path string, into any) {
		t.Helper()
		if err := again(t, func() error { _, err := sim.Do(t.Context(), http.MethodGet, path, nil, into); return err }); err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
	}
	var list struct{ Data []order }
	if read("/v1/orders?limit=200", &list); len(list.Data) != len(placed) {
		t.Errorf("%d orders for %d wishes", len(list.Data), len(placed))
	}
	sold := map[string]int{}
	for id, w := range placed {
		var o struct {
			Status string
			Totals struct{ Total struct{ Amount int64 } }
		}
		var charges ledger
		read("/v1/orders/"+id, &o)
		read("/v1/test-gateway/ledger?order="+id, &charges)
		switch {
		case o.Status == "completed":
			sold[w.sku] += w.quantity
			if len(charges.Data) != 1 || charges.Data[0].Amount != o.Totals.Total.Amount {
				t.Errorf("%s is completed for %d, the ledger says %+v", id, o.Totals.Total.Amount, charges.Data)
			}
			if w.token != "pm_card_visa" {
				t.Errorf("%s was completed with %s", id, w.token)
			}
		case o.Status != "declined" && o.Status != "rejected":
			t.Errorf("%s is %s", id, o.Status)
		case len(charges.Data) != 0:
			t.Errorf("%s is %s, the ledger says %+v", id, o.Status, charges.Data)
		}
	}
	if sold["PIN-1"] > 1 {
		t.Errorf("%d of one PIN-1 were sold", sold["PIN-1"])
	}
	for _, row := range wares() {
		var i struct {
			OnHand   int64 `json:"on_hand"`
			Reserved int64
		}
		if read("/v1/items/"+row.SKU, &i); i.Reserved != 0 || i.OnHand != *row.Stock-int64(sold[row.SKU]) {
			t.Errorf("%s: %d on hand, %d reserved, after %d of %d were sold", row.SKU, i.OnHand, i.Reserved, sold[row.SKU], *row.Stock)
		}
	}
}
