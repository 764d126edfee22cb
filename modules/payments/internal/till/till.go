// Package till is the body of the payments module: it writes down what it asks of a payment provider, asks, and writes down
// what came of it.
//
//	Write 1: the operation, pending ---> provider, same key each time ---> Write 2: the answer
//
// No transaction is open while the provider is asked. A crash between the two writes leaves a pending operation with its key.
// Whoever repeats the request climbs the look-up ladder (operate.go): look up by the provider's reference, then by key; found,
// that is the answer; not found, the same key is sent again, while the provider still knows it from a new one. "Not found" by
// itself never means "not charged".
//
// Operations only go forward, whoever brings the news and in whatever order:
//
//	operation   pending --> requires_action --> declined | cancelled --> succeeded
//	                                                                \--> disputed: another amount moved
//
// Each arrow may be jumped to from everything left of it. The last one, a success of what counted as over, happens where the
// provider's own books say so. A payment is what its operations add up to (derive.go), and stores no more than they say:
//
//	payment     pending ----> requires_action ----> declined
//	               |                 |        \---> cancelled: sealed
//	               |                 v
//	               |`---------> authorised ------> cancelled: voided
//	               |                 | capture
//	               |                 v
//	               `----------> succeeded -------> refunded
//
// A payment whose charge is disputed is pending until an operator decides: MarkPaid accepts what moved, Refund gives it back.
//
// Whatever commit changes what moved writes the ledger too: ledger.go. disputes.go and expiry.go hold what may happen to a payment later.
//
// charge.go, later.go and seal.go hold what is asked of payments; operate.go, ask.go and breaker.go the way to the provider;
// entry.go and derive.go the state machines; inbox.go, changes.go, reconcile.go and audit.go what the provider tells by itself
// and how the books are compared; store.go the SQL. What a provider must keep is said in provider.go.
package till

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/failpoint"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// Deps are what a till needs. All but Fail are required.
type Deps struct {
	Store    *store.Store // with the migrations of payments
	Provider Provider
	Now      func() time.Time
	NewID    id.Source
	Log      *slog.Logger
	Fail     failpoint.Points // passed at "provider.<request>.before" and ".after", around each request to the provider
}

// Policy is how patient a till is. The zero value takes the defaults.
type Policy struct {
	ProviderTimeout time.Duration // for all that one call asks of the provider; less than a call between modules may take. 0: 4 s
	BreakerAfter    int           // requests in a row without an answer after which it asks no more; 0: 20
	BreakerFor      time.Duration // until it tries again; 0: 5 s
	ReconcileEvery  time.Duration // 0: 10 minutes; negative: only when asked
	ReconcileWindow time.Duration // how far back it then looks; 0: 1 hour
	ExpiryNotice    time.Duration // how long before the end of an authorisation it is told; 0: 24 hours
	WatchEvery      time.Duration // how often it is looked for such; 0: 1 minute
	Idle            time.Duration // how often workers look for what has become due without anybody waking them; 0: 1 s
}

func (p Policy) withDefaults() Policy {
	if p.ProviderTimeout <= 0 {
		p.ProviderTimeout = 4 * time.Second
	}
	if p.BreakerAfter <= 0 {
		p.BreakerAfter = 20
	}
	if p.BreakerFor <= 0 {
		p.BreakerFor = 5 * time.Second
	}
	if p.ReconcileEvery == 0 {
		p.ReconcileEvery = 10 * time.Minute
	}
	if p.ExpiryNotice <= 0 {
		p.ExpiryNotice = 24 * time.Hour
	}
	if p.WatchEvery <= 0 {
		p.WatchEvery = time.Minute
	}
	if p.Idle <= 0 {
		p.Idle = time.Second
	}
	if p.ReconcileWindow <= 0 {
		p.ReconcileWindow = time.Hour
	}
	return p
}

// Till implements the payments contract with one provider.
type Till struct {
	store    *store.Store
	provider Provider
	now      func() time.Time
	newID    id.Source
	log      *slog.Logger
	fail     failpoint.Points
	policy   Policy
	breaker  *breaker
	arrived  chan struct{} // wakes the worker of the inbox
}

var _ payments.Service = (*Till)(nil)

// New returns a till. Run does what nobody asks for.
func New(d Deps, p Policy) *Till {
	p = p.withDefaults()
	t := &Till{
		store: d.Store, provider: d.Provider, now: d.Now, newID: d.NewID, log: d.Log, fail: d.Fail, policy: p,
		breaker: &breaker{after: p.BreakerAfter, pause: p.BreakerFor, now: d.Now},
		arrived: make(chan struct{}, 1),
	}
	t.arrived <- struct{}{} // before this process there may have been another
	return t
}

// Payment implements payments.Service.
func (t *Till) Payment(ctx context.Context, r payments.PaymentRequest) (payments.Payment, error) {
	found, err := find(t.store.Read(ctx), "p.id = ?", r.ID)
	if err != nil {
		return payments.Payment{}, err
	}
	if len(found) == 0 {
		return payments.Payment{}, payments.ErrPaymentNotFound
	}
	return found[0].shown(), nil
}

// Payments implements payments.Service.
func (t *Till) Payments(ctx context.Context, r payments.PaymentsRequest) (payments.PaymentPage, error) {
	if len(r.OrderIDs) > maxLimit {
		return payments.PaymentPage{}, fault.ErrInvalid.At("/order_ids", "invalid", "at most 200 orders at once")
	}
	limit := pageOf(r.Limit)
	var found []*entry
	var err error
	switch db := t.store.Read(ctx); {
	case len(r.OrderIDs) > 0:
		limit = maxLimit
		found, err = find(db, "p.order_id IN ?", r.OrderIDs)
	case r.Before != "":
		found, err = find(db, "p.id IN (SELECT id FROM payments WHERE id < ? ORDER BY id DESC LIMIT ?)", r.Before, limit+1)
	default:
		found, err = find(db, "p.id IN (SELECT id FROM payments ORDER BY id DESC LIMIT ?)", limit+1)
	}
	if err != nil {
		return payments.PaymentPage{}, err
	}
	page := payments.PaymentPage{Payments: []payments.Payment{}, More: len(found) > limit}
	for _, e := range found[:min(len(found), limit)] {
		page.Payments = append(page.Payments, e.shown())
	}
	return page, nil
}

// pageOf is how many rows a page has of which a stranger asked for limit.
func pageOf(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// ofOrder returns an order's payment, or nil. Most orders that ask have none yet, and to learn that takes a third of the time
// that the whole payment would.
func (t *Till) ofOrder(ctx context.Context, orderID string) (*entry, error) {
	db := t.store.Read(ctx)
	var paymentID string
	switch err := store.Row(db, "SELECT id FROM payments WHERE order_id = ?", orderID).Scan(&paymentID); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	found, err := find(db, "p.id = ?", paymentID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// clock returns the time as it will be read from the store again.
func (t *Till) clock() time.Time { return store.Time(store.Micros(t.now())) }
