package pricebook

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/reckon"
)

// priceTerms is a price set as the history has it.
type priceTerms struct {
	TaxCategory string          `json:"tax_category"`
	Prices      []pricing.Price `json:"prices"`
}

// Replay implements pricing.Service. The rules that had a part in figures are all that is needed for them: one that had none changes
// nothing by not being there.
func (b *Book) Replay(ctx context.Context, r pricing.ReplayRequest) (pricing.Calculation, error) {
	if r.Trace.Arithmetic != reckon.Arithmetic {
		return pricing.Calculation{}, pricing.ErrUnknownTrace.Saying("arithmetic %d is not known here, %d is", r.Trace.Arithmetic, reckon.Arithmetic)
	}
	if err := checkCalculate(r.Trace.Request); err != nil {
		return pricing.Calculation{}, err
	}
	in, rules, err := restored(b.store.Read(ctx), r.Trace)
	if err != nil {
		return pricing.Calculation{}, err
	}
	return reckon.Calculate(in, rules)
}

// restored reads the rules of a trace from the history.
func restored(db *gorm.DB, t pricing.Trace) (reckon.Inputs, *reckon.Rules, error) {
	in := reckon.Inputs{Request: t.Request, At: t.At, Sets: make([]pricing.PriceSet, len(t.Request.Lines))}
	var lists []reckon.List
	var automatic []pricing.Promotion
	var rates []pricing.TaxRate
	var methods []pricing.ShippingMethod
	for _, v := range t.Rules {
		r, err := findVersion(db, v)
		if err != nil {
			return in, nil, err
		}
		switch v.Kind {
		case pricing.RulePrices:
			err = restoreSet(in, r)
		case pricing.RulePriceList:
			l, failed := priceList(r)
			lists, err = append(lists, reckon.NewList(l)), failed
		case pricing.RuleTaxRate:
			rate, failed := taxRate(r)
			rates, err = append(rates, rate), failed
		case pricing.RuleShippingMethod:
			m, failed := shippingMethod(r)
			methods, err = append(methods, m), failed
		case pricing.RulePromotion:
			p, failed := promotion(r)
			if err = failed; p.Automatic {
				automatic = append(automatic, p)
			} else {
				in.Coupon = &p
			}
		}
		if err != nil {
			return in, nil, err
		}
	}
	return in, reckon.NewRules(lists, automatic, rates, methods), nil
}

func restoreSet(in reckon.Inputs, r row) error {
	var terms priceTerms
	if err := json.Unmarshal(r.body, &terms); err != nil {
		return err
	}
	for i, l := range in.Request.Lines {
		if l.SKU == r.Code {
			in.Sets[i] = pricing.PriceSet{SKU: r.Code, Prices: terms.Prices, TaxCategory: terms.TaxCategory, Version: r.Version}
		}
	}
	return nil
}
