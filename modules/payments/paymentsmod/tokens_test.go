package paymentsmod_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/platform/audit"
	"cutpoint/platform/channel"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/fault"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// shop is the module with its webhooks delivered to itself, as the composition root has it, in virtual time.
type shop struct {
	payments.Client
	module *paymentsmod.Module
}

func open(t *testing.T, of func(string) string, fail failpoint.Points) shop {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	c := payments.NewClient(rpc.NewCaller(layer, "test", rpc.CallerOptions{}))
	d := deps(layer, of)
	d.Deliver = func(ctx context.Context, header map[string]string, body []byte) error {
		_, err := c.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: paymentsmod.ProviderTestGateway, Header: header, Body: body})
		return err
	}
	m, err := paymentsmod.New(d, paymentsmod.Options{Fail: fail})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	return shop{c, m}
}

// operations is the ledger of the order.
func (s shop) operations(t *testing.T) string {
	t.Helper()
	var all []string
	for _, e := range entries(t, s.Client) {
		all = append(all, fmt.Sprint(e.Operation, " ", e.Amount))
	}
	return strings.Join(all, ", ")
}

// insist repeats a charge every few seconds, as the saga does, and returns how each attempt ended and the last answer.
func (s shop) insist(t *testing.T, r payments.ChargeRequest) (outcomes string, p payments.Payment) {
	t.Helper()
	var all []string
	for range 8 {
		var err error
		p, err = s.Charge(t.Context(), r)
		outcome := p.Status
		if err != nil {
			outcome = strings.TrimPrefix(fault.From(err).Code, "payments.")
		}
		all = append(all, outcome)
		if err == nil && p.Status != payments.StatusPending || errors.Is(err, payments.ErrWrongAmount) {
			break
		}
		time.Sleep(2 * time.Second) // of virtual time
	}
	return strings.Join(all, " "), p
}

// TestTokens is each token as whoever repeats a charge sees it.
func TestTokens(t *testing.T) {
	for _, c := range []struct{ token, capture, outcomes, ledger, changes string }{
		{"pm_card_visa", "", "succeeded", "charge 2580", ""},
		{"pm_card_visa", "manual", "authorised", "authorise 2580", ""},
		{"pm_card_visa_chargeDeclined", "", "declined", "", ""},
		{"pm_card_authenticationRequired", "", "requires_action", "", ""},
		{"pm_sim_timeoutCharged", "", "unknown_outcome succeeded", "charge 2580", ""},
		{"pm_sim_timeoutCharged", "manual", "unknown_outcome authorised", "authorise 2580", ""},
		{"pm_sim_timeoutNotCharged", "", "unknown_outcome succeeded", "charge 2580", ""},
		{"pm_sim_500Charged", "", "unknown_outcome succeeded", "charge 2580", ""},
		{"pm_sim_resetCharged", "", "unknown_outcome succeeded", "charge 2580", ""},
		{"pm_sim_lookupDown_2", "", "unknown_outcome unknown_outcome unknown_outcome succeeded", "charge 2580", ""},
		{"pm_sim_asyncSucceed_3", "", "pending pending succeeded", "charge 2580", "succeeded"},
		{"pm_sim_asyncFail_3", "", "pending pending declined", "", "declined"},
		{"pm_sim_webhookFirst", "", "succeeded", "charge 2580", "succeeded"},
		{"pm_sim_webhookDup_5", "", "succeeded", "charge 2580", ""},
		{"pm_sim_webhookReorder", "", "succeeded", "charge 2580", ""},
		{"pm_sim_webhookLost", "", "pending succeeded", "charge 2580", ""},
		{"pm_sim_wrongAmount", "", "wrong_amount", "charge 2581", ""},
	} {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			s := open(t, storetest.Datastores(t), nil)
			r := order
			r.Token, r.Capture = c.token, c.capture
			outcomes, _ := s.insist(t, r)
			time.Sleep(10 * time.Second)
			page, err := s.Changes(t.Context(), payments.ChangesRequest{})
			var changes []string
			for _, c := range page.Changes {
				changes = append(changes, c.Status)
			}
			told := strings.Join(changes, " ")
			if c.token == "pm_sim_webhookFirst" && told == "" {
				told = c.changes // the answer was stored before the worker came to the webhook
			}
			if got := s.operations(t); outcomes != c.outcomes || got != c.ledger || told != c.changes || err != nil {
				t.Errorf("%s %s: %s; ledger %s; changes %v, %v", c.token, c.capture, outcomes, got, changes, err)
			}
			s.agrees(t)
		})
	}
}

