package till_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/testgateway"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/audit"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// counter is a till with the test gateway behind it.
type counter struct {
	*till.Till
	gateway *testgateway.Gateway
	store   *store.Store
}

func open(t testing.TB) counter {
	t.Helper()
	newID := id.NewSource(time.Now, rand.Reader)
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{Datastore: storetest.Datastore(t, "payments"), Migrations: migrations.Of(payments.Module)})
	if err != nil {
		t.Fatal(err)
	}
	var c counter
	gateway, err := testgateway.Open(t.Context(),
		store.Options{Datastore: storetest.Datastore(t, "gateway"), Migrations: migrations.Of(testgateway.Migrations)},
		testgateway.Deps{Now: time.Now, NewID: newID, Random: rand.Reader, Log: log, Deliver: func(ctx context.Context, header map[string]string, body []byte) error {
			_, err := c.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: testgateway.Name, Header: header, Body: body})
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), gateway.Close()); err != nil {
			t.Error(err)
		}
	})
	c = counter{till.New(till.Deps{Store: s, Provider: gateway, Now: time.Now, NewID: newID, Log: log}, till.Policy{BreakerAfter: 1 << 30}), gateway, s}
	return c
}

// deed is what somebody asks of a payment.
type deed struct {
	Kind   string
	Name   string
	Amount int64
	Final  bool
}

func (c counter) do(ctx context.Context, order string, d deed) (err error) {
	switch d.Kind {
	case "capture":
		_, err = c.Capture(ctx, payments.CaptureRequest{OrderID: order, CaptureID: d.Name, Amount: d.Amount, Final: d.Final})
	case "refund":
		_, err = c.Refund(ctx, payments.RefundRequest{OrderID: order, RefundID: d.Name, Amount: d.Amount})
	case "void":
		_, err = c.Void(ctx, payments.VoidRequest{OrderID: order, VoidID: "void_" + d.Name})
	case "later":
		_, err = c.gateway.Act(ctx, payments.ActRequest{OrderID: order, Outcome: []string{payments.ActVoid, payments.ActReturnRefund}[d.Amount%2]})
	case "mark_paid":
		_, err = c.MarkPaid(ctx, payments.MarkPaidRequest{OrderID: order, Reference: "statement"})
	case "dispute":
		_, err = c.gateway.Dispute(ctx, payments.DisputeRequest{OrderID: order, Status: []string{"open", "won", "lost"}[d.Amount%3]})
	}
	return err
}

// settle does each deed until it is answered, and what came by webhook.
func (c counter) settle(t *rapid.T, order string, deeds []deed) {
	for _, d := range deeds {
		for try := range 10 {
			err := c.do(context.Background(), order, d)
			if !errors.Is(err, payments.ErrUnknownOutcome) && !errors.Is(err, payments.ErrNotSent) || try == 9 {
				break
			}
		}
	}
	for _, work := range []func(context.Context) (bool, error){c.gateway.Pump, c.WorkInbox} {
		for more := true; more; {
			var err error
			if more, err = work(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestMoneyRules lets several people at once capture, void, give back, dispute and mark one payment at a time, any of it twice, while
// the gateway voids and returns by itself, and checks
// that captures stay within what was authorised, refunds within what was captured, here and at the provider, and that the
// ledger's accounts balance and are what the operations say.
func TestMoneyRules(t *testing.T) {
	c := open(t)
	orders := 0
	storetest.FewerChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		orders++
		order := fmt.Sprint("ord_", orders)
		amount := rapid.Int64Range(1, 40).Draw(t, "amount")
		charge := payments.ChargeRequest{
			OrderID: order, Amount: money.Of(amount, rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency")),
			Token: rapid.SampledFrom([]string{"pm_card_visa", "pm_sim_captureOnce", "pm_sim_captureUnknown", "pm_sim_refundUnknown", "pm_sim_refundFail",
				"pm_sim_wrongAmount", "pm_card_visa_chargeDeclined"}).Draw(t, "token"),
			Capture: rapid.SampledFrom([]string{payments.CaptureManual, payments.CaptureAutomatic}).Draw(t, "capture"),
		}
		deeds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
			return deed{
				Kind: rapid.SampledFrom([]string{"capture", "refund", "capture", "refund", "refund", "mark_paid", "dispute", "void", "later"}).Draw(t, "kind"),
				Name: rapid.StringMatching("[a-e]").Draw(t, "name"), Amount: rapid.Int64Range(0, 30).Draw(t, "amount"), Final: rapid.Bool().Draw(t, "final"),
			}
		}), 1, 10).Draw(t, "deeds")
		_, _ = c.Charge(context.Background(), charge)
		var people sync.WaitGroup
		for _, d := range append(deeds, deeds[0]) {
			people.Go(func() { _ = c.do(context.Background(), order, d) })
		}
		people.Wait()
		c.settle(t, order, deeds)
		c.check(t, order)
	})
	found, err := c.Audit(t.Context(), audit.Request{Limit: 500})
	if err != nil || len(found.Findings) != 0 {
		t.Errorf("%+v, %v", found.Findings, err)
	}
}

