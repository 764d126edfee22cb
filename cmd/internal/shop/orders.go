package shop

import (
	"cutpoint/cmd/internal/host"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
)

// CheckoutPolicy is how patient the checkout is.
type CheckoutPolicy = ordersmod.Policy

type (
	ordersSettings = ordersmod.Settings
	ordersDeps     = ordersmod.Deps
)

func (s Settings) configureOrders(c *Config) {
	s.Orders.Fill(&c.Checkout)
	c.OrderPatience = c.Checkout.Patience
}

func (s *Shop) newOrders(c Config) (host.Module, error) {
	policy := c.Checkout
	policy.Patience = c.OrderPatience
	policy.Lease = c.OrderPatience + 2*s.CallTimeout() // it must outlive the patience and a call that began within it
	caller := s.Caller(orders.Module)
	return ordersmod.New(ordersmod.Deps{
		Layer: s.Layer, Datastore: s.Datastore(orders.Module, orders.Module), Now: Now, NewID: s.NewID, Log: s.Log, Random: s.Dice,
		Inventory: inventory.NewClient(caller), Pricing: pricing.NewClient(caller), Payments: payments.NewClient(caller),
	}, ordersmod.Options{Workers: s.Workers(orders.Module), Policy: policy, Alone: s.Alone(orders.Module), Still: c.Still, Fail: c.Fail})
}
