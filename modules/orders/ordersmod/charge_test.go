package ordersmod_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/store/storetest"
)

// only is the calls of some operations, in their order.
func only(calls []string, operations ...string) []string {
	return slices.DeleteFunc(calls, func(c string) bool { return !slices.Contains(operations, c) })
}

func (m *module) read(t testing.TB, orderID string) orders.Order {
	t.Helper()
	o, err := m.Order(t.Context(), orders.OrderRequest{ID: orderID})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (m *module) wantState(t testing.TB, orderID, state string) orders.Order {
	t.Helper()
	o := m.read(t, orderID)
	if o.State != state {
		t.Fatalf("the order is %s (%s, failure %+v), want %s", o.State, o.Status, o.Failure, state)
	}
	return o
}

// inBubble runs a test in virtual time, with a module of its own.
func inBubble(t *testing.T, name string, p ordersmod.Policy, do func(*testing.T, *module)) {
	t.Run(name, func(t *testing.T) {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			do(t, start(t, storetest.Datastore(t, "orders"), newNeighbours(), p))
		})
	})
}

func key(value string) idempotency.Key {
	return idempotency.Key{Caller: "key_1", Value: value, Digest: "d"}
}

// TestUnknownCharge holds the rule that costs most when it is broken: while nobody knows whether money moved, nothing is released,
// refunded or charged anew.
func TestUnknownCharge(t *testing.T) {
	inBubble(t, "is asked for again until it is known, with the stock held", ordersmod.Policy{UnknownLimit: 24 * time.Hour}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		o := m.place(t, request("k"))
		if o.Status != orders.StatusProcessing || o.State != "charge_unknown" {
			t.Fatalf("the order is %s (%s)", o.Status, o.State)
		}
		time.Sleep(12 * time.Hour)
		m.wantState(t, o.ID, "charge_unknown")
		calls := m.calls()
		if n := len(only(slices.Clone(calls), "payments.charge")); n < 100 || n > 400 { // every 2.5 to 5 minutes
			t.Errorf("the provider was asked %d times in 12 hours", n)
		}
		if other := only(calls, "inventory.release", "payments.refund", "payments.seal"); len(other) > 0 {
			t.Errorf("asked %v while nobody knew", other)
		}
		m.answer("payments.charge", nil)
		time.Sleep(5 * time.Minute)
		m.wantState(t, o.ID, "completed")
	})
	inBubble(t, "is sealed at the limit, and the stock given back once that is confirmed", ordersmod.Policy{UnknownLimit: time.Hour}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		m.answer("payments.seal", fails(payments.ErrUnknownOutcome))
		m.becomes(payments.StatusPending)
		o := m.place(t, request("k"))
		time.Sleep(3 * time.Hour)
		m.wantState(t, o.ID, "sealing")
		if released := only(m.calls(), "inventory.release"); len(released) > 0 {
			t.Fatal("the stock was released before the seal was confirmed")
		}
		m.answer("payments.seal", nil)
		time.Sleep(5 * time.Minute)
		if o := m.wantState(t, o.ID, "cancelled"); o.Failure == nil || o.Failure.Code != "orders.payment_timeout" {
			t.Errorf("the failure is %+v", o.Failure)
		}
	})
	inBubble(t, "goes on if it had succeeded when it is sealed", ordersmod.Policy{UnknownLimit: time.Minute}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrUnknownOutcome))
		o := m.place(t, request("k"))
		time.Sleep(10 * time.Minute)
		if o := m.wantState(t, o.ID, "completed"); o.Failure != nil {
			t.Errorf("the failure is %+v", o.Failure)
		}
		if calls := m.calls(); len(only(calls, "payments.refund")) > 0 {
			t.Error("it was refunded")
		}
	})
	inBubble(t, "that nobody can tell any more goes to an operator, with the stock held", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrKeyExpired))
		o := m.place(t, request("k"))
		m.wantState(t, o.ID, "needs_review")
		if released := only(m.calls(), "inventory.release"); len(released) > 0 {
			t.Error("the stock was released")
		}
		m.answer("payments.charge", nil)
		m.tell(o.ID, payments.StatusSucceeded) // a webhook, long after
		time.Sleep(time.Minute)
		m.wantState(t, o.ID, "completed")
	})
	inBubble(t, "that was never sent is no unknown one", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(payments.ErrNotSent))
		o := m.place(t, request("k"))
		m.wantState(t, o.ID, "charging")
	})
	inBubble(t, "that fails for its code again and again goes to an operator", ordersmod.Policy{MaxFailures: 5}, func(t *testing.T, m *module) {
		m.answer("payments.charge", fails(fault.ErrInternal))
		o := m.place(t, request("k"))
		time.Sleep(time.Hour)
		if o := m.wantState(t, o.ID, "needs_review"); o.Failure == nil || o.Failure.Code != "internal" {
			t.Errorf("the failure is %+v", o.Failure)
		}
	})
}

