// Package reckon is the arithmetic of pricing: a pure function of what is asked, when, and the rules, to figures and their trace. It
// has no store, no clock and no memory, so that the same inputs give the same cents on any day.
//
// A calculation is a sheet that is filled in from top to bottom:
//
//	price     unit price of each line: its set, or a price list        lists.go
//	promote   discounts, one promotion after the other                 promotions.go, kinds.go
//	ship      the shipping method's price, and what is taken off it    shipping.go
//	tax       of each line, and of shipping                            tax.go
//	sum       the totals
//
// Three steps round, all of them half up, to a minor unit, and nothing else does: a unit price that a list gives as a percentage, each
// discount before it is split over lines, and the tax of each line and of shipping. A discount is split so that its parts add up
// to it (arithmetic.go). Totals are sums of rounded figures. docs/pricing.md has worked examples.
package reckon

import (
	"math"
	"slices"
	"strconv"
	"time"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// Arithmetic is the version of what this package does. It goes up with any change that gives other figures for the same inputs.
const Arithmetic = 1

// Inputs are what is asked, and the rules that belong to it alone.
type Inputs struct {
	Request pricing.CalculateRequest
	At      time.Time
	Sets    []pricing.PriceSet // of the lines, in their order; one of version 0 is none
	Coupon  *pricing.Promotion // nil: none
}

// Rules are the active rules of a shop, which may apply to any order. Nobody changes them once they are made.
type Rules struct {
	lists      []List
	promotions []pricing.Promotion
	rates      []pricing.TaxRate
	methods    map[string]pricing.ShippingMethod
}

// NewRules returns the rules, of which the promotions are the automatic ones. The slices are its own from now on.
func NewRules(lists []List, promotions []pricing.Promotion, rates []pricing.TaxRate, methods []pricing.ShippingMethod) *Rules {
	r := &Rules{lists: lists, promotions: promotions, rates: rates, methods: make(map[string]pricing.ShippingMethod, len(methods))}
	for _, m := range methods {
		r.methods[m.Code] = m
	}
	return r
}

// Calculate fills in a sheet. Errors: those of pricing.Service.Calculate that are not about limits, dates of coupons or quotes.
func Calculate(in Inputs, rules *Rules) (pricing.Calculation, error) {
	s := sheet{in: in, rules: rules}
	err := s.price()
	if err == nil {
		err = s.promote()
	}
	if err == nil {
		err = s.ship()
	}
	if err == nil {
		err = s.tax()
	}
	if err == nil {
		err = s.sum()
	}
	if err != nil {
		return pricing.Calculation{}, err
	}
	return s.c, nil
}

// sheet is a calculation under way.
type sheet struct {
	in    Inputs
	rules *Rules
	c     pricing.Calculation

	shippingTaxable bool   // there is a shipping method
	shippingTax     string // its tax category
	freeShipping    int    // which of the applied promotions pays for shipping, counted from 1; 0: none
}

func (s *sheet) amount(minor int64) money.Money { return money.Of(minor, s.in.Request.Currency) }

// used notes that a rule had a part in the figures.
func (s *sheet) used(kind, code string, version int64) {
	v := pricing.RuleVersion{Kind: kind, Code: code, Version: version}
	if !slices.Contains(s.c.Trace.Rules, v) {
		s.c.Trace.Rules = append(s.c.Trace.Rules, v)
	}
}

// price finds the unit price of every line, and sums up the subtotal. The units of a SKU are taken over all lines: an order is not
// dearer for being written in two lines. Errors: pricing.ErrNoPrice with every line that has none, money.ErrOverflow.
func (s *sheet) price() error {
	lines, nothing := s.in.Request.Lines, s.amount(0)
	first, units, err := unitsOfSKUs(lines)
	if err != nil {
		return err
	}
	s.c = pricing.Calculation{
		Lines:    make([]pricing.PricedLine, len(lines)),
		Subtotal: nothing, Discount: nothing, Shipping: nothing, Tax: nothing, Total: nothing,
		TaxIncluded: nothing, ShippingDiscount: nothing, ShippingTax: nothing, ShippingTaxIncluded: nothing,
		Trace: pricing.Trace{Arithmetic: Arithmetic, At: s.in.At, Request: s.in.Request, Rules: make([]pricing.RuleVersion, 0, len(lines)+2)},
	}
	lists := s.rules.listsFor(s.in)
	missing := pricing.ErrNoPrice
	for i, l := range lines {
		if set := &s.in.Sets[i]; first[i] == i && set.Version > 0 { // also for its tax category, where a list has the price
			s.c.Trace.Rules = append(s.c.Trace.Rules, pricing.RuleVersion{Kind: pricing.RulePrices, Code: l.SKU, Version: set.Version})
		}
		amount, ok := s.unitPrice(lists, &s.in.Sets[i], l.SKU, units[first[i]])
		if !ok {
			missing = missing.At(linePointer(i)+"/sku", missing.Code, l.SKU+" has no price in "+s.in.Request.Currency+" for this quantity")
			continue
		}
		unit := s.amount(amount)
		total, err := unit.Times(l.Quantity)
		if err != nil {
			return tooLarge(i)
		}
		if s.c.Subtotal, err = s.c.Subtotal.Add(total); err != nil {
			return tooLarge(i)
		}
		s.c.Lines[i] = pricing.PricedLine{
			SKU: l.SKU, Quantity: l.Quantity, UnitPrice: unit, Discount: nothing, Tax: nothing, Total: total, TaxIncluded: nothing,
		}
	}
	if len(missing.Details) > 0 {
		return missing
	}
	return nil
}

// sum adds up the totals. The subtotal and the discount are there already, and the tax of each line is in its total.
func (s *sheet) sum() error {
	c := &s.c
	c.Total, c.Tax, c.TaxIncluded = c.Shipping, c.ShippingTax, c.ShippingTaxIncluded
	var err error
	if c.Total, err = c.Total.Add(c.ShippingTax); err != nil {
		return err
	}
	for i, l := range c.Lines {
		if c.Total, err = c.Total.Add(l.Total); err != nil {
			return tooLarge(i)
		}
		c.Tax.Amount += l.Tax.Amount // at most the total
		c.TaxIncluded.Amount += l.TaxIncluded.Amount
	}
	return nil
}

// unitsOfSKUs returns, for each line, the first line of the same SKU, and there the units of all of them. The quantities are at least
// 1. Orders have few lines: looking for the first one is quicker than a map.
func unitsOfSKUs(lines []pricing.Line) (first []int, units []int64, err error) {
	first, units = make([]int, len(lines)), make([]int64, len(lines))
	for i, l := range lines {
		f := slices.IndexFunc(lines[:i], func(other pricing.Line) bool { return other.SKU == l.SKU })
		if f < 0 {
			f = i
		}
		if l.Quantity > math.MaxInt64-units[f] {
			return nil, nil, tooLarge(i)
		}
		first[i] = f
		units[f] += l.Quantity
	}
	return first, units, nil
}

func linePointer(i int) string { return "/lines/" + strconv.Itoa(i) }

func tooLarge(line int) error {
	return money.ErrOverflow.At(linePointer(line)+"/quantity", money.ErrOverflow.Code, "with this line the amount is too large")
}

// valid reports whether a rule with these times counts at a moment.
func valid(starts, ends *time.Time, at time.Time) bool {
	return (starts == nil || !at.Before(*starts)) && (ends == nil || at.Before(*ends))
}

// meant reports whether a rule for a group of customers, "" for everybody, is for an order of a group.
func meant(ruleGroup, group string) bool { return ruleGroup == "" || ruleGroup == group }
