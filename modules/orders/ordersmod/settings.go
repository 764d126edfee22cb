package ordersmod

import "time"

// Settings are how patient the module is with its customers and its neighbours; the tags make flags of them. The defaults suit a card
// payment; whoever changes one should know why.
type Settings struct {
	OrderPatience time.Duration `help:"How long POST /v1/orders works on an order before it answers 202." default:"5s"`
	RetryMin      time.Duration `help:"Wait before a step of an order is tried again; it doubles with each attempt." default:"50ms"`
	RetryMax      time.Duration `help:"The longest such wait." default:"30s"`
	LookupMin     time.Duration `help:"Wait before a payment is looked up again of which nobody knows; it doubles with each attempt." default:"1s"`
	LookupMax     time.Duration `help:"The longest such wait." default:"5m"`
	ActionLimit   time.Duration `help:"How long a customer may take to act on a payment before it is sealed." default:"1h"`
	UnknownLimit  time.Duration `help:"How long a charge may stay unknown before it is sealed." default:"1h"`
	MaxFailures   int64         `help:"Failures of code in a row after which an order goes to an operator; no answer is no failure." default:"10"`
	EraseAfter    time.Duration `help:"Erase the customer's personal data of an order so long after its last event, once it has ended; 0: never." default:"0s"`
	KeepEvents    time.Duration `help:"How long events stay in the feed of orders, read or not; 0: for ever. What --erase-after has not looked at stays." default:"0s"`
}

// Fill makes p what the settings mean for the checkout.
func (s Settings) Fill(p *Policy) {
	*p = Policy{
		Patience: s.OrderPatience, BackoffMin: s.RetryMin, BackoffMax: s.RetryMax, LookupMin: s.LookupMin, LookupMax: s.LookupMax,
		ActionLimit: s.ActionLimit, UnknownLimit: s.UnknownLimit, MaxFailures: s.MaxFailures, EraseAfter: s.EraseAfter, KeepEvents: s.KeepEvents,
	}
}
