package stock

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/store"
)

// expiryBatch is how many holds end in one transaction, so that other writers wait for milliseconds at most.
const expiryBatch = 100

// Sweep gives free, until ctx is done, what carts held beyond their time, and deletes keys that count no longer: what is due at once,
// then every so often.
func (s *Stock) Sweep(ctx context.Context, every time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		more, err := s.ExpireHolds(ctx)
		if err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "give expired holds free", "error", err)
		}
		forgotten, err := s.ForgetKeys(ctx)
		if err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "delete old idempotency keys", "error", err)
		}
		if more || forgotten {
			continue
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// ExpireHolds ends one batch of holds whose time is over, and reports whether there may be more. It looks before it writes: a shop
// without carts commits nothing.
func (s *Stock) ExpireHolds(ctx context.Context) (more bool, err error) {
	if due, err := s.dueHolds(s.store.Read(ctx), nil); err != nil || len(due) == 0 {
		return false, err
	}
	ended, err := write(ctx, s, func(tx *gorm.DB) (int, error) {
		moved := shifts{}
		ended, err := s.expire(tx, nil, moved)
		if err != nil {
			return 0, err
		}
		return ended, s.tell(tx, moved)
	})
	return ended == expiryBatch, err
}

// expire ends one batch of holds whose time is over, of those that have one of some items, or of all, and returns their number.
func (s *Stock) expire(tx *gorm.DB, skus []string, moved shifts) (int, error) {
	due, err := s.dueHolds(tx, skus)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	return len(due), giveBack(tx, due, moved)
}

func (s *Stock) dueHolds(db *gorm.DB, skus []string) (due []string, err error) {
	now := store.Micros(s.now())
	if skus == nil {
		err = db.Raw("SELECT id FROM holds WHERE expires_at <= ? ORDER BY expires_at LIMIT ?", now, expiryBatch).Scan(&due).Error
		return due, err
	}
	err = db.Raw(`SELECT id FROM holds WHERE expires_at <= ? AND EXISTS
		(SELECT 1 FROM hold_lines WHERE hold_id = holds.id AND sku IN ?) ORDER BY expires_at LIMIT ?`, now, skus, expiryBatch).Scan(&due).Error
	return due, err
}
