package till

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/audit"
	"cutpoint/platform/money"
)

// multi is an authorisation that can be captured in parts until an hour from the clock's beginning.
var multi = Result{State: Authorised, Reference: "ch_1", Amount: order.Amount, Multicapture: true, Until: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}

func (f fixture) take(t testing.TB, captureID string, amount int64, final bool, want error) payments.Payment {
	t.Helper()
	p, err := f.Capture(t.Context(), payments.CaptureRequest{OrderID: order.OrderID, CaptureID: captureID, Amount: amount, Final: final})
	if !errors.Is(err, want) {
		t.Fatalf("capture %s: %v, want %v", captureID, err, want)
	}
	return p
}

// entries are the ledger, as text.
func (f fixture) entries(t testing.TB) (list []string) {
	t.Helper()
	page, err := f.Entries(t.Context(), payments.EntriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		list = append(list, fmt.Sprintf("%s < %s %d", e.Debit, e.Credit, e.Amount.Amount))
	}
	return list
}

func TestPartialCapture(t *testing.T) {
	t.Run("in parts, never more than was authorised", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"), succeed("cap_2"), succeed("re_1"))
		f.authorise(t)
		if p := f.take(t, "first", 1000, false, nil); p.Captured.Amount != 1000 || p.Status != payments.StatusSucceeded {
			t.Errorf("%+v", p)
		}
		f.take(t, "first", 1000, false, nil)
		f.take(t, "first", 999, false, payments.ErrOtherRequest)
		f.take(t, "second", 1581, false, payments.ErrAmountTooLarge)
		if p := f.take(t, "second", 0, false, nil); p.Captured.Amount != 2580 {
			t.Errorf("%+v", p)
		}
		f.take(t, "third", 1, false, payments.ErrNotAuthorised)
		f.give(t, "ref_1", 2580, nil)
		if a := f.provider.asked; len(a) != 4 || a[1].Final || !a[2].Final {
			t.Errorf("%+v", a)
		}
		want := []string{"authorisations < commitments 2580", "commitments < authorisations 1000", "provider < sales 1000",
			"commitments < authorisations 1580", "provider < sales 1580", "refunds < provider 2580"}
		if got := f.entries(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%q", got)
		}
	})
	t.Run("the final one frees the rest", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"))
		f.authorise(t)
		f.take(t, "only", 1000, true, nil)
		f.take(t, "more", 1, false, payments.ErrNotAuthorised)
		want := []string{"authorisations < commitments 2580", "commitments < authorisations 2580", "provider < sales 1000"}
		if got := f.entries(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%q", got)
		}
	})
	t.Run("a card that can be captured once only", func(t *testing.T) {
		f := newTill(t, give(reserved), succeed("cap_1"))
		f.authorise(t)
		f.take(t, "only", 1000, false, nil)
		f.take(t, "more", 1, false, payments.ErrNotAuthorised)
		if !f.provider.asked[1].Final {
			t.Errorf("%+v", f.provider.asked[1])
		}
	})
	t.Run("one that has no answer counts", func(t *testing.T) {
		f := newTill(t, give(multi), silence, succeed("cap_2"))
		f.authorise(t)
		f.take(t, "first", 2000, false, payments.ErrUnknownOutcome)
		f.take(t, "second", 581, false, payments.ErrAmountTooLarge)
		f.take(t, "second", 580, false, nil)
	})
	t.Run("a declined one does not", func(t *testing.T) {
		f := newTill(t, give(multi), refusal, succeed("cap_2"))
		f.authorise(t)
		if p := f.take(t, "first", 2000, false, nil); p.Failure == nil {
			t.Errorf("%+v", p)
		}
		f.take(t, "second", 2580, false, nil)
	})
}

