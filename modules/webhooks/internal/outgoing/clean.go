package outgoing

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/platform/store"
)

// Clean deletes, a batch at a time, what is kept no longer: deliveries that ended long ago, those that have waited as long for an
// endpoint that is disabled, and those of deleted endpoints; then the events and endpoints that nothing refers to any more, and
// keys that count no longer. It reports whether there may be more.
func (o *Outgoing) Clean(ctx context.Context) (more bool, err error) {
	old, batch := store.Micros(o.Now().Add(-o.policy.Retention)), o.policy.CleanBatch
	return write(ctx, o, func(tx *gorm.DB) (bool, error) {
		var events []string
		for _, which := range []struct {
			where string
			args  []any
		}{
			{"ended_at > 0 AND ended_at <= ? LIMIT ?", []any{old, batch}},
			{"endpoint_id IN (SELECT id FROM endpoints WHERE deleted_at > 0) LIMIT ?", []any{batch}},
			{`endpoint_id IN (SELECT id FROM endpoints WHERE enabled = 0) AND state = 'pending' AND sending = 0 AND created_at <= ?
				LIMIT ?`, []any{old, batch}},
		} {
			deleted, err := deleteDeliveries(tx, which.where, which.args...)
			if err != nil {
				return false, err
			}
			events = append(events, deleted...)
			more = more || len(deleted) == batch
		}
		forgotten, err := store.ForgetClaims(tx, o.Now(), batch)
		if err != nil {
			return false, err
		}
		return more || forgotten == batch, sweep(tx, events)
	})
}

// deleteDeliveries deletes the deliveries of which a condition holds, and returns the ids of their events.
func deleteDeliveries(tx *gorm.DB, where string, args ...any) (events []string, err error) {
	err = tx.Raw("DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE "+where+") RETURNING event_id", args...).Scan(&events).Error
	return events, err
}

// sweep deletes what those deliveries leave behind.
func sweep(tx *gorm.DB, events []string) error {
	if len(events) > 0 {
		if err := tx.Exec("DELETE FROM events WHERE id IN ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = events.id)", events).Error; err != nil {
			return err
		}
	}
	return tx.Exec(`DELETE FROM endpoints WHERE deleted_at > 0
		AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = endpoints.id)`).Error
}
