package reckon

import "cutpoint/modules/pricing"

// ship finds the price of the shipping method, and takes off what a promotion pays. Without a method nothing is shipped, and nothing
// costs anything. Errors: pricing.ErrUnknownShippingMethod, pricing.ErrShippingUnavailable.
func (s *sheet) ship() error {
	code := s.in.Request.ShippingMethod
	if code == "" {
		return nil
	}
	const at = "/shipping/method"
	m, ok := s.rules.methods[code]
	if !ok || !m.Active {
		return pricing.ErrUnknownShippingMethod.At(at, pricing.ErrUnknownShippingMethod.Code, "there is no such shipping method")
	}
	total := s.c.Subtotal.Amount - s.c.Discount.Amount
	amount, ok := shippingPrice(m.Prices, s.in.Request.Currency, s.in.Request.Country, total)
	if !ok {
		return pricing.ErrShippingUnavailable.At(at, pricing.ErrShippingUnavailable.Code, "it has no price for this country, currency and total")
	}
	s.used(pricing.RuleShippingMethod, m.Code, m.Version)
	s.c.Shipping.Amount, s.shippingTaxable, s.shippingTax = amount, true, m.TaxCategory
	if s.freeShipping > 0 {
		s.c.Promotions[s.freeShipping-1].Shipping.Amount = amount
		s.c.ShippingDiscount.Amount, s.c.Shipping.Amount = amount, 0
	}
	return nil
}

// shippingPrice finds the price for a country from the largest total that is reached. If the method has prices for the country, they
// alone count.
func shippingPrice(prices []pricing.ShippingPrice, currency, country string, total int64) (amount int64, ok bool) {
	own := false
	for _, p := range prices {
		own = own || p.Currency == currency && p.Country == country
	}
	if !own {
		country = ""
	}
	from := int64(-1)
	for _, p := range prices {
		if p.Currency == currency && p.Country == country && p.FromTotal <= total && p.FromTotal > from {
			amount, from, ok = p.Amount, p.FromTotal, true
		}
	}
	return amount, ok
}
