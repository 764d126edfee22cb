// Command pricing is the pricing module in a process of its own. Others find it over NATS.
package main

import (
	"context"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/platform/web"
)

type command struct {
	host.Config
	host.Settings
	Pricing pricingmod.Settings `embed:""`
}

func main() {
	host.Main(host.Program{
		Name: "pricing", Description: "The pricing module of a shop, in a process of its own.",
		Commands: &command{}, Vars: kong.Vars{"http": "false"},
	})
}

// Run runs the module until ctx is done.
func (c *command) Run(ctx context.Context, t host.Terminal) error {
	return c.Serve(ctx, t, pricing.Module, c.open, func(a *web.API, h *host.Host) {
		pricinghttp.Register(a, pricing.NewClient(h.Edge()))
	})
}

func (c *command) open(h *host.Host) (host.Module, error) {
	return pricingmod.New(pricingmod.Deps{
		Layer: h.Layer, Datastore: h.Datastore(pricing.Module, pricing.Module), Now: host.Now, NewID: h.NewID, Log: h.Log,
	}, pricingmod.Options{Workers: h.Workers(pricing.Module), QuoteValidity: c.Pricing.QuoteValidity, Alone: h.Alone(pricing.Module)})
}
