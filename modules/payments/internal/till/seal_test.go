package till

import (
	"errors"
	"reflect"
	"testing"

	"cutpoint/modules/payments"
)

func TestSeal(t *testing.T) {
	t.Run("before the charge, it never reaches the provider", func(t *testing.T) {
		f := newTill(t)
		p := f.seal(t, nil)
		if p.Status != payments.StatusCancelled || p.Amount != order.Amount || p.Operations[0].Status != payments.OperationCancelled {
			t.Errorf("%+v", p)
		}
		if late := f.charge(t, nil); !reflect.DeepEqual(p, late) {
			t.Errorf("%+v, then %+v", p, late)
		}
		if again := f.seal(t, nil); !reflect.DeepEqual(p, again) {
			t.Errorf("%+v, then %+v", p, again)
		}
		f.refund(t, nil)
		if len(f.provider.asked) != 0 || len(f.provider.sealed) != 0 {
			t.Errorf("asked %+v, sealed %+v", f.provider.asked, f.provider.sealed)
		}
	})
	t.Run("a charge that never left is sealed here", func(t *testing.T) {
		f := newTill(t, unsent)
		f.charge(t, payments.ErrNotSent)
		f.seal(t, nil)
		if p := f.charge(t, nil); p.Status != payments.StatusCancelled || len(f.provider.sealed) != 0 {
			t.Errorf("%+v", p)
		}
	})
	for _, c := range []struct {
		name    string
		charge  func(Instruction) (Result, error)
		seals   []Result
		lookups []Result
		want    error
		status  string
	}{
		{"of an unknown charge, confirmed", silence, []Result{annulled}, nil, nil, payments.StatusCancelled},
		{"of one that had succeeded: that is the answer", silence, []Result{paid}, nil, nil, payments.StatusSucceeded},
		{"of one that was declined: that is the answer", silence, []Result{refused}, nil, nil, payments.StatusDeclined},
		{"of one that waits for the customer", give(mustAct), []Result{annulled}, nil, nil, payments.StatusCancelled},
		{"without an answer, but found sealed", silence, nil, []Result{annulled}, nil, payments.StatusCancelled},
		{"without an answer, but found paid", silence, nil, []Result{paid}, nil, payments.StatusSucceeded},
		{"without an answer, and not found: unknown", silence, nil, []Result{never}, payments.ErrUnknownOutcome, ""},
		{"without an answer, and still pending: unknown", silence, nil, []Result{waiting}, payments.ErrUnknownOutcome, ""},
		{"without any answer: unknown", silence, nil, nil, payments.ErrUnknownOutcome, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newTill(t, c.charge)
			_, _ = f.Charge(t.Context(), order)
			f.provider.seals, f.provider.lookups = c.seals, c.lookups
			p := f.seal(t, c.want)
			if p.Status != c.status || c.want == nil && !reflect.DeepEqual(p, f.stored(t)) {
				t.Errorf("%+v, stored %+v", p, f.stored(t))
			}
			if s := f.provider.sealed; len(s) != 1 || s[0].Key != f.provider.asked[0].Key {
				t.Errorf("sealed %+v", s)
			}
			if c.want != nil {
				f.provider.seals = []Result{annulled}
				f.seal(t, nil)
			}
			if p := f.charge(t, nil); c.want == nil && p.Status != c.status || len(f.provider.asked) != 1 {
				t.Errorf("a charge after it: %+v", p)
			}
		})
	}
	t.Run("of what is over changes nothing", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		p := f.charge(t, nil)
		if sealed := f.seal(t, nil); !reflect.DeepEqual(p, sealed) || len(f.provider.sealed) != 0 {
			t.Errorf("%+v, then %+v", p, sealed)
		}
	})
	t.Run("a charge that leaves meanwhile is the provider's to seal", func(t *testing.T) {
		f := newTill(t, unsent)
		f.charge(t, payments.ErrNotSent)
		e, err := f.ofOrder(t.Context(), order.OrderID)
		if err != nil {
			t.Fatal(err)
		}
		f.exec(t, "UPDATE operations SET attempts = 1")
		if err := f.sealUnsent(t.Context(), e); err != nil || e.charge().Status != payments.OperationPending {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("what can't be sealed", func(t *testing.T) {
		f := newTill(t)
		if _, err := f.Seal(t.Context(), payments.SealRequest{OrderID: "ord_1"}); err == nil || errors.Is(err, payments.ErrUnknownOutcome) {
			t.Error(err)
		}
	})
}
