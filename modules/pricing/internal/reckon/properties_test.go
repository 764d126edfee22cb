package reckon

import (
	"errors"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// currencies are all of ISO 4217.
func currencies() (codes []string) {
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				if code := string([]rune{a, b, c}); money.Check(code) == nil {
					codes = append(codes, code)
				}
			}
		}
	}
	return codes
}

// shop is what a property draws: an order, and the rules of a shop.
type shop struct {
	in         Inputs
	lists      []List
	promotions []pricing.Promotion
	rates      []pricing.TaxRate
	methods    []pricing.ShippingMethod
}

func (s shop) rules() *Rules { return NewRules(s.lists, s.promotions, s.rates, s.methods) }

// only is the shop without the rules that a trace does not name.
func (s shop) only(trace pricing.Trace) shop {
	named := func(kind, code string, version int64) bool {
		return slices.Contains(trace.Rules, pricing.RuleVersion{Kind: kind, Code: code, Version: version})
	}
	s.in.Request, s.in.At, s.in.Sets = trace.Request, trace.At, slices.Clone(s.in.Sets)
	for i, set := range s.in.Sets {
		if !named(pricing.RulePrices, set.SKU, set.Version) {
			s.in.Sets[i] = pricing.PriceSet{}
		}
	}
	s.lists = slices.DeleteFunc(slices.Clone(s.lists), func(l List) bool { return !named(pricing.RulePriceList, l.Code, l.Version) })
	s.promotions = slices.DeleteFunc(slices.Clone(s.promotions), func(p pricing.Promotion) bool { return !named(pricing.RulePromotion, p.Code, p.Version) })
	s.rates = slices.DeleteFunc(slices.Clone(s.rates), func(r pricing.TaxRate) bool { return !named(pricing.RuleTaxRate, r.Code, r.Version) })
	s.methods = slices.DeleteFunc(slices.Clone(s.methods), func(m pricing.ShippingMethod) bool { return !named(pricing.RuleShippingMethod, m.Code, m.Version) })
	return s
}

var skus = [...]string{"A", "B", "C"}

// drawShop draws small and large amounts, in one currency, and rules of which most have something to do with the order.
func drawShop(t *rapid.T, currency string) shop {
	amount := rapid.OneOf(rapid.Int64Range(0, 5), rapid.Int64Range(0, 10_000), rapid.Int64Range(0, 1_000_000_000))
	sku := rapid.SampledFrom(skus[:])
	sets := map[string]pricing.PriceSet{}
	for i, s := range skus {
		sets[s] = pricing.PriceSet{SKU: s, Version: int64(i + 1), TaxCategory: rapid.SampledFrom([]string{"", "food"}).Draw(t, "category"), Prices: []pricing.Price{
			{Currency: currency, Amount: amount.Draw(t, "price"), MinQuantity: 1}, {Currency: currency, Amount: amount.Draw(t, "price"), MinQuantity: 3}}}
	}
	s := shop{in: Inputs{At: noon, Request: pricing.CalculateRequest{Currency: currency,
		Country:       rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "country"),
		CustomerGroup: rapid.SampledFrom([]string{"", "staff"}).Draw(t, "group")}}}
	for range rapid.IntRange(1, 8).Draw(t, "lines") {
		l := pricing.Line{SKU: sku.Draw(t, "sku"), Quantity: rapid.Int64Range(1, 9).Draw(t, "quantity")}
		s.in.Request.Lines, s.in.Sets = append(s.in.Request.Lines, l), append(s.in.Sets, sets[l.SKU])
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "lists") {
		e := entry(sku.Draw(t, "sku"), rapid.Int64Range(1, 4).Draw(t, "from"), amount.Draw(t, "price"))
		if rapid.Bool().Draw(t, "percentage") {
			e = off(rapid.SampledFrom([]string{"", "A"}).Draw(t, "sku"), rapid.Int64Range(1, 10_000).Draw(t, "basis points"))
		}
		s.lists = append(s.lists, list("L"+string(rune('0'+i)), func(l *pricing.PriceListTerms) {
			l.Currency, l.Priority = currency, rapid.Int64Range(0, 1).Draw(t, "priority")
			l.CustomerGroup = rapid.SampledFrom([]string{"", "staff"}).Draw(t, "of group")
		}, e))
	}
	var discounts []pricing.Discount
	for range rapid.IntRange(0, 4).Draw(t, "promotions") {
		discounts = append(discounts, drawDiscount(t, currency, amount))
	}
	s.promotions = automatic(discounts...)
	if rapid.Bool().Draw(t, "coupon") {
		s.in.Coupon = &pricing.Promotion{Code: "COUPON", Version: 1, Discount: drawDiscount(t, currency, amount)}
		s.in.Request.Coupon = "COUPON"
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "rates") {
		s.rates = append(s.rates, pricing.TaxRate{Rule: pricing.Rule{Code: "T" + string(rune('0'+i)), Version: 1}, TaxTerms: pricing.TaxTerms{
			Country: rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "of country"), TaxCategory: rapid.SampledFrom([]string{"", "food"}).Draw(t, "of category"),
			RatePPM: rapid.Int64Range(0, pricing.MaxTaxRate).Draw(t, "rate"), Included: rapid.Bool().Draw(t, "included"),
			AppliesToShipping: rapid.Bool().Draw(t, "to shipping"), Active: true}})
	}
	if rapid.Bool().Draw(t, "shipped") {
		s.in.Request.ShippingMethod = "parcel"
		s.methods = []pricing.ShippingMethod{{Rule: pricing.Rule{Code: "parcel", Version: 1}, ShippingTerms: pricing.ShippingTerms{Active: true, Prices: []pricing.ShippingPrice{
			{Currency: currency, Amount: amount.Draw(t, "shipping")}, {Currency: currency, FromTotal: amount.Draw(t, "from total"), Amount: amount.Draw(t, "shipping")}}}}}
	}
	return s
}

