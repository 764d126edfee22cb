package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/platform/money"
)

// amounts draws amounts, those at the edges of int64 often.
var amounts = rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64}))

func TestArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts.Draw(t, "a"), amounts.Draw(t, "b")
		check := func(name string, got money.Money, err error, exact *big.Int) {
			if fits := exact.IsInt64(); !fits && !errors.Is(err, money.ErrOverflow) || fits && (err != nil || got != money.Of(exact.Int64(), "EUR")) {
				t.Fatalf("%d %s %d = %v, %v; exactly %v", a, name, b, got, err, exact)
			}
		}
		sum, err := money.Of(a, "EUR").Add(money.Of(b, "EUR"))
		check("+", sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		product, err := money.Of(a, "EUR").Times(b)
		check("x", product, err, new(big.Int).Mul(big.NewInt(a), big.NewInt(b)))
	})
	if _, err := money.Of(1, "EUR").Add(money.Of(1, "USD")); !errors.Is(err, money.ErrMismatch) {
		t.Errorf("euros and dollars: %v", err)
	}
}

func TestCurrencies(t *testing.T) {
	for code, want := range map[string]bool{"EUR": true, "JPY": true, "KWD": true, "": false, "eur": false, "EURO": false, "XYZ": false, "E": false} {
		if err := money.Check(code); (err == nil) != want || err != nil && !errors.Is(err, money.ErrCurrency) {
			t.Errorf("Check(%q): %v", code, err)
		}
	}
	for m, want := range map[money.Money]string{
		money.Of(1290, "EUR"): "12.90 EUR", money.Of(-5, "EUR"): "-0.05 EUR", money.Of(1290, "JPY"): "1290 JPY",
		money.Of(1290, "KWD"): "1.290 KWD", money.Of(math.MinInt64, "EUR"): "-92233720368547758.08 EUR", money.Of(1, "???"): "? ???",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d %s is %q, want %q", m.Amount, m.Currency, got, want)
		}
	}
}
