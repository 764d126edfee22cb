package pricingmod_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deps(layer channel.Layer, path string) pricingmod.Deps {
	return pricingmod.Deps{
		Layer: layer, Datastore: path, Now: time.Now, NewID: id.NewSource(time.Now, rand.Reader), Log: slog.New(slog.DiscardHandler),
	}
}

// start runs the module on a layer that encodes every message, and returns what a stranger sees of it.
func start(t *testing.T, path string) (pricing.Service, *pricingmod.Module) {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	m, err := pricingmod.New(deps(layer, path), pricingmod.Options{})
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
	return pricing.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{})), m
}

func TestModule(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	ask := pricing.CalculateRequest{Currency: "KWD", Lines: []pricing.Line{{SKU: "MUG-1", Quantity: 3}}}

	t.Run("prices what was put", func(t *testing.T) {
		s, m := start(t, path)
		prices := []pricing.Price{{Currency: "KWD", Amount: 4250}}
		set, err := s.PutPrices(t.Context(), pricing.PutPricesRequest{SKU: "MUG-1", Prices: prices})
		if err != nil || set.Version != 1 {
			t.Fatalf("%+v, %v", set, err)
		}
		got, err := s.Calculate(t.Context(), ask)
		if err != nil || got.Total != money.Of(12750, "KWD") {
			t.Errorf("%+v, %v", got, err)
		}
		if stats := m.StoreStats(); stats.Commits != 1 {
			t.Errorf("%d commits for one change", stats.Commits)
		}
	})
	t.Run("keeps prices over a restart", func(t *testing.T) {
		s, _ := start(t, path)
		got, err := s.Calculate(t.Context(), ask)
		if err != nil || got.Total != money.Of(12750, "KWD") {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("faults keep their details and outcome on the way", func(t *testing.T) {
		s, _ := start(t, path)
		_, err := s.Calculate(t.Context(), pricing.CalculateRequest{Currency: "EUR", Lines: ask.Lines})
		f := fault.From(err)
		if !errors.Is(err, pricing.ErrNoPrice) || f.Outcome != fault.Executed || len(f.Details) != 1 || f.Details[0].Pointer != "/lines/0/sku" {
			t.Errorf("%+v", f)
		}
	})
}

func TestModule_lifecycle(t *testing.T) {
	layer := channel.NewMemory(channel.Options{Strict: true})
	defer layer.Close()
	d := deps(layer, storetest.Datastore(t, "pricing"))
	if _, err := pricingmod.New(pricingmod.Deps{Layer: layer}, pricingmod.Options{}); err == nil {
		t.Error("a module without a path was made")
	}
	m, err := pricingmod.New(d, pricingmod.Options{})
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
	client := pricing.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{}))
	if _, err := client.Prices(t.Context(), pricing.PricesRequest{SKU: "A"}); !errors.Is(err, channel.ErrNoReceiver) {
		t.Errorf("after the stop: %v", err)
	}
}
