package till

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"cutpoint/modules/payments"
)

// TestLadder repeats a charge whose first answer was lost.
func TestLadder(t *testing.T) {
	broken := Result{Cause: errors.New("503")}
	for _, c := range []struct {
		name    string
		lookups []Result
		later   time.Duration // after the charge began
		again   []func(Instruction) (Result, error)
		want    error
		status  string // of the answer
		sent    int    // charges in all
	}{
		{"found settled: nothing is sent again", []Result{paid}, 0, nil, nil, payments.StatusSucceeded, 1},
		{"found declined", []Result{refused}, 0, nil, nil, payments.StatusDeclined, 1},
		{"found pending: it is still pending", []Result{waiting}, 0, nil, nil, payments.StatusPending, 1},
		{"found waiting for the customer", []Result{mustAct}, 0, nil, nil, payments.StatusRequiresAction, 1},
		{"found sealed", []Result{annulled}, 0, nil, nil, payments.StatusCancelled, 1},
		{"not found while the key lives: the same key", []Result{absent}, 23 * time.Hour, []func(Instruction) (Result, error){succeed("ch_1")}, nil, payments.StatusSucceeded, 2},
		{"not found when the key may be forgotten: an operator's", []Result{absent}, 24 * time.Hour, nil, payments.ErrKeyExpired, "", 1},
		{"never arrived: the same key, however late", []Result{never}, 48 * time.Hour, []func(Instruction) (Result, error){succeed("ch_1")}, nil, payments.StatusSucceeded, 2},
		{"can't be asked: unknown", []Result{broken}, 0, nil, payments.ErrUnknownOutcome, "", 1},
		{"can't be asked until the key is forgotten: an operator's", []Result{broken}, 24 * time.Hour, nil, payments.ErrKeyExpired, "", 1},
		{"found even when the key is forgotten", []Result{paid}, 48 * time.Hour, nil, nil, payments.StatusSucceeded, 1},
		{"sent again without an answer: unknown", []Result{absent}, 0, []func(Instruction) (Result, error){silence}, payments.ErrUnknownOutcome, "", 2},
		{"nothing left the second time: the first time is unknown", []Result{absent}, 0, []func(Instruction) (Result, error){unsent}, payments.ErrUnknownOutcome, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newTill(t, append([]func(Instruction) (Result, error){silence}, c.again...)...)
			f.charge(t, payments.ErrUnknownOutcome)
			f.provider.lookups = c.lookups
			f.clock.pass(c.later)
			p := f.charge(t, c.want)
			if p.Status != c.status {
				t.Errorf("%+v", p)
			}
			a := f.provider.asked
			if len(a) != c.sent || !reflect.DeepEqual(a[0], a[len(a)-1]) {
				t.Errorf("asked %+v", a)
			}
			if l := f.provider.looked; len(l) != 1 || l[0] != (Query{Kind: payments.OperationCharge, Key: a[0].Key}) {
				t.Errorf("looked up %+v", l)
			}
			if c.want == nil && !reflect.DeepEqual(p, f.stored(t)) {
				t.Errorf("answered %+v, stored %+v", p, f.stored(t))
			}
			if changed := f.changes(t); changed != nil {
				t.Errorf("changes that the caller knows: %v", changed)
			}
		})
	}
	t.Run("by reference first, then by key", func(t *testing.T) {
		f := newTill(t, give(waiting))
		if p := f.charge(t, nil); p.Status != payments.StatusPending || p.Reference != "ch_1" {
			t.Fatalf("%+v", p)
		}
		f.provider.lookups = []Result{absent, paid}
		p := f.charge(t, nil)
		want := []Query{{Kind: payments.OperationCharge, Reference: "ch_1", Key: f.provider.asked[0].Key}, {Kind: payments.OperationCharge, Key: f.provider.asked[0].Key}}
		if p.Status != payments.StatusSucceeded || !reflect.DeepEqual(f.provider.looked, want) {
			t.Errorf("%+v, looked up %+v", p, f.provider.looked)
		}
	})
	t.Run("what nobody sent is sent without a look", func(t *testing.T) {
		f := newTill(t, unsent, succeed("ch_1"))
		f.charge(t, payments.ErrNotSent)
		if p := f.stored(t); p.Operations[0].Attempts != 0 {
			t.Errorf("%+v", p)
		}
		if p := f.charge(t, nil); p.Status != payments.StatusSucceeded || p.Operations[0].Attempts != 1 || len(f.provider.looked) != 0 {
			t.Errorf("%+v, looked up %+v", p, f.provider.looked)
		}
	})
	t.Run("an answer that nobody waited for is a change", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newTill(t, func(in Instruction) (Result, error) { cancel(); return succeed("ch_1")(in) })
		if _, err := f.Charge(ctx, order); err != nil {
			t.Error(err)
		}
		if got := f.changes(t); !reflect.DeepEqual(got, []string{payments.StatusSucceeded}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("a provider that prepares is asked by reference from then on", func(t *testing.T) {
		f := newTill(t, give(waiting), silence)
		f.provider.prepares = true
		f.charge(t, payments.ErrUnknownOutcome)
		if a := f.provider.asked; len(a) != 2 || a[1].Reference != "ch_1" || f.stored(t).Reference != "ch_1" {
			t.Errorf("asked %+v", a)
		}
		f.provider.lookups = []Result{paid}
		if p := f.charge(t, nil); p.Status != payments.StatusSucceeded || f.provider.looked[0].Reference != "ch_1" {
			t.Errorf("%+v, looked up %+v", p, f.provider.looked)
		}
	})
}

func TestBreaker(t *testing.T) {
	policy := Policy{BreakerAfter: 3, BreakerFor: time.Minute}
	other := func(id string) payments.ChargeRequest { r := order; r.OrderID = id; return r }
	f := newTillWith(t, nil, policy, silence, silence, silence)
	for _, id := range []string{"ord_a", "ord_b", "ord_1"} {
		if _, err := f.Charge(t.Context(), other(id)); !errors.Is(err, payments.ErrUnknownOutcome) {
			t.Fatal(err)
		}
	}
	t.Run("what was never sent is not sent, and says so", func(t *testing.T) {
		if _, err := f.Charge(t.Context(), other("ord_new")); !errors.Is(err, payments.ErrNotSent) {
			t.Error(err)
		}
	})
	t.Run("what was sent stays unknown", func(t *testing.T) {
		f.charge(t, payments.ErrUnknownOutcome)
		f.seal(t, payments.ErrUnknownOutcome)
	})
	t.Run("what was never charged is sealed without the provider", func(t *testing.T) {
		p, err := f.Seal(t.Context(), payments.SealRequest{OrderID: "ord_new", Amount: order.Amount})
		if err != nil || p.Status != payments.StatusCancelled {
			t.Errorf("%+v, %v", p, err)
		}
	})
	if len(f.provider.asked) != 3 || len(f.provider.looked) != 0 || len(f.provider.sealed) != 0 {
		t.Errorf("an open breaker let through %+v, %+v, %+v", f.provider.asked[3:], f.provider.looked, f.provider.sealed)
	}
	t.Run("after a pause one probe goes out, and its failure is another pause", func(t *testing.T) {
		f.clock.pass(time.Minute)
		f.charge(t, payments.ErrUnknownOutcome)
		f.charge(t, payments.ErrUnknownOutcome)
		if len(f.provider.looked) != 1 {
			t.Errorf("looked up %+v", f.provider.looked)
		}
	})
	t.Run("an answer closes it", func(t *testing.T) {
		f.clock.pass(time.Minute)
		f.provider.lookups, f.provider.script = []Result{paid}, []func(Instruction) (Result, error){succeed("ch_2")}
		f.charge(t, nil)
		if _, err := f.Charge(t.Context(), other("ord_2")); err != nil {
			t.Error(err)
		}
	})
	t.Run("one probe at a time", func(t *testing.T) {
		b := &breaker{after: 1, pause: time.Second, now: f.clock.now}
		if !b.enter() {
			t.Error("it was not closed")
		}
		b.leave(false)
		f.clock.pass(time.Second)
		if !b.enter() || b.enter() || b.closed() {
			t.Error("not one probe")
		}
		b.leave(true)
		for range 2 {
			if !b.enter() {
				t.Error("it is still open")
			}
		}
	})
}

// TestCrash fails at every point around the provider and the two writes, as a process that dies there would, and repeats.
func TestCrash(t *testing.T) {
	for _, point := range []string{
		"payments.commit.before", "payments.commit.after", "provider.charge.before", "provider.charge.after",
	} {
		for nth := range 2 { // of the two commits; around the provider, the repeat
			t.Run(point, func(t *testing.T) {
				hits := 0
				f := newTillWith(t, func(p string) error {
					if p != point {
						return nil
					}
					if hits++; hits == nth+1 {
						return errors.New("the process died")
					}
					return nil
				}, Policy{})
				moved := map[string]bool{}
				take := func(in Instruction) (Result, error) { moved[in.Key] = true; return succeed("ch_1")(in) }
				f.provider.script = []func(Instruction) (Result, error){take, take, take}
				var p payments.Payment
				err := errors.New("not begun")
				for range 4 {
					f.provider.lookups = []Result{never}
					if len(moved) > 0 {
						f.provider.lookups = []Result{paid}
					}
					if p, err = f.Charge(t.Context(), order); err == nil {
						break
					}
				}
				if err != nil || p.Status != payments.StatusSucceeded || len(moved) != 1 || !reflect.DeepEqual(p, f.stored(t)) {
					t.Errorf("%+v, %v, moved under %v", p, err, moved)
				}
			})
		}
	}
}
