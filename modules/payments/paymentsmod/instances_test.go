package paymentsmod_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/webhook"
)

// Two instances of the module on the same two files, each with a layer of its own, as two processes have.

// deliveries are what the test gateways of all instances delivered, by webhook.
type deliveries struct {
	mu    sync.Mutex
	times map[string]int
}

// instance starts one more; its gateway takes a while to deliver.
func (d *deliveries) instance(t *testing.T, of func(string) string, fail failpoint.Points) payments.Client {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	c := payments.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{Timeout: time.Minute}))
	with := deps(layer, of)
	with.Deliver = func(ctx context.Context, header map[string]string, body []byte) error {
		d.mu.Lock()
		d.times[header[webhook.HeaderID]]++
		d.mu.Unlock()
		time.Sleep(2 * time.Second) // of virtual time, in which the other instance looks twice
		_, err := c.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: paymentsmod.ProviderTestGateway, Header: header, Body: body})
		return err
	}
	m, err := paymentsmod.New(with, paymentsmod.Options{Fail: fail})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	return c
}

func chargeOf(orderID, token string) payments.ChargeRequest {
	r := order
	r.OrderID, r.Token = orderID, token
	return r
}

// TestInstances_charge: a charge, and a refund, that come to two instances at once move money once.
func TestInstances_charge(t *testing.T) {
	d := deliveries{times: map[string]int{}}
	of := storetest.Datastores(t)
	both := [2]payments.Client{d.instance(t, of, nil), d.instance(t, of, nil)}
	atOnce := func(do func(payments.Client, string) error) {
		var callers sync.WaitGroup
		for i := range 80 {
			callers.Go(func() {
				if err := do(both[i%2], fmt.Sprint("ord_", i/4)); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
	}
	atOnce(func(c payments.Client, orderID string) error {
		p, err := c.Charge(context.Background(), chargeOf(orderID, "pm_card_visa"))
		if err == nil && p.Status != payments.StatusSucceeded {
			err = errors.New(p.Status)
		}
		return err
	})
	atOnce(func(c payments.Client, orderID string) error {
		_, err := c.Refund(context.Background(), payments.RefundRequest{OrderID: orderID, RefundID: "ref_" + orderID, Amount: 80})
		return err
	})
	page, err := both[0].Ledger(t.Context(), payments.LedgerRequest{Limit: 200})
	moved := map[string]int{}
	for _, e := range page.Entries {
		moved[fmt.Sprint(e.OrderID, " ", e.Operation, " ", e.Amount)]++
	}
	for what, n := range moved {
		if n != 1 {
			t.Errorf("%s: %d times", what, n)
		}
	}
	if err != nil || len(moved) != 40 {
		t.Errorf("%d movements, %v", len(moved), err)
	}
}

// TestInstances_death: a charge whose instance dies before it knows the answer is found by the other, and not made anew.
func TestInstances_death(t *testing.T) {
	d := deliveries{times: map[string]int{}}
	of := storetest.Datastores(t)
	var dead atomic.Bool
	dying := d.instance(t, of, func(point string) error {
		if point == "provider.charge.after" {
			dead.Store(true)
		}
		if dead.Load() {
			return errors.New("the process is gone")
		}
		return nil
	})
	other := d.instance(t, of, nil)
	if p, err := dying.Charge(t.Context(), order); err == nil {
		t.Fatalf("%+v", p)
	}
	p, err := other.Charge(t.Context(), order)
	if err != nil || p.Status != payments.StatusSucceeded || len(entries(t, other)) != 1 {
		t.Errorf("%+v, %v; the ledger has %+v", p, err, entries(t, other))
	}
}

// TestInstances_alone is what instances do by themselves: each webhook is delivered by one of them and taken up once, and they take turns
// in comparing the books.
func TestInstances_alone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deliveries{times: map[string]int{}}
		storetest.SQLiteOnly(t, "its time is virtual")
		of := storetest.Datastores(t)
		a := d.instance(t, of, nil)
		time.Sleep(300 * time.Millisecond)
		b := d.instance(t, of, nil)
		for i := range 20 {
			p, err := []payments.Client{a, b}[i%2].Charge(t.Context(), chargeOf(fmt.Sprint("ord_", i), "pm_sim_asyncSucceed_5"))
			if err != nil || p.Status != payments.StatusPending {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		time.Sleep(time.Hour)
		for id, n := range d.times {
			if n != 1 {
				t.Errorf("%s was delivered %d times", id, n)
			}
		}
		changes, err := b.Changes(t.Context(), payments.ChangesRequest{Limit: 200})
		if err != nil || len(d.times) != 20 || len(changes.Changes) != 20 {
			t.Errorf("%d webhooks, %d changes, %v", len(d.times), len(changes.Changes), err)
		}
		reports, err := a.Reconciliations(t.Context(), payments.ReconciliationsRequest{Limit: 20})
		if n := len(reports.Reconciliations); err != nil || n < 5 || n > 6 {
			t.Errorf("%d comparisons in an hour, %v", n, err)
		}
	})
}
