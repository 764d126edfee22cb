package pricebook

import (
	"sync"

	"cutpoint/modules/pricing"
)

// cache keeps price sets in memory. Pricing owns the prices and is the only writer of its store, so it alone may do this.
//
// A reader may come late: it read version 1 from the store, a writer committed version 2 and put it here, and now the reader
// puts its own. So put keeps the higher version. That is enough because a set that came in never leaves, it is only replaced:
// an eviction would forget the version that protects it. When the cache is full it takes no further SKUs, and theirs are read
// from the store. SKUs without prices are not remembered, so that nobody can fill it with names that he made up.
type cache struct {
	limit int

	mu   sync.RWMutex
	sets map[string]pricing.PriceSet
}

func newCache(limit int) *cache {
	return &cache{limit: limit, sets: map[string]pricing.PriceSet{}}
}

func (c *cache) get(sku string) (pricing.PriceSet, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	set, ok := c.sets[sku]
	return set, ok
}

// put remembers a set that is committed, unless a newer one is there.
func (c *cache) put(set pricing.PriceSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have, ok := c.sets[set.SKU]
	if ok && have.Version >= set.Version || !ok && len(c.sets) >= c.limit {
		return
	}
	c.sets[set.SKU] = set
}
