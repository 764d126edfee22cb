package shop_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/cmd/internal/auditor"
	"cutpoint/cmd/internal/shop"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventorymod"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhooksmod"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/rpc"
)

// pair is a shop with two instances of every module: on the same files, on one layer that loses and delays messages, with datastores that
// fail now and then. The contracts are those of a stranger, whose calls arrive; answers get lost.
type pair struct {
	shop.Contracts
	layer channel.Layer
	dir   string
	stop  [2][]func(context.Context) error

	mu   sync.Mutex
	dice *mathrand.Rand // of failures; nil: none
	sent map[string]int // webhooks that were posted, by id
}

func openPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	raw := channel.NewMemory(channel.Options{Strict: true})
	p := &pair{dir: t.TempDir(), dice: mathrand.New(mathrand.NewPCG(seed, 7)), sent: map[string]int{}}
	p.layer = channel.Unreliable(raw, channel.Unreliability{
		Seed: seed, MaxDelay: 2 * time.Second, DropSend: 0.02, DelaySend: 0.1, Refuse: 0.02, DropReply: 0.02, DelayReply: 0.1,
	})
	reliable := rpc.NewCaller(raw, "test", rpc.CallerOptions{Timeout: time.Minute})
	p.Contracts = shop.Contracts{
		Inventory: inventory.NewClient(reliable), Pricing: pricing.NewClient(reliable), Payments: payments.NewClient(reliable),
		Orders: orders.NewClient(reliable), Webhooks: webhooks.NewClient(reliable),
	}
	for n := range p.stop {
		p.start(t, n)
	}
	t.Cleanup(func() {
		p.halt(t, 0)
		p.halt(t, 1)
		p.layer.Close()
	})
	return p
}

// faults fails one commit or request to the provider in two hundred.
func (p *pair) faults(string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dice != nil && p.dice.IntN(200) == 0 {
		return errors.New("the disk failed")
	}
	return nil
}

// start brings one instance of every module to life.
func (p *pair) start(t *testing.T, n int) {
	t.Helper()
	log, newID := slog.New(slog.DiscardHandler), id.NewSource(shop.Now, rand.Reader)
	file := func(name string) string { return filepath.Join(p.dir, name+".db") }
	caller := func(from string) *rpc.Caller {
		return rpc.NewCaller(p.layer, from, rpc.CallerOptions{Timeout: time.Second})
	}
	begin := func(m interface {
		Start(context.Context) error
		Stop(context.Context) error
	}, err error) {
		t.Helper()
		if err == nil {
			err = m.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		p.stop[n] = append(p.stop[n], m.Stop)
	}
	begin(inventorymod.New(inventorymod.Deps{Layer: p.layer, Datastore: file("inventory"), Now: shop.Now, NewID: newID, Log: log}, inventorymod.Options{Fail: p.faults}))
	begin(pricingmod.New(pricingmod.Deps{Layer: p.layer, Datastore: file("pricing"), Now: shop.Now, NewID: newID, Log: log}, pricingmod.Options{Fail: p.faults}))
	begin(paymentsmod.New(paymentsmod.Deps{
		Layer: p.layer, Datastore: file("payments"), GatewayDatastore: file("testgateway"), Now: shop.Now, NewID: newID, Random: rand.Reader, Log: log,
		Deliver: func(ctx context.Context, header map[string]string, body []byte) error {
			_, err := p.Payments.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: paymentsmod.ProviderTestGateway, Header: header, Body: body})
			return err
		},
	}, paymentsmod.Options{Fail: p.faults, Policy: paymentsmod.Policy{ProviderTimeout: 800 * time.Millisecond}}))
	from := caller(orders.Module)
	begin(ordersmod.New(ordersmod.Deps{
		Layer: p.layer, Datastore: file("orders"), Now: shop.Now, NewID: newID, Log: log, Random: mathrand.Float64,
		Inventory: inventory.NewClient(from), Pricing: pricing.NewClient(from), Payments: payments.NewClient(from),
	}, ordersmod.Options{Policy: ordersmod.Policy{Patience: 3 * time.Second, Lease: 5 * time.Second}, Fail: p.faults}))
	begin(webhooksmod.New(webhooksmod.Deps{
		Layer: p.layer, Datastore: file("webhooks"), Orders: orders.NewClient(caller(webhooks.Module)), Now: shop.Now, NewID: newID,
		Random: mathrand.Float64, Secrets: rand.Reader, Log: log,
	}, webhooksmod.Options{Post: p.post}))
}

// halt stops an instance, callers before those that they call.
func (p *pair) halt(t *testing.T, n int) {
	t.Helper()
	for i := len(p.stop[n]) - 1; i >= 0; i-- {
		if err := p.stop[n][i](context.Background()); err != nil {
			t.Error(err)
		}
	}
	p.stop[n] = nil
}

// post takes a webhook.
func (p *pair) post(_ context.Context, q webhooksmod.Request) (webhooksmod.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[q.Header["webhook-id"]]++
	return webhooksmod.Answer{StatusCode: 200}, nil
}

