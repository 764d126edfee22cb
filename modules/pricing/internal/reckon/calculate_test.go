package reckon

import (
	"cmp"
	"errors"
	"math"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// calculate prices lines by their sets alone.
func calculate(currency string, lines []pricing.Line, sets map[string]pricing.PriceSet) (pricing.Calculation, error) {
	in := Inputs{Request: pricing.CalculateRequest{Currency: currency, Lines: lines}}
	for _, l := range lines {
		in.Sets = append(in.Sets, sets[l.SKU])
	}
	return Calculate(in, NewRules(nil, nil, nil, nil))
}

func setsOf(sku string, prices ...pricing.Price) map[string]pricing.PriceSet {
	return map[string]pricing.PriceSet{sku: {SKU: sku, Prices: prices, Version: 1}}
}

func TestCalculate(t *testing.T) {
	mug := setsOf("MUG-1",
		pricing.Price{Currency: "EUR", Amount: 1290, MinQuantity: 1},
		pricing.Price{Currency: "EUR", Amount: 990, MinQuantity: 10},
		pricing.Price{Currency: "EUR", Amount: 1500, MinQuantity: 100}, // a tier may be dearer
		pricing.Price{Currency: "JPY", Amount: 2000, MinQuantity: 1},
		pricing.Price{Currency: "KWD", Amount: 4250, MinQuantity: 5}, // no base price
	)
	for _, c := range []struct {
		name     string
		currency string
		lines    []pricing.Line
		units    []int64 // unit price of each line
		total    int64
	}{
		{"the base price", "EUR", []pricing.Line{{SKU: "MUG-1", Quantity: 2}}, []int64{1290}, 2580},
		{"just below a tier", "EUR", []pricing.Line{{SKU: "MUG-1", Quantity: 9}}, []int64{1290}, 11610},
		{"exactly on a tier", "EUR", []pricing.Line{{SKU: "MUG-1", Quantity: 10}}, []int64{990}, 9900},
		{"the highest tier", "EUR", []pricing.Line{{SKU: "MUG-1", Quantity: 100}}, []int64{1500}, 150000},
		{"lines of one SKU share its tiers", "EUR", []pricing.Line{{SKU: "MUG-1", Quantity: 4}, {SKU: "MUG-1", Quantity: 6}}, []int64{990, 990}, 9900},
		{"a currency without decimals", "JPY", []pricing.Line{{SKU: "MUG-1", Quantity: 3}}, []int64{2000}, 6000},
		{"a currency with three decimals", "KWD", []pricing.Line{{SKU: "MUG-1", Quantity: 5}}, []int64{4250}, 21250},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := calculate(c.currency, c.lines, mug)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range got.Lines {
				if l.SKU != c.lines[i].SKU || l.Quantity != c.lines[i].Quantity || l.UnitPrice != money.Of(c.units[i], c.currency) {
					t.Errorf("line %d: %+v, want a unit price of %d", i, l, c.units[i])
				}
			}
			if got.Total != money.Of(c.total, c.currency) || got.Subtotal != got.Total {
				t.Errorf("subtotal %v, total %v, want %d", got.Subtotal, got.Total, c.total)
			}
			nothing := money.Of(0, c.currency)
			if got.Discount != nothing || got.Shipping != nothing || got.Tax != nothing {
				t.Errorf("discount %v, shipping %v, tax %v", got.Discount, got.Shipping, got.Tax)
			}
		})
	}
}

