package main

import (
	"bytes"
	"encoding/json"
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

// TestLoad wants to be told what an order costs in a shop of the command's own.
func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	var stdout, stderr bytes.Buffer
	if exit := run(t.Context(), []string{"load", "--orders", "10", "--concurrency", "1", "--json"}, &stdout, &stderr); exit != 0 {
		t.Fatal(stderr.String())
	}
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || len(r.Runs) != 1 {
		t.Fatalf("%v: %s", err, stdout.Bytes())
	}
	if r := r.Runs[0]; r.Orders != 10 || r.Commits < 6 || r.Commits > 9 || r.ProcessorTime <= 0 {
		t.Errorf("%+v; one customer's order takes seven commits", r)
	}
}
