package reckon

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

var noon = time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)

// order asks at noon for one unit each of A at 10.00, B at 20.00 and C at 33.33 EUR, C in the tax category food.
func order(change func(*pricing.CalculateRequest)) Inputs {
	in := Inputs{At: noon, Request: pricing.CalculateRequest{Currency: "EUR", Country: "DE"}}
	for i, amount := range []int64{1000, 2000, 3333} {
		sku := string(rune('A' + i))
		in.Request.Lines = append(in.Request.Lines, pricing.Line{SKU: sku, Quantity: 1})
		in.Sets = append(in.Sets, pricing.PriceSet{SKU: sku, Version: 1, Prices: []pricing.Price{{Currency: "EUR", Amount: amount, MinQuantity: 1}}})
	}
	in.Sets[2].TaxCategory = "food"
	if change != nil {
		change(&in.Request)
	}
	return in
}

func must(t *testing.T, in Inputs, r *Rules) pricing.Calculation {
	t.Helper()
	c, err := Calculate(in, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(d time.Duration) *time.Time {
	t := noon.Add(d)
	return &t
}

func entry(sku string, from, amount int64) pricing.PriceListEntry {
	return pricing.PriceListEntry{SKU: sku, MinQuantity: from, Amount: &amount}
}

func off(sku string, basisPoints int64) pricing.PriceListEntry {
	return pricing.PriceListEntry{SKU: sku, MinQuantity: 1, BasisPointsOff: &basisPoints}
}

func list(code string, change func(*pricing.PriceListTerms), entries ...pricing.PriceListEntry) List {
	l := pricing.PriceList{Rule: pricing.Rule{Code: code, Version: 1}, PriceListTerms: pricing.PriceListTerms{Currency: "EUR", Active: true, Entries: entries}}
	if change != nil {
		change(&l.PriceListTerms)
	}
	return NewList(l)
}

func TestPriceLists(t *testing.T) {
	priority := func(p int64) func(*pricing.PriceListTerms) { return func(t *pricing.PriceListTerms) { t.Priority = p } }
	for _, tt := range []struct {
		name  string
		lists []List
		ask   func(*pricing.CalculateRequest)
		want  [3]int64
	}{
		{"an amount takes the place of the set's price", []List{list("L", nil, entry("A", 1, 900))}, nil, [3]int64{900, 2000, 3333}},
		{"also where it is higher", []List{list("L", nil, entry("A", 1, 1100))}, nil, [3]int64{1100, 2000, 3333}},
		{"a percentage is off the set's price, rounded half up", []List{list("L", nil, off("C", 1500))}, nil, [3]int64{1000, 2000, 2833}}, // 2833.05
		{"half a minor unit is rounded up", []List{list("L", nil, off("C", 5000))}, nil, [3]int64{1000, 2000, 1667}},                      // 1666.5
		{"an entry without a SKU is for all that have none", []List{list("L", nil, off("", 1000), entry("A", 1, 990))}, nil, [3]int64{990, 1800, 3000}},
		{"the lowest of two", []List{list("L", nil, entry("A", 1, 900)), list("M", nil, entry("A", 1, 800))}, nil, [3]int64{800, 2000, 3333}},
		{"the higher priority before the lower price", []List{list("L", priority(1), entry("A", 1, 900)), list("M", nil, entry("A", 1, 800))}, nil, [3]int64{900, 2000, 3333}},
		{"whichever comes first", []List{list("M", nil, entry("A", 1, 800)), list("L", priority(1), entry("A", 1, 900))}, nil, [3]int64{900, 2000, 3333}},
		{"another currency", []List{list("L", func(t *pricing.PriceListTerms) { t.Currency = "USD" }, entry("A", 1, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"not active", []List{list("L", func(t *pricing.PriceListTerms) { t.Active = false }, entry("A", 1, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"starting now", []List{list("L", func(t *pricing.PriceListTerms) { t.StartsAt = at(0) }, entry("A", 1, 900))}, nil, [3]int64{900, 2000, 3333}},
		{"not started", []List{list("L", func(t *pricing.PriceListTerms) { t.StartsAt = at(1) }, entry("A", 1, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"ended", []List{list("L", func(t *pricing.PriceListTerms) { t.EndsAt = at(0) }, entry("A", 1, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"of another group", []List{list("L", func(t *pricing.PriceListTerms) { t.CustomerGroup = "staff" }, entry("A", 1, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"of the customer's group", []List{list("L", func(t *pricing.PriceListTerms) { t.CustomerGroup = "staff" }, entry("A", 1, 900))},
			func(r *pricing.CalculateRequest) { r.CustomerGroup = "staff" }, [3]int64{900, 2000, 3333}},
		{"a tier that is not reached", []List{list("L", nil, entry("A", 2, 900))}, nil, [3]int64{1000, 2000, 3333}},
		{"the largest tier that is reached", []List{list("L", nil, entry("A", 1, 900), entry("A", 2, 800), entry("A", 5, 700))},
			func(r *pricing.CalculateRequest) { r.Lines[0].Quantity = 4 }, [3]int64{800, 2000, 3333}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := must(t, order(tt.ask), NewRules(tt.lists, nil, nil, nil))
			if got := [3]int64{c.Lines[0].UnitPrice.Amount, c.Lines[1].UnitPrice.Amount, c.Lines[2].UnitPrice.Amount}; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("a list alone makes a price, a percentage of nothing none", func(t *testing.T) {
		in := order(nil)
		in.Sets[0], in.Sets[1] = pricing.PriceSet{}, pricing.PriceSet{}
		_, err := Calculate(in, NewRules([]List{list("L", nil, entry("A", 1, 900), off("B", 1000))}, nil, nil, nil))
		if details := fault.From(err).Details; !errors.Is(err, pricing.ErrNoPrice) || len(details) != 1 || details[0].Pointer != "/lines/1/sku" {
			t.Errorf("%v at %v", err, details)
		}
	})
}

func TestPromotions(t *testing.T) {
	with := func(d pricing.Discount, change func(*pricing.Discount)) pricing.Discount {
		change(&d)
		return d
	}
	ten, five := percent(1000), amountsOff(money.Of(500, "EUR"))
	for _, tt := range []struct {
		name   string
		d      []pricing.Discount
		group  string
		codes  []string // that were applied
		amount []int64  // what each took off
	}{
		{"each takes of what is left", []pricing.Discount{ten, ten}, "", []string{"P0", "P1"}, []int64{633, 570}}, // 6333, 5700
		{"the higher priority comes first", []pricing.Discount{ten, with(five, func(d *pricing.Discount) { d.Priority = 1 })}, "", []string{"P1", "P0"}, []int64{500, 583}},
		{"after an exclusive one there is none", []pricing.Discount{with(five, func(d *pricing.Discount) { d.Exclusive = true }), ten}, "", []string{"P0"}, []int64{500}},
		{"an exclusive one does not come after others", []pricing.Discount{ten, with(five, func(d *pricing.Discount) { d.Exclusive = true }), five}, "", []string{"P0", "P2"}, []int64{633, 500}},
		{"an exclusive one that takes nothing bars nobody", []pricing.Discount{
			with(five, func(d *pricing.Discount) { d.Exclusive, d.SKUs = true, []string{"X"} }), ten}, "", []string{"P1"}, []int64{633}},
		{"on some lines", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.SKUs = []string{"A", "C"} })}, "", []string{"P0"}, []int64{433}},
		{"a minimum that is just reached", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.MinimumSubtotal = []money.Money{money.Of(6333, "EUR")} })}, "", []string{"P0"}, []int64{633}},
		{"a minimum that is missed", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.MinimumSubtotal = []money.Money{money.Of(6334, "EUR")} })}, "", nil, nil},
		{"a minimum is of the prices, not of what is left", []pricing.Discount{five, with(ten, func(d *pricing.Discount) { d.MinimumSubtotal = []money.Money{money.Of(6333, "EUR")} })}, "", []string{"P0", "P1"}, []int64{500, 583}},
		{"a minimum in another currency", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.MinimumSubtotal = []money.Money{money.Of(1, "USD")} })}, "", nil, nil},
		{"for another group", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.CustomerGroup = "staff" })}, "", nil, nil},
		{"for the customer's group", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.CustomerGroup = "staff" })}, "staff", []string{"P0"}, []int64{633}},
		{"starting now", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.StartsAt = at(0) })}, "", []string{"P0"}, []int64{633}},
		{"not started", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.StartsAt = at(1) })}, "", nil, nil},
		{"ended", []pricing.Discount{with(ten, func(d *pricing.Discount) { d.EndsAt = at(0) })}, "", nil, nil},
		{"of a kind that nobody knows", []pricing.Discount{{Kind: "gift"}}, "", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := order(func(r *pricing.CalculateRequest) { r.CustomerGroup = tt.group })
			c := must(t, in, NewRules(nil, automatic(tt.d...), nil, nil))
			var codes []string
			var amounts []int64
			for _, p := range c.Promotions {
				codes, amounts = append(codes, p.Code), append(amounts, p.Discount.Amount)
			}
			if !reflect.DeepEqual(codes, tt.codes) || !reflect.DeepEqual(amounts, tt.amount) {
				t.Errorf("%v took %v, want %v and %v", codes, amounts, tt.codes, tt.amount)
			}
		})
	}
}

