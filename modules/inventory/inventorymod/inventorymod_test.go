package inventorymod

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cutpoint/modules/inventory"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deps(layer channel.Layer, path string) Deps {
	return Deps{Layer: layer, Datastore: path, Now: time.Now, NewID: id.NewSource(time.Now, rand.Reader), Log: slog.New(slog.DiscardHandler)}
}

// start runs the module on a layer that encodes every message and returns how a stranger sees it.
func start(t testing.TB, path string) (inventory.Service, *Module) {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	m, err := New(deps(layer, path), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	return inventory.NewClient(rpc.NewCaller(layer, "stranger", rpc.CallerOptions{})), m
}

// stocked adds an item with units at one location.
func stocked(t testing.TB, s inventory.Service, sku string, units int64) {
	t.Helper()
	ctx := context.Background()
	_, locationErr := s.PutLocation(ctx, inventory.PutLocationRequest{Code: "ber", Name: "Berlin", IfVersion: 0})
	_, itemErr := s.PutItem(ctx, inventory.PutItemRequest{SKU: sku, Name: "a thing"})
	_, err := s.Adjust(ctx, inventory.AdjustRequest{SKU: sku, Location: "ber", Absolute: true, Quantity: units, Reason: "count"})
	if err := errors.Join(locationErr, itemErr, err); err != nil {
		t.Fatal(err)
	}
}

func reserve(order, sku string, units int64) inventory.ReserveRequest {
	return inventory.ReserveRequest{OrderID: order, Lines: []inventory.Line{{SKU: sku, Quantity: units}}}
}

func TestModule(t *testing.T) {
	path := storetest.Datastore(t, "inventory")
	s, m := start(t, path)
	ctx := context.Background()
	stocked(t, s, "MUG", 5)

	held, err := s.Reserve(ctx, reserve("o1", "MUG", 2))
	if err != nil || held.State != inventory.ReservationHeld || !strings.HasPrefix(held.ID, "res_") {
		t.Fatalf("%+v, %v", held, err)
	}
	t.Run("a fault crosses with its details and is known to be executed", func(t *testing.T) {
		_, err := s.Reserve(ctx, reserve("o2", "MUG", 4))
		f := fault.From(err)
		want := []fault.Detail{{Pointer: "/lines/0/quantity", Code: "inventory.out_of_stock", Detail: "MUG: 4 wanted, 3 available"}}
		if !errors.Is(err, inventory.ErrOutOfStock) || f.Outcome != fault.Executed || !reflect.DeepEqual(f.Details, want) {
			t.Fatalf("%+v", f)
		}
	})
	consumed, err := s.Finalise(ctx, inventory.FinaliseRequest{OrderID: "o1"})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Movements(ctx, inventory.MovementsRequest{SKU: "MUG", Limit: 1})
	if err != nil || page.Movements[0].Actor != "stranger" {
		t.Fatalf("a movement names the module that caused it: %+v, %v", page, err)
	}

	t.Run("a repeat is answered from the store, also after a restart", func(t *testing.T) {
		if err := m.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		s, _ := start(t, path)
		again, err := s.Finalise(ctx, inventory.FinaliseRequest{OrderID: "o1"})
		if err != nil || !reflect.DeepEqual(again, consumed) {
			t.Fatalf("%+v, %v; before %+v", again, err, consumed)
		}
		item, err := s.Item(ctx, inventory.ItemRequest{SKU: "MUG"})
		if err != nil || item.OnHand != 3 || item.Reserved != 0 {
			t.Fatalf("%+v, %v", item, err)
		}
	})
}

// TestLastUnit lets fifty strangers run for one unit.
func TestLastUnit(t *testing.T) {
	s, _ := start(t, storetest.Datastore(t, "inventory"))
	stocked(t, s, "MUG", 1)
	var won, lost atomic.Int64
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			switch _, err := s.Reserve(context.Background(), reserve(fmt.Sprint("o", i), "MUG", 1)); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, inventory.ErrOutOfStock):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != 49 {
		t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
	}
}

