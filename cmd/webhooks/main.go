// Command webhooks is the webhooks module in a process of its own. It finds orders, and others find it, over NATS.
package main

import (
	"context"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhookshttp"
	"cutpoint/modules/webhooks/webhooksmod"
	"cutpoint/platform/web"
)

type command struct {
	host.Config
	host.Settings
	Webhooks webhooksmod.Settings `embed:""`
}

func main() {
	host.Main(host.Program{
		Name: "webhooks", Description: "The webhooks module of a shop, in a process of its own.",
		Commands: &command{}, Vars: kong.Vars{"http": "false"},
	})
}

// Run runs the module until ctx is done.
func (c *command) Run(ctx context.Context, t host.Terminal) error {
	return c.Serve(ctx, t, webhooks.Module, c.open, func(a *web.API, h *host.Host) {
		webhookshttp.Register(a, webhooks.NewClient(h.Edge()))
	})
}

func (c *command) open(h *host.Host) (host.Module, error) {
	o := webhooksmod.Options{Workers: h.Workers(webhooks.Module)}
	c.Webhooks.Fill(&o.Policy)
	return webhooksmod.New(webhooksmod.Deps{
		Layer: h.Layer, Datastore: h.Datastore(webhooks.Module, webhooks.Module), Orders: orders.NewClient(h.Caller(webhooks.Module)),
		Now: host.Now, NewID: h.NewID, Random: h.Dice, Secrets: h.Random, Log: h.Log,
	}, o)
}