func TestCoupons(t *testing.T) {
	coupon := func(d pricing.Discount) Inputs {
		in := order(nil)
		in.Coupon = &pricing.Promotion{Code: "Z", Version: 1, Discount: d}
		return in
	}
	exclusive := percent(1000)
	exclusive.Exclusive = true
	t.Run("comes before automatic ones of the same priority", func(t *testing.T) {
		c := must(t, coupon(percent(1000)), NewRules(nil, automatic(amountsOff(money.Of(500, "EUR"))), nil, nil))
		if len(c.Promotions) != 2 || c.Promotions[0].Code != "Z" || c.Discount.Amount != 633+500 {
			t.Errorf("%+v", c.Promotions)
		}
	})
	elsewhere, staff, large := percent(1000), percent(1000), percent(1000)
	elsewhere.SKUs, staff.CustomerGroup, large.MinimumSubtotal = []string{"X"}, "staff", []money.Money{money.Of(10_000, "EUR")}
	first := exclusive
	first.Priority = 1
	for _, tt := range []struct {
		name      string
		coupon    pricing.Discount
		automatic []pricing.Discount
		want      error
	}{
		{"in another currency", amountsOff(money.Of(1, "USD")), nil, pricing.ErrUnknownCoupon},
		{"for other lines", elsewhere, nil, pricing.ErrCouponNotApplicable},
		{"for other customers", staff, nil, pricing.ErrCouponNotApplicable},
		{"for larger orders", large, nil, pricing.ErrCouponNotApplicable},
		{"when an exclusive one was first", percent(1000), []pricing.Discount{first}, pricing.ErrCouponNotApplicable},
		{"free shipping of nothing", pricing.Discount{Kind: pricing.PromotionFreeShipping}, nil, pricing.ErrCouponNotApplicable},
		{"exclusive, and first", exclusive, []pricing.Discount{percent(1)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Calculate(coupon(tt.coupon), NewRules(nil, automatic(tt.automatic...), nil, nil)); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestShipping(t *testing.T) {
	method := pricing.ShippingMethod{Rule: pricing.Rule{Code: "parcel", Version: 4}, ShippingTerms: pricing.ShippingTerms{Active: true, Prices: []pricing.ShippingPrice{
		{Currency: "EUR", Country: "DE", Amount: 490}, {Currency: "EUR", Country: "DE", FromTotal: 5000, Amount: 0},
		{Currency: "EUR", Amount: 1290}, {Currency: "EUR", FromTotal: 6333, Amount: 990},
		{Currency: "EUR", Country: "CH", FromTotal: 10_000, Amount: 1990},
	}}}
	free := pricing.Discount{Kind: pricing.PromotionFreeShipping}
	for _, tt := range []struct {
		name, country string
		promotions    []pricing.Discount
		shipping, off int64
		want          error
	}{
		{"free from a total on", "DE", nil, 0, 0, nil},
		{"a discount counts for that total", "DE", []pricing.Discount{amountsOff(money.Of(1334, "EUR"))}, 490, 0, nil},
		{"and where it is just reached", "DE", []pricing.Discount{amountsOff(money.Of(1333, "EUR"))}, 0, 0, nil},
		{"a country without a price of its own", "FR", nil, 990, 0, nil},
		{"no country", "", nil, 990, 0, nil},
		{"a lower total", "FR", []pricing.Discount{amountsOff(money.Of(1, "EUR"))}, 1290, 0, nil},
		{"a country's own prices alone count", "CH", nil, 0, 0, pricing.ErrShippingUnavailable},
		{"a promotion pays it", "FR", []pricing.Discount{free}, 0, 990, nil},
		{"only once", "FR", []pricing.Discount{free, free}, 0, 990, nil},
		{"a promotion for other lines", "FR", []pricing.Discount{{Kind: pricing.PromotionFreeShipping, SKUs: []string{"X"}}}, 990, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := order(func(r *pricing.CalculateRequest) { r.Country, r.ShippingMethod = tt.country, "parcel" })
			c, err := Calculate(in, NewRules(nil, automatic(tt.promotions...), nil, []pricing.ShippingMethod{method}))
			if !errors.Is(err, tt.want) || c.Shipping.Amount != tt.shipping || c.ShippingDiscount.Amount != tt.off {
				t.Errorf("%v, %v off, %v", c.Shipping, c.ShippingDiscount, err)
			}
			if want := c.Subtotal.Amount - c.Discount.Amount + tt.shipping; err == nil && c.Total.Amount != want {
				t.Errorf("total %v, want %d", c.Total, want)
			}
		})
	}
	t.Run("who has no such method", func(t *testing.T) {
		in := order(func(r *pricing.CalculateRequest) { r.ShippingMethod = "drone" })
		if _, err := Calculate(in, NewRules(nil, nil, nil, []pricing.ShippingMethod{method})); !errors.Is(err, pricing.ErrUnknownShippingMethod) {
			t.Error(err)
		}
		in = order(func(r *pricing.CalculateRequest) { r.ShippingMethod, r.Currency = "parcel", "EUR" })
		method.Active = false
		if _, err := Calculate(in, NewRules(nil, nil, nil, []pricing.ShippingMethod{method})); !errors.Is(err, pricing.ErrUnknownShippingMethod) {
			t.Error(err)
		}
	})
}

func TestTaxRates(t *testing.T) {
	rate := func(code, country, region, category string, ppm int64) pricing.TaxRate {
		return pricing.TaxRate{Rule: pricing.Rule{Code: code, Version: 1}, TaxTerms: pricing.TaxTerms{
			Country: country, Region: region, TaxCategory: category, RatePPM: ppm, AppliesToShipping: category == "", Active: true}}
	}
	rates := []pricing.TaxRate{
		rate("de", "DE", "", "", 190_000), rate("de-food", "DE", "", "food", 70_000), rate("de-by", "DE", "BY", "", 200_000),
		rate("anywhere", "", "", "", 10_000), rate("us-food", "US", "", "food", 0), rate("us-ca", "US", "CA", "", 72_500), rate("us-ca-food", "US", "CA", "food", 1),
		rate("us-z", "US", "", "", 3), rate("us-a", "US", "", "", 2),
	}
	method := pricing.ShippingMethod{Rule: pricing.Rule{Code: "parcel"}, ShippingTerms: pricing.ShippingTerms{
		Active: true, TaxCategory: "food", Prices: []pricing.ShippingPrice{{Currency: "EUR", Amount: 1_000_000}}}}
	for _, tt := range []struct {
		name, country, region string
		standard, food        int64
		shipping              int64 // of a million, so the rate
	}{
		{"of a country", "DE", "", 190_000, 70_000, 190_000}, // the rate for food is not for shipping
		{"of a region, but a category is more specific", "DE", "by", 200_000, 70_000, 200_000},
		{"of a region and a category", "US", "CA", 72_500, 1, 72_500},
		{"a rate of nothing is a rate", "US", "NY", 2, 0, 2}, // of us-a and us-z the smaller code
		{"of a country without one", "FR", "CA", 10_000, 10_000, 10_000},
		{"of no country", "", "", 10_000, 10_000, 10_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := order(func(r *pricing.CalculateRequest) {
				r.Country, r.Region, r.ShippingMethod = tt.country, tt.region, "parcel"
			})
			c := must(t, in, NewRules(nil, nil, rates, []pricing.ShippingMethod{method}))
			if c.Lines[0].TaxRatePPM != tt.standard || c.Lines[2].TaxRatePPM != tt.food || c.ShippingTax.Amount != tt.shipping {
				t.Errorf("%d, %d and %d, want %+v", c.Lines[0].TaxRatePPM, c.Lines[2].TaxRatePPM, c.ShippingTax.Amount, tt)
			}
		})
	}
	t.Run("one that is not active", func(t *testing.T) {
		r := rate("de", "DE", "", "", 190_000)
		r.Active = false
		if c := must(t, order(nil), NewRules(nil, nil, []pricing.TaxRate{r}, nil)); c.Tax.Amount != 0 {
			t.Errorf("%v", c.Tax)
		}
	})
}
