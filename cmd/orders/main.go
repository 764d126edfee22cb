// Command orders is the orders module in a process of its own. It finds the others, and they find it, over NATS.
package main

import (
	"context"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordershttp"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/web"
)

type command struct {
	host.Config
	host.Settings
	Orders ordersmod.Settings `embed:""`
}

func main() {
	host.Main(host.Program{
		Name: "orders", Description: "The orders module of a shop, in a process of its own.",
		Commands: &command{}, Vars: kong.Vars{"http": "false"},
	})
}

// Run runs the module until ctx is done.
func (c *command) Run(ctx context.Context, t host.Terminal) error {
	return c.Serve(ctx, t, orders.Module, c.open, func(a *web.API, h *host.Host) {
		ordershttp.Register(a, orders.NewClient(h.Edge()))
	})
}

func (c *command) open(h *host.Host) (host.Module, error) {
	o := ordersmod.Options{Workers: h.Workers(orders.Module), Alone: h.Alone(orders.Module)}
	c.Orders.Fill(&o.Policy)
	o.Policy.Lease = o.Policy.Patience + 2*h.CallTimeout() // it must outlive the patience and a call that began within it
	caller := h.Caller(orders.Module)
	return ordersmod.New(ordersmod.Deps{
		Layer: h.Layer, Datastore: h.Datastore(orders.Module, orders.Module), Now: host.Now, NewID: h.NewID, Random: h.Dice, Log: h.Log,
		Inventory: inventory.NewClient(caller), Pricing: pricing.NewClient(caller), Payments: payments.NewClient(caller),
	}, o)
}
