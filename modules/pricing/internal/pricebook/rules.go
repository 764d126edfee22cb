package pricebook

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// Price lists, tax rates and shipping methods are kept alike: a row in rules says which version of a rule counts, and the history has
// the terms of all of its versions, as JSON.

// PutPriceList implements pricing.Service.
func (b *Book) PutPriceList(ctx context.Context, r pricing.PutPriceListRequest) (pricing.PriceList, error) {
	terms, err := checkPriceList(r)
	if err != nil {
		return pricing.PriceList{}, err
	}
	rule, err := b.putRule(ctx, pricing.RulePriceList, r.Code, r.IfVersion, state{terms.Active, pricing.MaxPriceLists}, terms)
	return orNone(pricing.PriceList{Rule: rule, PriceListTerms: terms}, err)
}

// PriceList implements pricing.Service.
func (b *Book) PriceList(ctx context.Context, r pricing.RuleRequest) (pricing.PriceList, error) {
	return one(b.store.Read(ctx), pricing.RulePriceList, r.Code, priceList)
}

// PriceLists implements pricing.Service.
func (b *Book) PriceLists(ctx context.Context, r pricing.RulesRequest) (page pricing.PriceListPage, err error) {
	page.PriceLists, page.More, err = some(b.store.Read(ctx), pricing.RulePriceList, r, priceList)
	for i := range page.PriceLists {
		page.PriceLists[i].Entries = nil // a page of them with theirs would be larger than a message may be
	}
	return page, err
}

// PutTaxRate implements pricing.Service.
func (b *Book) PutTaxRate(ctx context.Context, r pricing.PutTaxRateRequest) (pricing.TaxRate, error) {
	if err := checkTaxRate(r); err != nil {
		return pricing.TaxRate{}, err
	}
	rule, err := b.putRule(ctx, pricing.RuleTaxRate, r.Code, r.IfVersion, state{r.Active, pricing.MaxTaxRates}, r.TaxTerms)
	return orNone(pricing.TaxRate{Rule: rule, TaxTerms: r.TaxTerms}, err)
}

// TaxRate implements pricing.Service.
func (b *Book) TaxRate(ctx context.Context, r pricing.RuleRequest) (pricing.TaxRate, error) {
	return one(b.store.Read(ctx), pricing.RuleTaxRate, r.Code, taxRate)
}

// TaxRates implements pricing.Service.
func (b *Book) TaxRates(ctx context.Context, r pricing.RulesRequest) (page pricing.TaxRatePage, err error) {
	page.TaxRates, page.More, err = some(b.store.Read(ctx), pricing.RuleTaxRate, r, taxRate)
	return page, err
}

// PutShippingMethod implements pricing.Service.
func (b *Book) PutShippingMethod(ctx context.Context, r pricing.PutShippingMethodRequest) (pricing.ShippingMethod, error) {
	if err := checkShippingMethod(r); err != nil {
		return pricing.ShippingMethod{}, err
	}
	rule, err := b.putRule(ctx, pricing.RuleShippingMethod, r.Code, r.IfVersion, state{r.Active, pricing.MaxMethods}, r.ShippingTerms)
	return orNone(pricing.ShippingMethod{Rule: rule, ShippingTerms: r.ShippingTerms}, err)
}

// ShippingMethod implements pricing.Service.
func (b *Book) ShippingMethod(ctx context.Context, r pricing.RuleRequest) (pricing.ShippingMethod, error) {
	return one(b.store.Read(ctx), pricing.RuleShippingMethod, r.Code, shippingMethod)
}

// ShippingMethods implements pricing.Service.
func (b *Book) ShippingMethods(ctx context.Context, r pricing.RulesRequest) (page pricing.ShippingMethodPage, err error) {
	page.ShippingMethods, page.More, err = some(b.store.Read(ctx), pricing.RuleShippingMethod, r, shippingMethod)
	return page, err
}

func orNone[T any](thing T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return thing, nil
}

// state is whether a rule counts, and how many of its kind may.
type state struct {
	active bool
	most   int
}

