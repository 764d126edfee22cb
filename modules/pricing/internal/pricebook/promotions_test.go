package pricebook

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
)

var spring = time.Date(2026, 3, 20, 12, 0, 0, 123456789, time.UTC)

// openAt is a book whose clock the test moves.
func openAt(t testing.TB) (*Book, *time.Time) {
	t.Helper()
	clock := spring
	b := open(t, storetest.Datastore(t, "pricing"), Options{})
	b.now = func() time.Time { return clock }
	put(t, b, revision.None, "MUG-1", eur(1290))
	return b, &clock
}

func promote(t testing.TB, b *Book, version int64, code string, d pricing.Discount) pricing.Promotion {
	t.Helper()
	p, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: code, Discount: d, IfVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func basket(coupon string) pricing.CalculateRequest {
	return pricing.CalculateRequest{Currency: "EUR", Lines: []pricing.Line{{SKU: "MUG-1", Quantity: 2}}, Coupon: coupon}
}

func TestPutPromotion(t *testing.T) {
	b, _ := openAt(t)
	ends := spring.Add(time.Hour)
	d := fixed(money.Of(500, "USD"), money.Of(400, "EUR"))
	d.EndsAt, d.Limit, d.LimitPerCustomer = &ends, 3, 1
	first := promote(t, b, revision.None, "SPRING", d)

	t.Run("answers as the store will", func(t *testing.T) {
		got, err := b.Promotion(t.Context(), pricing.PromotionRequest{Code: "SPRING"})
		if err != nil || !reflect.DeepEqual(got, first) {
			t.Errorf("%+v, %v; answered %+v", got, err, first)
		}
		if first.Version != 1 || first.Amounts[0].Currency != "EUR" || !first.EndsAt.Equal(ends.Truncate(time.Microsecond)) {
			t.Errorf("%+v", first)
		}
	})
	t.Run("asks who replaces for the version that he read", func(t *testing.T) {
		for version, want := range map[int64]error{revision.None: revision.ErrRequired, 7: revision.ErrStale} {
			_, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: "SPRING", Discount: percent(1), IfVersion: version})
			if !errors.Is(err, want) {
				t.Errorf("version %d: %v, want %v", version, err, want)
			}
		}
	})
	t.Run("a new discount counts as soon as it is put", func(t *testing.T) {
		for version, basisPoints := range []int64{1: 1000, 2: 5000} {
			if version == 0 {
				continue
			}
			promote(t, b, int64(version), "SPRING", percent(basisPoints))
			got, err := b.Calculate(t.Context(), basket("SPRING"))
			if err != nil || got.Discount != money.Of(2580*basisPoints/10_000, "EUR") || got.Total.Amount != 2580-got.Discount.Amount {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
	t.Run("lists by code", func(t *testing.T) {
		promote(t, b, revision.None, "A", percent(1))
		promote(t, b, revision.None, "Z", percent(1))
		page, err := b.Promotions(t.Context(), pricing.PromotionsRequest{After: "A", Limit: 1})
		if err != nil || !page.More || len(page.Promotions) != 1 || page.Promotions[0].Code != "SPRING" || page.Promotions[0].Version != 3 {
			t.Errorf("%+v, %v", page, err)
		}
		page, err = b.Promotions(t.Context(), pricing.PromotionsRequest{After: "SPRING"})
		if err != nil || page.More || len(page.Promotions) != 1 {
			t.Errorf("%+v, %v", page, err)
		}
	})
	t.Run("is not found", func(t *testing.T) {
		if _, err := b.Promotion(t.Context(), pricing.PromotionRequest{Code: "NONE"}); !errors.Is(err, pricing.ErrPromotionNotFound) {
			t.Error(err)
		}
	})
}

func TestPutPromotion_refuses(t *testing.T) {
	b, _ := openAt(t)
	later, with := spring.Add(time.Second), func(d pricing.Discount, change func(*pricing.Discount)) pricing.Discount {
		change(&d)
		return d
	}
	for _, tt := range []struct {
		name, code string
		d          pricing.Discount
		want       error
		at         string
	}{
		{"a code with a space", "A B", percent(1), fault.ErrInvalid, "path/code"},
		{"no kind", "A", pricing.Discount{}, fault.ErrInvalid, "/kind"},
		{"a percentage of nothing", "A", percent(0), fault.ErrInvalid, "/basis_points"},
		{"more than all", "A", percent(10_001), fault.ErrInvalid, "/basis_points"},
		{"a percentage with amounts", "A", with(percent(1), func(d *pricing.Discount) { d.Amounts = []money.Money{money.Of(1, "EUR")} }), fault.ErrInvalid, "/amounts"},
		{"a fixed discount without amounts", "A", fixed(), fault.ErrInvalid, "/amounts"},
		{"a fixed discount with basis points", "A", with(fixed(money.Of(1, "EUR")), func(d *pricing.Discount) { d.BasisPoints = 1 }), fault.ErrInvalid, "/basis_points"},
		{"an amount of nothing", "A", fixed(money.Of(0, "EUR")), fault.ErrInvalid, "/amounts/0/amount"},
		{"two amounts of a currency", "A", fixed(money.Of(1, "EUR"), money.Of(2, "EUR")), fault.ErrInvalid, "/amounts/1"},
		{"a currency that is none", "A", fixed(money.Of(1, "EUX")), money.ErrCurrency, "/amounts/0/currency"},
		{"an end before the start", "A", with(percent(1), func(d *pricing.Discount) { d.StartsAt, d.EndsAt = &later, &later }), fault.ErrInvalid, "/ends_at"},
		{"a negative limit", "A", with(percent(1), func(d *pricing.Discount) { d.Limit = -1 }), fault.ErrInvalid, "/limit"},
		{"a negative limit for each", "A", with(percent(1), func(d *pricing.Discount) { d.LimitPerCustomer = -1 }), fault.ErrInvalid, "/limit_per_customer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: tt.code, Discount: tt.d})
			if details := fault.From(err).Details; !errors.Is(err, tt.want) || len(details) != 1 || details[0].Pointer != tt.at {
				t.Errorf("%v at %v, want %v at %s", err, details, tt.want, tt.at)
			}
		})
	}
}

func TestCalculate_coupons(t *testing.T) {
	b, clock := openAt(t)
	from := spring.Truncate(time.Microsecond).Add(time.Hour)
	to := from.Add(time.Hour)
	d := percent(1000)
	d.StartsAt, d.EndsAt = &from, &to
	promote(t, b, revision.None, "SPRING", d)
	off := percent(1000)
	off.Active = false
	promote(t, b, revision.None, "OFF", off)
	limited := percent(1000)
	limited.Limit = 1
	promote(t, b, revision.None, "ONE", limited)

	for _, tt := range []struct {
		name, coupon string
		at           time.Time
		want         error
	}{
		{"one that nobody made", "NONE", spring, pricing.ErrUnknownCoupon},
		{"one that was switched off", "OFF", spring, pricing.ErrUnknownCoupon},
		{"not started", "SPRING", from.Add(-time.Microsecond), pricing.ErrUnknownCoupon},
		{"just started", "SPRING", from, nil},
		{"about to end", "SPRING", to.Add(-time.Microsecond), nil},
		{"ended", "SPRING", to, pricing.ErrUnknownCoupon},
		{"with a use left", "ONE", spring, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			*clock = tt.at
			got, err := b.Calculate(t.Context(), basket(tt.coupon))
			if !errors.Is(err, tt.want) || err == nil && got.Total != money.Of(2322, "EUR") {
				t.Errorf("%+v, %v, want %v", got, err, tt.want)
			}
		})
	}
	t.Run("used up", func(t *testing.T) {
		*clock = spring
		before := b.store.Stats()
		mustPrice(t, b, "o1", "ada", "ONE")
		if _, err := b.Calculate(t.Context(), basket("ONE")); !errors.Is(err, pricing.ErrCouponExhausted) {
			t.Error(err)
		}
		if after := b.store.Stats(); after.Writes != before.Writes+1 {
			t.Errorf("%d writes for one use", after.Writes-before.Writes)
		}
	})
}
