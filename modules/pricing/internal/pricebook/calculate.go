package pricebook

import (
	"math"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// calculate prices lines with the price sets of their SKUs. It is a pure function: no I/O, no clock, nothing remembered.
//
//	line total = unit price x quantity        subtotal = total = sum of the line totals
//
// There are no taxes and shipping costs, and discounts are taken off afterwards (see discounted), so these are zero amounts of the
// currency. The unit price of a line is
// that of the highest tier that the units of its SKU, taken over all lines, reach: an order is not dearer for being written in
// two lines. Errors: pricing.ErrNoPrice with every line that has none, money.ErrOverflow.
func calculate(currency string, lines []pricing.Line, sets map[string]pricing.PriceSet) (pricing.Calculation, error) {
	units, err := unitsBySKU(lines)
	if err != nil {
		return pricing.Calculation{}, err
	}
	nothing := money.Of(0, currency)
	c := pricing.Calculation{
		Lines:    make([]pricing.PricedLine, len(lines)),
		Subtotal: nothing, Discount: nothing, Shipping: nothing, Tax: nothing,
	}
	missing := pricing.ErrNoPrice
	for i, l := range lines {
		amount, ok := unitPrice(sets[l.SKU].Prices, currency, units[l.SKU])
		if !ok {
			missing = missing.At(linePointer(i)+"/sku", missing.Code, l.SKU+" has no price in "+currency+" for this quantity")
			continue
		}
		unit := money.Of(amount, currency)
		total, err := unit.Times(l.Quantity)
		if err != nil {
			return pricing.Calculation{}, tooLarge(i)
		}
		if c.Subtotal, err = c.Subtotal.Add(total); err != nil {
			return pricing.Calculation{}, tooLarge(i)
		}
		c.Lines[i] = pricing.PricedLine{
			SKU: l.SKU, Quantity: l.Quantity, UnitPrice: unit, Discount: nothing, Tax: nothing, Total: total,
		}
	}
	if len(missing.Details) > 0 {
		return pricing.Calculation{}, missing
	}
	c.Total = c.Subtotal
	return c, nil
}

// unitsBySKU sums the quantities, which are at least 1.
func unitsBySKU(lines []pricing.Line) (map[string]int64, error) {
	units := make(map[string]int64, len(lines))
	for i, l := range lines {
		if l.Quantity > math.MaxInt64-units[l.SKU] {
			return nil, tooLarge(i)
		}
		units[l.SKU] += l.Quantity
	}
	return units, nil
}

// unitPrice finds the price with the largest minimum that the units reach. prices are sorted by currency and minimum, and a
// set has few enough of them that walking is as good as searching.
func unitPrice(prices []pricing.Price, currency string, units int64) (amount int64, ok bool) {
	for _, p := range prices {
		if p.Currency == currency && p.MinQuantity <= units {
			amount, ok = p.Amount, true
		}
	}
	return amount, ok
}

func tooLarge(line int) error {
	return money.ErrOverflow.At(linePointer(line)+"/quantity", money.ErrOverflow.Code, "with this line the amount is too large")
}
