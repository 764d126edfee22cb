package reckon

import (
	"math"
	"math/big"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// priced takes automatic promotions off lines that cost what is given, in EUR: line i is of the SKU with that letter.
func priced(totals []int64, promotions ...pricing.Discount) pricing.Calculation {
	in := Inputs{Request: pricing.CalculateRequest{Currency: "EUR"}}
	for i, total := range totals {
		sku := string(rune('A' + i))
		in.Request.Lines = append(in.Request.Lines, pricing.Line{SKU: sku, Quantity: 1})
		in.Sets = append(in.Sets, pricing.PriceSet{SKU: sku, Version: 1, Prices: []pricing.Price{{Currency: "EUR", Amount: total, MinQuantity: 1}}})
	}
	c, err := Calculate(in, NewRules(nil, automatic(promotions...), nil, nil))
	if err != nil {
		panic(err)
	}
	return c
}

// automatic are promotions that are applied in the order in which they are given.
func automatic(discounts ...pricing.Discount) (list []pricing.Promotion) {
	for i, d := range discounts {
		d.Automatic, d.Active = true, true
		list = append(list, pricing.Promotion{Code: "P" + string(rune('0'+i)), Version: int64(i + 1), Discount: d})
	}
	return list
}

func percent(basisPoints int64) pricing.Discount {
	return pricing.Discount{Kind: pricing.PromotionPercentage, BasisPoints: basisPoints, Active: true}
}

func amountsOff(amounts ...money.Money) pricing.Discount {
	return pricing.Discount{Kind: pricing.PromotionFixed, Amounts: amounts, Active: true}
}

func TestDiscounted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		totals   []int64
		discount pricing.Discount
		shares   []int64
	}{
		{"ten per cent", []int64{1000, 500}, percent(1000), []int64{100, 50}},
		{"half a minor unit is rounded up", []int64{5}, percent(1000), []int64{1}},
		{"less than half is rounded down", []int64{4}, percent(1000), []int64{0}},
		{"all of it", []int64{1000, 1}, percent(10_000), []int64{1000, 1}},
		{"a unit that is left goes to the line that lost most", []int64{100, 200, 100}, amountsOff(money.Of(10, "EUR")), []int64{3, 5, 2}},
		{"to the earlier one where both lost the same", []int64{100, 100}, amountsOff(money.Of(1, "EUR")), []int64{1, 0}},
		{"a fixed amount above the subtotal is the subtotal", []int64{300, 0, 200}, amountsOff(money.Of(1000, "EUR")), []int64{300, 0, 200}},
		{"nothing off nothing", []int64{0, 0}, amountsOff(money.Of(1000, "EUR")), []int64{0, 0}},
		{"the largest amounts", []int64{math.MaxInt64 - 7, 7}, percent(10_000), []int64{math.MaxInt64 - 7, 7}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := priced(tt.totals, tt.discount)
			var shares []int64
			for _, l := range got.Lines {
				shares = append(shares, l.Discount.Amount)
			}
			if !reflect.DeepEqual(shares, tt.shares) {
				t.Errorf("%v, want %v", shares, tt.shares)
			}
		})
	}
	if c := priced([]int64{100}, amountsOff(money.Of(10, "USD"))); c.Discount.Amount != 0 {
		t.Errorf("an amount in another currency only: %v", c.Discount)
	}
}

// TestDiscounted_properties compares it with arithmetic that can't overflow.
func TestDiscounted_properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, math.MaxInt64/20)), 1, 20).Draw(t, "totals")
		d := percent(rapid.Int64Range(1, 10_000).Draw(t, "basis points"))
		if rapid.Bool().Draw(t, "fixed") {
			d = amountsOff(money.Of(rapid.OneOf(rapid.Int64Range(1, 5), rapid.Int64Range(1, pricing.MaxAmount)).Draw(t, "amount"), "EUR"))
		}
		plain, got := priced(totals), priced(totals, d)
		if want := exactDiscount(plain.Subtotal.Amount, d); got.Discount.Amount != want {
			t.Fatalf("the discount is %v, want %d", got.Discount, want)
		}
		var sum, total int64
		for i, l := range got.Lines {
			if l.Discount.Amount < 0 || l.Total.Amount < 0 || l.UnitPrice.Amount*l.Quantity-l.Discount.Amount+l.Tax.Amount != l.Total.Amount {
				t.Fatalf("line %d does not add up: %+v", i, l)
			}
			if off := exactShare(got.Discount.Amount, totals[i], plain.Subtotal.Amount); l.Discount.Amount-off < 0 || l.Discount.Amount-off > 1 {
				t.Fatalf("line %d gets %d, its share is %d", i, l.Discount.Amount, off)
			}
			sum += l.Discount.Amount
			total += l.Total.Amount
		}
		if sum != got.Discount.Amount || total != got.Total.Amount || got.Subtotal.Amount-sum != total {
			t.Fatalf("lines give %d of %v and cost %d of %v", sum, got.Discount, total, got.Total)
		}
	})
}

func exactDiscount(subtotal int64, d pricing.Discount) int64 {
	if d.Kind == pricing.PromotionFixed {
		return min(subtotal, d.Amounts[0].Amount)
	}
	double := new(big.Int).Mul(big.NewInt(2*d.BasisPoints), big.NewInt(subtotal)) // floor(x + 1/2) = floor((2x + 1) / 2)
	return new(big.Int).Div(double.Add(double, big.NewInt(10_000)), big.NewInt(20_000)).Int64()
}

func exactShare(off, total, subtotal int64) int64 {
	if subtotal == 0 {
		return 0
	}
	share := new(big.Int).Mul(big.NewInt(off), big.NewInt(total))
	return share.Div(share, big.NewInt(subtotal)).Int64()
}
