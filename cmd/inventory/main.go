// Command inventory is the inventory module in a process of its own. Others find it over NATS.
package main

import (
	"context"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventoryhttp"
	"cutpoint/modules/inventory/inventorymod"
	"cutpoint/platform/web"
)

type command struct {
	host.Config
	host.Settings
	Inventory inventorymod.Settings `embed:""`
}

func main() {
	host.Main(host.Program{
		Name: "inventory", Description: "The inventory module of a shop, in a process of its own.",
		Commands: &command{}, Vars: kong.Vars{"http": "false"},
	})
}

// Run runs the module until ctx is done.
func (c *command) Run(ctx context.Context, t host.Terminal) error {
	return c.Serve(ctx, t, inventory.Module, c.open, func(a *web.API, h *host.Host) {
		inventoryhttp.Register(a, inventory.NewClient(h.Edge()))
	})
}

func (c *command) open(h *host.Host) (host.Module, error) {
	return inventorymod.New(inventorymod.Deps{
		Layer: h.Layer, Datastore: h.Datastore(inventory.Module, inventory.Module), Now: host.Now, NewID: h.NewID, Log: h.Log,
	}, inventorymod.Options{Workers: h.Workers(inventory.Module), Sourcing: c.Inventory.Sourcing})
}
