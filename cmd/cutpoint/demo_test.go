package main

import (
	"reflect"
	"slices"
	"testing"

	"cutpoint/cmd/internal/catalogue"
)

// TestDemoOrder wants the orders of a demonstration to be varied, and of things that it has.
func TestDemoOrder(t *testing.T) {
	var skus []string
	for _, row := range catalogue.Demo() {
		skus = append(skus, row.SKU)
	}
	seen := map[string]int{}
	for n := range 500 {
		o := demoOrder(n)
		if !reflect.DeepEqual(o, demoOrder(n)) {
			t.Fatalf("order %d is another one the second time", n)
		}
		seen[o.Currency]++
		seen["coupon "+o.Coupon]++
		seen[o.Payment["token"]]++
		for _, l := range o.Lines {
			if !slices.Contains(skus, l.SKU) {
				t.Fatalf("%s is not in the catalogue", l.SKU)
			}
			seen[l.SKU]++
		}
	}
	for _, wanted := range slices.Concat(catalogue.Wanted(), catalogue.Rare(), []string{
		"EUR", "USD", "JPY", "coupon ", "coupon " + catalogue.CouponTenth, "coupon " + catalogue.CouponFive,
		"pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds",
	}) {
		if seen[wanted] == 0 {
			t.Errorf("of 500 orders none has %q", wanted)
		}
	}
	if got := seen["pm_card_visa"]; got < 400 {
		t.Errorf("%d of 500 cards are good", got)
	}
}