func drawDiscount(t *rapid.T, currency string, amount *rapid.Generator[int64]) pricing.Discount {
	d := pricing.Discount{Kind: rapid.SampledFrom([]string{pricing.PromotionPercentage, pricing.PromotionFixed, pricing.PromotionFreeShipping, pricing.PromotionBuyXGetY}).Draw(t, "kind")}
	switch d.Kind {
	case pricing.PromotionPercentage:
		d.BasisPoints = rapid.Int64Range(1, 10_000).Draw(t, "basis points")
	case pricing.PromotionFixed:
		d.Amounts = []money.Money{money.Of(1+amount.Draw(t, "amount"), currency)}
	case pricing.PromotionBuyXGetY:
		d.BuyQuantity, d.GetQuantity = rapid.Int64Range(1, 3).Draw(t, "x"), rapid.Int64Range(1, 3).Draw(t, "y")
		d.BasisPoints = rapid.Int64Range(0, 10_000).Draw(t, "basis points")
	}
	if rapid.Bool().Draw(t, "some lines") {
		d.SKUs = []string{"A", "B"}
	}
	if rapid.Bool().Draw(t, "conditions") {
		d.MinimumSubtotal = []money.Money{money.Of(1+amount.Draw(t, "minimum"), currency)}
		d.CustomerGroup = rapid.SampledFrom([]string{"", "staff"}).Draw(t, "for group")
		d.Priority, d.Exclusive = rapid.Int64Range(-1, 1).Draw(t, "priority"), rapid.Bool().Draw(t, "exclusive")
	}
	return d
}

// TestProperties_addUp: in every currency the lines and shipping make the total, in both tax modes, and nothing falls below nothing.
func TestProperties_addUp(t *testing.T) {
	all := currencies()
	if len(all) < 150 {
		t.Fatalf("%d currencies", len(all))
	}
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 2 { // all of them, within the hundred rounds of a check
			currency := all[round%len(all)]
			round++
			s := drawShop(t, currency)
			c, err := Calculate(s.in, s.rules())
			switch {
			case errors.Is(err, pricing.ErrCouponNotApplicable) && s.in.Coupon != nil:
			case errors.Is(err, pricing.ErrShippingUnavailable):
			case err != nil:
				t.Fatal(err)
			default:
				addsUp(t, s, c)
			}
		}
	})
	if round < len(all) {
		t.Errorf("%d of %d currencies", round, len(all))
	}
}

