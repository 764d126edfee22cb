package till

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store/storetest"
)

func TestCharge(t *testing.T) {
	t.Run("takes two commits, and a repeat none", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		p := f.charge(t, nil)
		if commits := f.store.Stats().Commits; commits != 2 {
			t.Errorf("%d commits", commits)
		}
		op := p.Operations[0]
		if p.Status != payments.StatusSucceeded || p.Captured != order.Amount || p.Reference != "ch_1" || p.Provider != "scripted" || p.Failure != nil ||
			p.Version != 2 || op.Status != payments.OperationSucceeded || op.Attempts != 1 || op.EndedAt == nil || op.Key == "" {
			t.Errorf("%+v", p)
		}
		again := f.charge(t, nil)
		if !reflect.DeepEqual(p, again) || !reflect.DeepEqual(p, f.stored(t)) {
			t.Errorf("answered %+v, then %+v; stored %+v", p, again, f.stored(t))
		}
		if f.store.Stats().Commits != 2 || len(f.provider.asked) != 1 {
			t.Errorf("%d commits, %d requests after a repeat", f.store.Stats().Commits, len(f.provider.asked))
		}
	})
	t.Run("a decline is an answer that stays", func(t *testing.T) {
		f := newTill(t, refusal)
		p := f.charge(t, nil)
		if p.Status != payments.StatusDeclined || p.Failure == nil || p.Failure.Code != "insufficient_funds" || p.Captured.Amount != 0 {
			t.Errorf("%+v", p)
		}
		if again := f.charge(t, nil); !reflect.DeepEqual(p, again) {
			t.Errorf("%+v, then %+v", p, again)
		}
	})
	t.Run("an unknown outcome stays pending, and its repeat sends the same key", func(t *testing.T) {
		f := newTill(t, silence, silence, succeed("ch_1"))
		f.provider.lookups = []Result{absent, absent}
		f.charge(t, payments.ErrUnknownOutcome)
		if p := f.stored(t); p.Status != payments.StatusPending || p.Operations[0].Status != payments.OperationPending || p.Operations[0].EndedAt != nil {
			t.Errorf("%+v", p)
		}
		f.charge(t, payments.ErrUnknownOutcome)
		p := f.charge(t, nil)
		if p.Status != payments.StatusSucceeded || len(p.Operations) != 1 || p.Operations[0].Attempts != 3 || !reflect.DeepEqual(p, f.stored(t)) {
			t.Errorf("%+v", p)
		}
		if a := f.provider.asked; len(a) != 3 || a[0] != a[1] || a[1] != a[2] || a[0].Token != order.Token {
			t.Errorf("asked %+v", a)
		}
	})
	t.Run("an answer is written down though the request has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newTill(t, func(in Instruction) (Result, error) { cancel(); return succeed("ch_1")(in) })
		p, err := f.Charge(ctx, order)
		if err != nil || p.Status != payments.StatusSucceeded || f.stored(t).Status != payments.StatusSucceeded {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("another amount is for an operator, and is not sent again", func(t *testing.T) {
		for _, moved := range []money.Money{money.Of(2579, "EUR"), money.Of(2580, "USD")} {
			f := newTill(t, give(Result{State: Succeeded, Reference: "ch_1", Amount: moved}))
			f.charge(t, payments.ErrWrongAmount)
			f.charge(t, payments.ErrWrongAmount)
			f.seal(t, payments.ErrWrongAmount)
			p := f.stored(t)
			if p.Status != payments.StatusPending || p.Operations[0].Status != payments.OperationPending || p.Reference != "ch_1" || len(f.provider.asked) != 1 {
				t.Errorf("%+v, asked %d times", p, len(f.provider.asked))
			}
			if e, err := f.ofOrder(t.Context(), order.OrderID); err != nil || e.ops[0].moved != moved {
				t.Errorf("recorded %+v, %v", e, err)
			}
		}
	})
	t.Run("the first definite answer wins", func(t *testing.T) {
		var both sync.WaitGroup
		both.Add(2)
		together := func(next func(Instruction) (Result, error)) func(Instruction) (Result, error) {
			return func(in Instruction) (Result, error) { both.Done(); both.Wait(); return next(in) }
		}
		f := newTill(t, together(succeed("ch_1")), together(succeed("ch_2")))
		f.provider.lookups = []Result{absent}
		answers := make([]payments.Payment, 2)
		var callers sync.WaitGroup
		for i := range answers {
			callers.Go(func() {
				var err error
				if answers[i], err = f.Charge(t.Context(), order); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if !reflect.DeepEqual(answers[0], answers[1]) || !reflect.DeepEqual(answers[0], f.stored(t)) || answers[0].Operations[0].Attempts != 2 {
			t.Errorf("%+v\n%+v", answers[0], answers[1])
		}
	})
	t.Run("another request for the same order is refused", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		for _, other := range []payments.ChargeRequest{
			{OrderID: order.OrderID, Amount: money.Of(1, "EUR"), Token: order.Token},
			{OrderID: order.OrderID, Amount: money.Of(2580, "USD"), Token: order.Token},
			{OrderID: order.OrderID, Amount: order.Amount, Token: "tok_other"},
		} {
			if _, err := f.Charge(t.Context(), other); !errors.Is(err, payments.ErrOtherRequest) {
				t.Errorf("%+v: %v", other, err)
			}
		}
	})
	t.Run("a token is never stored", func(t *testing.T) {
		storetest.SQLiteOnly(t, "it reads the file")
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		for _, file := range []string{f.path, f.path + "-wal"} {
			content, err := os.ReadFile(file)
			if err != nil || bytes.Contains(content, []byte(order.Token)) {
				t.Errorf("%s: the token is in it, or %v", filepath.Base(file), err)
			}
		}
	})
	t.Run("an adapter that breaks its obligations leaves the outcome unknown", func(t *testing.T) {
		for _, broken := range []func(Instruction) (Result, error){
			func(Instruction) (Result, error) { return Result{}, errors.New("bad request") },
			give(Result{State: NotFound}),
			give(Result{State: Declined}),
			give(Result{State: RequiresAction}),
			give(Result{State: Succeeded, Reference: "ch_1"}),
			give(Result{State: Authorised, Reference: "ch_1", Amount: order.Amount}),
		} {
			f := newTill(t, broken, succeed("ch_1"))
			f.provider.lookups = []Result{absent}
			f.charge(t, fault.ErrInternal)
			if p := f.charge(t, nil); p.Status != payments.StatusSucceeded {
				t.Errorf("%+v", p)
			}
		}
	})
	t.Run("what can't be charged reaches nobody", func(t *testing.T) {
		f := newTill(t)
		for _, r := range []payments.ChargeRequest{
			{Amount: order.Amount, Token: order.Token},
			{OrderID: "ord_1", Amount: money.Of(0, "EUR"), Token: order.Token},
			{OrderID: "ord_1", Amount: money.Of(-1, "EUR"), Token: order.Token},
			{OrderID: "ord_1", Amount: money.Of(1, ""), Token: order.Token},
			{OrderID: "ord_1", Amount: order.Amount},
		} {
			if _, err := f.Charge(t.Context(), r); !errors.Is(err, fault.ErrInvalid) || len(fault.From(err).Details) != 1 {
				t.Errorf("%+v: %v", r, err)
			}
		}
		if f.store.Stats().Writes != 0 {
			t.Error("something was written")
		}
	})
}

func TestRefund(t *testing.T) {
	t.Run("gives everything back once", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), succeed("re_1"))
		f.charge(t, nil)
		p := f.refund(t, nil)
		if p.Status != payments.StatusRefunded || p.Refunded != order.Amount || p.Captured != order.Amount || p.Reference != "ch_1" || len(p.Operations) != 2 {
			t.Errorf("%+v", p)
		}
		again := f.refund(t, nil)
		if !reflect.DeepEqual(p, again) || !reflect.DeepEqual(p, f.stored(t)) || f.store.Stats().Commits != 4 {
			t.Errorf("answered %+v, then %+v; stored %+v; %d commits", p, again, f.stored(t), f.store.Stats().Commits)
		}
		if a := f.provider.asked; len(a) != 2 || a[1].Charge != "ch_1" || a[1].Amount != order.Amount || a[1].Key == a[0].Key {
			t.Errorf("asked %+v", a)
		}
		if e, err := f.ofOrder(t.Context(), order.OrderID); err != nil || e.refund("ref_1").reason != "cancelled" {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("an unknown outcome is repeated with the same key", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), silence, succeed("re_1"))
		f.provider.lookups = []Result{absent}
		f.charge(t, nil)
		f.refund(t, payments.ErrUnknownOutcome)
		if p := f.stored(t); p.Status != payments.StatusSucceeded || p.Refunded.Amount != 0 {
			t.Errorf("%+v", p)
		}
		p := f.refund(t, nil)
		if a := f.provider.asked; p.Status != payments.StatusRefunded || p.Operations[1].Attempts != 2 || a[1] != a[2] {
			t.Errorf("%+v, asked %+v", p, a)
		}
	})
	t.Run("an order without a payment was not charged", func(t *testing.T) {
		newTill(t).refund(t, payments.ErrNotCharged)
	})
	t.Run("a declined charge has nothing to give back", func(t *testing.T) {
		f := newTill(t, refusal)
		f.charge(t, nil)
		if p := f.refund(t, nil); p.Status != payments.StatusDeclined || len(p.Operations) != 1 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a charge without an answer is not refunded", func(t *testing.T) {
		f := newTill(t, silence)
		f.charge(t, payments.ErrUnknownOutcome)
		f.refund(t, payments.ErrUnknownOutcome)
		if len(f.provider.asked) != 1 {
			t.Errorf("asked %+v", f.provider.asked)
		}
	})
	t.Run("a refund that is refused leaves the payment captured", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), refusal)
		f.charge(t, nil)
		p := f.refund(t, nil)
		if p.Status != payments.StatusSucceeded || p.Refunded.Amount != 0 || p.Failure == nil || !reflect.DeepEqual(p, f.stored(t)) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("another amount is for an operator, and counts as given", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), give(Result{State: Succeeded, Reference: "re_1", Amount: money.Of(1, "EUR")}))
		f.charge(t, nil)
		f.refund(t, payments.ErrWrongAmount)
		f.refund(t, payments.ErrWrongAmount)
		f.give(t, "ref_2", 1, payments.ErrAmountTooLarge)
		if p := f.stored(t); p.Status != payments.StatusSucceeded || p.Refunded.Amount != 0 || len(f.provider.asked) != 2 {
			t.Errorf("%+v", p)
		}
	})
}