func TestCalculate_refuses(t *testing.T) {
	sets := setsOf("A",
		pricing.Price{Currency: "EUR", Amount: pricing.MaxAmount, MinQuantity: 1},
		pricing.Price{Currency: "USD", Amount: 1, MinQuantity: 5},
		pricing.Price{Currency: "JPY", Amount: 0, MinQuantity: 1},
	)
	many := int64(math.MaxInt64 / pricing.MaxAmount)
	for _, c := range []struct {
		name     string
		currency string
		lines    []pricing.Line
		want     *fault.Error
		at       []string
	}{
		{"SKUs without a price, each line by itself", "EUR", []pricing.Line{{SKU: "X", Quantity: 1}, {SKU: "A", Quantity: 1}, {SKU: "X", Quantity: 1}},
			pricing.ErrNoPrice, []string{"/lines/0/sku", "/lines/2/sku"}},
		{"a currency without prices", "GBP", []pricing.Line{{SKU: "A", Quantity: 1}}, pricing.ErrNoPrice, []string{"/lines/0/sku"}},
		{"a quantity below the first tier", "USD", []pricing.Line{{SKU: "A", Quantity: 4}}, pricing.ErrNoPrice, []string{"/lines/0/sku"}},
		{"a line that overflows", "EUR", []pricing.Line{{SKU: "A", Quantity: many + 1}}, money.ErrOverflow, []string{"/lines/0/quantity"}},
		{"a sum that overflows", "EUR", []pricing.Line{{SKU: "A", Quantity: many}, {SKU: "A", Quantity: many}}, money.ErrOverflow, []string{"/lines/1/quantity"}},
		{"units that overflow, though they cost nothing", "JPY", []pricing.Line{{SKU: "A", Quantity: math.MaxInt64}, {SKU: "A", Quantity: 1}},
			money.ErrOverflow, []string{"/lines/1/quantity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := calculate(c.currency, c.lines, sets)
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			var at []string
			for _, d := range fault.From(err).Details {
				at = append(at, d.Pointer)
			}
			if !reflect.DeepEqual(at, c.at) || !reflect.DeepEqual(got, pricing.Calculation{}) {
				t.Errorf("points at %v, want %v; figures %+v", at, c.at, got)
			}
		})
	}
}

// TestCalculate_properties compares calculate with arithmetic that can't overflow and with a search for the tier that does not
// rely on any order.
func TestCalculate_properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"JPY", "EUR", "KWD"}).Draw(t, "currency")
		sets := map[string]pricing.PriceSet{}
		for _, sku := range []string{"A", "B", "C"} {
			prices := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) pricing.Price {
				return pricing.Price{
					Currency:    rapid.SampledFrom([]string{"JPY", "EUR", "KWD"}).Draw(t, "of"),
					Amount:      rapid.Int64Range(0, pricing.MaxAmount).Draw(t, "amount"),
					MinQuantity: rapid.Int64Range(1, 6).Draw(t, "from"),
				}
			}), 0, 8, func(p pricing.Price) [2]any { return [2]any{p.Currency, p.MinQuantity} }).Draw(t, "prices")
			slices.SortFunc(prices, func(a, b pricing.Price) int { return cmp.Compare(a.MinQuantity, b.MinQuantity) })
			sets[sku] = pricing.PriceSet{SKU: sku, Prices: prices}
		}
		quantity := rapid.OneOf(rapid.Int64Range(1, 5), rapid.Int64Range(1, 20_000_000))
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pricing.Line {
			return pricing.Line{SKU: rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "sku"), Quantity: quantity.Draw(t, "quantity")}
		}), 1, 6).Draw(t, "lines")

		priced, sum := true, new(big.Int)
		units := make([]int64, len(lines))
		for i, l := range lines {
			var ok bool
			units[i], ok = bestTier(sets[l.SKU].Prices, currency, lines, l.SKU)
			priced = priced && ok
			sum.Add(sum, new(big.Int).Mul(big.NewInt(units[i]), big.NewInt(l.Quantity)))
		}
		got, err := calculate(currency, lines, sets)
		switch {
		case err == nil:
			if !priced || !sum.IsInt64() || got.Total != money.Of(sum.Int64(), currency) {
				t.Fatalf("total %v of %v, want %v (all priced: %v)", got.Total, lines, sum, priced)
			}
			for i, l := range got.Lines {
				if l.UnitPrice.Amount != units[i] || l.UnitPrice.Amount*l.Quantity-l.Discount.Amount+l.Tax.Amount != l.Total.Amount {
					t.Fatalf("line %d: %+v, want a unit price of %d", i, l, units[i])
				}
			}
		case errors.Is(err, pricing.ErrNoPrice):
			if priced {
				t.Fatalf("all lines have a price, yet: %v", err)
			}
		case errors.Is(err, money.ErrOverflow):
			if sum.IsInt64() {
				t.Fatalf("%v fits, yet: %v", sum, err)
			}
		default:
			t.Fatal(err)
		}
	})
}

func bestTier(prices []pricing.Price, currency string, lines []pricing.Line, sku string) (amount int64, ok bool) {
	var units, from int64
	for _, l := range lines {
		if l.SKU == sku {
			units += l.Quantity
		}
	}
	for _, p := range prices {
		if p.Currency == currency && p.MinQuantity <= units && p.MinQuantity > from {
			amount, from, ok = p.Amount, p.MinQuantity, true
		}
	}
	return amount, ok
}