func addsUp(t *rapid.T, s shop, c pricing.Calculation) {
	var subtotal, discount, tax, included, total, applied int64
	for i, l := range c.Lines {
		if l.Discount.Amount < 0 || l.Discount.Amount > l.UnitPrice.Amount*l.Quantity {
			t.Fatalf("line %d: %v off %d x %v", i, l.Discount, l.Quantity, l.UnitPrice)
		}
		paid := l.UnitPrice.Amount*l.Quantity - l.Discount.Amount
		if paid+l.Tax.Amount != l.Total.Amount || l.Tax.Amount != 0 && l.TaxIncluded.Amount != 0 {
			t.Fatalf("line %d does not add up: %+v", i, l)
		}
		if got := l.Tax.Amount; got != 0 && got != exactTax(paid, l.TaxRatePPM, false) {
			t.Fatalf("line %d: a tax of %d on %d at %d", i, got, paid, l.TaxRatePPM)
		}
		if got := l.TaxIncluded.Amount; got != exactTax(paid, l.TaxRatePPM, true) && l.Tax.Amount != exactTax(paid, l.TaxRatePPM, false) {
			t.Fatalf("line %d: %d contains a tax of %d at %d", i, paid, got, l.TaxRatePPM)
		}
		subtotal, discount, total = subtotal+l.UnitPrice.Amount*l.Quantity, discount+l.Discount.Amount, total+l.Total.Amount
		tax, included = tax+l.Tax.Amount, included+l.TaxIncluded.Amount
	}
	for _, p := range c.Promotions {
		applied += p.Discount.Amount
	}
	for name, pair := range map[string][2]money.Money{
		"subtotal": {c.Subtotal, money.Of(subtotal, s.in.Request.Currency)},
		"discount": {c.Discount, money.Of(discount, s.in.Request.Currency)},
		"applied":  {c.Discount, money.Of(applied, s.in.Request.Currency)},
		"tax":      {c.Tax, money.Of(tax+c.ShippingTax.Amount, s.in.Request.Currency)},
		"included": {c.TaxIncluded, money.Of(included+c.ShippingTaxIncluded.Amount, s.in.Request.Currency)},
		"lines":    {c.Total, money.Of(total+c.Shipping.Amount+c.ShippingTax.Amount, s.in.Request.Currency)},
		"total":    {c.Total, money.Of(subtotal-discount+c.Shipping.Amount+c.Tax.Amount, s.in.Request.Currency)},
	} {
		if pair[0] != pair[1] {
			t.Fatalf("%s: %v, the sum is %v\n%+v", name, pair[0], pair[1], c)
		}
	}
	if c.Shipping.Amount < 0 || c.ShippingDiscount.Amount < 0 {
		t.Fatalf("shipping is %v, %v off", c.Shipping, c.ShippingDiscount)
	}
}

// exactTax is paid x rate / 1,000,000, or / (1,000,000 + rate), rounded half up: floor(x + 1/2) = floor((2x + 1) / 2).
func exactTax(paid, ppm int64, included bool) int64 {
	whole := int64(1_000_000)
	if included {
		whole += ppm
	}
	double := new(big.Int).Mul(big.NewInt(2*ppm), big.NewInt(paid))
	return new(big.Int).Div(double.Add(double, big.NewInt(whole)), big.NewInt(2*whole)).Int64()
}

// TestProperties_replay: the rules that a trace names give the same figures as all rules of the shop.
func TestProperties_replay(t *testing.T) {
	all := currencies()
	rapid.Check(t, func(t *rapid.T) {
		s := drawShop(t, rapid.SampledFrom(all).Draw(t, "currency"))
		before, err := Calculate(s.in, s.rules())
		if err != nil {
			return
		}
		named := s.only(before.Trace)
		after, err := Calculate(named.in, named.rules())
		if err != nil || !reflect.DeepEqual(after, before) {
			t.Fatalf("%+v, %v\nbefore: %+v", after, err, before)
		}
	})
}
