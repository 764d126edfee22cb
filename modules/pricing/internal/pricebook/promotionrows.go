package pricebook

import (
	"encoding/json"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/store"
)

// findPromotion returns a promotion; one of version revision.None is none.
func findPromotion(db *gorm.DB, code string) (pricing.Promotion, error) {
	list, err := readPromotions(db, " WHERE p.code = ?", code)
	if err != nil || len(list) == 0 {
		return pricing.Promotion{Code: code}, err
	}
	return list[0], nil
}

func readPromotions(db *gorm.DB, which string, args ...any) ([]pricing.Promotion, error) {
	rows, err := db.Raw(`SELECT p.code, p.used, p.version, p.created_at, p.updated_at, h.body
		FROM promotions p JOIN history h ON h.kind = 'promotion' AND h.code = p.code AND h.version = p.version`+which, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []pricing.Promotion{}
	for rows.Next() {
		var p pricing.Promotion
		var body []byte
		var created, updated int64
		if err := rows.Scan(&p.Code, &p.Used, &p.Version, &created, &updated, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &p.Discount); err != nil {
			return nil, err
		}
		p.CreatedAt, p.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, p)
	}
	return list, rows.Err()
}

// promotion is a version of the history, without its uses.
func promotion(r row) (p pricing.Promotion, err error) {
	p.Code, p.Version = r.Code, r.Version
	return p, json.Unmarshal(r.body, &p.Discount)
}

// replacePromotion makes a promotion the one that counts. Its uses are counted by others, and stay.
func replacePromotion(tx *gorm.DB, p pricing.Promotion) error {
	rule := pricing.Rule{Code: p.Code, Version: p.Version, UpdatedAt: p.UpdatedAt}
	if err := remember(tx, pricing.RulePromotion, rule, p.Discount); err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO promotions (code, automatic, use_limit, used, version, created_at, updated_at) VALUES (?, ?, ?, 0, ?, ?, ?)
		ON CONFLICT (code) DO UPDATE SET automatic = excluded.automatic, use_limit = excluded.use_limit, version = excluded.version,
		updated_at = excluded.updated_at`,
		p.Code, p.Active && p.Automatic, p.Limit, p.Version, store.Micros(p.CreatedAt), store.Micros(p.UpdatedAt)).Error
}