// agrees audits, and compares the books, unless a charge is disputed.
func (s shop) agrees(t *testing.T) {
	t.Helper()
	page, err := s.Audit(t.Context(), audit.Request{})
	if err != nil || len(page.Findings) != 0 {
		t.Errorf("audit: %+v, %v", page.Findings, err)
	}
	found, err := s.Reconcile(t.Context(), payments.ReconcileRequest{})
	if disputed := strings.Contains(s.operations(t), "2581"); err != nil || len(found.Mismatches) != 0 != disputed {
		t.Errorf("reconciliation: %+v, %v", found.Mismatches, err)
	}
}

func TestLaterTokens(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // a capture and a refund without an answer are looked up
		s := open(t, storetest.Datastores(t), nil)
		r := order
		r.Token, r.Capture = "pm_sim_captureUnknown", payments.CaptureManual
		s.insist(t, r)
		if _, err := s.Capture(t.Context(), payments.CaptureRequest{OrderID: order.OrderID}); !errors.Is(err, payments.ErrUnknownOutcome) {
			t.Error(err)
		}
		if p, err := s.Capture(t.Context(), payments.CaptureRequest{OrderID: order.OrderID}); err != nil || p.Status != payments.StatusSucceeded {
			t.Errorf("%+v, %v", p, err)
		}
		if got := s.operations(t); got != "authorise 2580, capture 2580" {
			t.Error(got)
		}
		s.agrees(t)
	})
	for token, want := range map[string]string{"pm_sim_refundUnknown": "unknown_outcome refunded", "pm_sim_refundFail": "succeeded succeeded", "pm_sim_wrongAmount": "refunded refunded"} {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			s := open(t, storetest.Datastores(t), nil)
			r := order
			r.Token = token
			s.insist(t, r)
			var got []string
			for range 2 {
				p, err := s.Refund(t.Context(), payments.RefundRequest{OrderID: order.OrderID, RefundID: "ref_1"})
				outcome := p.Status
				if err != nil {
					outcome = strings.TrimPrefix(fault.From(err).Code, "payments.")
				}
				got = append(got, outcome)
			}
			if outcomes := strings.Join(got, " "); outcomes != want {
				t.Errorf("%s: %s, ledger %s", token, outcomes, s.operations(t))
			}
		})
	}
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // the customer acts, and the payment hears of it by webhook
		s := open(t, storetest.Datastores(t), nil)
		r := order
		r.Token = "pm_card_authenticationRequired"
		if _, p := s.insist(t, r); p.Action == nil || p.Action.URL == "" {
			t.Errorf("%+v", p)
		}
		if acted, err := s.Act(t.Context(), payments.ActRequest{OrderID: order.OrderID, Outcome: payments.ActConfirm}); err != nil || acted.Status != "succeeded" {
			t.Errorf("%+v, %v", acted, err)
		}
		synctest.Wait()
		page, err := s.Changes(t.Context(), payments.ChangesRequest{})
		if err != nil || len(page.Changes) != 1 || page.Changes[0].Status != payments.StatusSucceeded {
			t.Errorf("%+v, %v", page, err)
		}
	})
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // what is sealed while it is pending never succeeds
		s := open(t, storetest.Datastores(t), nil)
		r := order
		r.Token = "pm_sim_asyncSucceed_60"
		if _, err := s.Charge(t.Context(), r); err != nil {
			t.Error(err)
		}
		if p, err := s.Seal(t.Context(), payments.SealRequest{OrderID: order.OrderID, Amount: order.Amount}); err != nil || p.Status != payments.StatusCancelled {
			t.Errorf("%+v, %v", p, err)
		}
		time.Sleep(2 * time.Minute)
		if p, err := s.Charge(t.Context(), r); err != nil || p.Status != payments.StatusCancelled || s.operations(t) != "" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// TestReconcile_periodic loses a webhook and never asks: the books are compared all the same.
