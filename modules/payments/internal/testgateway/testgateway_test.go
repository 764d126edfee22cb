package testgateway

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// postman takes the webhooks that a gateway delivers, unless it refuses.
type postman struct {
	mu      sync.Mutex
	headers []map[string]string
	bodies  [][]byte
	refuse  error
}

func (p *postman) deliver(_ context.Context, header map[string]string, body []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return p.refuse
	}
	p.headers, p.bodies = append(p.headers, header), append(p.bodies, body)
	return nil
}

// clock is a time that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// bank is a gateway with its clock and the receiver of its webhooks.
type bank struct {
	*Gateway
	clock *clock
	post  *postman
}

func open(t *testing.T, path string) bank {
	t.Helper()
	c, post := &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}, &postman{}
	g, err := Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of(Migrations)}, Deps{
		Now: c.now, NewID: id.NewSource(c.now, rand.Reader), Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Deliver: post.deliver,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return bank{g, c, post}
}

func fresh(t *testing.T) bank { return open(t, storetest.Datastore(t, "testgateway")) }

func charge(key string) till.Instruction {
	return till.Instruction{Kind: payments.OperationCharge, Key: key, OrderID: "ord_1", Amount: money.Of(2580, "EUR"), Token: "pm_card_visa"}
}

// must unwraps what may not fail.
func must(t *testing.T) func(till.Result, error) till.Result {
	return func(r till.Result, err error) till.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func ledger(t *testing.T, g bank, r payments.LedgerRequest) payments.LedgerPage {
	t.Helper()
	page, err := g.Ledger(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestCharge_tokens(t *testing.T) {
	for token, code := range map[string]string{
		"pm_card_visa":                                 "",
		"pm_card_visa_chargeDeclined":                  "generic_decline",
		"pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
		"pm_card_chargeDeclinedExpiredCard":            "expired_card",
		"pm_card_chargeDeclinedProcessingError":        "processing_error",
		"pm_card_mastercard":                           "unknown_token",
		"":                                             "unknown_token",
	} {
		t.Run(token, func(t *testing.T) {
			g := fresh(t)
			in := charge("op_1")
			in.Token = token
			r := must(t)(g.Charge(t.Context(), in))
			entries := ledger(t, g, payments.LedgerRequest{}).Entries
			if code != "" {
				if r.State != till.Declined || r.Failure.Code != code || r.Failure.Message == "" || len(entries) != 0 {
					t.Errorf("%+v, ledger %+v", r, entries)
				}
				return
			}
			if r.State != till.Succeeded || r.Amount != in.Amount || len(entries) != 1 {
				t.Fatalf("%+v, ledger %+v", r, entries)
			}
			e := entries[0]
			e.ID, e.At = "", time.Time{}
			if e != (payments.LedgerEntry{Operation: "charge", OrderID: "ord_1", Amount: 2580, Currency: "EUR", Key: "op_1", Reference: r.Reference}) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Run("fifty requests with one key move money once and get one answer", func(t *testing.T) {
		g := fresh(t)
		answers := make([]till.Result, 50)
		var callers sync.WaitGroup
		for i := range answers {
			callers.Go(func() {
				var err error
				if answers[i], err = g.Charge(t.Context(), charge("op_1")); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		for _, a := range answers {
			if a != answers[0] || a.State != till.Succeeded {
				t.Errorf("%+v, %+v", a, answers[0])
			}
		}
		if n := len(ledger(t, g, payments.LedgerRequest{}).Entries); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
	t.Run("an answer outlives the process, a decline too", func(t *testing.T) {
		path := storetest.Datastore(t, "testgateway")
		in := charge("op_1")
		in.Token = "pm_card_visa_chargeDeclined"
		first := must(t)(open(t, path).Charge(t.Context(), in))
		g := open(t, path)
		if again := must(t)(g.Charge(t.Context(), in)); again != first {
			t.Errorf("%+v, then %+v", first, again)
		}
		if found := must(t)(g.Lookup(t.Context(), till.Query{Key: "op_1"})); found != first {
			t.Errorf("%+v, looked up as %+v", first, found)
		}
		if found := must(t)(g.Lookup(t.Context(), till.Query{Key: "op_2"})); found.State != till.NotFound || !found.Certain {
			t.Errorf("%+v", found)
		}
	})
	t.Run("a key with other parameters is a programming fault", func(t *testing.T) {
		g := fresh(t)
		must(t)(g.Charge(t.Context(), charge("op_1")))
		for _, change := range []func(*till.Instruction){
			func(in *till.Instruction) { in.Amount.Amount++ },
			func(in *till.Instruction) { in.Token = "pm_card_visa_chargeDeclined" },
			func(in *till.Instruction) { in.OrderID = "ord_2" },
		} {
			in := charge("op_1")
			change(&in)
			if r, err := g.Charge(t.Context(), in); err == nil {
				t.Errorf("%+v answered %+v", in, r)
			}
		}
		if r, err := g.Refund(t.Context(), charge("op_1")); err == nil {
			t.Errorf("a refund under a charge's key answered %+v", r)
		}
	})
	t.Run("a store that fails leaves the outcome unknown", func(t *testing.T) {
		g := fresh(t)
		if err := g.store.Close(); err != nil {
			t.Fatal(err)
		}
		if r := must(t)(g.Charge(t.Context(), charge("op_1"))); r.State != till.Unknown || r.Cause == nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestRefund(t *testing.T) {
	g := fresh(t)
	charged := must(t)(g.Charge(t.Context(), charge("op_1")))
	refund := func(key, charge string, amount money.Money) till.Result {
		return must(t)(g.Refund(t.Context(), till.Instruction{Key: key, OrderID: "ord_1", Amount: amount, Charge: charge}))
	}
	for _, c := range []struct {
		name, key, charge string
		amount            money.Money
		code              string
	}{
		{"of another charge is refused", "op_2", "ch_none", money.Of(1, "EUR"), "unknown_charge"},
		{"in another currency is refused", "op_3", charged.Reference, money.Of(1, "USD"), "amount_too_large"},
		{"of more than was charged is refused", "op_4", charged.Reference, money.Of(2581, "EUR"), "amount_too_large"},
		{"of a part succeeds", "op_5", charged.Reference, money.Of(580, "EUR"), ""},
		{"repeated changes nothing", "op_5", charged.Reference, money.Of(580, "EUR"), ""},
		{"of more than is left is refused", "op_6", charged.Reference, money.Of(2001, "EUR"), "amount_too_large"},
		{"of the rest succeeds", "op_7", charged.Reference, money.Of(2000, "EUR"), ""},
		{"of nothing that is left is refused", "op_8", charged.Reference, money.Of(1, "EUR"), "amount_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := refund(c.key, c.charge, c.amount)
			if r.Failure.Code != c.code || (r.State == till.Succeeded) != (c.code == "") {
				t.Errorf("%+v", r)
			}
		})
	}
	var operations []string
	for _, e := range ledger(t, g, payments.LedgerRequest{OrderID: "ord_1"}).Entries {
		operations = append(operations, fmt.Sprint(e.Operation, " ", e.Amount))
	}
	if got := fmt.Sprint(operations); got != "[charge 2580 refund 580 refund 2000]" {
		t.Error(got)
	}
}

func TestLedger(t *testing.T) {
	g := fresh(t)
	for i := range 6 {
		in := charge(fmt.Sprint("op_", i))
		in.OrderID = fmt.Sprint("ord_", i%2)
		must(t)(g.Charge(t.Context(), in))
	}
	t.Run("pages go from the oldest to the newest", func(t *testing.T) {
		var keys []string
		after := ""
		for more := true; more; {
			page := ledger(t, g, payments.LedgerRequest{After: after, Limit: 4})
			for _, e := range page.Entries {
				keys, after = append(keys, e.Key), e.ID
			}
			more = page.More
		}
		if got := fmt.Sprint(keys); got != "[op_0 op_1 op_2 op_3 op_4 op_5]" {
			t.Error(got)
		}
	})
	t.Run("with an order it shows that order's money", func(t *testing.T) {
		page := ledger(t, g, payments.LedgerRequest{OrderID: "ord_1", Limit: 3})
		if len(page.Entries) != 3 || page.More || page.Entries[0].Key != "op_1" {
			t.Errorf("%+v", page)
		}
		if rest := ledger(t, g, payments.LedgerRequest{OrderID: "ord_1", After: page.Entries[0].ID}); len(rest.Entries) != 2 {
			t.Errorf("%+v", rest)
		}
	})
	t.Run("an order that moved none has an empty page", func(t *testing.T) {
		if page := ledger(t, g, payments.LedgerRequest{OrderID: "ord_9"}); page.Entries == nil || len(page.Entries) != 0 {
			t.Errorf("%+v", page)
		}
	})
}
