package pricingmod_test

import (
	"errors"
	"fmt"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store/storetest"
)

func entry(sku string, prices ...int64) pricing.PricesEntry {
	e := pricing.PricesEntry{SKU: sku, TaxCategory: "standard"}
	for i, amount := range prices {
		e.Prices = append(e.Prices, pricing.Price{Currency: "EUR", Amount: amount, MinQuantity: int64(10 * i)})
	}
	return e
}

// TestPutManyPrices puts the prices of many SKUs at once: they count at once, and what was there already keeps its version.
func TestPutManyPrices(t *testing.T) {
	s, m := start(t, storetest.Datastore(t, "pricing"))
	put := func(entries ...pricing.PricesEntry) int {
		t.Helper()
		p, err := s.PutManyPrices(t.Context(), pricing.PutManyPricesRequest{Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		return p.Changed
	}
	check := func(sku, want string) {
		t.Helper()
		set, err := s.Prices(t.Context(), pricing.PricesRequest{SKU: sku})
		got := fmt.Sprintf("v%d", set.Version)
		for _, p := range set.Prices {
			got += fmt.Sprintf(" %d from %d", p.Amount, p.MinQuantity)
		}
		if err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", sku, got, err, want)
		}
	}
	// The price is read once, so that it is in the cache, where it must not stay.
	put(entry("MUG", 1000))
	check("MUG", "v1 1000 from 1")
	if n := put(entry("MUG", 1290, 990), entry("CUP", 500), entry("CUP", 450)); n != 3 {
		t.Errorf("%d sets changed", n)
	}
	check("MUG", "v2 1290 from 1 990 from 10")
	check("CUP", "v2 450 from 1")
	commits := m.StoreStats().Commits
	if n := put(entry("MUG", 1290, 990), entry("CUP", 450), entry("POT", 1)); n != 1 {
		t.Errorf("%d sets changed by a repeat", n)
	}
	check("MUG", "v2 1290 from 1 990 from 10")
	if made := m.StoreStats().Commits - commits; made != 1 {
		t.Errorf("%d commits for a batch", made)
	}
	got, err := s.Calculate(t.Context(), pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "MUG", Quantity: 10}}})
	if err != nil || got.Total != money.Of(9900, "EUR") {
		t.Errorf("%+v, %v", got, err)
	}

	t.Run("a bad entry is named, and nothing is put", func(t *testing.T) {
		var many []pricing.PricesEntry
		for i := range pricing.MaxBatch + 1 {
			many = append(many, entry(fmt.Sprint("X", i), 1))
		}
		for pointer, entries := range map[string][]pricing.PricesEntry{
			"/entries":                   many,
			"/entries/1/prices":          {entry("MUG", 1), entry("X")},
			"/entries/1/prices/0/amount": {entry("MUG", 1), entry("X", -1)},
		} {
			_, err := s.PutManyPrices(t.Context(), pricing.PutManyPricesRequest{Entries: entries})
			if f := fault.From(err); !errors.Is(err, fault.ErrInvalid) || f.Details[0].Pointer != pointer {
				t.Errorf("%s: %v %+v", pointer, err, f)
			}
		}
		unknown := entry("X", 1)
		unknown.Prices[0].Currency = "EUX"
		_, err := s.PutManyPrices(t.Context(), pricing.PutManyPricesRequest{Entries: []pricing.PricesEntry{entry("MUG", 1), unknown}})
		if f := fault.From(err); !errors.Is(err, money.ErrCurrency) || f.Details[0].Pointer != "/entries/1/prices/0/currency" {
			t.Errorf("%v %+v", err, f)
		}
		check("MUG", "v2 1290 from 1 990 from 10")
	})
}