// TestHoldsExpire keeps a cart waiting beyond its time, on a virtual clock.
func TestHoldsExpire(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		s, _ := start(t, storetest.Datastore(t, "inventory"))
		stocked(t, s, "MUG", 5)
		ctx := context.Background()
		if _, err := s.Hold(ctx, inventory.HoldRequest{HoldID: "c1", Lines: []inventory.Line{{SKU: "MUG", Quantity: 2}}, TTL: time.Minute}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait     time.Duration
			reserved int64
		}{{59 * time.Second, 2}, {time.Second + DefaultExpireEvery, 0}} {
			time.Sleep(step.wait)
			synctest.Wait()
			item, err := s.Item(ctx, inventory.ItemRequest{SKU: "MUG"})
			if err != nil || item.Reserved != step.reserved {
				t.Fatalf("after another %v: %+v, %v", step.wait, item, err)
			}
		}
	})
}

// TestFail loses a commit: the answer is an error, and a repeat finds out what became of it.
func TestFail(t *testing.T) {
	var failAt atomic.Value
	failAt.Store("")
	layer := channel.NewMemory(channel.Options{Strict: true})
	defer layer.Close()
	m, err := New(deps(layer, storetest.Datastore(t, "inventory")), Options{Fail: func(point string) error {
		if point == failAt.Load() {
			return errors.New("the world ended")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Stop(ctx) }()
	s := inventory.NewClient(rpc.NewCaller(layer, "stranger", rpc.CallerOptions{}))
	stocked(t, s, "MUG", 5)
	for point, reserved := range map[string]int64{"inventory.commit.before": 0, "inventory.commit.after": 2} {
		failAt.Store(point)
		if _, err := s.Reserve(ctx, reserve(point, "MUG", 2)); err == nil {
			t.Fatalf("%s: no error", point)
		}
		failAt.Store("")
		if item, err := s.Item(ctx, inventory.ItemRequest{SKU: "MUG"}); err != nil || item.Reserved != reserved {
			t.Fatalf("%s: %+v, %v", point, item, err)
		}
		for range 2 {
			if _, err := s.Reserve(ctx, reserve(point, "MUG", 2)); err != nil {
				t.Fatalf("%s: %v", point, err)
			}
		}
		if _, err := s.Release(ctx, inventory.ReleaseRequest{OrderID: point}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNew(t *testing.T) {
	_, err := New(Deps{Datastore: "x", Now: time.Now}, Options{})
	if err == nil || err.Error() != "module inventory needs Layer, NewID, Log" {
		t.Fatal(err)
	}
}

func TestLifecycle(t *testing.T) {
	ctx := context.Background()
	layer := channel.NewMemory(channel.Options{})
	defer layer.Close()
	m, err := New(deps(layer, storetest.Datastore(t, "inventory")), Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(ctx); err != nil {
		t.Fatalf("stop before start: %v", err)
	}
	if m.StoreStats().Writes != 0 {
		t.Fatal("there are figures before start")
	}
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(ctx); err == nil {
		t.Fatal("it was started twice")
	}
	s := inventory.NewClient(rpc.NewCaller(layer, "stranger", rpc.CallerOptions{}))
	stocked(t, s, "MUG", 1)
	if m.StoreStats().Writes != 3 {
		t.Fatalf("%+v", m.StoreStats())
	}
	for range 2 {
		if err := m.Stop(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Item(ctx, inventory.ItemRequest{SKU: "MUG"}); !errors.Is(err, channel.ErrNoReceiver) {
		t.Fatalf("after stop: %v", err)
	}
	unopenable, err := New(deps(layer, t.TempDir()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := unopenable.Start(ctx); err == nil {
		t.Fatal("a directory was opened as a store")
	}
}