func TestCustomerMustAct(t *testing.T) {
	inBubble(t, "the order says what to do, and goes on when it was done", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.becomes(payments.StatusRequiresAction)
		before := time.Now()
		o := m.place(t, request("k"))
		if o.Status != orders.StatusRequiresAction || o.Payment.Action == nil || o.Payment.Action.URL == "" || time.Since(before) > time.Second {
			t.Fatalf("the order is %s after %v, the action %+v", o.Status, time.Since(before), o.Payment.Action)
		}
		m.becomes(payments.StatusSucceeded)
		m.tell(o.ID, payments.StatusSucceeded)
		time.Sleep(3 * time.Second)
		if o := m.wantState(t, o.ID, "completed"); o.Payment.Action != nil {
			t.Errorf("there is still %+v to do", o.Payment.Action)
		}
	})
	inBubble(t, "without a webhook it is asked for", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.becomes(payments.StatusPending)
		o := m.place(t, request("k"))
		if o.Status != orders.StatusProcessing {
			t.Fatalf("the order is %s", o.Status)
		}
		m.becomes(payments.StatusDeclined)
		time.Sleep(10 * time.Minute)
		m.wantState(t, o.ID, "declined")
	})
	inBubble(t, "who does not act in time finds the payment sealed", ordersmod.Policy{ActionLimit: 30 * time.Minute}, func(t *testing.T, m *module) {
		m.becomes(payments.StatusRequiresAction)
		o := m.place(t, request("k"))
		time.Sleep(25 * time.Minute)
		m.wantState(t, o.ID, "awaiting_action")
		time.Sleep(15 * time.Minute)
		m.wantState(t, o.ID, "cancelled")
		if calls := only(m.calls(), "payments.seal", "inventory.release"); !slices.Equal(calls, []string{"payments.seal", "inventory.release"}) {
			t.Errorf("asked %v", calls)
		}
	})
	inBubble(t, "a cancellation seals first, and refunds what had succeeded", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.becomes(payments.StatusRequiresAction)
		o := m.place(t, request("k"))
		m.becomes(payments.StatusSucceeded)
		p, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID})
		if err != nil || p.Order.Status != orders.StatusCancelled || p.Order.Payment.Refunded.Amount != 2580 {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		if calls := only(m.calls(), "payments.seal", "payments.refund", "inventory.release"); !slices.Equal(calls, []string{"payments.seal", "payments.refund", "inventory.release"}) {
			t.Errorf("asked %v", calls)
		}
	})
}

func TestLateSuccess(t *testing.T) {
	inBubble(t, "on a dead order is refunded once, and the order stays dead", ordersmod.Policy{}, func(t *testing.T, m *module) {
		m.becomes(payments.StatusDeclined)
		o := m.place(t, request("k"))
		m.calls()
		m.tell(o.ID, payments.StatusSucceeded)
		time.Sleep(time.Minute)
		if o := m.wantState(t, o.ID, "declined"); o.Payment.Refunded.Amount != 2580 {
			t.Errorf("the payment is %+v", o.Payment)
		}
		if calls := m.calls(); !slices.Equal(calls, []string{"payments.refund", "inventory.release"}) {
			t.Errorf("asked %v", calls)
		}
	})
}

