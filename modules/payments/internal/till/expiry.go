package till

import (
	"context"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// watched is how many authorisations a sweep tells of at once.
const watched = 100

// WatchExpiry tells, by Changes, of authorisations that end soon or have ended, also of what captures left of them: once each. It reports whether there may be more.
func (t *Till) WatchExpiry(ctx context.Context) (worked bool, err error) {
	now := t.clock()
	found, err := find(t.store.Read(ctx), `p.id IN (SELECT id FROM payments WHERE authorised_until > 0 AND expiry_told < 2
		AND (expiry_told = 0 AND authorised_until <= ? OR authorised_until <= ?) ORDER BY authorised_until LIMIT ?)`,
		store.Micros(now.Add(t.policy.ExpiryNotice)), store.Micros(now), watched)
	if err != nil || len(found) == 0 {
		return false, err
	}
	return len(found) == watched, t.store.Write(ctx, func(tx *gorm.DB) error {
		for _, e := range found {
			if err := tellExpiry(tx, e, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func tellExpiry(tx *gorm.DB, e *entry, now time.Time) error {
	told, reason := 1, payments.ReasonAuthorisationExpiring
	if !now.Before(*e.AuthorisedUntil) {
		told, reason = 2, payments.ReasonAuthorisationExpired
	}
	r := tx.Exec("UPDATE payments SET expiry_told = ? WHERE id = ? AND version = ? AND expiry_told < ?", told, e.ID, e.Version, told)
	if r.Error != nil || r.RowsAffected == 0 { // it has changed since: the next sweep sees what it is now
		return r.Error
	}
	e.UpdatedAt = now
	return insertChange(tx, e, reason)
}