func TestExpiryWatch(t *testing.T) {
	f := newTill(t, give(multi), succeed("cap_1"))
	if p := f.authorise(t); !p.AuthorisedUntil.Equal(multi.Until) || !p.Multicapture {
		t.Fatalf("%+v", p)
	}
	look := func() (reasons []string) {
		t.Helper()
		if _, err := f.WatchExpiry(t.Context()); err != nil {
			t.Fatal(err)
		}
		page, err := f.Changes(t.Context(), payments.ChangesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Changes {
			reasons = append(reasons, c.Reason)
		}
		return reasons
	}
	for _, c := range []struct {
		pass time.Duration
		want []string
	}{
		{23 * time.Hour, nil}, {2 * time.Hour, []string{"authorisation_expiring"}}, {time.Hour, []string{"authorisation_expiring"}},
		{22 * time.Hour, []string{"authorisation_expiring", "authorisation_expired"}}, {time.Hour, []string{"authorisation_expiring", "authorisation_expired"}},
	} {
		f.clock.pass(c.pass)
		if got := look(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v later: %q, want %q", c.pass, got, c.want)
		}
	}
	g := newTill(t, give(multi), succeed("cap_1"))
	g.authorise(t)
	g.take(t, "", 0, false, nil)
	g.clock.pass(72 * time.Hour)
	if _, err := g.WatchExpiry(t.Context()); err != nil || g.changes(t) != nil {
		t.Errorf("what is captured does not end: %v, %v", g.changes(t), err)
	}
}

func (f fixture) void(t testing.TB, voidID string, want error) payments.Payment {
	t.Helper()
	p, err := f.Void(t.Context(), payments.VoidRequest{OrderID: order.OrderID, VoidID: voidID})
	if !errors.Is(err, want) {
		t.Fatalf("void %s: %v, want %v", voidID, err, want)
	}
	return p
}

// reasons are those of all changes.
func (f fixture) reasons(t testing.TB) (reasons []string) {
	t.Helper()
	page, err := f.Changes(t.Context(), payments.ChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range page.Changes {
		reasons = append(reasons, c.Reason)
	}
	return reasons
}

func TestVoidRest(t *testing.T) {
	t.Run("what a capture left is given free, once", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"), succeed("void_1"))
		f.authorise(t)
		f.take(t, "first", 1000, false, nil)
		p := f.void(t, "rest", nil)
		if p.Status != payments.StatusSucceeded || p.Authorised.Amount != 1000 || p.Captured.Amount != 1000 || p.AuthorisedUntil != nil {
			t.Errorf("%+v", p)
		}
		if in := f.provider.asked[2]; !in.Rest || in.Amount.Amount != 1580 || in.Charge != "ch_1" {
			t.Errorf("%+v", in)
		}
		if again := f.void(t, "rest", nil); !reflect.DeepEqual(p, again) {
			t.Errorf("%+v, then %+v", p, again)
		}
		f.void(t, "another", nil)
		f.take(t, "second", 1, false, payments.ErrNotAuthorised)
		want := []string{"authorisations < commitments 2580", "commitments < authorisations 1000", "provider < sales 1000", "commitments < authorisations 1580"}
		if got := f.entries(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%q", got)
		}
		f.clock.pass(72 * time.Hour)
		if _, err := f.WatchExpiry(t.Context()); err != nil || f.reasons(t) != nil {
			t.Errorf("what is free does not end: %v, %v", f.reasons(t), err)
		}
	})
	t.Run("all of it, as a refund before any capture does", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("void_1"))
		f.authorise(t)
		if p := f.void(t, "all", nil); p.Status != payments.StatusCancelled || f.provider.asked[1].Rest {
			t.Errorf("%+v, %+v", p, f.provider.asked)
		}
	})
	t.Run("nothing is left", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"))
		f.authorise(t)
		f.take(t, "first", 1000, true, nil)
		if p := f.void(t, "rest", nil); len(p.Operations) != 2 || p.AuthorisedUntil != nil {
			t.Errorf("%+v", p)
		}
		newTill(t).void(t, "rest", payments.ErrNotCharged)
	})
	t.Run("not while nobody knows what is left, and again after a refusal", func(t *testing.T) {
		f := newTill(t, give(multi), silence, refusal, succeed("void_1"))
		f.authorise(t)
		f.take(t, "first", 1000, false, payments.ErrUnknownOutcome)
		f.void(t, "rest", payments.ErrUnknownOutcome)
		f.provider.lookups = []Result{{State: Succeeded, Reference: "cap_1", Amount: money.Of(1000, "EUR")}}
		f.take(t, "first", 1000, false, nil)
		if p := f.void(t, "rest", nil); p.Failure == nil || p.Authorised.Amount != 2580 {
			t.Errorf("%+v", p)
		}
		if p := f.void(t, "again", nil); p.Failure != nil || p.Authorised.Amount != 1000 {
			t.Errorf("%+v", p)
		}
		silent := newTill(t, silence)
		silent.charge(t, payments.ErrUnknownOutcome)
		silent.void(t, "rest", payments.ErrUnknownOutcome)
	})
	t.Run("it is watched until it ends", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"))
		f.authorise(t)
		f.take(t, "first", 1000, false, nil)
		for _, pass := range []time.Duration{30 * time.Hour, 30 * time.Hour} {
			f.clock.pass(pass)
			if _, err := f.WatchExpiry(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := f.reasons(t); !reflect.DeepEqual(got, []string{"authorisation_expiring", "authorisation_expired"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("a final capture waits for the one before it", func(t *testing.T) {
		f := newTill(t, give(multi), silence)
		f.authorise(t)
		f.take(t, "first", 1000, false, payments.ErrUnknownOutcome)
		f.take(t, "second", 100, true, payments.ErrUnknownOutcome)
		if len(f.provider.asked) != 2 {
			t.Errorf("%+v", f.provider.asked)
		}
	})
}

// TestAfterwards is what happens to a payment that nobody asks about any more.
func TestAfterwards(t *testing.T) {
	t.Run("a refund that comes back", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), succeed("re_1"), succeed("re_2"))
		f.charge(t, nil)
		f.give(t, "ref_1", 1000, nil)
		back := Fact{Kind: payments.OperationRefund, Key: f.provider.asked[1].Key, Result: Result{State: Declined, Reference: "re_1", Failure: payments.Failure{Code: "lost_or_stolen_card"}}}
		f.webhook(t, "evt_1", back)
		f.work(t)
		older := back
		older.Result = Result{State: Succeeded, Reference: "re_1", Amount: money.Of(1000, "EUR")}
		f.webhook(t, "evt_0", older)
		f.webhook(t, "evt_2", back)
		f.work(t)
		p := f.stored(t)
		if p.Refunded.Amount != 0 || p.Status != payments.StatusSucceeded || p.Operations[1].Status != payments.OperationFailed || p.Failure == nil || p.Failure.Code != "lost_or_stolen_card" {
			t.Errorf("%+v", p)
		}
		if got := f.reasons(t); !reflect.DeepEqual(got, []string{payments.ReasonRefundFailed}) {
			t.Errorf("%q", got)
		}
		want := []string{"provider < sales 2580", "refunds < provider 1000", "provider < refunds 1000"}
		if got := f.entries(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%q", got)
		}
		if p := f.give(t, "ref_1", 1000, nil); p.Failure == nil || len(f.provider.asked) != 2 {
			t.Errorf("%+v", p)
		}
		if p := f.give(t, "ref_2", 0, nil); p.Refunded.Amount != 2580 || p.Status != payments.StatusRefunded {
			t.Errorf("%+v", p)
		}
	})
	t.Run("the books tell of it too", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"), succeed("re_1"))
		f.charge(t, nil)
		f.refund(t, nil)
		f.provider.books = []Fact{{Kind: payments.OperationRefund, Key: f.provider.asked[1].Key, Result: Result{State: Declined, Reference: "re_1", Failure: payments.Failure{Code: "expired_or_canceled_card"}}}}
		f.provider.lookups = []Result{paid}
		if r := f.reconcile(t); r.Settled != 1 || len(r.Mismatches) != 0 || f.stored(t).Status != payments.StatusSucceeded {
			t.Errorf("%+v, %+v", r, f.stored(t))
		}
	})
	freed := func(amount int64) Fact {
		return Fact{Kind: payments.OperationVoid, Charge: "ch_1", Result: Result{State: Succeeded, Reference: "void_9", Amount: money.Of(amount, "EUR")}}
	}
	t.Run("an authorisation that somebody else voids", func(t *testing.T) {
		f := newTill(t, give(multi))
		f.authorise(t)
		f.webhook(t, "evt_1", freed(2580))
		f.webhook(t, "evt_2", freed(2580))
		f.work(t)
		p := f.stored(t)
		if p.Status != payments.StatusCancelled || p.Authorised.Amount != 0 || len(p.Operations) != 2 || p.Operations[1].Attempts != 0 || p.Operations[1].Reference != "void_9" {
			t.Errorf("%+v", p)
		}
		if got := f.reasons(t); !reflect.DeepEqual(got, []string{payments.ReasonAuthorisationVoided}) {
			t.Errorf("%q", got)
		}
		if got := f.entries(t); !reflect.DeepEqual(got, []string{"authorisations < commitments 2580", "commitments < authorisations 2580"}) {
			t.Errorf("%q", got)
		}
		f.capture(t, payments.ErrNotAuthorised)
	})
	t.Run("one that expired, in part, by the books", func(t *testing.T) {
		f := newTill(t, give(multi), succeed("cap_1"))
		f.authorise(t)
		f.take(t, "first", 1000, false, nil)
		f.clock.pass(48 * time.Hour)
		f.provider.books = []Fact{freed(1580)}
		r, err := f.Reconcile(t.Context(), payments.ReconcileRequest{})
		if p := f.stored(t); err != nil || r.Settled != 1 || p.Status != payments.StatusSucceeded || p.Authorised.Amount != 1000 {
			t.Errorf("%+v, %v, %+v", r, err, p)
		}
		if got := f.reasons(t); !reflect.DeepEqual(got, []string{payments.ReasonAuthorisationExpired}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("what a capture without an answer left, in one message with it", func(t *testing.T) {
		f := newTill(t, give(multi), silence)
		f.authorise(t)
		f.take(t, "first", 1000, false, payments.ErrUnknownOutcome)
		took := Fact{Kind: payments.OperationCapture, Key: f.provider.asked[1].Key, Result: Result{State: Succeeded, Reference: "cap_1", Amount: money.Of(1000, "EUR")}}
		free := freed(1580)
		for _, id := range []string{"evt_1", "evt_2"} {
			f.tell(t, Event{ID: id, Type: "test", Fact: took, Freed: &free})
		}
		f.work(t)
		if p := f.stored(t); p.Captured.Amount != 1000 || p.Authorised.Amount != 1000 || len(p.Operations) != 3 {
			t.Errorf("%+v", p)
		}
		if got := f.reasons(t); !reflect.DeepEqual(got, []string{"", payments.ReasonAuthorisationVoided}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("our own void, without an answer", func(t *testing.T) {
		f := newTill(t, give(multi), silence)
		f.authorise(t)
		f.void(t, "all", payments.ErrUnknownOutcome)
		f.webhook(t, "evt_1", freed(2580))
		f.work(t)
		if p := f.stored(t); p.Status != payments.StatusCancelled || len(p.Operations) != 2 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("another amount than is held here is reported", func(t *testing.T) {
		f := newTill(t, give(multi))
		f.authorise(t)
		f.provider.books = []Fact{freed(1580)}
		if r := f.reconcile(t); r.Settled != 0 || len(r.Mismatches) != 1 || f.stored(t).Status != payments.StatusAuthorised {
			t.Errorf("%+v", r)
		}
	})
}

// TestSecondWall asks past the till's own sums.
func TestSecondWall(t *testing.T) {
	f := newTill(t, give(multi), succeed("cap_1"), succeed("re_1"))
	f.authorise(t)
	f.take(t, "first", 1000, false, nil)
	f.give(t, "ref_1", 400, nil)
	insert := func(kind string, amount int64) error {
		return f.store.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec(`INSERT INTO operations (id, payment_id, kind, refund_id, status, amount, currency, key, attempts, started_at)
				SELECT ?, id, ?, 'x', 'pending', ?, 'EUR', ?, 1, 1 FROM payments`, fmt.Sprint("op_", kind, amount), kind, amount, fmt.Sprint("key_", kind, amount)).Error
		})
	}
	for _, c := range []struct {
		kind   string
		amount int64
		fits   bool
	}{{"capture", 1581, false}, {"capture", 1580, true}, {"refund", 601, false}, {"refund", 600, true}} {
		if err := insert(c.kind, c.amount); (err == nil) != c.fits {
			t.Errorf("a %s of %d: %v", c.kind, c.amount, err)
		}
	}
}

func TestDisputes(t *testing.T) {
	tell := func(t *testing.T, f fixture, eventID, status string) {
		t.Helper()
		f.tell(t, Event{ID: eventID, Type: "dispute", Dispute: &Dispute{Reference: "dp_1", Charge: "ch_1", Status: status, Amount: money.Of(580, "EUR"), Reason: "fraudulent"}})
		f.work(t)
	}
	for last, want := range map[string][]string{
		payments.DisputeWon:  {"provider < sales 2580", "disputed < provider 580", "provider < disputed 580"},
		payments.DisputeLost: {"provider < sales 2580", "disputed < provider 580", "provider < disputed 580", "losses < provider 580"},
	} {
		t.Run(last, func(t *testing.T) {
			f := newTill(t, succeed("ch_1"))
			f.charge(t, nil)
			tell(t, f, "evt_1", payments.DisputeOpen)
			if d := f.stored(t).Disputes; len(d) != 1 || d[0].Status != payments.DisputeOpen || d[0].Amount.Amount != 580 || d[0].Reason != "fraudulent" {
				t.Fatalf("%+v", d)
			}
			f.clock.pass(time.Hour)
			tell(t, f, "evt_2", last)
			tell(t, f, "evt_3", payments.DisputeOpen) // an older message, later
			p := f.stored(t)
			if len(p.Disputes) != 1 || p.Disputes[0].Status != last || !p.Disputes[0].UpdatedAt.After(p.Disputes[0].OpenedAt) || p.Captured.Amount != 2580 {
				t.Errorf("%+v", p)
			}
			if got := f.entries(t); !reflect.DeepEqual(got, want) {
				t.Errorf("%q", got)
			}
			page, err := f.Changes(t.Context(), payments.ChangesRequest{})
			if err != nil || len(page.Changes) != 2 || page.Changes[0].Reason != "dispute_open" || page.Changes[1].Reason != "dispute_"+last {
				t.Errorf("%+v, %v", page, err)
			}
			f.provider.lookups = []Result{paid}
			if found, err := f.Audit(t.Context(), audit.Request{}); err != nil || len(found.Findings) != 0 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

func TestLedgerStays(t *testing.T) {
	f := newTill(t, succeed("ch_1"))
	f.charge(t, nil)
	for _, sql := range []string{"UPDATE entries SET amount = 1", "DELETE FROM entries"} {
		if err := f.store.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err == nil {
			t.Errorf("%s: it was done", sql)
		}
	}
	f.exec(t, "INSERT INTO entries (payment_id, order_id, cause, debit, credit, amount, currency, at) SELECT payment_id, order_id, cause, debit, credit, 1, currency, at FROM entries")
	f.provider.lookups = []Result{paid}
	if found, err := f.Audit(t.Context(), audit.Request{}); err != nil || len(found.Findings) != 1 {
		t.Errorf("an entry that nothing caused: %+v, %v", found, err)
	}
}

func TestReports(t *testing.T) {
	f := newTill(t, succeed("ch_1"))
	f.charge(t, nil)
	f.provider.books = []Fact{{Kind: "charge", Key: "op_stranger", OrderID: "ord_9", Result: paid}}
	for range 3 {
		f.provider.lookups = []Result{paid}
		f.clock.pass(time.Second)
		if r, err := f.Reconcile(t.Context(), payments.ReconcileRequest{}); err != nil || len(r.Mismatches) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	first, err := f.Reconciliations(t.Context(), payments.ReconciliationsRequest{Limit: 2})
	if err != nil || len(first.Reconciliations) != 2 || !first.More || first.Reconciliations[0].ID < first.Reconciliations[1].ID || first.Reconciliations[0].Mismatches[0].Key != "op_stranger" {
		t.Fatalf("%+v, %v", first, err)
	}
	rest, err := f.Reconciliations(t.Context(), payments.ReconciliationsRequest{Before: first.Reconciliations[1].ID})
	if err != nil || len(rest.Reconciliations) != 1 || rest.More {
		t.Errorf("%+v, %v", rest, err)
	}
}

func TestCardNumbersAreRefused(t *testing.T) {
	f := newTill(t)
	for _, number := range []string{"4242424242424242", "4242 4242 4242 4242", "3782-822463-10005", "6304000000000000"} {
		r := order
		r.Token = number
		_, err := f.Charge(t.Context(), r)
		if !errors.Is(err, payments.ErrCardNumber) || err.Error() != payments.ErrCardNumber.Error() {
			t.Errorf("%s: %v", number, err)
		}
	}
	for _, token := range []string{"pm_card_visa", "4242424242424241", "424242424242", "tok_4242424242424242", ""} {
		if payments.IsCardNumber(token) {
			t.Errorf("%q is no card number", token)
		}
	}
}

// TestForeign changes the provider under payments that another one made: nobody else is asked about them.
func TestForeign(t *testing.T) {
	f := newTill(t, silence)
	f.charge(t, payments.ErrUnknownOutcome)
	f.exec(t, "UPDATE payments SET provider = 'another'")
	f.charge(t, payments.ErrUnknownOutcome)
	f.seal(t, payments.ErrUnknownOutcome)
	if len(f.provider.asked) != 1 || len(f.provider.looked) != 0 || len(f.provider.sealed) != 0 {
		t.Errorf("%+v, %+v, %+v", f.provider.asked, f.provider.looked, f.provider.sealed)
	}
	g := newTill(t, succeed("ch_1"))
	g.charge(t, nil)
	g.exec(t, "UPDATE payments SET provider = 'another'")
	g.refund(t, payments.ErrUnknownOutcome)
	if found, err := g.Audit(t.Context(), audit.Request{}); err != nil || len(found.Findings) != 0 || len(g.provider.asked) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}
