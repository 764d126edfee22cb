package pricebook

import (
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/store"
)

const promotionColumns = `code, kind, basis_points, amounts, starts_at, ends_at, use_limit, customer_limit, active, used, version,
	created_at, updated_at`

// findPromotion returns a promotion; one of version revision.None is none.
func findPromotion(db *gorm.DB, code string) (pricing.Promotion, error) {
	list, err := readPromotions(db, " WHERE code = ?", code)
	if err != nil || len(list) == 0 {
		return pricing.Promotion{}, err
	}
	return list[0], nil
}

func readPromotions(db *gorm.DB, which string, args ...any) ([]pricing.Promotion, error) {
	rows, err := db.Raw("SELECT "+promotionColumns+" FROM promotions"+which, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []pricing.Promotion{}
	for rows.Next() {
		var p pricing.Promotion
		var amounts string
		var starts, ends, created, updated int64
		if err := rows.Scan(&p.Code, &p.Kind, &p.BasisPoints, &amounts, &starts, &ends, &p.Limit, &p.LimitPerCustomer, &p.Active,
			&p.Used, &p.Version, &created, &updated); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(amounts), &p.Amounts); err != nil {
			return nil, err
		}
		p.StartsAt, p.EndsAt = timeOrNone(starts), timeOrNone(ends)
		p.CreatedAt, p.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, p)
	}
	return list, rows.Err()
}

// replacePromotion makes a promotion the one that counts. Its uses are counted by others, and stay.
func replacePromotion(tx *gorm.DB, p pricing.Promotion) error {
	amounts, err := json.Marshal(p.Amounts)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO promotions (`+promotionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
		ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, basis_points = excluded.basis_points, amounts = excluded.amounts,
		starts_at = excluded.starts_at, ends_at = excluded.ends_at, use_limit = excluded.use_limit, customer_limit = excluded.customer_limit,
		active = excluded.active, version = excluded.version, updated_at = excluded.updated_at`,
		p.Code, p.Kind, p.BasisPoints, string(amounts), microsOf(p.StartsAt), microsOf(p.EndsAt), p.Limit, p.LimitPerCustomer, p.Active,
		p.Version, store.Micros(p.CreatedAt), store.Micros(p.UpdatedAt)).Error
}

func microsOf(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return store.Micros(*t)
}
