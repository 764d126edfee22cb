package main

import (
	"time"

	"cutpoint/cmd/internal/shop"
)

// policies are how patient the modules are with their customers, their neighbours and the world outside. The defaults suit a card
// payment; whoever changes one should know why.
type policies struct {
	RetryMin     time.Duration `help:"Wait before a step of an order is tried again; it doubles with each attempt." default:"50ms"`
	RetryMax     time.Duration `help:"The longest such wait." default:"30s"`
	LookupMin    time.Duration `help:"Wait before a payment is looked up again of which nobody knows; it doubles with each attempt." default:"1s"`
	LookupMax    time.Duration `help:"The longest such wait." default:"5m"`
	ActionLimit  time.Duration `help:"How long a customer may take to act on a payment before it is sealed." default:"1h"`
	UnknownLimit time.Duration `help:"How long a charge may stay unknown before it is sealed." default:"1h"`
	MaxFailures  int64         `help:"Failures of code in a row after which an order goes to an operator; no answer is no failure." default:"10"`
	EraseAfter   time.Duration `help:"Erase the customer's personal data of an order so long after its last event, once it has ended; 0: never." default:"0s"`
	KeepEvents   time.Duration `help:"How long events stay in the feed of orders, read or not; 0: for ever. What --erase-after has not looked at stays." default:"0s"`

	Sourcing string `help:"Whether the stock of one order may come from several locations: split or whole." enum:"split,whole" default:"split"`

	QuoteValidity time.Duration `help:"How long an order gets the figures of a quote that it names." default:"15m"`

	ProviderTimeout time.Duration `help:"Longest wait for the payment provider; less than --call-timeout, so that its answer can be written down." default:"4s"`
	BreakerAfter    int           `help:"Requests in a row without an answer after which the payment provider is left alone." default:"20"`
	BreakerFor      time.Duration `help:"For how long." default:"5s"`
	ReconcileEvery  time.Duration `help:"How often the payment provider's books are compared with ours." default:"10m"`

	ExpiryNotice time.Duration `help:"How long before the end of an authorisation it is told." default:"24h"`

	WebhookAllowPrivate bool          `help:"Let webhooks go to private and loopback addresses, and over plain HTTP; --demo does by itself."`
	WebhookTimeout      time.Duration `help:"Longest wait for a receiver of webhooks." default:"15s"`
	WebhookConcurrency  int           `help:"Webhooks under way at once." default:"16"`
	WebhookPerEndpoint  int           `help:"Of them to one endpoint." default:"4"`
	WebhookDisableAfter time.Duration `help:"How long an endpoint may fail before it is disabled." default:"120h"`
	WebhookRetention    time.Duration `help:"How long deliveries are kept after their end." default:"720h"`
}

func (p policies) checkout() shop.CheckoutPolicy {
	return shop.CheckoutPolicy{
		BackoffMin: p.RetryMin, BackoffMax: p.RetryMax, LookupMin: p.LookupMin, LookupMax: p.LookupMax,
		ActionLimit: p.ActionLimit, UnknownLimit: p.UnknownLimit, MaxFailures: p.MaxFailures, EraseAfter: p.EraseAfter, KeepEvents: p.KeepEvents,
	}
}

func (p policies) payments() shop.PaymentsPolicy {
	return shop.PaymentsPolicy{
		ProviderTimeout: p.ProviderTimeout, BreakerAfter: p.BreakerAfter, BreakerFor: p.BreakerFor, ReconcileEvery: p.ReconcileEvery, ExpiryNotice: p.ExpiryNotice,
	}
}

func (p policies) webhooks(demo bool) shop.WebhooksPolicy {
	return shop.WebhooksPolicy{
		Timeout: p.WebhookTimeout, Concurrency: p.WebhookConcurrency, PerEndpoint: p.WebhookPerEndpoint, DisableAfter: p.WebhookDisableAfter,
		Retention: p.WebhookRetention, AllowPrivate: p.WebhookAllowPrivate || demo,
	}
}
