package checkout

import (
	"context"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
)

const (
	keyBatch = 200         // keys deleted in one commit
	keyWait  = time.Minute // before it is looked again whether there are any
)

// forgetKeys deletes a batch of the idempotency keys that count for nothing any more, and reports whether there may be more. Keys lie in
// the table as they came, so the old ones are found at its beginning, without an index by age that each order would have to pay for.
// One that was claimed anew in its old place stays there until it is old again. PostgreSQL keeps no such order, and has the index. The
// sweeper alone calls it.
func (c *Checkout) forgetKeys(ctx context.Context) (more bool, err error) {
	now := c.Now()
	if now.Before(c.keysAgain) {
		return false, nil
	}
	defer func() {
		if !more {
			c.keysAgain = now.Add(keyWait)
		}
	}()
	db := c.Store.Read(ctx)
	old := "FROM idempotency_keys WHERE created_at <= ? AND " + store.On(db,
		"rowid IN (SELECT rowid FROM idempotency_keys ORDER BY rowid LIMIT ?)",
		"ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys ORDER BY created_at LIMIT ?))")
	limit := store.Micros(now.Add(-idempotency.Retention))
	var there int64
	if err := store.Row(db, "SELECT count(*) "+old, limit, keyBatch).Scan(&there); err != nil || there == 0 {
		return false, err
	}
	err = c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		_, err := store.Exec(tx, "DELETE "+old, limit, keyBatch)
		return err
	})
	return err == nil && there == keyBatch, err
}
