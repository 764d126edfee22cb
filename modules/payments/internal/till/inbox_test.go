package till

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
)

func TestWebhook(t *testing.T) {
	pending := func(t *testing.T) (fixture, string) {
		f := newTill(t, give(Result{State: Pending}))
		f.charge(t, nil)
		return f, f.provider.asked[0].Key
	}
	t.Run("settles an open charge, and is a change", func(t *testing.T) {
		f, key := pending(t)
		if r := f.webhook(t, "evt_1", Fact{Key: key, Result: paid}); r.ID != "evt_1" || r.Duplicate {
			t.Errorf("%+v", r)
		}
		if p := f.stored(t); p.Status != payments.StatusPending {
			t.Errorf("before the worker: %+v", p)
		}
		if n := f.work(t); n != 1 {
			t.Errorf("%d messages", n)
		}
		p := f.stored(t)
		if p.Status != payments.StatusSucceeded || p.Reference != "ch_1" || !reflect.DeepEqual(f.changes(t), []string{payments.StatusSucceeded}) {
			t.Errorf("%+v, %v", p, f.changes(t))
		}
		if again := f.charge(t, nil); !reflect.DeepEqual(p, again) || len(f.provider.asked) != 1 {
			t.Errorf("%+v, then %+v", p, again)
		}
	})
	t.Run("five copies are one", func(t *testing.T) {
		f, key := pending(t)
		for i := range 5 {
			if r := f.webhook(t, "evt_1", Fact{Key: key, Result: paid}); r.Duplicate != (i > 0) {
				t.Errorf("copy %d: %+v", i, r)
			}
		}
		if n := f.work(t); n != 1 || len(f.changes(t)) != 1 {
			t.Errorf("%d messages, %v", n, f.changes(t))
		}
		f.webhook(t, "evt_2", Fact{Key: key, Result: paid}) // and the same under another id changes nothing
		if before := f.stored(t); f.work(t) != 1 || len(f.changes(t)) != 1 || !reflect.DeepEqual(before, f.stored(t)) {
			t.Errorf("%+v, %v", before, f.changes(t))
		}
	})
	t.Run("an older one after the newer changes nothing", func(t *testing.T) {
		for _, older := range []Result{waiting, mustAct, refused, annulled} {
			f, key := pending(t)
			f.webhook(t, "evt_2", Fact{Key: key, Result: paid})
			f.webhook(t, "evt_1", Fact{Key: key, Result: older})
			f.work(t)
			if p := f.stored(t); p.Status != payments.StatusSucceeded || p.Captured != order.Amount || p.Failure != nil || p.Action != nil || len(f.changes(t)) != 1 {
				t.Errorf("%+v, %v", p, f.changes(t))
			}
		}
	})
	t.Run("a late success of what was declined or sealed is a fact", func(t *testing.T) {
		for _, first := range []Result{refused, annulled} {
			f := newTill(t, give(first))
			f.charge(t, nil)
			f.webhook(t, "evt_1", Fact{Key: f.provider.asked[0].Key, Result: paid})
			f.work(t)
			p := f.stored(t)
			if p.Status != payments.StatusSucceeded || p.Failure != nil || !reflect.DeepEqual(f.changes(t), []string{payments.StatusSucceeded}) {
				t.Errorf("%+v, %v", p, f.changes(t))
			}
			f.provider.script = []func(Instruction) (Result, error){succeed("re_1")}
			if p := f.refund(t, nil); p.Status != payments.StatusRefunded {
				t.Errorf("%+v", p)
			}
		}
	})
	t.Run("a late success of what was sealed before it was sent is a fact", func(t *testing.T) {
		f := newTill(t)
		p := f.seal(t, nil)
		f.webhook(t, "evt_1", Fact{Key: p.Operations[0].Key, Result: paid})
		f.work(t)
		if p := f.stored(t); p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("before the call returns: one answer, and no second change", func(t *testing.T) {
		var f fixture
		f = newTill(t, func(in Instruction) (Result, error) {
			f.webhook(t, "evt_1", Fact{Key: in.Key, Result: paid})
			f.work(t)
			return paid, nil
		})
		if p := f.charge(t, nil); p.Status != payments.StatusSucceeded || !reflect.DeepEqual(p, f.stored(t)) || len(f.changes(t)) != 1 {
			t.Errorf("%+v, %v", p, f.changes(t))
		}
	})
	t.Run("of another amount is disputed", func(t *testing.T) {
		f, key := pending(t)
		f.webhook(t, "evt_1", Fact{Key: key, Result: Result{State: Succeeded, Reference: "ch_1", Amount: money.Of(1, "EUR")}})
		f.work(t)
		f.charge(t, payments.ErrWrongAmount)
	})
	t.Run("by reference alone", func(t *testing.T) {
		f := newTill(t, give(waiting))
		f.charge(t, nil)
		f.webhook(t, "evt_1", Fact{Kind: payments.OperationCharge, Result: paid})
		f.work(t)
		if p := f.stored(t); p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("one that can't be true is kept, and holds up nobody", func(t *testing.T) {
		f, key := pending(t)
		f.webhook(t, "evt_1", Fact{Key: key, Result: Result{State: Succeeded}})
		if worked, err := f.WorkInbox(t.Context()); !worked || err == nil {
			t.Errorf("%v, %v", worked, err)
		}
		f.webhook(t, "evt_2", Fact{Key: key, Result: paid})
		f.work(t)
		if p := f.stored(t); p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("forged, foreign or nameless ones are refused", func(t *testing.T) {
		f := newTill(t)
		body, _ := json.Marshal(Event{ID: "evt_1"})
		for _, c := range []struct {
			request payments.WebhookRequest
			want    error
		}{
			{payments.WebhookRequest{Provider: "other", Body: body}, payments.ErrUnknownProvider},
			{payments.WebhookRequest{Provider: "scripted", Header: map[string]string{"forged": "yes"}, Body: body}, payments.ErrWebhookSignature},
			{payments.WebhookRequest{Provider: "scripted", Body: []byte("{}")}, payments.ErrWebhookSignature},
		} {
			if _, err := f.ReceiveWebhook(t.Context(), c.request); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c.request, err)
			}
		}
		if f.store.Stats().Writes != 0 {
			t.Error("something was written")
		}
	})
}

func TestWebhook_unknown(t *testing.T) {
	t.Run("waits for its operation", func(t *testing.T) {
		f := newTill(t, silence)
		f.webhook(t, "evt_1", Fact{Kind: payments.OperationCharge, OrderID: "ord_1", Result: paid}) // by a reference that is not stored yet
		if n := f.work(t); n != 1 {
			t.Errorf("%d", n)
		}
		f.charge(t, payments.ErrUnknownOutcome)
		f.provider.lookups = []Result{waiting}
		f.charge(t, nil)
		f.clock.pass(time.Second)
		f.work(t)
		if p := f.stored(t); p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("pauses between its attempts, gives up after an hour, and is reported", func(t *testing.T) {
		f := newTill(t)
		f.webhook(t, "evt_1", Fact{Key: "op_foreign", OrderID: "ord_9", Result: paid})
		began, attempts := f.clock.now(), 0
		for f.clock.now().Sub(began) < 2*time.Hour {
			attempts += f.work(t)
			f.clock.pass(time.Second)
		}
		if attempts < 10 || attempts > 30 {
			t.Errorf("%d attempts", attempts)
		}
		found, err := f.Reconcile(t.Context(), payments.ReconcileRequest{Since: began})
		if err != nil || len(found.Mismatches) != 1 || found.Mismatches[0].Key != "op_foreign" || found.Mismatches[0].OrderID != "ord_9" {
			t.Errorf("%+v, %v", found, err)
		}
		f.clock.pass(inboxRetained)
		if err := f.forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := f.webhook(t, "evt_1", Fact{}); r.Duplicate {
			t.Error("it was kept for ever")
		}
	})
}

func TestChanges(t *testing.T) {
	f := newTill(t)
	for i := range 3 {
		f.provider.script = append(f.provider.script, give(Result{State: Pending}))
		r := order
		r.OrderID = fmt.Sprint("ord_", i)
		if _, err := f.Charge(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f.webhook(t, fmt.Sprint("evt_", i), Fact{Key: f.provider.asked[i].Key, Result: Result{State: Succeeded, Reference: fmt.Sprint("ch_", i), Amount: order.Amount}})
	}
	f.work(t)
	first, err := f.Changes(t.Context(), payments.ChangesRequest{Limit: 2})
	if err != nil || len(first.Changes) != 2 || !first.More || first.Changes[0].OrderID != "ord_0" || first.Changes[0].At.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := f.Changes(t.Context(), payments.ChangesRequest{After: first.Changes[1].Sequence})
	if err != nil || len(rest.Changes) != 1 || rest.More || rest.Changes[0].OrderID != "ord_2" {
		t.Errorf("%+v, %v", rest, err)
	}
	if none, err := f.Changes(t.Context(), payments.ChangesRequest{After: rest.Changes[0].Sequence}); err != nil || none.Changes == nil || len(none.Changes) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
