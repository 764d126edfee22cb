package pricebook

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"cutpoint/migrations"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func open(t testing.TB, path string, o Options) *Book {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of(pricing.Module)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(s, time.Now, id.NewSource(time.Now, rand.Reader), o)
}

func percent(basisPoints int64) pricing.Discount {
	return pricing.Discount{Kind: pricing.PromotionPercentage, BasisPoints: basisPoints, Active: true}
}

func fixed(amounts ...money.Money) pricing.Discount {
	return pricing.Discount{Kind: pricing.PromotionFixed, Amounts: amounts, Active: true}
}

func put(t testing.TB, b *Book, version int64, sku string, prices ...pricing.Price) pricing.PriceSet {
	t.Helper()
	set, err := b.PutPrices(t.Context(), pricing.PutPricesRequest{SKU: sku, Prices: prices, IfVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func eur(amount int64) pricing.Price { return pricing.Price{Currency: "EUR", Amount: amount} }

func TestPutPrices(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	b := open(t, path, Options{})
	first := put(t, b, revision.None, "MUG-1",
		pricing.Price{Currency: "USD", Amount: 1500}, pricing.Price{Currency: "EUR", Amount: 990, MinQuantity: 10}, eur(1290))

	t.Run("sorts the prices and counts from one unit on", func(t *testing.T) {
		want := []pricing.Price{{Currency: "EUR", Amount: 1290, MinQuantity: 1}, {Currency: "EUR", Amount: 990, MinQuantity: 10}, {Currency: "USD", Amount: 1500, MinQuantity: 1}}
		if first.Version != 1 || !reflect.DeepEqual(first.Prices, want) || first.CreatedAt.IsZero() {
			t.Errorf("%+v", first)
		}
	})
	t.Run("asks who replaces for the version that he read", func(t *testing.T) {
		for version, want := range map[int64]error{revision.None: revision.ErrRequired, 7: revision.ErrStale} {
			_, err := b.PutPrices(t.Context(), pricing.PutPricesRequest{SKU: "MUG-1", Prices: []pricing.Price{eur(1)}, IfVersion: version})
			if !errors.Is(err, want) {
				t.Errorf("version %d: %v, want %v", version, err, want)
			}
		}
	})
	t.Run("answers as the store will after a restart", func(t *testing.T) {
		answered, err := b.PutPrices(t.Context(), pricing.PutPricesRequest{SKU: "MUG-1", Prices: []pricing.Price{eur(1100)}, TaxCategory: "food", IfVersion: 1})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := open(t, path, Options{}).Prices(t.Context(), pricing.PricesRequest{SKU: "MUG-1"})
		stored.Lowest30Days = nil // which only Prices tells: see TestLowest30Days
		if err != nil || !reflect.DeepEqual(stored, answered) {
			t.Errorf("stored %+v, %v; answered %+v", stored, err, answered)
		}
		if answered.Version != 2 || !answered.CreatedAt.Equal(first.CreatedAt) || answered.TaxCategory != "food" {
			t.Errorf("%+v", answered)
		}
	})
}

func TestPutPrices_refuses(t *testing.T) {
	b := open(t, storetest.Datastore(t, "pricing"), Options{})
	for _, c := range []struct {
		name string
		r    pricing.PutPricesRequest
		want error
		at   string
	}{
		{"an empty SKU", pricing.PutPricesRequest{Prices: []pricing.Price{eur(1)}}, fault.ErrInvalid, "path/sku"},
		{"a SKU with a slash", pricing.PutPricesRequest{SKU: "a/b", Prices: []pricing.Price{eur(1)}}, fault.ErrInvalid, "path/sku"},
		{"a SKU with a line feed at its end", pricing.PutPricesRequest{SKU: "a\n", Prices: []pricing.Price{eur(1)}}, fault.ErrInvalid, "path/sku"},
		{"no prices", pricing.PutPricesRequest{SKU: "A"}, fault.ErrInvalid, "/prices"},
		{"too many prices", pricing.PutPricesRequest{SKU: "A", Prices: make([]pricing.Price, pricing.MaxPrices+1)}, fault.ErrInvalid, "/prices"},
		{"a long tax category", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{eur(1)}, TaxCategory: strings.Repeat("x", 65)}, fault.ErrInvalid, "/tax_category"},
		{"a negative amount", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{eur(-1)}}, fault.ErrInvalid, "/prices/0/amount"},
		{"an amount beyond the bound", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{eur(pricing.MaxAmount + 1)}}, fault.ErrInvalid, "/prices/0/amount"},
		{"a negative minimum", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{{Currency: "EUR", MinQuantity: -1}}}, fault.ErrInvalid, "/prices/0/min_quantity"},
		{"a currency that is none", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{{Currency: "EUX"}}}, money.ErrCurrency, "/prices/0/currency"},
		{"no currency", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{{}}}, money.ErrCurrency, "/prices/0/currency"},
		{"two base prices of a currency", pricing.PutPricesRequest{SKU: "A", Prices: []pricing.Price{eur(1), {Currency: "EUR", Amount: 2, MinQuantity: 1}}}, fault.ErrInvalid, "/prices/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.PutPrices(t.Context(), c.r)
			if !errors.Is(err, c.want) || len(fault.From(err).Details) != 1 || fault.From(err).Details[0].Pointer != c.at {
				t.Errorf("%v at %v, want %v at %s", err, fault.From(err).Details, c.want, c.at)
			}
		})
	}
	if _, err := b.Prices(t.Context(), pricing.PricesRequest{SKU: "A"}); !errors.Is(err, pricing.ErrPricesNotFound) {
		t.Errorf("something was kept: %v", err)
	}
}

