package shop

import (
	"cutpoint/cmd/internal/host"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricingmod"
)

type (
	pricingSettings = pricingmod.Settings
	pricingDeps     = pricingmod.Deps
)

func (s Settings) configurePricing(c *Config) { c.QuoteValidity = s.Pricing.QuoteValidity }

func (s *Shop) newPricing(c Config) (host.Module, error) {
	return pricingmod.New(pricingmod.Deps{
		Layer: s.Layer, Datastore: s.Datastore(pricing.Module, pricing.Module), Now: Now, NewID: s.NewID, Log: s.Log,
	}, pricingmod.Options{Workers: s.Workers(pricing.Module), QuoteValidity: c.QuoteValidity, Alone: s.Alone(pricing.Module), Fail: c.Fail})
}
