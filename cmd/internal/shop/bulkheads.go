package shop

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/modules/webhooks"
	"cutpoint/platform/channel"
)

// Modules names every module of a shop.
func Modules() []string {
	return []string{inventory.Module, pricing.Module, payments.Module, orders.Module, webhooks.Module}
}

// checkBulkheads returns all that is wrong with the settings of single modules.
func (c Config) checkBulkheads() error {
	var errs []error
	for _, setting := range []struct {
		of string
		by map[string]int
	}{{"capacity", c.ModuleCapacity}, {"workers", c.ModuleWorkers}} {
		for _, module := range slices.Sorted(maps.Keys(setting.by)) {
			if !slices.Contains(Modules(), module) {
				errs = append(errs, fmt.Errorf("%s of %q: there is no such module, only %s", setting.of, module, strings.Join(Modules(), ", ")))
			} else if n := setting.by[module]; n < 1 {
				errs = append(errs, fmt.Errorf("%s of %s: at least 1 is needed, not %d", setting.of, module, n))
			}
		}
	}
	return errors.Join(errs...)
}

// newLayer makes the layer that the modules stand on.
func (c Config) newLayer() (channel.Layer, error) {
	o := channel.Options{Capacity: c.Capacity, Strict: c.Strict}
	for _, module := range slices.Sorted(maps.Keys(c.ModuleCapacity)) {
		o.Capacities = append(o.Capacities, channel.CapacityOption{Pattern: module + ".request", Capacity: c.ModuleCapacity[module]})
	}
	if err := errors.Join(c.checkBulkheads(), o.Check()); err != nil {
		return nil, err
	}
	var l channel.Layer = channel.NewMemory(o)
	if c.Layer != nil {
		l = c.Layer(l)
	}
	return l, nil
}

// workers is how many calls a module handles at once; 0 is the default of package rpc.
func (c Config) workers(module string) int {
	if n, ok := c.ModuleWorkers[module]; ok {
		return n
	}
	return c.Workers
}