func TestCalculate_requests(t *testing.T) {
	b := open(t, storetest.Datastore(t, "pricing"), Options{})
	put(t, b, revision.None, "MUG-1", eur(1290))
	line := []pricing.Line{{SKU: "MUG-1", Quantity: 2}}
	for _, c := range []struct {
		name string
		r    pricing.CalculateRequest
		want error
	}{
		{"a coupon is unknown", pricing.CalculateRequest{Currency: "EUR", Lines: line, Coupon: "SPRING10"}, pricing.ErrUnknownCoupon},
		{"a shipping method is unknown", pricing.CalculateRequest{Currency: "EUR", Lines: line, ShippingMethod: "standard"}, pricing.ErrUnknownShippingMethod},
		{"a currency that is none", pricing.CalculateRequest{Currency: "eur", Lines: line}, money.ErrCurrency},
		{"no lines", pricing.CalculateRequest{Currency: "EUR"}, fault.ErrInvalid},
		{"a country that is none", pricing.CalculateRequest{Currency: "EUR", Lines: line, Country: "de"}, fault.ErrInvalid},
		{"a region without end", pricing.CalculateRequest{Currency: "EUR", Lines: line, Region: strings.Repeat("x", 201)}, fault.ErrInvalid},
		{"a group without end", pricing.CalculateRequest{Currency: "EUR", Lines: line, CustomerGroup: strings.Repeat("x", 65)}, fault.ErrInvalid},
		{"a quote that nobody made", pricing.CalculateRequest{Currency: "EUR", Lines: line, Quote: "quo_none"}, pricing.ErrQuoteExpired},
		{"a quantity of nothing", pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "MUG-1"}}}, fault.ErrInvalid},
		{"a SKU that nobody priced", pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "MUG-2", Quantity: 1}}}, pricing.ErrNoPrice},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := b.Calculate(t.Context(), c.r); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	t.Run("the new price counts as soon as it is put", func(t *testing.T) {
		for version, amount := range []int64{1290, 700, 800} {
			if version > 0 {
				put(t, b, int64(version), "MUG-1", eur(amount))
			}
			got, err := b.Calculate(t.Context(), pricing.CalculateRequest{Currency: "EUR", Lines: line})
			if err != nil || got.Total != money.Of(2*amount, "EUR") {
				t.Errorf("%v, %v, want %d", got.Total, err, 2*amount)
			}
		}
	})
}

func TestCache(t *testing.T) {
	t.Run("a late reader never puts back an older set", func(t *testing.T) {
		c := newCache[int](1)
		c.forget([]ruleName{{pricing.RulePrices, "A"}}, pricing.RulePrices, 2)
		c.keep("A", 1, 1)
		if _, there := c.get("A"); there {
			t.Error("it is back")
		}
	})
	t.Run("what was put anew is forgotten, and nothing else", func(t *testing.T) {
		c := newCache[int](2)
		c.keep("A", 1, 0)
		c.keep("B", 1, 0)
		c.forget([]ruleName{{pricing.RulePrices, "A"}, {pricing.RulePromotion, "B"}}, pricing.RulePrices, 2)
		_, a := c.get("A")
		if _, b := c.get("B"); a || !b {
			t.Errorf("%+v", c.kept)
		}
	})
	t.Run("a full cache takes no new SKU", func(t *testing.T) {
		c := newCache[int](1)
		c.keep("A", 1, 0)
		c.keep("B", 1, 0)
		if len(c.kept) != 1 {
			t.Errorf("%+v", c.kept)
		}
	})
	t.Run("beyond the bound the store answers", func(t *testing.T) {
		b := open(t, storetest.Datastore(t, "pricing"), Options{Cached: 1})
		put(t, b, revision.None, "A", eur(1))
		put(t, b, revision.None, "B", eur(10))
		put(t, b, 1, "B", eur(20))
		got, err := b.Calculate(t.Context(), pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "A", Quantity: 1}, {SKU: "B", Quantity: 1}, {SKU: "B", Quantity: 1}}})
		if err != nil || got.Total != money.Of(41, "EUR") || len(b.sets.kept) != 1 {
			t.Errorf("%v, %v, %d in the cache", got.Total, err, len(b.sets.kept))
		}
	})
}

// TestPrices_whilePricesChange has readers who must see whole sets and never go back to an older one, with the cache empty at
// the start of each round so that they read the store while the writer commits.
func TestPrices_whilePricesChange(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	put(t, open(t, path, Options{}), revision.None, "A", eur(1))
	for round := int64(1); round <= 20; round++ {
		b := open(t, path, Options{Alone: round%2 == 0})
		read := func(atLeast int64) int64 {
			set, err := b.Prices(context.Background(), pricing.PricesRequest{SKU: "A"})
			if err != nil || set.Version < atLeast || set.Prices[0].Amount != set.Version {
				t.Errorf("after version %d: %+v, %v", atLeast, set, err)
			}
			return set.Version
		}
		written := make(chan struct{})
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				last := read(round)
				for range 200 {
					last = read(last)
				}
				<-written
				read(round + 1)
			})
		}
		put(t, b, round, "A", eur(round+1))
		close(written)
		readers.Wait()
	}
}

func BenchmarkCalculate(b *testing.B) {
	book := open(b, storetest.Datastore(b, "pricing"), Options{})
	put(b, book, revision.None, "A", eur(1))
	put(b, book, revision.None, "B", eur(2))
	r := pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "A", Quantity: 1}, {SKU: "B", Quantity: 2}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := book.Calculate(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}
