package stock

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/platform/store"
)

// keyBatch is how many keys are deleted in one transaction.
const keyBatch = 200

// ForgetKeys deletes one batch of the idempotency keys that count no longer, and reports whether there may be more. It looks before it
// writes.
func (s *Stock) ForgetKeys(ctx context.Context) (more bool, err error) {
	if there, err := store.ForgottenClaims(s.store.Read(ctx), s.now()); err != nil || !there {
		return false, err
	}
	deleted, err := write(ctx, s, func(tx *gorm.DB) (int, error) { return store.ForgetClaims(tx, s.now(), keyBatch) })
	return deleted == keyBatch, err
}