// TestBegin plays the races between a read and the first write, in which two callers both saw nothing.
func TestBegin(t *testing.T) {
	f := newTill(t, succeed("ch_1"), succeed("re_1"))
	begin := func() (*entry, bool, error) {
		return f.beginPayment(t.Context(), f.newPayment(order.OrderID, payments.OperationCharge, order.Amount, digest(order)))
	}
	first, fresh, err := begin()
	if err != nil || !fresh {
		t.Fatalf("%v, %v", fresh, err)
	}
	t.Run("who begins a charge second gets the first one's operation", func(t *testing.T) {
		second, fresh, err := begin()
		if err != nil || fresh || !reflect.DeepEqual(first, second) {
			t.Errorf("%+v, %v, %v, want %+v", second, fresh, err, first)
		}
	})
	t.Run("who counts an attempt too late takes over the answer", func(t *testing.T) {
		f.provider.lookups = []Result{absent}
		charged := f.charge(t, nil)
		if err := f.countAttempt(t.Context(), first, first.charge().ID, 1); err != nil || !reflect.DeepEqual(first.shown(), charged) {
			t.Errorf("%+v, %v, want %+v", first.shown(), err, charged)
		}
	})
	t.Run("who begins a refund second gets the first one's operation", func(t *testing.T) {
		late, err := f.ofOrder(t.Context(), order.OrderID)
		if err != nil {
			t.Fatal(err)
		}
		refunded := f.refund(t, nil)
		op, fresh, err := f.begin(t.Context(), late, func(e *entry) (*operation, error) {
			return e.planRefund(payments.RefundRequest{OrderID: order.OrderID, RefundID: "ref_1"})
		})
		if err != nil || fresh || op.ID != refunded.Operations[1].ID || !reflect.DeepEqual(late.shown(), refunded) {
			t.Errorf("%+v, %v, %v, want %+v", op, fresh, err, refunded)
		}
	})
}

