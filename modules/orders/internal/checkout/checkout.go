// Package checkout is the body of the orders module: it stores orders and leads each through the checkout.
//
// The checkout of an order is a saga: a row that says how far it has come, and steps that each ask one module for one thing.
// saga.go draws the states and runs the steps, which stand in steps.go. A row is stored where a crash would lose a decision; what a
// neighbour can be asked again, because its commands are safe to repeat, is not stored twice. The happy path commits three times:
//
//	received    order, saga, idempotency key, first event
//	charging    the price is frozen and the charge decided
//	completed   with the timeline and the event of what happened since
//
// Whoever advances a saga holds its lease, and every write names the version that it read: a runner that was overtaken writes
// nothing. The request that placed an order is its first runner (place.go); the sweeper takes over what has no runner and is
// due (sweep.go). Commands on an order that had ended make it a saga again (commands.go, resolve.go). All run the same code.
//
// What becomes true of an order is told by an event in the very commit that makes it true (events.go). What payments learns
// by itself, from a webhook say, is read from its feed (changes.go). What comes after the checkout begins in aftersales.go.
package checkout

import (
	"errors"
	"log/slog"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Policy is how patient the checkout is. The zero value takes the defaults.
type Policy struct {
	Patience   time.Duration // how long the request that placed an order works on it before it answers "in progress"; 5 s
	Lease      time.Duration // how long a runner is trusted without a sign of life; more than Patience plus one call; 15 s
	BackoffMin time.Duration // wait before the second attempt of a step; it doubles with each; 50 ms
	BackoffMax time.Duration // the longest wait; 30 s
	LookupMin  time.Duration // the same while only the payment provider knows where the money is; 1 s
	LookupMax  time.Duration // 5 min
	SweepEvery time.Duration // how often due sagas are looked for; 1 s
	SweepBatch int           // how many are taken up at once; 16

	ActionLimit  time.Duration // how long a customer may take to act before the payment is sealed; 1 h
	UnknownLimit time.Duration // how long a charge may stay unknown before it is sealed; 1 h
	MaxFailures  int64         // failures of code, one after the other, after which an operator must look; 10
	EraseAfter   time.Duration // how long after its last event an order that has ended keeps its customer's personal data; 0: for ever
	KeepEvents   time.Duration // how long events stay in the feed; 0: for ever
}

func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&p.Patience, 5*time.Second)
	set(&p.Lease, 15*time.Second)
	set(&p.BackoffMin, 50*time.Millisecond)
	set(&p.BackoffMax, 30*time.Second)
	set(&p.LookupMin, time.Second)
	set(&p.LookupMax, 5*time.Minute)
	set(&p.SweepEvery, time.Second)
	set(&p.ActionLimit, time.Hour)
	set(&p.UnknownLimit, time.Hour)
	if p.MaxFailures <= 0 {
		p.MaxFailures = 10
	}
	if p.SweepBatch <= 0 {
		p.SweepBatch = 16
	}
	return p
}

// Deps is what the checkout needs. All of it is required.
type Deps struct {
	Store     *store.Store
	Inventory Inventory
	Pricing   Pricing
	Payments  Payments
	Now       func() time.Time
	NewID     id.Source
	Random    func() float64 // uniform in [0, 1), safe for concurrent use
	Log       *slog.Logger
}

// Checkout implements orders.Service.
type Checkout struct {
	Deps
	policy Policy
	owner  string // names this runner in leases
	wake   chan struct{}

	eraseAgain time.Time // after a failure: see eraseDue
	pruneAgain time.Time // see pruneEvents
	keysAgain  time.Time // see forgetKeys
}

var _ orders.Service = (*Checkout)(nil)

// New returns a checkout. Its Sweep must run for orders to survive the request that placed them.
func New(d Deps, p Policy) *Checkout {
	return &Checkout{Deps: d, policy: p.withDefaults(), owner: d.NewID("run"), wake: make(chan struct{}, 1)}
}

// errOvertaken says that another runner has advanced the saga: this one must stop, and has written nothing.
var errOvertaken = errors.New("another runner has advanced this order")
