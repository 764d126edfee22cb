package till

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/audit"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

func (f fixture) reconcile(t testing.TB) payments.Reconciliation {
	t.Helper()
	found, err := f.Reconcile(t.Context(), payments.ReconcileRequest{Since: f.clock.now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestReconcile(t *testing.T) {
	t.Run("books that agree", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		f.clock.pass(time.Second)
		f.provider.books = []Fact{{Kind: payments.OperationCharge, Key: f.provider.asked[0].Key, Result: paid}}
		if got := f.reconcile(t); got.Compared != 1 || got.Settled != 0 || len(got.Mismatches) != 0 || len(f.provider.looked) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("settles what is open here, and is a change", func(t *testing.T) {
		f := newTill(t, silence)
		f.charge(t, payments.ErrUnknownOutcome)
		f.provider.books = []Fact{{Kind: payments.OperationCharge, Key: f.provider.asked[0].Key, Result: paid}}
		if got := f.reconcile(t); got.Settled != 1 || len(got.Mismatches) != 0 {
			t.Errorf("%+v", got)
		}
		if p := f.stored(t); p.Status != payments.StatusSucceeded || !reflect.DeepEqual(f.changes(t), []string{payments.StatusSucceeded}) {
			t.Errorf("%+v, %v", p, f.changes(t))
		}
		if got := f.reconcile(t); got.Settled != 0 || len(f.changes(t)) != 1 {
			t.Errorf("again: %+v", got)
		}
	})
	t.Run("takes over a success of what was declined here, and reports the reverse", func(t *testing.T) {
		f := newTill(t, refusal)
		f.charge(t, nil)
		f.provider.books = []Fact{{Kind: payments.OperationCharge, Key: f.provider.asked[0].Key, Result: paid}}
		if got := f.reconcile(t); got.Settled != 1 || f.stored(t).Status != payments.StatusSucceeded {
			t.Errorf("%+v", got)
		}
		f.provider.books[0].Result = refused
		if got := f.reconcile(t); got.Settled != 0 || len(got.Mismatches) != 1 || f.stored(t).Status != payments.StatusSucceeded {
			t.Errorf("%+v", got)
		}
	})
	t.Run("reports what only one side knows", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		f.clock.pass(time.Second)
		f.provider.books = []Fact{{Kind: payments.OperationCharge, Key: "op_foreign", OrderID: "ord_9", Result: paid},
			{Kind: payments.OperationCharge, Key: "op_sealed", Result: annulled}}
		f.provider.books[0].Result.Reference = "ch_9"
		f.provider.lookups = []Result{absent, absent}
		got := f.reconcile(t)
		if got.Compared != 2 || len(got.Mismatches) != 2 || got.Mismatches[0].Key != "op_foreign" || got.Mismatches[1].OrderID != "ord_1" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("asks before it reports what is not in the list", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		f.clock.pass(time.Second)
		f.provider.lookups = []Result{paid}
		if got := f.reconcile(t); len(got.Mismatches) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("reports another amount", func(t *testing.T) {
		f := newTill(t, succeed("ch_1"))
		f.charge(t, nil)
		f.provider.books = []Fact{{Kind: payments.OperationCharge, Key: f.provider.asked[0].Key, Result: Result{State: Succeeded, Reference: "ch_1", Amount: money.Of(1, "EUR")}}}
		if got := f.reconcile(t); len(got.Mismatches) != 1 || !strings.Contains(got.Mismatches[0].Problem, "0.01 EUR") {
			t.Errorf("%+v", got)
		}
	})
}

func (f fixture) audit(t testing.TB, repair bool, found ...audit.Invariant) audit.Page {
	t.Helper()
	f.provider.lookups = []Result{paid, paid, paid}
	page, err := f.Audit(t.Context(), audit.Request{Repair: repair})
	if err != nil {
		t.Fatal(err)
	}
	var got []audit.Invariant
	for _, finding := range page.Findings {
		got = append(got, finding.Invariant)
	}
	if !reflect.DeepEqual(got, found) {
		t.Errorf("found %+v, want %v", page.Findings, found)
	}
	return page
}

func TestAudit(t *testing.T) {
	f := newTill(t, succeed("ch_1"))
	f.charge(t, nil)
	f.audit(t, false)
	t.Run("sees figures that drifted, and sets them right", func(t *testing.T) {
		f.exec(t, "UPDATE payments SET captured = 1, status = 'succeeded'")
		f.audit(t, false, audit.RefundsWithinCaptured)
		if page := f.audit(t, true, audit.RefundsWithinCaptured); !page.Findings[0].Repaired || !strings.Contains(page.Findings[0].Problem, "0.01 EUR captured") {
			t.Errorf("%+v", page)
		}
		f.audit(t, false)
		if p := f.stored(t); p.Captured != order.Amount || len(f.changes(t)) != 1 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("sees a second charge", func(t *testing.T) {
		f.exec(t, `INSERT INTO operations (id, payment_id, kind, status, amount, currency, key, moved_amount, moved_currency, attempts, started_at, ended_at)
			SELECT 'op_2', payment_id, 'authorise', status, amount, currency, 'op_2', moved_amount, moved_currency, 1, started_at, ended_at FROM operations`)
		f.audit(t, true, audit.RefundsWithinCaptured, audit.ChargedOnce)
		f.exec(t, "DELETE FROM operations WHERE id = 'op_2'")
		f.audit(t, true, audit.RefundsWithinCaptured)
	})
	t.Run("sees more given back than was captured, and leaves it", func(t *testing.T) {
		f.exec(t, "DROP TRIGGER refunds_within_captured"+store.On(f.store.Read(t.Context()), "", " ON operations"))
		f.exec(t, `INSERT INTO operations (id, payment_id, kind, refund_id, status, amount, currency, key, moved_amount, moved_currency, attempts, started_at, ended_at)
			SELECT 'op_3', payment_id, 'refund', 'ref_9', status, amount + 1, currency, 'op_3', amount + 1, currency, 1, started_at, ended_at FROM operations`)
		f.provider.lookups = nil
		f.audit(t, true, audit.RefundsWithinCaptured, audit.RefundsWithinCaptured, audit.RefundsWithinCaptured, audit.ProviderAgrees)
		f.exec(t, "DELETE FROM operations WHERE id = 'op_3'")
		f.audit(t, true, audit.RefundsWithinCaptured)
	})
	t.Run("sees what the provider does not know, or knows otherwise, or does not tell", func(t *testing.T) {
		for _, r := range []Result{absent, refused, {}, {State: Succeeded, Reference: "ch_1", Amount: money.Of(1, "EUR")}} {
			f.provider.lookups = []Result{r, r}
			page, err := f.Audit(t.Context(), audit.Request{})
			if err != nil || len(page.Findings) != 1 || page.Findings[0].Invariant != audit.ProviderAgrees {
				t.Errorf("%+v: %+v, %v", r, page, err)
			}
		}
	})
	t.Run("goes page by page", func(t *testing.T) {
		f := newTill(t)
		for _, id := range []string{"ord_1", "ord_2", "ord_3"} {
			if _, err := f.Seal(t.Context(), payments.SealRequest{OrderID: id, Amount: order.Amount}); err != nil {
				t.Fatal(err)
			}
		}
		first, err := f.Audit(t.Context(), audit.Request{Limit: 2})
		if err != nil || first.Checked != 2 || first.Next == "" {
			t.Fatalf("%+v, %v", first, err)
		}
		if last, err := f.Audit(t.Context(), audit.Request{After: first.Next, Limit: 2}); err != nil || last.Checked != 1 || last.Next != "" {
			t.Errorf("%+v, %v", last, err)
		}
	})
}
