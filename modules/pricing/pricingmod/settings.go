package pricingmod

import "time"

// Settings are what users choose about the module; the tags make flags of them.
type Settings struct {
	QuoteValidity time.Duration `help:"How long an order gets the figures of a quote that it names." default:"15m"`
}
