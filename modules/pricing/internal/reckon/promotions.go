package reckon

import (
	"cmp"
	"slices"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// candidate is a promotion that may be applied.
type candidate struct {
	pricing.Promotion
	coupon bool
}

// promote applies the promotions one after the other, each to what those before it left. Errors: pricing.ErrUnknownCoupon,
// pricing.ErrCouponNotApplicable.
func (s *sheet) promote() error {
	closed := "" // the code of the exclusive one that was applied
	for _, p := range s.candidates() {
		why := s.unfit(p.Discount)
		switch {
		case why != nil:
		case closed != "":
			why = notApplicable("it does not go with " + closed)
		case p.Exclusive && len(s.c.Promotions) > 0:
			why = notApplicable("it does not go with " + s.c.Promotions[0].Code)
		case !s.apply(p.Promotion):
			why = notApplicable("it takes nothing off") // so no use of it is lost
		case p.Exclusive:
			closed = p.Code
		}
		if why != nil && p.coupon {
			return why
		}
	}
	return nil
}

// candidates returns the promotions in the order in which they are applied.
func (s *sheet) candidates() []candidate {
	if len(s.rules.promotions) == 0 && s.in.Coupon == nil {
		return nil
	}
	list := make([]candidate, 0, len(s.rules.promotions)+1)
	if s.in.Coupon != nil {
		list = append(list, candidate{*s.in.Coupon, true})
	}
	for _, p := range s.rules.promotions {
		if p.Active && valid(p.StartsAt, p.EndsAt, s.in.At) {
			list = append(list, candidate{p, false})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if by := cmp.Compare(b.Priority, a.Priority); by != 0 {
			return by
		}
		if a.coupon != b.coupon { // the customer asked for it
			if a.coupon {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Code, b.Code)
	})
	return list
}

// unfit returns why a promotion is not for this order, if it is not. The validity of a coupon's code is not looked at here.
func (s *sheet) unfit(d pricing.Discount) error {
	r := s.in.Request
	if _, ok := amountIn(d.Amounts, r.Currency); len(d.Amounts) > 0 && !ok {
		return pricing.ErrUnknownCoupon.At("/coupon", pricing.ErrUnknownCoupon.Code, "the coupon is not valid in "+r.Currency)
	}
	if !meant(d.CustomerGroup, r.CustomerGroup) {
		return notApplicable("it is for other customers")
	}
	if len(d.MinimumSubtotal) > 0 {
		least, ok := amountIn(d.MinimumSubtotal, r.Currency)
		switch {
		case !ok:
			return notApplicable("it is not for orders in " + r.Currency)
		case s.c.Subtotal.Amount < least:
			return notApplicable("it is for orders of " + s.amount(least).String() + " and more")
		}
	}
	return nil
}

func notApplicable(why string) error {
	return pricing.ErrCouponNotApplicable.At("/coupon", pricing.ErrCouponNotApplicable.Code, why)
}

// apply takes off what a promotion gives, and reports whether that is anything.
func (s *sheet) apply(p pricing.Promotion) bool {
	known, ok := kinds[p.Kind]
	if !ok {
		return false
	}
	b := basket{currency: s.in.Request.Currency, shipped: s.in.Request.ShippingMethod != "" && s.freeShipping == 0}
	var at []int // where the lines of the basket are
	for i, l := range s.c.Lines {
		if len(p.SKUs) == 0 || slices.Contains(p.SKUs, l.SKU) {
			b.lines, at = append(b.lines, line{l.UnitPrice.Amount, l.Quantity, l.Total.Amount}), append(at, i)
		}
	}
	if len(at) == 0 {
		return false
	}
	g := known.give(b, p.Discount)
	off := s.takeOff(g.lines, at)
	if off == 0 && !g.shipping {
		return false
	}
	s.c.Promotions = append(s.c.Promotions, pricing.AppliedPromotion{Code: p.Code, Discount: s.amount(off), Shipping: s.amount(0)})
	if g.shipping {
		s.freeShipping = len(s.c.Promotions)
	}
	s.used(pricing.RulePromotion, p.Code, p.Version)
	return true
}

// takeOff lowers the lines that stand at some places, none of them below nothing, and returns by how much in all.
func (s *sheet) takeOff(amounts []int64, at []int) (off int64) {
	for k, amount := range amounts {
		l := &s.c.Lines[at[k]]
		amount = max(0, min(amount, l.Total.Amount))
		l.Discount.Amount += amount
		l.Total.Amount -= amount
		off += amount
	}
	s.c.Discount.Amount += off
	return off
}

func amountIn(amounts []money.Money, currency string) (amount int64, ok bool) {
	for _, a := range amounts {
		if a.Currency == currency {
			return a.Amount, true
		}
	}
	return 0, false
}
