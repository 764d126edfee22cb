package pricingmod_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
)

// Two instances of the module on one file, each with a layer of its own, as two processes have.

func mug(amount, version int64) pricing.PutPricesRequest {
	return pricing.PutPricesRequest{SKU: "MUG-1", Prices: []pricing.Price{{Currency: "EUR", Amount: amount}}, IfVersion: version}
}

func one(coupon string) pricing.CalculateRequest {
	return pricing.CalculateRequest{Currency: "EUR", Coupon: coupon, Lines: []pricing.Line{{SKU: "MUG-1", Quantity: 1}}}
}

func TestInstances_whatOnePuts(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	a, _ := start(t, path)
	b, _ := start(t, path)
	total := func(coupon string) int64 {
		t.Helper()
		got, err := b.Calculate(t.Context(), one(coupon))
		if err != nil {
			t.Fatal(err)
		}
		return got.Total.Amount
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	percent := func(code string, basisPoints int64, automatic bool, version int64) pricing.PutPromotionRequest {
		return pricing.PutPromotionRequest{Code: code, IfVersion: version, Discount: pricing.Discount{
			Kind: pricing.PromotionPercentage, BasisPoints: basisPoints, Active: true, Automatic: automatic,
		}}
	}
	check := func(what string, coupon string, want int64) {
		t.Helper()
		if got := total(coupon); got != want {
			t.Errorf("%s: the other calculates %d, not %d", what, got, want)
		}
	}
	must(a.PutPrices(t.Context(), mug(1000, revision.None)))
	check("a new price", "", 1000)
	must(a.PutPrices(t.Context(), mug(2000, 1)))
	check("a price", "", 2000)
	must(a.PutPromotion(t.Context(), percent("SPRING", 1000, false, revision.None)))
	check("a new coupon", "SPRING", 1800)
	must(a.PutPromotion(t.Context(), percent("SPRING", 5000, false, 1)))
	check("a coupon", "SPRING", 1000)
	must(a.PutPromotion(t.Context(), percent("ALL", 2500, true, revision.None)))
	check("a promotion for all", "", 1500)
	must(a.PutPriceList(t.Context(), pricing.PutPriceListRequest{Code: "SALE", PriceListTerms: pricing.PriceListTerms{
		Currency: "EUR", Active: true, Entries: []pricing.PriceListEntry{{SKU: "MUG-1", Amount: new(int64(400))}},
	}}))
	check("a price list", "", 300)
	many := make([]pricing.PricesEntry, pricing.MaxBatch)
	for i := range many {
		many[i] = pricing.PricesEntry{SKU: "MUG-1", Prices: []pricing.Price{{Currency: "EUR", Amount: int64(i%7 + 1)}}}
	}
	for range 3 { // more changes at once than are taken one by one
		must(a.PutManyPrices(t.Context(), pricing.PutManyPricesRequest{Entries: many}))
	}
	set, err := b.Prices(t.Context(), pricing.PricesRequest{SKU: "MUG-1"})
	if want := int64((pricing.MaxBatch-1)%7 + 1); err != nil || set.Prices[0].Amount != want {
		t.Errorf("many prices: the other has %+v, %v, not %d", set.Prices, err, want)
	}
}

// TestInstances_neverBack: whoever asks an instance after a price was put through any of them never meets an older one.
func TestInstances_neverBack(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	a, _ := start(t, path)
	b, _ := start(t, path)
	var put atomic.Int64
	done := make(chan struct{})
	var readers sync.WaitGroup
	for _, s := range []pricing.Service{a, b} {
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					atLeast := put.Load()
					set, err := s.Prices(context.Background(), pricing.PricesRequest{SKU: "MUG-1"})
					if atLeast > 0 && (err != nil || set.Version < atLeast || set.Prices[0].Amount != set.Version) {
						t.Errorf("after version %d: %+v, %v", atLeast, set, err)
						return
					}
				}
			})
		}
	}
	for version := range int64(60) {
		s := []pricing.Service{a, b}[version%2]
		if _, err := s.PutPrices(t.Context(), mug(version+1, version)); err != nil {
			t.Error(err)
			break
		}
		put.Store(version + 1)
	}
	close(done)
	readers.Wait()
}

// TestInstances_coupon: a coupon for ten is used ten times, however many instances count, and an order's use is one.
func TestInstances_coupon(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	a, _ := start(t, path)
	b, _ := start(t, path)
	if _, err := a.PutPrices(t.Context(), mug(1000, revision.None)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: "TEN", Discount: pricing.Discount{
		Kind: pricing.PromotionPercentage, BasisPoints: 1000, Active: true, Limit: 10,
	}}); err != nil {
		t.Fatal(err)
	}
	var took atomic.Int64
	var customers sync.WaitGroup
	for i := range 30 {
		for _, s := range []pricing.Service{a, b} { // each order through both
			customers.Go(func() {
				got, err := s.Price(context.Background(), pricing.PriceRequest{OrderID: "ord_" + string(rune('a'+i)), Customer: "a@b", CalculateRequest: one("TEN")})
				switch {
				case err == nil && got.Total == money.Of(900, "EUR"):
					took.Add(1)
				case !errors.Is(err, pricing.ErrCouponExhausted):
					t.Errorf("%v, %v", got.Total, err)
				}
			})
		}
	}
	customers.Wait()
	p, err := a.Promotion(t.Context(), pricing.PromotionRequest{Code: "TEN"})
	if err != nil || p.Used != 10 || took.Load() != 20 {
		t.Errorf("%d used, %d answers with it, %v", p.Used, took.Load(), err)
	}
}

// TestInstances_model: puts and calculations through either of two instances are those of one.
func TestInstances_model(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	a, _ := start(t, path)
	b, _ := start(t, path)
	version, price := int64(0), int64(0)
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			s := []pricing.Service{a, b}[rapid.IntRange(0, 1).Draw(t, "instance")]
			if version == 0 || rapid.Bool().Draw(t, "put") {
				amount := rapid.Int64Range(1, 9999).Draw(t, "amount")
				set, err := s.PutPrices(context.Background(), mug(amount, version))
				if err != nil || set.Version != version+1 {
					t.Fatalf("%+v, %v", set, err)
				}
				version, price = set.Version, amount
				continue
			}
			got, err := s.Calculate(context.Background(), one(""))
			if err != nil || got.Total.Amount != price {
				t.Fatalf("%v, %v, not %d", got.Total, err, price)
			}
		}
	})
}
