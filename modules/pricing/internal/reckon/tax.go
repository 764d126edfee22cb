package reckon

import (
	"strings"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

const million = 1_000_000

// tax finds the rate of each line and of shipping, and the tax on what is to be paid for them after discounts:
//
//	added:     tax = amount x rate / 1,000,000               rounded half up
//	included:  tax = amount x rate / (1,000,000 + rate)      rounded half up
//
// Errors: money.ErrOverflow.
func (s *sheet) tax() error {
	here := s.rules.ratesIn(s.in.Request.Country, s.in.Request.Region)
	if len(here) == 0 {
		return nil
	}
	for i := range s.c.Lines {
		l := &s.c.Lines[i]
		rate := rateOf(here, s.in.Sets[i].TaxCategory, false)
		if rate == nil {
			continue
		}
		s.used(pricing.RuleTaxRate, rate.Code, rate.Version)
		added, included := taxOn(l.Total, rate)
		l.Tax, l.TaxIncluded, l.TaxRatePPM = added, included, rate.RatePPM
		var err error
		if l.Total, err = l.Total.Add(added); err != nil {
			return tooLarge(i)
		}
	}
	if !s.shippingTaxable {
		return nil
	}
	if rate := rateOf(here, s.shippingTax, true); rate != nil {
		s.used(pricing.RuleTaxRate, rate.Code, rate.Version)
		s.c.ShippingTax, s.c.ShippingTaxIncluded = taxOn(s.c.Shipping, rate)
	}
	return nil
}

// taxOn is the tax on an amount, either added or included.
func taxOn(amount money.Money, rate *pricing.TaxRate) (added, included money.Money) {
	added, included = money.Of(0, amount.Currency), money.Of(0, amount.Currency)
	if rate.Included {
		included.Amount = share(amount.Amount, rate.RatePPM, million+rate.RatePPM)
	} else {
		added.Amount = share(amount.Amount, rate.RatePPM, million)
	}
	return added, included
}

// ratesIn returns the rates that may be due at a place, in their order.
func (r *Rules) ratesIn(country, region string) (rates []*pricing.TaxRate) {
	for i := range r.rates {
		t := &r.rates[i]
		if t.Active && (t.Country == "" || t.Country == country) && (t.Region == "" || strings.EqualFold(t.Region, region)) {
			rates = append(rates, t)
		}
	}
	return rates
}

// rateOf returns the most specific rate for a tax category, nil if none fits: one of the category before a general one, then one of
// the region, then one of the country; of two alike that of the smaller code.
func rateOf(rates []*pricing.TaxRate, category string, shipping bool) (best *pricing.TaxRate) {
	for _, t := range rates {
		if t.TaxCategory != "" && t.TaxCategory != category || shipping && !t.AppliesToShipping {
			continue
		}
		if best == nil || specific(t) > specific(best) || specific(t) == specific(best) && t.Code < best.Code {
			best = t
		}
	}
	return best
}

func specific(t *pricing.TaxRate) (rank int) {
	for i, named := range [...]string{t.Country, t.Region, t.TaxCategory} {
		if named != "" {
			rank |= 1 << i
		}
	}
	return rank
}