func TestReasons(t *testing.T) {
	inBubble(t, "of a dispute are told, and shown", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o := m.place(t, request("k"))
		for _, step := range []struct{ reason, disputed string }{{"dispute_open", "open"}, {"dispute_lost", "lost"}, {"of_the_future", "lost"}} {
			m.remark(o.ID, step.reason)
			time.Sleep(time.Minute)
			if o := m.wantState(t, o.ID, "completed"); o.Payment.Disputed != step.disputed {
				t.Errorf("after %s it is %q", step.reason, o.Payment.Disputed)
			}
		}
		if got := m.told(t, o.ID); !slices.Equal(got[2:], []string{orders.EventDisputed, orders.EventDisputeLost}) {
			t.Errorf("told %q", got)
		}
		if _, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("r"), ID: o.ID}); err != nil {
			t.Fatal(err)
		}
		if o := m.read(t, o.ID); o.Payment.Disputed != "lost" {
			t.Errorf("after a refund it is %q", o.Payment.Disputed)
		}
	})
	inBubble(t, "of a dead order let it rest", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o := m.place(t, request("k"))
		if _, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID}); err != nil {
			t.Fatal(err)
		}
		m.calls()
		m.remark(o.ID, "dispute_open")
		m.remark(o.ID, "dispute_won")
		time.Sleep(time.Minute)
		if o := m.wantState(t, o.ID, "cancelled"); o.Payment.Disputed != "won" {
			t.Errorf("it is %q", o.Payment.Disputed)
		}
		wantCalls(t, m.neighbours)
	})
	inBubble(t, "of an authorisation are told until it is captured", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o := m.placeManual(t)
		m.remark(o.ID, payments.ReasonAuthorisationExpiring)
		m.remark(o.ID, payments.ReasonAuthorisationExpired)
		time.Sleep(time.Minute)
		if _, err := m.Capture(t.Context(), orders.CaptureRequest{Key: key("c"), ID: o.ID}); err != nil {
			t.Fatal(err)
		}
		m.remark(o.ID, payments.ReasonAuthorisationExpired)
		time.Sleep(time.Minute)
		want := []string{orders.EventAuthorisationExpiring, orders.EventAuthorisationExpired, orders.EventCaptured}
		if got := m.told(t, o.ID); !slices.Equal(got[2:], want) {
			t.Errorf("told %q, want %q", got[2:], want)
		}
	})
	inBubble(t, "overtake a runner, whose order goes on all the same", ordersmod.Policy{}, func(t *testing.T, m *module) {
		reached, on := make(chan struct{}), make(chan struct{})
		var once sync.Once
		m.answer("inventory.finalise", func() error { once.Do(func() { close(reached); <-on }); return nil })
		placed := make(chan orders.Order)
		go func() { placed <- m.place(t, request("k")) }()
		<-reached
		page, err := m.Orders(t.Context(), orders.OrdersRequest{})
		if err != nil || len(page.Orders) != 1 {
			t.Fatalf("%d orders (%v)", len(page.Orders), err)
		}
		m.remark(page.Orders[0].ID, "dispute_open")
		time.Sleep(2 * time.Second)
		close(on)
		<-placed
		time.Sleep(time.Minute)
		if o := m.wantState(t, page.Orders[0].ID, "completed"); o.Payment.Disputed != "open" {
			t.Errorf("it is %q", o.Payment.Disputed)
		}
		if got := m.told(t, page.Orders[0].ID); !slices.Equal(got, []string{orders.EventReceived, orders.EventDisputed, orders.EventCompleted}) {
			t.Errorf("told %q", got)
		}
	})
}

