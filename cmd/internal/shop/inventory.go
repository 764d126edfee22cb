package shop

import (
	"cutpoint/cmd/internal/host"
	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventorymod"
)

type (
	inventorySettings = inventorymod.Settings
	inventoryDeps     = inventorymod.Deps
)

func (s Settings) configureInventory(c *Config) { c.Sourcing = s.Inventory.Sourcing }

func (s *Shop) newInventory(c Config) (host.Module, error) {
	return inventorymod.New(inventorymod.Deps{
		Layer: s.Layer, Datastore: s.Datastore(inventory.Module, inventory.Module), Now: Now, NewID: s.NewID, Log: s.Log,
	}, inventorymod.Options{Workers: s.Workers(inventory.Module), ExpireEvery: c.ExpireHolds, Sourcing: c.Sourcing, Fail: c.Fail})
}
