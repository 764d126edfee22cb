package till

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/payments"
	"cutpoint/platform/money"
	"cutpoint/platform/store/storetest"
)

func TestCapture(t *testing.T) {
	t.Run("takes what was authorised, once", func(t *testing.T) {
		f := newTill(t, give(reserved), succeed("cap_1"))
		f.authorise(t)
		p := f.capture(t, nil)
		if p.Status != payments.StatusSucceeded || p.Captured != order.Amount || p.Reference != "ch_1" || f.provider.asked[1].Charge != "ch_1" {
			t.Errorf("%+v, asked %+v", p, f.provider.asked)
		}
		if again := f.capture(t, nil); !reflect.DeepEqual(p, again) || len(f.provider.asked) != 2 {
			t.Errorf("%+v, then %+v", p, again)
		}
	})
	t.Run("an unknown outcome is looked up", func(t *testing.T) {
		f := newTill(t, give(reserved), silence)
		f.authorise(t)
		f.capture(t, payments.ErrUnknownOutcome)
		f.refund(t, payments.ErrUnknownOutcome) // neither a void nor a refund before it is known which
		f.provider.lookups = []Result{{State: Succeeded, Reference: "cap_1", Amount: order.Amount}}
		if p := f.capture(t, nil); p.Status != payments.StatusSucceeded || len(f.provider.asked) != 2 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("one that is refused leaves the payment authorised, with the reason", func(t *testing.T) {
		f := newTill(t, give(reserved), give(Result{State: Declined, Failure: payments.Failure{Code: "authorisation_expired"}}), succeed("void_1"))
		f.authorise(t)
		for range 2 {
			if p := f.capture(t, nil); p.Status != payments.StatusAuthorised || p.Failure == nil || p.Failure.Code != "authorisation_expired" {
				t.Errorf("%+v", p)
			}
		}
		if p := f.refund(t, nil); p.Status != payments.StatusCancelled || p.Failure != nil {
			t.Errorf("%+v", p)
		}
	})
	t.Run("what can't be captured", func(t *testing.T) {
		newTill(t).capture(t, payments.ErrNotCharged)
		charged := newTill(t, succeed("ch_1"))
		charged.charge(t, nil)
		charged.capture(t, payments.ErrNotAuthorised)
		unknown := newTill(t, silence)
		unknown.charge(t, payments.ErrUnknownOutcome)
		unknown.capture(t, payments.ErrUnknownOutcome)
		declined := newTill(t, refusal)
		declined.charge(t, nil)
		declined.capture(t, payments.ErrNotAuthorised)
	})
	t.Run("another way to capture is another request", func(t *testing.T) {
		f := newTill(t, give(reserved))
		f.authorise(t)
		f.charge(t, payments.ErrOtherRequest)
	})
	t.Run("another amount is for an operator, who gives it back", func(t *testing.T) {
		f := newTill(t, give(reserved), give(Result{State: Succeeded, Reference: "cap_1", Amount: money.Of(1, "EUR")}), succeed("re_1"))
		f.authorise(t)
		f.capture(t, payments.ErrWrongAmount)
		f.capture(t, payments.ErrWrongAmount)
		if p := f.refund(t, nil); p.Status != payments.StatusRefunded || p.Refunded != money.Of(1, "EUR") {
			t.Errorf("%+v", p)
		}
	})
}

func TestVoid(t *testing.T) {
	t.Run("gives free what was not captured", func(t *testing.T) {
		f := newTill(t, give(reserved), succeed("void_1"))
		f.authorise(t)
		p := f.refund(t, nil)
		if p.Status != payments.StatusCancelled || p.Authorised.Amount != 0 || p.Captured.Amount != 0 || p.Operations[1].Kind != payments.OperationVoid {
			t.Errorf("%+v", p)
		}
		if again := f.refund(t, nil); !reflect.DeepEqual(p, again) {
			t.Errorf("%+v, then %+v", p, again)
		}
		f.capture(t, payments.ErrNotAuthorised)
		if p := f.give(t, "ref_2", 0, nil); p.Status != payments.StatusCancelled || len(p.Operations) != 2 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("one is enough for all who ask, and nothing is captured meanwhile", func(t *testing.T) {
		f := newTill(t, give(reserved), silence)
		f.authorise(t)
		f.refund(t, payments.ErrUnknownOutcome)
		f.capture(t, payments.ErrNotAuthorised)
		f.provider.lookups = []Result{{State: Succeeded, Reference: "void_1", Amount: order.Amount}}
		if p := f.give(t, "ref_2", 0, nil); p.Status != payments.StatusCancelled || len(p.Operations) != 2 {
			t.Errorf("%+v", p)
		}
	})
}

func TestRefund_partial(t *testing.T) {
	t.Run("each is its own, and the last one makes it refunded", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), succeed("re_1"), refusal, succeed("re_3"))
		f.charge(t, nil)
		if p := f.give(t, "ref_1", 580, nil); p.Status != payments.StatusSucceeded || p.Refunded.Amount != 580 {
			t.Errorf("%+v", p)
		}
		if p := f.give(t, "ref_2", 2000, nil); p.Failure == nil || p.Refunded.Amount != 580 {
			t.Errorf("%+v", p)
		}
		f.give(t, "ref_4", 2001, payments.ErrAmountTooLarge)
		if p := f.give(t, "ref_3", 0, nil); p.Status != payments.StatusRefunded || p.Refunded != order.Amount || p.Failure != nil {
			t.Errorf("%+v", p)
		}
		if p := f.give(t, "ref_2", 2000, nil); p.Failure == nil || p.Failure.Code != "insufficient_funds" {
			t.Errorf("a repeat is answered with another refund's answer: %+v", p)
		}
		if p := f.give(t, "ref_5", 0, nil); len(p.Operations) != 4 {
			t.Errorf("%+v", p)
		}
		f.give(t, "ref_6", 1, payments.ErrAmountTooLarge)
	})
	t.Run("the same id with another amount is another request", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), succeed("re_1"))
		f.charge(t, nil)
		f.give(t, "ref_1", 580, nil)
		f.give(t, "ref_1", 581, payments.ErrOtherRequest)
		f.give(t, "ref_1", 0, payments.ErrOtherRequest)
	})
	t.Run("one without an answer counts as given", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), silence)
		f.charge(t, nil)
		f.give(t, "ref_1", 2000, payments.ErrUnknownOutcome)
		f.give(t, "ref_2", 581, payments.ErrAmountTooLarge)
	})
}