// TestOvertaken lets a process sleep over its lease, between its decision and its commit.
func TestOvertaken(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		path := storetest.Datastore(t, "orders")
		asleep := start(t, path, newNeighbours(), ordersmod.Policy{SweepEvery: 24 * time.Hour})
		reached, wake := make(chan struct{}), make(chan struct{})
		asleep.answer("inventory.finalise", func() error { close(reached); <-wake; return errors.New("the sleeper would go to review") })
		answered := make(chan orders.Order)
		go func() { p, _ := asleep.Place(t.Context(), request("k")); answered <- p.Order }()
		<-reached
		awake := start(t, path, newNeighbours(), ordersmod.Policy{})
		time.Sleep(30 * time.Second) // past the lease of the first
		page, err := awake.Orders(t.Context(), orders.OrdersRequest{})
		if err != nil || len(page.Orders) != 1 {
			t.Fatalf("%d orders (%v)", len(page.Orders), err)
		}
		o := awake.wantState(t, page.Orders[0].ID, "completed")
		close(wake)
		if told := <-answered; told.Version != o.Version || told.State != "completed" {
			t.Errorf("the sleeper answers %s, version %d", told.State, told.Version)
		}
		if after := awake.read(t, o.ID); after.Version != o.Version || after.UpdatedAt != o.UpdatedAt {
			t.Errorf("the sleeper has written: version %d, was %d", after.Version, o.Version)
		}
	})
}

func TestAlone(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		path := storetest.Datastore(t, "orders")
		first := start(t, path, newNeighbours(), ordersmod.Policy{SweepEvery: 24 * time.Hour})
		reached, never := make(chan struct{}), make(chan struct{})
		first.answer("payments.charge", func() error { close(reached); <-never; return errors.New("dead") })
		go func() { _, _ = first.Place(t.Context(), request("k")) }()
		<-reached
		left := storetest.Datastore(t, "orders")
		copyStore(t, path, left)
		second := startWith(t, left, newNeighbours(), ordersmod.Options{Alone: true})
		time.Sleep(2 * time.Second)
		page, err := second.Orders(t.Context(), orders.OrdersRequest{})
		if err != nil || len(page.Orders) != 1 || page.Orders[0].Status != orders.StatusCompleted {
			t.Errorf("got %+v (%v): it waits for the lease of a dead process", page.Orders, err)
		}
		close(never)
	})
}

// TestCancelledWhileItFails marks an order whose runner tries in vain: the runner must not write over the mark when it gives up.
func TestCancelledWhileItFails(t *testing.T) {
	inBubble(t, "the wish survives its runner", ordersmod.Policy{}, func(t *testing.T, m *module) {
		reached, once := make(chan struct{}), sync.Once{}
		m.answer("inventory.reserve", func() error { once.Do(func() { close(reached) }); return unreachable })
		placed := make(chan orders.Order)
		go func() { placed <- m.place(t, request("k")) }()
		<-reached
		page, err := m.Orders(t.Context(), orders.OrdersRequest{})
		if err != nil || len(page.Orders) != 1 {
			t.Fatalf("%d orders (%v)", len(page.Orders), err)
		}
		if _, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: page.Orders[0].ID}); err != nil {
			t.Fatal(err)
		}
		o := <-placed
		m.answer("inventory.reserve", nil)
		time.Sleep(3 * time.Second) // without waiting for the pause between two attempts
		m.wantState(t, o.ID, "cancelled")
		if charged := only(m.calls(), "payments.charge"); len(charged) > 0 {
			t.Error("it was charged")
		}
	})
}

// TestCancelledAndRepeated cancels an order whose refund gets no answer: the wish, which has led it there, does not drive it on.
func TestCancelledAndRepeated(t *testing.T) {
	inBubble(t, "is tried again after pauses that grow", ordersmod.Policy{SweepEvery: time.Second}, func(t *testing.T, m *module) {
		o := m.place(t, request("k"))
		m.answer("payments.refund", func() error { return unreachable })
		if _, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID}); err != nil {
			t.Fatal(err)
		}
		m.calls()
		time.Sleep(10 * time.Minute)
		if tried := only(m.calls(), "payments.refund"); len(tried) == 0 || len(tried) > 60 {
			t.Errorf("tried %d times in ten minutes", len(tried))
		}
		m.answer("payments.refund", nil)
		time.Sleep(time.Minute)
		m.wantState(t, o.ID, "cancelled")
	})
}
