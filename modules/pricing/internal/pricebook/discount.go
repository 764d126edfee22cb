package pricebook

import (
	"cmp"
	"math/bits"
	"slices"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// discounted takes a promotion's discount off a calculation. It is a pure function: the calculation that it is given stays as it is.
//
//	percentage:  discount = subtotal x basis points / 10,000, rounded half up to a minor unit
//	fixed:       discount = the amount in the currency of the calculation, at most the subtotal
//
// The discount is split over the lines in proportion to their totals, so no line gets more than it costs, and nothing gets below
// zero. Errors: pricing.ErrUnknownCoupon for a fixed discount without an amount in this currency.
func discounted(c pricing.Calculation, d pricing.Discount) (pricing.Calculation, error) {
	off, ok := amountOff(c.Subtotal, d)
	if !ok {
		return pricing.Calculation{}, unknownCoupon("the coupon is not valid in " + c.Subtotal.Currency)
	}
	c.Lines = slices.Clone(c.Lines)
	for i, share := range split(off, c.Lines) {
		c.Lines[i].Discount.Amount += share
		c.Lines[i].Total.Amount -= share
	}
	c.Discount.Amount += off
	c.Total.Amount -= off
	return c, nil
}

// amountOff is the discount on a subtotal, which is at least 0, in its minor units.
func amountOff(subtotal money.Money, d pricing.Discount) (off int64, ok bool) {
	if d.Kind == pricing.PromotionPercentage {
		const whole = 10_000
		high, low := bits.Mul64(uint64(subtotal.Amount), uint64(d.BasisPoints))
		low, carry := bits.Add64(low, whole/2, 0)
		quotient, _ := bits.Div64(high+carry, low, whole)
		return int64(quotient), true
	}
	for _, a := range d.Amounts {
		if a.Currency == subtotal.Currency {
			return min(a.Amount, subtotal.Amount), true
		}
	}
	return 0, false
}

// split divides an amount over lines in proportion to their totals, by the method of the largest remainder: each line gets its
// share rounded down, and the units that are left go to those that lost most by it, to the earlier line where two lost the same.
// The amount is at most the sum of the totals.
func split(amount int64, lines []pricing.PricedLine) []int64 {
	sum := uint64(0)
	for _, l := range lines {
		sum += uint64(l.Total.Amount)
	}
	shares := make([]int64, len(lines))
	if sum == 0 || amount == 0 {
		return shares
	}
	lost, order, left := make([]uint64, len(lines)), make([]int, len(lines)), amount
	for i, l := range lines {
		high, low := bits.Mul64(uint64(amount), uint64(l.Total.Amount))
		share, remainder := bits.Div64(high, low, sum) // share <= the line's total, since amount <= sum
		shares[i], lost[i], order[i] = int64(share), remainder, i
		left -= int64(share)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lost[b], lost[a]) })
	for _, i := range order[:left] { // fewer than there are lines with a remainder
		shares[i]++
	}
	return shares
}