func (c counter) check(t *rapid.T, order string) {
	page, err := c.Payments(context.Background(), payments.PaymentsRequest{OrderIDs: []string{order}})
	if err != nil || len(page.Payments) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	p := page.Payments[0]
	var captured, refunded, authorised int64
	known := true // whatever the provider moved
	for _, op := range p.Operations {
		known = known && op.Status != payments.OperationPending
		if op.Status == payments.OperationDeclined || op.Status == payments.OperationCancelled || op.Status == payments.OperationFailed {
			continue
		}
		switch op.Kind {
		case payments.OperationCapture, payments.OperationCharge, payments.OperationMarkPaid:
			captured += op.Amount.Amount
		case payments.OperationRefund:
			refunded += op.Amount.Amount
		case payments.OperationAuthorise:
			authorised += op.Amount.Amount
		}
	}
	if p.Captured.Amount > p.Amount.Amount+1 || p.Refunded.Amount > p.Captured.Amount || refunded > captured+1 { // a wrong amount is one too much
		t.Fatalf("%d authorised, %d captured, %d refunded: %+v", authorised, captured, refunded, p)
	}
	there := map[string]int64{}
	ledger, err := c.gateway.Ledger(context.Background(), payments.LedgerRequest{OrderID: order, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ledger.Entries {
		there[e.Operation] += e.Amount
	}
	if taken := there["charge"] + there["capture"]; there["capture"] > there["authorise"] || there["refund"]-there["refund_failed"] > taken || there["capture"]+there["void"] > there["authorise"] {
		t.Fatalf("at the provider: %+v", there)
	}
	here := map[string]int64{}
	entries, err := c.Entries(context.Background(), payments.EntriesRequest{OrderID: order, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries.Entries {
		here[e.Debit] += e.Amount.Amount
		here[e.Credit] -= e.Amount.Amount
	}
	if held := here[payments.AccountDisputed] + here[payments.AccountLosses]; known && here[payments.AccountProvider] != there["charge"]+there["capture"]-there["refund"]+there["refund_failed"]-held {
		t.Fatalf("here %+v, at the provider %+v", here, there)
	}
	// The provider is the second wall: nothing of what it was asked for may have been more than was left. An operator's word is
	// about money that it never had, and what somebody voids by hand may have been asked for meanwhile.
	var refused int
	err = c.store.Read(context.Background()).Raw(`SELECT COUNT(*) FROM operations o WHERE payment_id = ? AND failure_code IN ('amount_too_large', 'nothing_to_capture')
		AND NOT EXISTS (SELECT 1 FROM operations m WHERE m.payment_id = o.payment_id AND (m.kind = 'mark_paid' OR m.kind = 'void' AND m.attempts = 0))`, p.ID).Row().Scan(&refused)
	if err != nil || refused > 0 {
		t.Fatalf("%d times more was asked for than was left, %v: %+v", refused, err, p)
	}
	accounts, err := c.Accounts(context.Background(), payments.AccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, a := range accounts.Accounts {
		sums[a.Balance.Currency] += a.Balance.Amount
	}
	for currency, sum := range sums {
		if sum != 0 {
			t.Fatalf("all accounts in %s hold %d", currency, sum)
		}
	}
}
