package till

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/migrations"
	"cutpoint/modules/payments"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// scripted is a provider that gives the answers of its script, one a request, and remembers what it was asked.
type scripted struct {
	mu       sync.Mutex
	script   []func(Instruction) (Result, error)
	lookups  []Result // an empty list: it can't be asked
	seals    []Result
	prepares bool
	books    []Fact
	asked    []Instruction
	looked   []Query
	sealed   []Instruction
}

func (s *scripted) Name() string { return "scripted" }

func (s *scripted) Capabilities() Capabilities { return Capabilities{Prepares: s.prepares} }

func (s *scripted) Prepare(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Charge(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Authorise(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Capture(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Void(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Refund(_ context.Context, in Instruction) (Result, error) { return s.answer(in) }

func (s *scripted) Seal(_ context.Context, in Instruction) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = append(s.sealed, in)
	return next(&s.seals), nil
}

func (s *scripted) Lookup(_ context.Context, q Query) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = append(s.looked, q)
	return next(&s.lookups), nil
}

// ParseWebhook takes an event as JSON, unless a header says that it is forged.
func (s *scripted) ParseWebhook(header map[string]string, body []byte) (e Event, err error) {
	if header["forged"] != "" {
		return e, errors.New("forged")
	}
	return e, json.Unmarshal(body, &e)
}

// List gives its books one by one.
func (s *scripted) List(_ context.Context, _ time.Time, cursor string) (l Listing, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &n); err != nil {
			return l, err
		}
	}
	if n < len(s.books) {
		l.Facts = s.books[n : n+1]
	}
	if n+1 < len(s.books) {
		l.Next = fmt.Sprint(n + 1)
	}
	return l, nil
}

// next takes the first of some answers; after the last there is none.
func next(answers *[]Result) Result {
	if len(*answers) == 0 {
		return Result{Cause: errors.New("nobody answers")}
	}
	r := (*answers)[0]
	*answers = (*answers)[1:]
	return r
}

func (s *scripted) answer(in Instruction) (Result, error) {
	s.mu.Lock()
	s.asked = append(s.asked, in)
	if len(s.script) == 0 {
		s.mu.Unlock()
		return Result{}, fmt.Errorf("asked once too often: %+v", in)
	}
	next := s.script[0]
	s.script = s.script[1:]
	s.mu.Unlock()
	return next(in)
}

func succeed(reference string) func(Instruction) (Result, error) {
	return func(in Instruction) (Result, error) {
		return Result{State: Succeeded, Reference: reference, Amount: in.Amount}, nil
	}
}

func give(r Result) func(Instruction) (Result, error) {
	return func(Instruction) (Result, error) { return r, nil }
}

var (
	silence  = give(Result{Cause: errors.New("the line went dead")})
	unsent   = give(Result{State: NotSent, Cause: errors.New("connection refused")})
	refused  = Result{State: Declined, Reference: "ch_1", Failure: payments.Failure{Code: "insufficient_funds", Message: "No."}}
	refusal  = give(refused)
	absent   = Result{State: NotFound}
	never    = Result{State: NotFound, Certain: true}
	waiting  = Result{State: Pending, Reference: "ch_1"}
	mustAct  = Result{State: RequiresAction, Reference: "ch_1", Action: payments.Action{Type: "redirect", URL: "https://bank.invalid/1"}}
	annulled = Result{State: Cancelled, Reference: "ch_1"}
	order    = payments.ChargeRequest{OrderID: "ord_1", Amount: money.Of(2580, "EUR"), Token: "tok_verysecret"}
	paid     = Result{State: Succeeded, Reference: "ch_1", Amount: order.Amount}
	reserved = Result{State: Authorised, Reference: "ch_1", Amount: order.Amount}
)

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

type fixture struct {
	*Till
	path     string
	provider *scripted
	clock    *clock
}

func newTill(t testing.TB, script ...func(Instruction) (Result, error)) fixture {
	t.Helper()
	return newTillWith(t, nil, Policy{}, script...)
}

func newTillWith(t testing.TB, fail failpoint.Points, p Policy, script ...func(Instruction) (Result, error)) fixture {
	t.Helper()
	path := storetest.Datastore(t, "payments")
	s, err := store.Open(t.Context(), store.Options{Datastore: path, Module: payments.Module, Migrations: migrations.Of(payments.Module), Fail: fail})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	provider, c := &scripted{script: script}, &clock{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	till := New(Deps{Store: s, Provider: provider, Now: c.now, NewID: id.NewSource(c.now, rand.Reader), Log: slog.New(slog.DiscardHandler), Fail: fail}, p)
	return fixture{till, path, provider, c}
}

// charge charges the order and fails the test unless the error is want.
func (f fixture) charge(t testing.TB, want error) payments.Payment {
	t.Helper()
	p, err := f.Charge(t.Context(), order)
	if !errors.Is(err, want) {
		t.Fatalf("charge: %v, want %v", err, want)
	}
	return p
}

// authorise reserves the order's amount.
func (f fixture) authorise(t testing.TB) payments.Payment {
	t.Helper()
	manual := order
	manual.Capture = payments.CaptureManual
	p, err := f.Charge(t.Context(), manual)
	if err != nil || p.Status != payments.StatusAuthorised || p.Authorised != order.Amount || p.Captured.Amount != 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	return p
}

func (f fixture) capture(t testing.TB, want error) payments.Payment {
	t.Helper()
	p, err := f.Capture(t.Context(), payments.CaptureRequest{OrderID: order.OrderID})
	if !errors.Is(err, want) {
		t.Fatalf("capture: %v, want %v", err, want)
	}
	return p
}

// refund gives back all that is left.
func (f fixture) refund(t testing.TB, want error) payments.Payment {
	t.Helper()
	return f.give(t, "ref_1", 0, want)
}

// give gives back an amount.
func (f fixture) give(t testing.TB, refundID string, amount int64, want error) payments.Payment {
	t.Helper()
	p, err := f.Refund(t.Context(), payments.RefundRequest{OrderID: order.OrderID, RefundID: refundID, Amount: amount, Reason: "cancelled"})
	if !errors.Is(err, want) {
		t.Fatalf("refund %s: %v, want %v", refundID, err, want)
	}
	return p
}

func (f fixture) seal(t testing.TB, want error) payments.Payment {
	t.Helper()
	p, err := f.Seal(t.Context(), payments.SealRequest{OrderID: order.OrderID, Amount: order.Amount})
	if !errors.Is(err, want) {
		t.Fatalf("seal: %v, want %v", err, want)
	}
	return p
}

func (f fixture) markPaid(t testing.TB, want error) payments.Payment {
	t.Helper()
	p, err := f.MarkPaid(t.Context(), payments.MarkPaidRequest{OrderID: order.OrderID, Reference: "statement 7"})
	if !errors.Is(err, want) {
		t.Fatalf("mark paid: %v, want %v", err, want)
	}
	return p
}

// stored is the order's payment as another reader sees it.
func (f fixture) stored(t testing.TB) payments.Payment {
	t.Helper()
	page, err := f.Payments(t.Context(), payments.PaymentsRequest{OrderIDs: []string{order.OrderID}})
	if err != nil || len(page.Payments) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	return page.Payments[0]
}

// changes are the statuses of all changes.
func (f fixture) changes(t testing.TB) (statuses []string) {
	t.Helper()
	page, err := f.Changes(t.Context(), payments.ChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range page.Changes {
		statuses = append(statuses, c.Status)
	}
	return statuses
}

// exec changes the store behind the till's back.
func (f fixture) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := f.store.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql, args...).Error }); err != nil {
		t.Fatal(err)
	}
}

// webhook sends an event about the order's last operation.
func (f fixture) webhook(t testing.TB, eventID string, fact Fact) payments.WebhookReceipt {
	t.Helper()
	return f.tell(t, Event{ID: eventID, Type: "test", Fact: fact})
}

// tell sends an event.
func (f fixture) tell(t testing.TB, e Event) payments.WebhookReceipt {
	t.Helper()
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := f.ReceiveWebhook(t.Context(), payments.WebhookRequest{Provider: "scripted", Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// work works off the inbox, and returns how many messages it met.
func (f fixture) work(t testing.TB) (n int) {
	t.Helper()
	for {
		worked, err := f.WorkInbox(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			return n
		}
		n++
	}
}