// TestRefund_parallel gives back at random, many at once, some refused: never more than was captured.
func TestRefund_parallel(t *testing.T) {
	storetest.FewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Int64Range(0, 1500), 2, 8).Draw(rt, "amounts")
		fate := rapid.SliceOfN(rapid.IntRange(0, 2), len(amounts), len(amounts)).Draw(rt, "fate")
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		for i, fate := range fate {
			f.provider.script = append(f.provider.script, []func(Instruction) (Result, error){succeed(fmt.Sprint("re_", i)), refusal, silence}[fate])
		}
		var callers sync.WaitGroup
		for i, amount := range amounts {
			callers.Go(func() {
				_, err := f.Refund(t.Context(), payments.RefundRequest{OrderID: order.OrderID, RefundID: fmt.Sprint("ref_", i), Amount: amount})
				if err != nil && !errors.Is(err, payments.ErrAmountTooLarge) && !errors.Is(err, payments.ErrUnknownOutcome) {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		p, given := f.stored(t), int64(0)
		for _, op := range p.Operations[1:] {
			if op.Status != payments.OperationDeclined {
				given += op.Amount.Amount
			}
		}
		if given > order.Amount.Amount || p.Refunded.Amount > p.Captured.Amount {
			rt.Errorf("%d asked back of %d: %+v", given, order.Amount.Amount, p)
		}
	})
}

func TestDispute(t *testing.T) {
	wrong := money.Of(3000, "EUR")
	charged := func(t *testing.T, later ...func(Instruction) (Result, error)) fixture {
		f := newTill(t, append([]func(Instruction) (Result, error){give(Result{State: Succeeded, Reference: "ch_1", Amount: wrong})}, later...)...)
		f.charge(t, payments.ErrWrongAmount)
		f.capture(t, payments.ErrWrongAmount)
		f.seal(t, payments.ErrWrongAmount)
		if p := f.stored(t); p.Status != payments.StatusPending || p.Captured.Amount != 0 {
			t.Fatalf("%+v", p)
		}
		return f
	}
	t.Run("accepted, what moved is captured", func(t *testing.T) {
		f := charged(t)
		p := f.markPaid(t, nil)
		if p.Status != payments.StatusSucceeded || p.Captured != wrong || p.Amount != order.Amount {
			t.Errorf("%+v", p)
		}
		if again := f.markPaid(t, nil); !reflect.DeepEqual(p, again) {
			t.Errorf("%+v, then %+v", p, again)
		}
		f.charge(t, nil)
	})
	t.Run("given back, it is what moved", func(t *testing.T) {
		f := charged(t, succeed("re_1"))
		if p := f.refund(t, nil); p.Status != payments.StatusRefunded || p.Refunded != wrong || f.provider.asked[1].Amount != wrong {
			t.Errorf("%+v, asked %+v", p, f.provider.asked)
		}
	})
	t.Run("of an authorisation, it is voided", func(t *testing.T) {
		f := newTill(t, give(Result{State: Authorised, Reference: "ch_1", Amount: wrong}), succeed("void_1"))
		manual := order
		manual.Capture = payments.CaptureManual
		if _, err := f.Charge(t.Context(), manual); !errors.Is(err, payments.ErrWrongAmount) {
			t.Fatal(err)
		}
		f.capture(t, payments.ErrWrongAmount)
		if p := f.refund(t, nil); p.Status != payments.StatusCancelled || f.provider.asked[1].Amount != wrong {
			t.Errorf("%+v", p)
		}
	})
}

func TestMarkPaid(t *testing.T) {
	t.Run("ends the wait for an answer", func(t *testing.T) {
		f := newTill(t, silence)
		f.charge(t, payments.ErrUnknownOutcome)
		p := f.markPaid(t, nil)
		if p.Status != payments.StatusSucceeded || p.Captured != order.Amount || p.Operations[1].Reference != "statement 7" || p.Operations[1].Attempts != 0 {
			t.Errorf("%+v", p)
		}
		if again := f.charge(t, nil); again.Status != payments.StatusSucceeded || len(f.provider.looked) != 0 {
			t.Errorf("%+v", again)
		}
	})
	t.Run("is not added to what the provider tells later", func(t *testing.T) {
		f := newTill(t, silence)
		f.charge(t, payments.ErrUnknownOutcome)
		f.markPaid(t, nil)
		f.webhook(t, "evt_1", Fact{Key: f.provider.asked[0].Key, Result: paid})
		f.work(t)
		if p := f.stored(t); p.Captured != order.Amount || p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("needs a payment that may have been made", func(t *testing.T) {
		newTill(t).markPaid(t, payments.ErrNotCharged)
		f := newTill(t, refusal)
		f.charge(t, nil)
		f.markPaid(t, payments.ErrNotCharged)
	})
}
