package stripe_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/audit"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// newTill puts a till in front of a fake Stripe.
func newTill(t *testing.T, f *fake) *till.Till {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: storetest.Datastore(t, "payments"), Migrations: migrations.Of(payments.Module)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return till.New(till.Deps{
		Store: s, Provider: adapter(t, f.URL), Now: time.Now, NewID: id.NewSource(time.Now, rand.Reader), Log: slog.New(slog.DiscardHandler),
	}, till.Policy{BreakerAfter: 1000})
}

// TestLadder strikes the first requests of every step with every fault, and repeats until the till knows: one charge, one capture,
// one refund, whatever happened.
func TestLadder(t *testing.T) {
	for name, strike := range map[string]fault{
		"reset before": {reset: true}, "answer lost": {lost: true}, "429": {status: 429, body: problem("invalid_request_error", "rate_limit")},
		"503": {status: 503, body: "down"}, "409": {status: 409, body: problem("invalid_request_error", "idempotency_key_in_use")},
	} {
		for _, request := range []string{"create", "confirm", "capture", "refund", "retrieve"} {
			t.Run(fmt.Sprintf("%s at %s", name, request), func(t *testing.T) {
				f := newFake(t)
				till := newTill(t, f)
				struck := 0
				f.fault = func(r string) fault {
					if r == request && struck < 2 {
						struck++
						return strike
					}
					return fault{}
				}
				p := untilKnown(t, func(ctx context.Context) (payments.Payment, error) {
					return till.Charge(ctx, payments.ChargeRequest{OrderID: "ord_1", Amount: money.Of(2580, "EUR"), Token: "pm_card_visa", Capture: payments.CaptureManual})
				})
				if p.Status != payments.StatusAuthorised {
					t.Fatalf("%+v", p)
				}
				p = untilKnown(t, func(ctx context.Context) (payments.Payment, error) {
					return till.Capture(ctx, payments.CaptureRequest{OrderID: "ord_1"})
				})
				if p.Captured.Amount != 2580 {
					t.Fatalf("%+v", p)
				}
				p = untilKnown(t, func(ctx context.Context) (payments.Payment, error) {
					return till.Refund(ctx, payments.RefundRequest{OrderID: "ord_1", RefundID: "ref_1", Amount: 580})
				})
				if p.Refunded.Amount != 580 || p.Status != payments.StatusSucceeded {
					t.Fatalf("%+v", p)
				}
				if len(f.intents) != 1 || len(f.refunds) != 1 || f.intents["pi_1"]["amount_received"] != int64(2580) {
					t.Errorf("%+v, %+v", f.intents, f.refunds)
				}
				f.fault = func(string) fault { return fault{} }
				if r, err := till.Reconcile(t.Context(), payments.ReconcileRequest{}); err != nil || len(r.Mismatches) != 0 || r.Compared != 3 {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
	}
}

// TestAfterwards lets happen in the dashboard, and at a bank, what the till did not ask for. Its books tell.
func TestAfterwards(t *testing.T) {
	f := newFake(t)
	till := newTill(t, f)
	must := func(p payments.Payment, err error) payments.Payment {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	reconciled := func() payments.Payment {
		t.Helper()
		r, err := till.Reconcile(t.Context(), payments.ReconcileRequest{})
		if err != nil || r.Settled != 1 || len(r.Mismatches) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		page, err := till.Payments(t.Context(), payments.PaymentsRequest{OrderIDs: []string{"ord_1"}})
		if err != nil || len(page.Payments) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		return page.Payments[0]
	}
	must(till.Charge(t.Context(), payments.ChargeRequest{OrderID: "ord_1", Amount: money.Of(2580, "EUR"), Token: "pm_card_visa", Capture: payments.CaptureManual}))
	must(till.Capture(t.Context(), payments.CaptureRequest{OrderID: "ord_1", CaptureID: "first", Amount: 1000}))
	f.intents["pi_1"]["status"] = "succeeded" // released in the dashboard
	if p := reconciled(); p.Authorised.Amount != 1000 || p.Captured.Amount != 1000 || p.AuthorisedUntil != nil {
		t.Errorf("%+v", p)
	}
	must(till.Refund(t.Context(), payments.RefundRequest{OrderID: "ord_1", RefundID: "ref_1", Amount: 400}))
	f.refunds[0]["status"], f.refunds[0]["failure_reason"] = "failed", "lost_or_stolen_card"
	if p := reconciled(); p.Refunded.Amount != 0 || p.Operations[len(p.Operations)-1].Status != payments.OperationFailed || p.Failure.Code != "lost_or_stolen_card" {
		t.Errorf("%+v", p)
	}
	if found, err := till.Audit(t.Context(), audit.Request{}); err != nil || len(found.Findings) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func untilKnown(t *testing.T, ask func(context.Context) (payments.Payment, error)) payments.Payment {
	t.Helper()
	var p payments.Payment
	var err error
	for range 8 {
		p, err = ask(t.Context())
		if err == nil && (len(p.Operations) == 0 || p.Operations[len(p.Operations)-1].Status != payments.OperationPending) {
			return p
		}
		if err != nil && !errors.Is(err, payments.ErrUnknownOutcome) && !errors.Is(err, payments.ErrNotSent) {
			break
		}
	}
	t.Fatalf("%+v, %v", p, err)
	return p
}