func TestPayments(t *testing.T) {
	var script []func(Instruction) (Result, error)
	for i := range 5 {
		script = append(script, succeed(fmt.Sprint("ch_", i)))
	}
	f := newTill(t, script...)
	all := map[string]bool{}
	for i := range 5 {
		p, err := f.Charge(t.Context(), payments.ChargeRequest{OrderID: fmt.Sprint("ord_", i), Amount: money.Of(1, "JPY"), Token: "tok"})
		if err != nil {
			t.Fatal(err)
		}
		all[p.ID] = true
		if got, err := f.Payment(t.Context(), payments.PaymentRequest{ID: p.ID}); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%+v, %v, want %+v", got, err, p)
		}
	}
	before, pages := "", 0
	for more := true; more; pages++ {
		page, err := f.Payments(t.Context(), payments.PaymentsRequest{Before: before, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Payments {
			if !all[p.ID] || before != "" && p.ID >= before {
				t.Errorf("%s after %s", p.ID, before)
			}
			delete(all, p.ID)
			before = p.ID
		}
		more = page.More
	}
	if pages != 3 || len(all) != 0 {
		t.Errorf("%d pages, %d payments missing", pages, len(all))
	}
	if _, err := f.Payment(t.Context(), payments.PaymentRequest{ID: "pay_none"}); !errors.Is(err, payments.ErrPaymentNotFound) {
		t.Error(err)
	}
	if page, err := f.Payments(t.Context(), payments.PaymentsRequest{OrderIDs: []string{"ord_none"}}); err != nil || page.Payments == nil || len(page.Payments) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
