package pricebook

import (
	"sync"

	"cutpoint/modules/pricing"
)

// cache keeps what is put whole and has versions (price sets, promotions) in memory. Pricing owns them and is the only writer of
// its store, so it alone may do this.
//
// A reader may come late: it read version 1 from the store, a writer committed version 2 and put it here, and now the reader
// puts its own. So put keeps the higher version. That is enough because what came in never leaves, it is only replaced: an
// eviction would forget the version that protects it. When the cache is full it takes no further names, and theirs are read from
// the store. Names that stand for nothing are not remembered, so that nobody can fill it with those that he made up.
type cache[T any] struct {
	limit int
	key   func(T) (name string, version int64)

	mu   sync.RWMutex
	kept map[string]T
}

func newCache[T any](limit int, key func(T) (name string, version int64)) *cache[T] {
	return &cache[T]{limit: limit, key: key, kept: map[string]T{}}
}

func keyOfSet(s pricing.PriceSet) (string, int64) { return s.SKU, s.Version }

func keyOfPromotion(p pricing.Promotion) (string, int64) { return p.Code, p.Version }

func (c *cache[T]) get(name string) (T, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	thing, ok := c.kept[name]
	return thing, ok
}

// put remembers what is committed, unless a newer version is there.
func (c *cache[T]) put(thing T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, version := c.key(thing)
	if have, ok := c.kept[name]; ok {
		if _, had := c.key(have); had >= version {
			return
		}
	} else if len(c.kept) >= c.limit {
		return
	}
	c.kept[name] = thing
}
