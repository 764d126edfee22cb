package paymentsmod_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var order = payments.ChargeRequest{OrderID: "ord_1", Amount: money.Of(2580, "EUR"), Token: "pm_card_visa"}

func deps(layer channel.Layer, of func(string) string) paymentsmod.Deps {
	return paymentsmod.Deps{
		Layer: layer, Datastore: of("payments"), GatewayDatastore: of("testgateway"),
		Now: time.Now, NewID: id.NewSource(time.Now, rand.Reader), Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs the module on a layer that encodes every message, and returns what a stranger sees of it.
func start(t *testing.T, of func(string) string) (payments.Client, *paymentsmod.Module) {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	m, err := paymentsmod.New(deps(layer, of), paymentsmod.Options{})
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
	return payments.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{})), m
}

func entries(t *testing.T, c payments.Client) []payments.LedgerEntry {
	t.Helper()
	page, err := c.Ledger(t.Context(), payments.LedgerRequest{OrderID: order.OrderID})
	if err != nil {
		t.Fatal(err)
	}
	return page.Entries
}

func TestCharge(t *testing.T) {
	t.Run("two commits, one ledger entry", func(t *testing.T) {
		c, m := start(t, storetest.Datastores(t))
		p, err := c.Charge(t.Context(), order)
		if err != nil || p.Status != payments.StatusSucceeded {
			t.Fatalf("%+v, %v", p, err)
		}
		if stats := m.StoreStats(); stats.Commits != 2 {
			t.Errorf("%+v", stats)
		}
		moved := entries(t, c)
		if len(moved) != 1 || moved[0].Key != p.Operations[0].Key || moved[0].Reference != p.Reference || moved[0].Amount != 2580 {
			t.Errorf("%+v of %+v", moved, p)
		}
	})
	t.Run("fifty at once are one operation, one ledger entry and one answer", func(t *testing.T) {
		c, _ := start(t, storetest.Datastores(t))
		answers := make([]payments.Payment, 50)
		var callers sync.WaitGroup
		for i := range answers {
			callers.Go(func() {
				var err error
				if answers[i], err = c.Charge(t.Context(), order); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		for _, a := range answers {
			if a.ID != answers[0].ID || a.Status != payments.StatusSucceeded || len(a.Operations) != 1 || a.Operations[0].Key != answers[0].Operations[0].Key {
				t.Errorf("%+v\n%+v", a, answers[0])
			}
		}
		if moved := entries(t, c); len(moved) != 1 {
			t.Errorf("%+v", moved)
		}
	})
	t.Run("a decline is an answer and moves nothing", func(t *testing.T) {
		c, _ := start(t, storetest.Datastores(t))
		r := order
		r.Token = "pm_card_chargeDeclinedExpiredCard"
		p, err := c.Charge(t.Context(), r)
		if err != nil || p.Status != payments.StatusDeclined || p.Failure == nil || p.Failure.Code != "expired_card" {
			t.Errorf("%+v, %v", p, err)
		}
		if moved := entries(t, c); len(moved) != 0 {
			t.Errorf("%+v", moved)
		}
	})
	t.Run("faults name the order and their outcome on the way", func(t *testing.T) {
		c, _ := start(t, storetest.Datastores(t))
		if _, err := c.Charge(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		r := order
		r.Amount.Amount++
		_, err := c.Charge(t.Context(), r)
		if f := fault.From(err); !errors.Is(err, payments.ErrOtherRequest) || f.Outcome != fault.Executed || f.Subject != order.OrderID {
			t.Errorf("%+v", f)
		}
	})
}

func TestRefund(t *testing.T) {
	of := storetest.Datastores(t)
	t.Run("fifty at once give back once", func(t *testing.T) {
		c, _ := start(t, of)
		if _, err := c.Charge(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				p, err := c.Refund(t.Context(), payments.RefundRequest{OrderID: order.OrderID, RefundID: "ref_1", Reason: "cancelled"})
				if err != nil || p.Status != payments.StatusRefunded || len(p.Operations) != 2 {
					t.Errorf("%+v, %v", p, err)
				}
			})
		}
		callers.Wait()
		moved := entries(t, c)
		if len(moved) != 2 || moved[0].Operation != "charge" || moved[1].Operation != "refund" || moved[1].Amount != 2580 {
			t.Errorf("%+v", moved)
		}
	})
	t.Run("a restart forgets nothing", func(t *testing.T) {
		c, m := start(t, of)
		p, err := c.Charge(t.Context(), order)
		if err != nil || p.Status != payments.StatusRefunded || m.StoreStats().Commits != 0 || len(entries(t, c)) != 2 {
			t.Errorf("%+v, %v", p, err)
		}
		read, err := c.Payment(t.Context(), payments.PaymentRequest{ID: p.ID})
		if err != nil || !reflect.DeepEqual(read, p) {
			t.Errorf("%+v, %v", read, err)
		}
	})
}

func TestModule_lifecycle(t *testing.T) {
	layer := channel.NewMemory(channel.Options{Strict: true})
	defer layer.Close()
	if _, err := paymentsmod.New(paymentsmod.Deps{Layer: layer, Datastore: "payments.db"}, paymentsmod.Options{}); err == nil || !strings.Contains(err.Error(), "GatewayDatastore") {
		t.Errorf("without a path of the gateway: %v", err)
	}
	d := deps(layer, storetest.Datastores(t))
	d.GatewayDatastore = filepath.Join(t.TempDir(), "no", "such", "folder.db")
	broken, err := paymentsmod.New(d, paymentsmod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Start(t.Context()); err == nil { // goleak sees to it that the other store is closed again
		t.Error("it started without a gateway")
	}
	m, err := paymentsmod.New(deps(layer, storetest.Datastores(t)), paymentsmod.Options{})
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
	client := payments.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{}))
	if _, err := client.Charge(t.Context(), order); !errors.Is(err, channel.ErrNoReceiver) {
		t.Errorf("after the stop: %v", err)
	}
}
