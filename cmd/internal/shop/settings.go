package shop

import (
	"slices"

	"cutpoint/modules/inventory/inventorymod"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/modules/webhooks/webhooksmod"
)

// Settings are the flags of all modules.
type Settings struct {
	Inventory inventorymod.Settings `embed:""`
	Pricing   pricingmod.Settings   `embed:""`
	Payments  paymentsmod.Settings  `embed:""`
	Orders    ordersmod.Settings    `embed:""`
	Webhooks  webhooksmod.Settings  `embed:""`
}

// ProviderSettings are the flags that say who charges cards.
type ProviderSettings = paymentsmod.ProviderSettings

// Configure sets in c what the settings say. The secrets of the payment provider are read only where payments runs.
func (s Settings) Configure(c *Config) (err error) {
	c.Sourcing, c.QuoteValidity = s.Inventory.Sourcing, s.Pricing.QuoteValidity
	s.Orders.Fill(&c.Checkout)
	s.Payments.Fill(&c.Payments)
	s.Webhooks.Fill(&c.Webhooks)
	c.OrderPatience, c.Provider = c.Checkout.Patience, s.Payments.PaymentProvider
	if slices.Contains(c.Modules, payments.Module) {
		c.Stripe, err = s.Payments.Stripe()
	}
	return err
}
