package shop

// Settings are the flags of all modules.
type Settings struct {
	Inventory inventorySettings `embed:""`
	Pricing   pricingSettings   `embed:""`
	Payments  paymentsSettings  `embed:""`
	Orders    ordersSettings    `embed:""`
	Webhooks  webhooksSettings  `embed:""`
}

// Configure sets in c what the settings say. The modules that run here are set already.
func (s Settings) Configure(c *Config) error {
	s.configureInventory(c)
	s.configurePricing(c)
	s.configureOrders(c)
	s.configureWebhooks(c)
	return s.configurePayments(c)
}
