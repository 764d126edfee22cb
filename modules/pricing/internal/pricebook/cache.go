package pricebook

import (
	"context"
	"sync"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/store"
)

// Price sets, promotions and the rules of active.go are kept in memory, and several instances of pricing may put them in one store. Each
// version that is put has a number in the history, larger than all before it. A calculation begins with one look at an index for
// numbers that this instance has not seen, its own included, and forgets what they name: so it counts with all that was committed
// before it began, by whomever. One that is alone with its store need not look before it has put something itself: the look takes ten
// times as long as the calculation.

// maxFollowed is how many changes are taken one by one; if there are more, all is forgotten.
const maxFollowed = 1000

// ruleName is the name of a rule of any kind.
type ruleName struct{ kind, code string }

// follow forgets what was put anew since the last time, and returns the number up to which it knows the history. What is read from
// the store after it is at least as new.
func (b *Book) follow(ctx context.Context) (seen int64, err error) {
	db, puts := b.store.Read(ctx), b.puts.Load()
	seen = b.seen.Load()
	if b.alone && puts == b.followed.Load() {
		return seen, nil
	}
	if put, err := putSince(db, seen); err != nil || !b.alone && len(put) == 0 {
		return seen, err
	}
	b.following.Lock()
	defer b.following.Unlock()
	seen = b.seen.Load()
	var latest int64
	if err := store.Row(db, "SELECT COALESCE(MAX(change), 0) FROM history").Scan(&latest); err != nil {
		return 0, err
	}
	put, err := putSince(db, seen) // again: somebody else may have followed, and this has all up to latest
	if err != nil {
		return 0, err
	}
	if len(put) > maxFollowed {
		b.sets.forgetAll(latest)
		b.coupons.forgetAll(latest)
		b.active.forget()
	} else {
		b.sets.forget(put, pricing.RulePrices, latest)
		b.coupons.forget(put, pricing.RulePromotion, latest)
		b.active.refresh(db, put)
	}
	b.seen.Store(latest) // last, these two: whoever sees them finds nothing older in memory
	b.followed.Store(max(puts, b.followed.Load()))
	return latest, nil
}

// putSince names what was put after a number, or the first of it where that is more than maxFollowed.
func putSince(db *gorm.DB, seen int64) (put []ruleName, err error) {
	rows, err := store.Rows(db, "SELECT kind, code FROM history WHERE change > ? ORDER BY change LIMIT ?", seen, maxFollowed+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r ruleName
		if err := rows.Scan(&r.kind, &r.code); err != nil {
			return nil, err
		}
		put = append(put, r)
	}
	return put, rows.Err()
}

// cache keeps things of one kind in memory, by their codes.
//
// A reader may come late: it read version 1 from the store, version 2 was put and forgotten here, and now the reader keeps its own. So it
// names the number up to which it knew the history before it read, and what it read is not kept if the cache knows more by now. When
// the cache is full it takes no further names, and theirs are read from the store. Names that stand for nothing are not kept, so
// that nobody can fill it with those that he made up.
type cache[T any] struct {
	limit int

	mu   sync.RWMutex
	seen int64
	kept map[string]T
}

func newCache[T any](limit int) *cache[T] { return &cache[T]{limit: limit, kept: map[string]T{}} }

func (c *cache[T]) get(code string) (T, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	thing, ok := c.kept[code]
	return thing, ok
}

// keep remembers what was read from the store by somebody who knew the history up to seen.
func (c *cache[T]) keep(code string, thing T, seen int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.kept[code]; seen == c.seen && (there || len(c.kept) < c.limit) {
		c.kept[code] = thing
	}
}

// forget drops what was put anew of the cache's kind.
func (c *cache[T]) forget(put []ruleName, kind string, seen int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = seen
	for _, r := range put {
		if r.kind == kind {
			delete(c.kept, r.code)
		}
	}
}

func (c *cache[T]) forgetAll(seen int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = seen
	clear(c.kept)
}