// putRule stores the next version of a rule.
func (b *Book) putRule(ctx context.Context, kind, code string, ifVersion int64, s state, terms any) (pricing.Rule, error) {
	now := b.time()
	rule := pricing.Rule{Code: code, CreatedAt: now, UpdatedAt: now}
	err := b.put(ctx, func(tx *gorm.DB) error {
		had, err := findRule(tx, kind, code)
		if err != nil {
			return err
		}
		if err := revision.Check(had.Version, ifVersion); err != nil {
			return err
		}
		rule.Version = had.Version + 1
		if had.Version != revision.None {
			rule.CreatedAt = had.CreatedAt
		}
		if err := checkRoom(tx, "SELECT COUNT(*) FROM rules WHERE kind = ? AND active = 1 AND code <> ?", s, kind, code); err != nil {
			return err
		}
		if err := remember(tx, kind, rule, terms); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO rules (kind, code, version, active, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, code) DO UPDATE SET version = excluded.version, active = excluded.active, updated_at = excluded.updated_at`,
			kind, code, rule.Version, s.active, store.Micros(rule.CreatedAt), store.Micros(rule.UpdatedAt)).Error
	})
	if err != nil {
		return pricing.Rule{}, err
	}
	return rule, nil
}

// checkRoom counts the active rules of a kind beside the one that is put.
func checkRoom(tx *gorm.DB, count string, s state, args ...any) error {
	if !s.active {
		return nil
	}
	var others int
	err := tx.Raw(count, args...).Row().Scan(&others)
	if err == nil && others >= s.most {
		err = pricing.ErrTooManyRules.Saying("there are %d active ones already: switch one off", others)
	}
	return err
}

// remember adds a version to the history, under the next number.
func remember(tx *gorm.DB, kind string, r pricing.Rule, terms any) error {
	body, err := json.Marshal(terms)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO history (kind, code, version, body, at, change)
		VALUES (?, ?, ?, ?, ?, (SELECT COALESCE(MAX(change), 0) + 1 FROM history))`,
		kind, r.Code, r.Version, string(body), store.Micros(r.UpdatedAt)).Error
}

// row is a rule as it is stored.
type row struct {
	pricing.Rule
	body []byte
}

const countingRules = `SELECT r.code, r.version, r.created_at, r.updated_at, h.body FROM rules r
	JOIN history h ON h.kind = r.kind AND h.code = r.code AND h.version = r.version WHERE r.kind = ? `

// findRule returns the version of a rule that counts; one of version revision.None is none.
func findRule(db *gorm.DB, kind, code string) (row, error) {
	rows, err := readRules(db, countingRules+"AND r.code = ?", kind, code)
	if err != nil || len(rows) == 0 {
		return row{}, err
	}
	return rows[0], nil
}

// findVersion returns any version of a rule, without its times. Errors: pricing.ErrUnknownTrace.
func findVersion(db *gorm.DB, v pricing.RuleVersion) (row, error) {
	r := row{Rule: pricing.Rule{Code: v.Code, Version: v.Version}}
	err := db.Raw("SELECT body FROM history WHERE kind = ? AND code = ? AND version = ?", v.Kind, v.Code, v.Version).Row().Scan(&r.body)
	if errors.Is(err, sql.ErrNoRows) {
		err = pricing.ErrUnknownTrace.Saying("there never was a version %d of %s %s", v.Version, v.Kind, v.Code)
	}
	return r, err
}

func readRules(db *gorm.DB, query string, args ...any) ([]row, error) {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []row
	for rows.Next() {
		var r row
		var created, updated int64
		if err := rows.Scan(&r.Code, &r.Version, &created, &updated, &r.body); err != nil {
			return nil, err
		}
		r.CreatedAt, r.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, r)
	}
	return list, rows.Err()
}

func priceList(r row) (l pricing.PriceList, err error) {
	l.Rule = r.Rule
	return l, json.Unmarshal(r.body, &l.PriceListTerms)
}

func taxRate(r row) (t pricing.TaxRate, err error) {
	t.Rule = r.Rule
	return t, json.Unmarshal(r.body, &t.TaxTerms)
}

func shippingMethod(r row) (m pricing.ShippingMethod, err error) {
	m.Rule = r.Rule
	return m, json.Unmarshal(r.body, &m.ShippingTerms)
}

// one returns a rule. Errors: pricing.ErrRuleNotFound.
func one[T any](db *gorm.DB, kind, code string, of func(row) (T, error)) (none T, err error) {
	r, err := findRule(db, kind, code)
	if err == nil && r.Version == revision.None {
		err = pricing.ErrRuleNotFound
	}
	if err != nil {
		return none, err
	}
	return of(r)
}

// some returns a page of rules, and whether there are more.
func some[T any](db *gorm.DB, kind string, r pricing.RulesRequest, of func(row) (T, error)) (list []T, more bool, err error) {
	limit := limited(r.Limit)
	rows, err := readRules(db, countingRules+"AND r.code > ? ORDER BY r.code LIMIT ?", kind, r.After, limit+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > limit; more {
		rows = rows[:limit]
	}
	list, err = each(rows, of)
	return list, more, err
}

func each[T any](rows []row, of func(row) (T, error)) ([]T, error) {
	list := make([]T, len(rows))
	for i, r := range rows {
		var err error
		if list[i], err = of(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}
