package pricebook

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/reckon"
	"cutpoint/platform/revision"
)

// active keeps all rules that any order may meet in memory: price lists, automatic promotions, tax rates and shipping methods that are
// active. There are only so many of each, so none is ever evicted. A calculation reads them without a lock.
//
// A rule that was put is read again when the history tells of it (cache.go), under the lock: whoever comes last sees the latest commit,
// however many are put at once. Where that reading fails, everything is forgotten, and the next calculation reads it anew.
type active struct {
	current atomic.Pointer[reckon.Rules] // nil: not read yet

	mu         sync.Mutex
	lists      map[string]reckon.List
	promotions map[string]pricing.Promotion
	rates      map[string]pricing.TaxRate
	methods    map[string]pricing.ShippingMethod
}

// rules returns the active rules, of which nothing is changed any more.
func (a *active) rules(db func() *gorm.DB) (*reckon.Rules, error) {
	if r := a.current.Load(); r != nil {
		return r, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.current.Load(); r != nil {
		return r, nil
	}
	if err := a.load(db()); err != nil {
		return nil, err
	}
	return a.build(), nil
}

func (a *active) load(db *gorm.DB) error {
	a.lists, a.promotions = map[string]reckon.List{}, map[string]pricing.Promotion{}
	a.rates, a.methods = map[string]pricing.TaxRate{}, map[string]pricing.ShippingMethod{}
	for _, kind := range [...]string{pricing.RulePriceList, pricing.RuleTaxRate, pricing.RuleShippingMethod} {
		rows, err := readRules(db, countingRules+"AND r.active = 1", kind)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := a.take(kind, r); err != nil {
				return err
			}
		}
	}
	automatic, err := readPromotions(db, " WHERE p.automatic = 1")
	for _, p := range automatic {
		a.takePromotion(p)
	}
	return err
}

// refresh reads again those of some rules that are kept here. If nothing was read yet, there is nothing to refresh.
func (a *active) refresh(db *gorm.DB, put []ruleName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current.Load() == nil {
		return
	}
	stale := false
	for _, r := range put {
		if r.kind == pricing.RulePrices {
			continue
		}
		if err := a.reread(db, r.kind, r.code); err != nil {
			a.current.Store(nil)
			return
		}
		stale = true
	}
	if stale {
		a.build()
	}
}

// forget lets the next calculation read everything anew.
func (a *active) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current.Store(nil)
}

func (a *active) reread(db *gorm.DB, kind, code string) error {
	if kind == pricing.RulePromotion {
		p, err := findPromotion(db, code)
		if err == nil {
			a.takePromotion(p)
		}
		return err
	}
	r, err := findRule(db, kind, code)
	if err != nil || r.Version == revision.None {
		return err
	}
	return a.take(kind, r)
}

// take puts a rule in the place of its earlier version, or takes it out if it is not active.
func (a *active) take(kind string, r row) error {
	switch kind {
	case pricing.RulePriceList:
		l, err := priceList(r)
		keep(a.lists, r.Code, reckon.NewList(l), l.Active)
		return err
	case pricing.RuleTaxRate:
		t, err := taxRate(r)
		keep(a.rates, r.Code, t, t.Active)
		return err
	default:
		m, err := shippingMethod(r)
		keep(a.methods, r.Code, m, m.Active)
		return err
	}
}

func (a *active) takePromotion(p pricing.Promotion) {
	keep(a.promotions, p.Code, p, p.Active && p.Automatic)
}

func keep[T any](rules map[string]T, code string, rule T, active bool) {
	delete(rules, code)
	if active {
		rules[code] = rule
	}
}

func (a *active) build() *reckon.Rules {
	r := reckon.NewRules(slices.Collect(maps.Values(a.lists)), slices.Collect(maps.Values(a.promotions)),
		slices.Collect(maps.Values(a.rates)), slices.Collect(maps.Values(a.methods)))
	a.current.Store(r)
	return r
}
