package till

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
)

const reasonsOf = "FROM operations WHERE payment_id IN (SELECT id FROM payments WHERE order_id IN ?) AND reason <> ''"

// EraseReasons implements payments.Service.
func (t *Till) EraseReasons(ctx context.Context, r payments.EraseReasonsRequest) (payments.ReasonsErased, error) {
	var erased payments.ReasonsErased
	if len(r.OrderIDs) > payments.MaxOrderIDs {
		return erased, fault.ErrInvalid.At("/order_ids", "invalid", "must have at most 200 elements")
	}
	if len(r.OrderIDs) == 0 {
		return erased, nil
	}
	var there int64
	if err := t.store.Read(ctx).Raw("SELECT COUNT(*) "+reasonsOf, r.OrderIDs).Row().Scan(&there); err != nil || there == 0 {
		return erased, err // few payments have any, and the others cost no commit
	}
	err := t.store.Write(ctx, func(tx *gorm.DB) error {
		done := tx.Exec("UPDATE operations SET reason = '' WHERE id IN (SELECT id "+reasonsOf+")", r.OrderIDs)
		erased.Operations = done.RowsAffected
		return done.Error
	})
	return erased, err
}