// persist repeats what may be repeated until there is an answer, and returns the refusal if it is one.
func persist(do func() error) (err error) {
	for range 100 {
		f := fault.From(do())
		if f == nil {
			return nil
		}
		switch err = f; {
		case f.Kind == fault.Internal, f.Kind == fault.Unavailable, f.Kind == fault.Timeout, f.Kind == fault.Limited, errors.Is(f, idempotency.ErrInUse):
			time.Sleep(500 * time.Millisecond)
		default:
			return err
		}
	}
	return err
}

// stocked puts something on sale.
func (p *pair) stocked(t *testing.T, sku string, units int64) {
	t.Helper()
	for _, do := range []func() error{
		func() error {
			_, err := p.Inventory.PutLocation(t.Context(), inventory.PutLocationRequest{Code: "ber", Name: "Berlin"})
			return err
		},
		func() error {
			_, err := p.Inventory.PutItem(t.Context(), inventory.PutItemRequest{SKU: sku, Name: sku})
			return err
		},
		func() error {
			_, err := p.Inventory.Adjust(t.Context(), inventory.AdjustRequest{SKU: sku, Location: "ber", Absolute: true, Quantity: units, Reason: "count"})
			return err
		},
		func() error {
			_, err := p.Pricing.PutPrices(t.Context(), pricing.PutPricesRequest{SKU: sku, Prices: []pricing.Price{{Currency: "EUR", Amount: 1290}}})
			return err
		},
	} {
		_ = persist(do) // one that was done before it failed is refused when it is repeated; the audit and the sales tell
	}
}

// TestInstances runs a few hundred orders through two instances of every module, one of which goes away half-way. In the end the audit is
// clean, and twenty of twenty are sold.
func TestInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t, 1)
		p.stocked(t, "MUG", 10_000)
		p.stocked(t, "PIN", 20)
		if err := persist(func() error {
			_, err := p.Webhooks.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: "https://example.com/"}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		tokens := []string{"pm_card_visa", "pm_card_visa", "pm_card_visa_chargeDeclined", "pm_sim_asyncSucceed_5", "pm_sim_webhookFirst", "pm_sim_500Charged"}
		var customers sync.WaitGroup
		for i := range 300 {
			customers.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				p.buy(t, i, tokens[i%len(tokens)])
			})
		}
		time.Sleep(15 * time.Second)
		p.halt(t, 0)
		customers.Wait()
		time.Sleep(2 * time.Hour)
		p.check(t)
	})
}

// buy places one order, a scarce thing every fifth time, and every other time without waiting.
func (p *pair) buy(t *testing.T, i int, token string) {
	sku := "MUG"
	if i%5 == 0 {
		sku, token = "PIN", "pm_card_visa"
	}
	r := orders.PlaceRequest{
		Key: idempotency.Key{Caller: "test", Value: fmt.Sprint("wish-", i), Digest: "d"}, Wait: i%2 == 0,
		Draft: orders.Draft{
			Basket:   orders.Basket{Currency: "EUR", Lines: []orders.Line{{SKU: sku, Quantity: 1}}},
			Customer: orders.Customer{Email: "ada@example.com"}, Payment: orders.Instrument{Token: token},
		},
	}
	if err := persist(func() error { _, err := p.Orders.Place(t.Context(), r); return err }); err != nil {
		t.Errorf("wish %d: %v", i, err)
	}
}

// check holds the shop against what must be true of it.
func (p *pair) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	p.dice = nil
	p.mu.Unlock()
	var report *auditor.Report
	err := persist(func() (err error) {
		report, err = auditor.Run(t.Context(), auditor.Modules{
			Inventory: p.Inventory, Pricing: p.Pricing, Payments: p.Payments, Orders: p.Orders,
		}, auditor.Options{})
		return err
	})
	if err != nil || report.Found > 0 || report.Orders != 300 {
		t.Errorf("the audit: %v\n%v", err, report)
	}
	var pins inventory.Item
	err = persist(func() (err error) {
		pins, err = p.Inventory.Item(t.Context(), inventory.ItemRequest{SKU: "PIN"})
		return err
	})
	if err != nil || pins.OnHand != 0 || pins.Reserved != 0 {
		t.Errorf("%d of 20 are left, %d reserved, %v", pins.OnHand, pins.Reserved, err)
	}
	ends, events, after := map[string]int{}, 0, int64(0)
	for more := true; more; {
		var page orders.EventPage
		if err := persist(func() (err error) {
			page, err = p.Orders.Events(t.Context(), orders.EventsRequest{After: after, Limit: 200, Brief: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			after = e.Position
			events++
			if e.Type != orders.EventReceived {
				ends[e.Type]++
			}
			if n := p.sent[e.ID]; n != 1 {
				t.Errorf("%s of %s was posted %d times", e.Type, e.OrderID, n)
			}
		}
		more = page.More
	}
	if n := ends[orders.EventCompleted] + ends[orders.EventDeclined] + ends[orders.EventRejected]; n != 300 || ends[orders.EventDeclined] == 0 {
		t.Errorf("300 orders came to %v", ends)
	}
}
