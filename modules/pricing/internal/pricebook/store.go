package pricebook

import (
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// head returns the version of a set and when it was first put, revision.None if there is none.
func head(tx *gorm.DB, sku string) (version int64, created time.Time, err error) {
	var micros int64
	err = tx.Raw("SELECT version, created_at FROM price_sets WHERE sku = ?", sku).Row().Scan(&version, &micros)
	if errors.Is(err, sql.ErrNoRows) {
		return revision.None, time.Time{}, nil
	}
	return version, store.Time(micros), err
}

// replace makes a set the one that counts, and adds it to the history.
func replace(tx *gorm.DB, set pricing.PriceSet) error {
	rule := pricing.Rule{Code: set.SKU, Version: set.Version, UpdatedAt: set.UpdatedAt}
	if err := remember(tx, pricing.RulePrices, rule, priceTerms{set.TaxCategory, set.Prices}); err != nil {
		return err
	}
	err := tx.Exec(`INSERT INTO price_sets (sku, tax_category, version, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (sku) DO UPDATE SET tax_category = excluded.tax_category, version = excluded.version, updated_at = excluded.updated_at`,
		set.SKU, set.TaxCategory, set.Version, store.Micros(set.CreatedAt), store.Micros(set.UpdatedAt)).Error
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM prices WHERE sku = ?", set.SKU).Error; err != nil {
		return err
	}
	for _, p := range set.Prices {
		if err := tx.Exec("INSERT INTO prices (sku, currency, min_quantity, amount) VALUES (?, ?, ?, ?)",
			set.SKU, p.Currency, p.MinQuantity, p.Amount).Error; err != nil {
			return err
		}
	}
	return nil
}

// load reads price sets in one query, since two would not see the same commit: a version must never meet another one's prices.
func load(db *gorm.DB, skus []string) ([]pricing.PriceSet, error) {
	rows, err := db.Raw(`SELECT s.sku, s.tax_category, s.version, s.created_at, s.updated_at, p.currency, p.amount, p.min_quantity
		FROM price_sets s JOIN prices p ON p.sku = s.sku
		WHERE s.sku IN ? ORDER BY s.sku, p.currency, p.min_quantity`, skus).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sets []pricing.PriceSet
	for rows.Next() {
		var s pricing.PriceSet
		var p pricing.Price
		var created, updated int64
		if err := rows.Scan(&s.SKU, &s.TaxCategory, &s.Version, &created, &updated, &p.Currency, &p.Amount, &p.MinQuantity); err != nil {
			return nil, err
		}
		if n := len(sets); n == 0 || sets[n-1].SKU != s.SKU {
			s.CreatedAt, s.UpdatedAt = store.Time(created), store.Time(updated)
			sets = append(sets, s)
		}
		last := &sets[len(sets)-1]
		last.Prices = append(last.Prices, p)
	}
	return sets, rows.Err()
}
