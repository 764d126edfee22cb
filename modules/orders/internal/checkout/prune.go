package checkout

import (
	"context"
	"math"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

// Events are deleted from the beginning of the feed, so that what is kept of an order is its latest ones, without a gap. How far
// they are deleted stands beside the places in the feeds of others.
const (
	prunedTo = "events.pruned"    // the position of the last one deleted
	prunedAt = "events.pruned_at" // and when it was
	retained = "retention"        // how far the policy of erasure has come

	pruneBatch = 200         // events deleted in one commit
	pruneWait  = time.Minute // before it is looked again whether there are any
)

// pruneEvents deletes a batch of the events that are older than the policy keeps them, and reports whether there may be more. It stops at
// the first one of an order that is under way, and at those that the policy of erasure has not looked at. The sweeper alone calls it.
func (c *Checkout) pruneEvents(ctx context.Context) (more bool, err error) {
	now := c.Now()
	if c.policy.KeepEvents <= 0 || now.Before(c.pruneAgain) {
		return false, nil
	}
	old, err := c.oldEvents(ctx, store.Micros(now.Add(-c.policy.KeepEvents)))
	if err != nil || len(old) < pruneBatch {
		c.pruneAgain = now.Add(pruneWait)
	}
	if err != nil || len(old) == 0 {
		return false, err
	}
	latest := int64(0) // in the feed the times are nearly in their order
	for _, e := range old {
		latest = max(latest, e.At)
	}
	err = c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		last := old[len(old)-1].Position
		if _, err := store.Exec(tx, "DELETE FROM events WHERE position <= ?", last); err != nil {
			return err
		}
		_, err := store.Exec(tx, `INSERT INTO cursors (feed, position) VALUES (?, ?), (?, ?)
			ON CONFLICT (feed) DO UPDATE SET position = excluded.position WHERE cursors.position < excluded.position`, prunedTo, last, prunedAt, latest)
		return err
	})
	return len(old) == pruneBatch, err
}

// place is an event in the feed.
type place struct {
	Position, At int64
	State        string // of its order, now
}

// oldEvents are the first events of the feed that may go.
func (c *Checkout) oldEvents(ctx context.Context, cutoff int64) (old []place, err error) {
	db, looked := c.Store.Read(ctx), int64(math.MaxInt64)
	if c.policy.EraseAfter > 0 {
		if looked, err = cursor(db, retained); err != nil {
			return nil, err
		}
	}
	err = db.Raw(`SELECT position, at, (SELECT state FROM sagas s WHERE s.order_id = e.order_id) AS state
		FROM events e ORDER BY position LIMIT ?`, pruneBatch).Scan(&old).Error
	for i, e := range old {
		if e.At > cutoff || e.Position > looked || !resting(e.State) {
			return old[:i], err
		}
	}
	return old, err
}

// cursor is a place that was written down, 0 for none.
func cursor(db *gorm.DB, feed string) (position int64, err error) {
	err = store.Row(db, "SELECT COALESCE(max(position), 0) FROM cursors WHERE feed = ?", feed).Scan(&position)
	return position, err
}

// moveCursor writes a place down, unless somebody else has moved it from where it was.
func moveCursor(tx *gorm.DB, feed string, from, to int64) (moved bool, err error) {
	if at, err := cursor(tx, feed); err != nil || at != from {
		return false, err
	}
	_, err = store.Exec(tx, "INSERT INTO cursors (feed, position) VALUES (?, ?) ON CONFLICT (feed) DO UPDATE SET position = excluded.position", feed, to)
	return err == nil, err
}

// missed returns the fault of a reader who has not read what was deleted. Whoever begins at 0 begins with what is there.
func missed(db *gorm.DB, after int64) error {
	pruned, err := cursor(db, prunedTo)
	if err != nil || after == 0 || after >= pruned {
		return err
	}
	return orders.ErrEventsPruned.Saying("the events up to position %d are not kept any more: go on from 0, the oldest that is, and read orders for what was missed", pruned)
}
