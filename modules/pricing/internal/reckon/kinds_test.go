package reckon

import (
	"reflect"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
)

// TestKinds gives each kind of promotion baskets of its own.
func TestKinds(t *testing.T) {
	three := []line{{500, 1, 500}, {1000, 2, 2000}, {300, 3, 900}} // units at 5.00, 10.00 and 3.00
	buy := func(x, y, basisPoints int64) pricing.Discount {
		return pricing.Discount{Kind: pricing.PromotionBuyXGetY, BuyQuantity: x, GetQuantity: y, BasisPoints: basisPoints}
	}
	for _, tt := range []struct {
		name  string
		d     pricing.Discount
		lines []line
		want  []int64
	}{
		{"percentage: a share of each line", percent(1000), three, []int64{50, 200, 90}},
		{"percentage: of what is left", percent(5000), []line{{500, 1, 100}}, []int64{50}},
		{"fixed: in proportion", amountsOff(money.Of(34, "EUR")), three, []int64{5, 20, 9}},
		{"fixed: never more than the lines", amountsOff(money.Of(9999, "EUR")), three, []int64{500, 2000, 900}},
		{"buy_x_get_y: the cheapest of six", buy(5, 1, 0), three, []int64{0, 0, 300}},
		{"buy_x_get_y: two of six, the cheapest", buy(2, 1, 0), three, []int64{0, 0, 600}},
		{"buy_x_get_y: more than the cheapest line has", buy(1, 2, 0), three, []int64{500, 0, 900}},
		{"buy_x_get_y: too few", buy(6, 1, 0), three, []int64{0, 0, 0}},
		{"buy_x_get_y: at half the price", buy(5, 1, 5000), three, []int64{0, 0, 150}},
		{"buy_x_get_y: units of one line", buy(2, 1, 0), []line{{999, 7, 6993}}, []int64{1998}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := kinds[tt.d.Kind].give(basket{currency: "EUR", lines: tt.lines}, tt.d)
			if !reflect.DeepEqual(got, gift{lines: tt.want}) {
				t.Errorf("%+v, want %v", got, tt.want)
			}
		})
	}
	t.Run("free_shipping: only where something is shipped", func(t *testing.T) {
		for _, shipped := range []bool{true, false} {
			if got := freeShipping(basket{lines: three, shipped: shipped}, pricing.Discount{}); got.shipping != shipped || got.lines != nil {
				t.Errorf("shipped %v: %+v", shipped, got)
			}
		}
	})
}

func TestCheckKind(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    pricing.Discount
		at   []string
	}{
		{"a percentage", percent(1), nil},
		{"a fixed amount", amountsOff(money.Of(1, "EUR")), nil},
		{"free shipping", pricing.Discount{Kind: pricing.PromotionFreeShipping}, nil},
		{"three for two", pricing.Discount{Kind: pricing.PromotionBuyXGetY, BuyQuantity: 2, GetQuantity: 1}, nil},
		{"three for two, the third at half the price", pricing.Discount{Kind: pricing.PromotionBuyXGetY, BuyQuantity: 2, GetQuantity: 1, BasisPoints: 5000}, nil},
		{"nothing bought", pricing.Discount{Kind: pricing.PromotionBuyXGetY, GetQuantity: 1}, []string{"/buy_quantity"}},
		{"nothing got", pricing.Discount{Kind: pricing.PromotionBuyXGetY, BuyQuantity: 1_000_001}, []string{"/buy_quantity", "/get_quantity"}},
		{"more than all off", pricing.Discount{Kind: pricing.PromotionBuyXGetY, BuyQuantity: 1, GetQuantity: 1, BasisPoints: 10_001}, []string{"/basis_points"}},
		{"free shipping with the settings of others", pricing.Discount{Kind: pricing.PromotionFreeShipping, BasisPoints: 1, BuyQuantity: 1, GetQuantity: 1, Amounts: []money.Money{{}}},
			[]string{"/basis_points", "/amounts", "/buy_quantity", "/get_quantity"}},
		{"a kind that is none", pricing.Discount{Kind: "gift", BasisPoints: 1}, []string{"/kind"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var at []string
			CheckKind(tt.d, func(bad bool, pointer, _ string) {
				if bad {
					at = append(at, pointer)
				}
			})
			if !reflect.DeepEqual(at, tt.at) {
				t.Errorf("objects to %v, want %v", at, tt.at)
			}
		})
	}
}