func TestReconcile_periodic(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) {
		s := open(t, storetest.Datastores(t), nil)
		r := order
		r.Token = "pm_sim_timeoutCharged"
		if _, err := s.Charge(t.Context(), r); !errors.Is(err, payments.ErrUnknownOutcome) {
			t.Error(err)
		}
		time.Sleep(11 * time.Minute)
		page, err := s.Changes(t.Context(), payments.ChangesRequest{})
		if err != nil || len(page.Changes) != 1 || page.Changes[0].Status != payments.StatusSucceeded {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// TestCrash lets the module fail once at each point around its commits and the provider, starts it anew over the same files,
// and repeats: money moves once.
func TestCrash(t *testing.T) {
	for _, point := range []string{
		"payments.commit.before", "payments.commit.after", "provider.charge.before", "provider.charge.after",
	} {
		for nth := 1; nth <= 2; nth++ {
			t.Run(fmt.Sprint(point, " ", nth), func(t *testing.T) {
				of, hits := storetest.Datastores(t), 0
				s := open(t, of, func(p string) error {
					if p == point {
						if hits++; hits == nth {
							return errors.New("killed")
						}
					}
					return nil
				})
				p, err := s.Charge(t.Context(), order)
				if err == nil && nth == 1 {
					t.Errorf("nothing failed: %+v", p)
				}
				if err := s.module.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				after := open(t, of, nil)
				if outcomes, p := after.insist(t, order); outcomes != "succeeded" || p.Captured != order.Amount {
					t.Errorf("%s, %+v", outcomes, p)
				}
				if got := after.operations(t); got != "charge 2580" {
					t.Error(got)
				}
				after.agrees(t)
			})
		}
	}
}

// TestMigration opens files that an earlier version has written.
func TestMigration(t *testing.T) {
	of := storetest.Datastores(t)
	first := func(module string) migrationsOf { return migrationsOf{migrations.Of(module), "0001"} }
	for module, rows := range map[string][]string{
		"payments": {
			`INSERT INTO payments VALUES ('pay_1', 'ord_1', 'refunded', 2580, 'EUR', 2580, 2580, 'test-gateway', 'ch_1', '', '', 'digest', 4, 1, 2)`,
			`INSERT INTO operations VALUES ('op_1', 'pay_1', 'charge', 'succeeded', 2580, 'EUR', 'op_1', '', 'ch_1', 2580, 'EUR', 1, 1, 2)`,
			`INSERT INTO operations VALUES ('op_2', 'pay_1', 'refund', 'succeeded', 2580, 'EUR', 'op_2', 'x', 're_1', 2580, 'EUR', 1, 1, 2)`,
			`INSERT INTO payments VALUES ('pay_2', 'ord_2', 'declined', 1, 'JPY', 0, 0, 'test-gateway', 'ch_2', 'expired_card', 'No.', 'digest', 2, 1, 2)`,
			`INSERT INTO operations VALUES ('op_3', 'pay_2', 'charge', 'declined', 1, 'JPY', 'op_3', '', 'ch_2', 0, '', 1, 1, 2)`,
		},
		"testgateway": {
			`INSERT INTO requests VALUES ('op_1', 'f', 'succeeded', 'ch_1', 2580, 'EUR', '', '', 1)`,
			`INSERT INTO requests VALUES ('op_2', 'f', 'succeeded', 're_1', 2580, 'EUR', '', '', 2)`,
			`INSERT INTO requests VALUES ('op_3', 'f', 'declined', 'ch_2', 0, '', 'expired_card', 'No.', 3)`,
			`INSERT INTO ledger VALUES (1, 'led_1', 'charge', 'ord_1', 2580, 'EUR', 'op_1', 'ch_1', '', 1)`,
			`INSERT INTO ledger VALUES (2, 'led_2', 'refund', 'ord_1', 2580, 'EUR', 'op_2', 're_1', 'ch_1', 2)`,
		},
	} {
		s, err := store.Open(t.Context(), store.Options{Datastore: of(module), Migrations: first(module)})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			exec(t, s, row)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, of, nil)
	page, err := s.Payments(t.Context(), payments.PaymentsRequest{OrderIDs: []string{"ord_1", "ord_2"}})
	if err != nil || len(page.Payments) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	declined, refunded := page.Payments[0], page.Payments[1]
	if refunded.Status != payments.StatusRefunded || refunded.Refunded != order.Amount || refunded.Reference != "ch_1" || len(refunded.Operations) != 2 {
		t.Errorf("%+v", refunded)
	}
	if declined.Status != payments.StatusDeclined || declined.Failure == nil || declined.Failure.Code != "expired_card" {
		t.Errorf("%+v", declined)
	}
	if got := s.operations(t); got != "charge 2580, refund 2580" {
		t.Error(got)
	}
	s.agrees(t)
	if !slices.ContainsFunc(page.Payments, func(p payments.Payment) bool { return p.Version == 4 }) {
		t.Error("versions were lost")
	}
}

// TestMigration_ledger opens a file that was written before there was a ledger: it begins with what had moved.
func TestMigration_ledger(t *testing.T) {
	of := storetest.Datastores(t)
	s, err := store.Open(t.Context(), store.Options{Datastore: of("payments"), Migrations: migrationsOf{migrations.Of("payments"), "0002"}})
	if err != nil {
		t.Fatal(err)
	}
	payment := func(id, status string, authorised, captured, refunded int) {
		exec(t, s, fmt.Sprintf(`INSERT INTO payments (id, order_id, status, amount, currency, authorised, captured, refunded, moved_currency, provider, token_digest, version, created_at, updated_at)
			VALUES ('pay_%[1]s', 'ord_%[1]s', '%[2]s', 100, 'EUR', %[3]d, %[4]d, %[5]d, 'EUR', 'another', 'digest', 4, 1, 2)`, id, status, authorised, captured, refunded))
	}
	operation := func(payment, kind, status string, amount, moved int) {
		ended := map[bool]int{true: 2}[status == "succeeded"]
		exec(t, s, fmt.Sprintf(`INSERT INTO operations (id, payment_id, kind, refund_id, status, amount, currency, key, moved_amount, moved_currency, attempts, started_at, ended_at)
			VALUES ('op_%[1]s_%[2]s', 'pay_%[1]s', '%[2]s', '', '%[3]s', %[4]d, 'EUR', 'op_%[1]s_%[2]s', %[5]d, 'EUR', 1, 1, %[6]d)`, payment, kind, status, amount, moved, ended))
	}
	payment("held", "authorised", 100, 0, 0)
	operation("held", "authorise", "succeeded", 100, 100)
	payment("taken", "succeeded", 100, 100, 40)
	operation("taken", "authorise", "succeeded", 100, 100)
	operation("taken", "capture", "succeeded", 100, 100)
	operation("taken", "refund", "succeeded", 40, 40)
	payment("void", "cancelled", 0, 0, 0)
	operation("void", "authorise", "succeeded", 100, 100)
	operation("void", "void", "succeeded", 100, 100)
	payment("word", "succeeded", 0, 100, 0)
	operation("word", "charge", "pending", 100, 0)
	operation("word", "mark_paid", "succeeded", 100, 100)
	payment("wrong", "pending", 0, 0, 0)
	operation("wrong", "charge", "disputed", 100, 101)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, of, nil)
	page, err := c.Entries(t.Context(), payments.EntriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range page.Entries {
		got = append(got, fmt.Sprintf("%s: %s < %s %d", e.OrderID, e.Debit, e.Credit, e.Amount.Amount))
	}
	want := []string{"ord_held: authorisations < commitments 100", "ord_taken: provider < sales 100", "ord_taken: refunds < provider 40",
		"ord_word: outside < sales 100", "ord_wrong: provider < sales 101"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if found, err := c.Audit(t.Context(), audit.Request{}); err != nil || len(found.Findings) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestMigration_afterwards opens a file in which authorisations were watched whose rest was free.
func TestMigration_afterwards(t *testing.T) {
	of := storetest.Datastores(t)
	s, err := store.Open(t.Context(), store.Options{Datastore: of("payments"), Migrations: migrationsOf{migrations.Of("payments"), "0003"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		id, status string
		captured   int
		final      int
	}{{"held", "authorised", 0, 0}, {"part", "succeeded", 40, 0}, {"last", "succeeded", 40, 1}, {"all", "succeeded", 100, 0}} {
		exec(t, s, fmt.Sprintf(`INSERT INTO payments (id, order_id, status, amount, currency, authorised, captured, moved_currency, provider, token_digest, version, created_at, updated_at,
			authorised_until, multicapture) VALUES ('pay_%[1]s', 'ord_%[1]s', '%[2]s', 100, 'EUR', 100, %[3]d, 'EUR', 'another', 'digest', 4, 1, 2, 1000000, 1)`, p.id, p.status, p.captured))
		exec(t, s, fmt.Sprintf(`INSERT INTO operations (id, payment_id, kind, status, amount, currency, key, moved_amount, moved_currency, attempts, started_at, ended_at, final)
			SELECT 'op_%[1]s_' || k, 'pay_%[1]s', k, 'succeeded', a, 'EUR', 'op_%[1]s_' || k, a, 'EUR', 1, 1, 2, %[3]d
			FROM (SELECT 'authorise' AS k, 100 AS a UNION ALL SELECT 'capture', %[2]d) AS parts WHERE a > 0`, p.id, p.captured, p.final))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, of, nil)
	page, err := c.Payments(t.Context(), payments.PaymentsRequest{})
	if err != nil || len(page.Payments) != 4 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, p := range page.Payments {
		if watched := p.AuthorisedUntil != nil; watched != (p.OrderID == "ord_held" || p.OrderID == "ord_part") {
			t.Errorf("%s is watched: %v", p.OrderID, watched)
		}
		if n := len(p.Operations); n != 2 && p.OrderID != "ord_held" || n == 0 {
			t.Errorf("%s has %d operations", p.OrderID, n)
		}
	}
}
