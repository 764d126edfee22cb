package pricebook

import (
	"errors"
	"io/fs"
	"path"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gorm.io/gorm"

	"cutpoint/migrations"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func pointerTo(n int64) *int64 { return &n }

func putList(t testing.TB, b *Book, version int64, code string, amount int64) pricing.PriceList {
	t.Helper()
	l, err := b.PutPriceList(t.Context(), pricing.PutPriceListRequest{Code: code, IfVersion: version, PriceListTerms: pricing.PriceListTerms{
		Currency: "EUR", Active: true, Entries: []pricing.PriceListEntry{{SKU: "MUG-1", Amount: &amount}}}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func putRate(t testing.TB, b *Book, version int64, code string, ppm int64, included bool) pricing.TaxRate {
	t.Helper()
	rate, err := b.PutTaxRate(t.Context(), pricing.PutTaxRateRequest{Code: code, IfVersion: version,
		TaxTerms: pricing.TaxTerms{RatePPM: ppm, Included: included, AppliesToShipping: true, Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

func putMethod(t testing.TB, b *Book, version int64, code string, amount int64) pricing.ShippingMethod {
	t.Helper()
	m, err := b.PutShippingMethod(t.Context(), pricing.PutShippingMethodRequest{Code: code, IfVersion: version,
		ShippingTerms: pricing.ShippingTerms{Active: true, Prices: []pricing.ShippingPrice{{Currency: "EUR", Amount: amount}}}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func calculate(t testing.TB, b *Book, change func(*pricing.CalculateRequest)) pricing.Calculation {
	t.Helper()
	r := basket("")
	if change != nil {
		change(&r)
	}
	c, err := b.Calculate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRules(t *testing.T) {
	b, _ := openAt(t)
	parcel := func(r *pricing.CalculateRequest) { r.ShippingMethod = "parcel" }
	calculate(t, b, nil) // the rules are in memory from now on

	t.Run("counts from the next calculation on", func(t *testing.T) {
		putList(t, b, revision.None, "sale", 1000)
		putRate(t, b, revision.None, "vat", 190_000, false)
		putMethod(t, b, revision.None, "parcel", 490)
		d := fixed(money.Of(100, "EUR"))
		d.Automatic = true
		promote(t, b, revision.None, "AUTO", d)
		c := calculate(t, b, parcel) // 2 x 10.00 - 1.00 = 19.00; tax 3.61 + 0.93
		if c.Subtotal.Amount != 2000 || c.Discount.Amount != 100 || c.Shipping.Amount != 490 || c.Tax.Amount != 361+93 || c.Total.Amount != 1900+490+454 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("each version counts in the place of the one before", func(t *testing.T) {
		putList(t, b, 1, "sale", 900)
		putRate(t, b, 1, "vat", 0, false)
		putMethod(t, b, 1, "parcel", 0)
		off := fixed(money.Of(100, "EUR"))
		off.Automatic, off.Active = true, false
		promote(t, b, 1, "AUTO", off)
		if c := calculate(t, b, parcel); c.Total.Amount != 1800 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("an automatic promotion is no coupon", func(t *testing.T) {
		d := percent(1000)
		d.Automatic = true
		promote(t, b, 2, "AUTO", d)
		if _, err := b.Calculate(t.Context(), basket("AUTO")); !errors.Is(err, pricing.ErrUnknownCoupon) {
			t.Error(err)
		}
		promote(t, b, 3, "AUTO", percent(1000)) // and a coupon is not automatic
		if c := calculate(t, b, nil); c.Discount.Amount != 0 {
			t.Errorf("%+v", c.Promotions)
		}
	})
	t.Run("asks who replaces for the version that he read", func(t *testing.T) {
		for version, want := range map[int64]error{revision.None: revision.ErrRequired, 7: revision.ErrStale} {
			_, err := b.PutTaxRate(t.Context(), pricing.PutTaxRateRequest{Code: "vat", IfVersion: version})
			if !errors.Is(err, want) {
				t.Errorf("version %d: %v, want %v", version, err, want)
			}
		}
	})
	t.Run("is read as it was answered, and listed by code", func(t *testing.T) {
		ends := spring.Add(time.Hour)
		put, err := b.PutPriceList(t.Context(), pricing.PutPriceListRequest{Code: "a-list", PriceListTerms: pricing.PriceListTerms{
			Currency: "USD", Active: true, EndsAt: &ends, Entries: []pricing.PriceListEntry{{SKU: "B", Amount: pointerTo(0)}, {BasisPointsOff: pointerTo(1)}}}})
		got, readErr := b.PriceList(t.Context(), pricing.RuleRequest{Code: "a-list"})
		if err != nil || readErr != nil || !reflect.DeepEqual(got, put) || put.Entries[0].SKU != "" || put.Entries[1].MinQuantity != 1 {
			t.Errorf("%+v, %v; answered %+v, %v", got, readErr, put, err)
		}
		page, err := b.PriceLists(t.Context(), pricing.RulesRequest{Limit: 1})
		if err != nil || !page.More || len(page.PriceLists) != 1 || page.PriceLists[0].Code != "a-list" || page.PriceLists[0].Entries != nil {
			t.Errorf("%+v, %v", page, err)
		}
		page, err = b.PriceLists(t.Context(), pricing.RulesRequest{After: "a-list"})
		if err != nil || page.More || len(page.PriceLists) != 1 || page.PriceLists[0].Code != "sale" || page.PriceLists[0].Version != 2 {
			t.Errorf("%+v, %v", page, err)
		}
		rate, err := b.TaxRate(t.Context(), pricing.RuleRequest{Code: "vat"})
		rates, listErr := b.TaxRates(t.Context(), pricing.RulesRequest{})
		if err != nil || listErr != nil || !reflect.DeepEqual(rates.TaxRates, []pricing.TaxRate{rate}) || rate.Version != 2 {
			t.Errorf("%+v, %v; %+v, %v", rate, err, rates, listErr)
		}
		method, err := b.ShippingMethod(t.Context(), pricing.RuleRequest{Code: "parcel"})
		methods, listErr := b.ShippingMethods(t.Context(), pricing.RulesRequest{})
		if err != nil || listErr != nil || !reflect.DeepEqual(methods.ShippingMethods, []pricing.ShippingMethod{method}) || method.Version != 2 {
			t.Errorf("%+v, %v; %+v, %v", method, err, methods, listErr)
		}
		for _, code := range []string{"none", "vat"} { // a rate is no list
			if _, err := b.PriceList(t.Context(), pricing.RuleRequest{Code: code}); !errors.Is(err, pricing.ErrRuleNotFound) {
				t.Errorf("%s: %v", code, err)
			}
		}
	})
	t.Run("stays over a restart", func(t *testing.T) {
		again := New(b.store, b.now, b.newID, Options{}) // which has read nothing yet
		if got, want := calculate(t, again, parcel), calculate(t, b, parcel); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, before %+v", got, want)
		}
	})
}

func TestRules_refused(t *testing.T) {
	b, _ := openAt(t)
	list := func(change func(*pricing.PutPriceListRequest)) error {
		r := pricing.PutPriceListRequest{Code: "L", PriceListTerms: pricing.PriceListTerms{Currency: "EUR", Entries: []pricing.PriceListEntry{{SKU: "A", Amount: pointerTo(1)}}}}
		change(&r)
		_, err := b.PutPriceList(t.Context(), r)
		return err
	}
	rate := func(r pricing.TaxTerms) error {
		_, err := b.PutTaxRate(t.Context(), pricing.PutTaxRateRequest{Code: "T", TaxTerms: r})
		return err
	}
	method := func(prices ...pricing.ShippingPrice) error {
		_, err := b.PutShippingMethod(t.Context(), pricing.PutShippingMethodRequest{Code: "M", ShippingTerms: pricing.ShippingTerms{Prices: prices}})
		return err
	}
	first := func(e pricing.PriceListEntry) error {
		return list(func(r *pricing.PutPriceListRequest) { r.Entries[0] = e })
	}
	automatic := percent(1)
	automatic.Automatic, automatic.Limit = true, 1
	_, promotionErr := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: "P", Discount: automatic})
	for _, tt := range []struct {
		name string
		err  error
		at   string
	}{
		{"a list with a bad code", list(func(r *pricing.PutPriceListRequest) { r.Code = "a b" }), "path/code"},
		{"a list of no currency", list(func(r *pricing.PutPriceListRequest) { r.Currency = "" }), "/currency"},
		{"a list of nothing", list(func(r *pricing.PutPriceListRequest) { r.Entries = nil }), "/entries"},
		{"a list of too much", list(func(r *pricing.PutPriceListRequest) {
			r.Entries = make([]pricing.PriceListEntry, pricing.MaxListEntries+1)
		}), "/entries"},
		{"a list that ends before it starts", list(func(r *pricing.PutPriceListRequest) { r.StartsAt, r.EndsAt = &spring, &spring }), "/ends_at"},
		{"a priority beyond all", list(func(r *pricing.PutPriceListRequest) { r.Priority = 1001 }), "/priority"},
		{"an entry without a price", first(pricing.PriceListEntry{SKU: "A"}), "/entries/0"},
		{"an entry with two", first(pricing.PriceListEntry{SKU: "A", Amount: pointerTo(1), BasisPointsOff: pointerTo(1)}), "/entries/0"},
		{"an entry below nothing", first(pricing.PriceListEntry{SKU: "A", Amount: pointerTo(-1)}), "/entries/0/amount"},
		{"an entry of more than all off", first(pricing.PriceListEntry{SKU: "A", BasisPointsOff: pointerTo(10_001)}), "/entries/0/basis_points_off"},
		{"an entry for less than one unit", first(pricing.PriceListEntry{SKU: "A", Amount: pointerTo(1), MinQuantity: -1}), "/entries/0/min_quantity"},
		{"two entries for a SKU", list(func(r *pricing.PutPriceListRequest) { r.Entries = append(r.Entries, r.Entries[0]) }), "/entries/1"},
		{"a rate below nothing", rate(pricing.TaxTerms{RatePPM: -1}), "/rate_ppm"},
		{"a rate above all", rate(pricing.TaxTerms{RatePPM: pricing.MaxTaxRate + 1}), "/rate_ppm"},
		{"a rate in no country", rate(pricing.TaxTerms{Country: "xx"}), "/country"},
		{"a region without a country", rate(pricing.TaxTerms{Region: "CA"}), "/country"},
		{"a rate for a long category", rate(pricing.TaxTerms{TaxCategory: strings.Repeat("x", 65)}), "/tax_category"},
		{"a method without prices", method(), "/prices"},
		{"a method of no currency", method(pricing.ShippingPrice{}), "/prices/0/currency"},
		{"a method of a low total", method(pricing.ShippingPrice{Currency: "EUR", FromTotal: -1}), "/prices/0/from_total"},
		{"a method of a high price", method(pricing.ShippingPrice{Currency: "EUR", Amount: pricing.MaxAmount + 1}), "/prices/0/amount"},
		{"a method to no country", method(pricing.ShippingPrice{Currency: "EUR", Country: "Germany"}), "/prices/0/country"},
		{"two prices for one total", method(pricing.ShippingPrice{Currency: "EUR"}, pricing.ShippingPrice{Currency: "EUR", Amount: 1}), "/prices/1"},
		{"an automatic promotion with a limit", promotionErr, "/limit"},
	} {
		if details := fault.From(tt.err).Details; !errors.Is(tt.err, fault.ErrInvalid) || len(details) != 1 || details[0].Pointer != tt.at {
			t.Errorf("%s: %v at %v, want it at %s", tt.name, tt.err, details, tt.at)
		}
	}
}

// TestRules_bound fills the room for shipping methods and for automatic promotions.
func TestRules_bound(t *testing.T) {
	b, _ := openAt(t)
	var all sync.WaitGroup
	for i := range pricing.MaxMethods {
		all.Go(func() { putMethod(t, b, revision.None, "m"+strconv.Itoa(i), 1) })
	}
	for i := range pricing.MaxAutomatic {
		d := percent(1)
		d.Automatic = true
		all.Go(func() { promote(t, b, revision.None, "p"+strconv.Itoa(i), d) })
	}
	all.Wait()
	method := pricing.PutShippingMethodRequest{Code: "more", ShippingTerms: pricing.ShippingTerms{Active: true, Prices: []pricing.ShippingPrice{{Currency: "EUR"}}}}
	if _, err := b.PutShippingMethod(t.Context(), method); !errors.Is(err, pricing.ErrTooManyRules) {
		t.Error(err)
	}
	putMethod(t, b, 1, "m0", 2) // it has its place already
	method.Active = false
	if _, err := b.PutShippingMethod(t.Context(), method); err != nil {
		t.Errorf("one that does not count: %v", err)
	}
	d := percent(1)
	d.Automatic = true
	if _, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: "more", Discount: d}); !errors.Is(err, pricing.ErrTooManyRules) {
		t.Error(err)
	}
	promote(t, b, revision.None, "coupon", percent(1))
}

// TestRules_whileTheyChange has calculations that must never go back to an older rate.
func TestRules_whileTheyChange(t *testing.T) {
	b, _ := openAt(t)
	putRate(t, b, revision.None, "vat", 1000, false)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := int64(0); ; {
				rate := calculate(t, b, nil).Lines[0].TaxRatePPM
				if rate < last {
					t.Errorf("after a rate of %d one of %d", last, rate)
				}
				last = rate
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for version := range int64(50) {
		putRate(t, b, version+1, "vat", 1000*(version+2), false)
		if rate := calculate(t, b, nil).Lines[0].TaxRatePPM; rate != 1000*(version+2) {
			t.Errorf("%d was put, %d counts", 1000*(version+2), rate)
		}
	}
	close(done)
	readers.Wait()
}

func TestQuote(t *testing.T) {
	quote := func(b *Book, coupon string) pricing.Quote {
		t.Helper()
		q, err := b.Quote(t.Context(), pricing.QuoteRequest{CalculateRequest: basket(coupon)})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	with := func(id, coupon string) pricing.CalculateRequest {
		r := basket(coupon)
		r.Quote = id
		return r
	}
	t.Run("its figures stay while it is valid, and not a moment longer", func(t *testing.T) {
		b, clock := openAt(t)
		q := quote(b, "")
		put(t, b, 1, "MUG-1", eur(9999))
		putRate(t, b, revision.None, "vat", 190_000, false)
		*clock = q.ExpiresAt.Add(-time.Microsecond)
		got, err := b.Calculate(t.Context(), with(q.ID, ""))
		if err != nil || !reflect.DeepEqual(got, q.Calculation) || got.Total.Amount != 2580 || got.Quote != q.ID || !strings.HasPrefix(q.ID, "quo_") {
			t.Errorf("%+v, %v; quoted %+v", got, err, q)
		}
		if priced, err := b.Price(t.Context(), pricing.PriceRequest{OrderID: "o1", CalculateRequest: with(q.ID, "")}); err != nil || !reflect.DeepEqual(priced, got) {
			t.Errorf("%+v, %v", priced, err)
		}
		*clock = q.ExpiresAt
		if _, err := b.Calculate(t.Context(), with(q.ID, "")); !errors.Is(err, pricing.ErrQuoteExpired) {
			t.Error(err)
		}
	})
	t.Run("is for what was asked alone", func(t *testing.T) {
		b, _ := openAt(t)
		q := quote(b, "")
		for name, change := range map[string]func(*pricing.CalculateRequest){
			"currency": func(r *pricing.CalculateRequest) { r.Currency = "USD" },
			"quantity": func(r *pricing.CalculateRequest) { r.Lines = []pricing.Line{{SKU: "MUG-1", Quantity: 3}} },
			"lines":    func(r *pricing.CalculateRequest) { r.Lines = append(r.Lines, r.Lines...) },
			"shipping": func(r *pricing.CalculateRequest) { r.ShippingMethod = "parcel" },
			"country":  func(r *pricing.CalculateRequest) { r.Country = "DE" },
			"region":   func(r *pricing.CalculateRequest) { r.Region = "BY" },
			"group":    func(r *pricing.CalculateRequest) { r.CustomerGroup = "staff" },
		} {
			r := with(q.ID, "")
			change(&r)
			if _, err := b.Calculate(t.Context(), r); !errors.Is(err, pricing.ErrQuoteMismatch) {
				t.Errorf("another %s: %v", name, err)
			}
		}
		promote(t, b, revision.None, "SPRING", percent(1000))
		if _, err := b.Calculate(t.Context(), with(q.ID, "SPRING")); !errors.Is(err, pricing.ErrQuoteMismatch) {
			t.Errorf("a coupon: %v", err)
		}
		if _, err := b.Quote(t.Context(), pricing.QuoteRequest{CalculateRequest: with(q.ID, "")}); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("a quote of a quote: %v", err)
		}
	})
	t.Run("a coupon is used with its figures, within its limits", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "SPRING", limits(percent(1000), 1, 0))
		q := quote(b, "SPRING")
		if n := used(t, b, "SPRING"); n != 0 {
			t.Errorf("a quote used it %d times", n)
		}
		ended := limits(percent(2000), 1, 0)
		ended.EndsAt = &spring
		promote(t, b, 1, "SPRING", ended)
		got, err := b.Price(t.Context(), pricing.PriceRequest{OrderID: "o1", CalculateRequest: with(q.ID, "SPRING")})
		if err != nil || got.Discount.Amount != 258 || used(t, b, "SPRING") != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := b.Price(t.Context(), pricing.PriceRequest{OrderID: "o2", CalculateRequest: with(q.ID, "SPRING")}); !errors.Is(err, pricing.ErrCouponExhausted) {
			t.Error(err)
		}
	})
	t.Run("those that expired are deleted by those that come", func(t *testing.T) {
		b, clock := openAt(t)
		for range 30 {
			quote(b, "")
		}
		*clock = clock.Add(DefaultQuoteValidity)
		for range 3 {
			quote(b, "")
		}
		var n int
		if err := b.store.Read(t.Context()).Raw("SELECT COUNT(*) FROM quotes").Row().Scan(&n); err != nil || n != 3 {
			t.Errorf("%d are left, %v", n, err)
		}
	})
}

// TestReplay changes every rule after a calculation, and wants the same cents.
func TestReplay(t *testing.T) {
	b, clock := openAt(t)
	put(t, b, revision.None, "CUP-1", pricing.Price{Currency: "EUR", Amount: 777})
	putList(t, b, revision.None, "sale", 1250)
	putRate(t, b, revision.None, "vat", 107_500, false)
	putMethod(t, b, revision.None, "parcel", 644)
	auto := fixed(money.Of(101, "EUR"))
	auto.Automatic = true
	promote(t, b, revision.None, "AUTO", auto)
	ends := clock.Add(time.Hour)
	spring10 := limits(percent(1000), 1, 0)
	spring10.EndsAt = &ends
	promote(t, b, revision.None, "SPRING", spring10)
	r := basket("SPRING")
	r.Lines = append(r.Lines, pricing.Line{SKU: "CUP-1", Quantity: 3})
	r.ShippingMethod, r.Country = "parcel", "US"
	before, err := b.Price(t.Context(), pricing.PriceRequest{OrderID: "o1", CalculateRequest: r})
	if err != nil {
		t.Fatal(err)
	}
	if len(before.Trace.Rules) != 7 || len(before.Promotions) != 2 {
		t.Fatalf("%+v", before)
	}
	put(t, b, 1, "MUG-1", eur(1))
	put(t, b, 1, "CUP-1", pricing.Price{Currency: "USD", Amount: 1})
	putList(t, b, 1, "sale", 2)
	putList(t, b, revision.None, "another", 1)
	putRate(t, b, 1, "vat", 1, true)
	putRate(t, b, revision.None, "a", 2, true)
	putMethod(t, b, 1, "parcel", 1)
	promote(t, b, 1, "AUTO", limits(percent(1), 1, 0))
	automatic := percent(9)
	automatic.Automatic = true
	promote(t, b, 1, "SPRING", limits(percent(1), 1, 0))
	promote(t, b, revision.None, "BRAND-NEW", automatic)
	*clock = ends.Add(time.Hour)

	after, err := b.Replay(t.Context(), pricing.ReplayRequest{Trace: before.Trace})
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("%+v, %v\nbefore: %+v", after, err, before)
	}
	t.Run("a trace of what never was", func(t *testing.T) {
		for name, change := range map[string]func(*pricing.Trace){
			"another arithmetic": func(t *pricing.Trace) { t.Arithmetic++ },
			"a later version": func(t *pricing.Trace) {
				t.Rules = []pricing.RuleVersion{{Kind: pricing.RulePrices, Code: "MUG-1", Version: 99}}
			},
			"a kind of no rule": func(t *pricing.Trace) { t.Rules = []pricing.RuleVersion{{Kind: "weather", Code: "MUG-1", Version: 1}} },
		} {
			trace := before.Trace
			change(&trace)
			if _, err := b.Replay(t.Context(), pricing.ReplayRequest{Trace: trace}); !errors.Is(err, pricing.ErrUnknownTrace) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestLowest30Days(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		puts map[int]int64 // on a day, a price
		want int64
	}{
		{"a price that never changed is its own", map[int]int64{0: 1290}, 1290},
		{"a reduction is held against the price before it", map[int]int64{0: 1290, 100: 990}, 1290},
		{"and against the lowest of the thirty days before it", map[int]int64{0: 1290, 80: 1090, 85: 1490, 100: 990}, 1090},
		{"not against what ended earlier", map[int]int64{0: 500, 60: 1290, 100: 990}, 1290},
		{"but against what was in force when they began", map[int]int64{0: 500, 71: 1290, 100: 990}, 500},
		{"what ended just then does not count", map[int]int64{0: 500, 70: 1290, 100: 990}, 1290},
		{"a price that is put again did not change", map[int]int64{0: 1290, 50: 990, 90: 990}, 1290},
		{"so the days before its first put count", map[int]int64{0: 500, 50: 1290, 60: 990, 95: 990}, 500},
		{"a raise is held against the same days", map[int]int64{0: 1290, 90: 990, 95: 1490}, 990},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := spring
			b := open(t, storetest.Datastore(t, "pricing"), Options{})
			b.now = func() time.Time { return clock }
			version := int64(0)
			for d := range 101 {
				if amount, ok := tt.puts[d]; ok {
					clock = spring.Add(time.Duration(d) * day)
					put(t, b, version, "A", eur(amount), pricing.Price{Currency: "EUR", Amount: 1, MinQuantity: 2}, pricing.Price{Currency: "JPY", Amount: 5})
					version++
				}
			}
			set, err := b.Prices(t.Context(), pricing.PricesRequest{SKU: "A"})
			if want := []money.Money{money.Of(tt.want, "EUR"), money.Of(5, "JPY")}; err != nil || !reflect.DeepEqual(set.Lowest30Days, want) {
				t.Errorf("%v, %v, want %v", set.Lowest30Days, err, want)
			}
		})
	}
}

// TestMigration brings rules that were put before they had a history into it.
func TestMigration(t *testing.T) {
	datastore := storetest.Datastore(t, "pricing")
	old, err := store.Open(t.Context(), store.Options{Datastore: datastore, Migrations: until(t, "0003")})
	if err != nil {
		t.Fatal(err)
	}
	err = old.Write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(
			tx.Exec("INSERT INTO price_sets VALUES ('MUG-1', 'food', 3, 1, 2)").Error,
			tx.Exec("INSERT INTO prices VALUES ('MUG-1', 'EUR', 1, 1290), ('MUG-1', 'EUR', 10, 990)").Error,
			tx.Exec(`INSERT INTO promotions VALUES ('SPRING', 'fixed', 0, '[{"amount":500,"currency":"EUR"}]', 1700000000000001, 0, 5, 2, 1, 1, 4, 7, 8)`).Error,
			tx.Exec("INSERT INTO promotions VALUES ('OFF', 'percentage', 1000, 'null', 0, 0, 0, 0, 0, 0, 1, 7, 8)").Error,
			tx.Exec("INSERT INTO coupon_uses VALUES ('o1', 'SPRING', 'ada', 'held', '{}', 1, 1)").Error)
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	b := open(t, datastore, Options{})
	starts := store.Time(1700000000000001)
	want := pricing.Promotion{Code: "SPRING", Used: 1, Version: 4, CreatedAt: store.Time(7), UpdatedAt: store.Time(8), Discount: fixed(money.Of(500, "EUR"))}
	want.StartsAt, want.Limit, want.LimitPerCustomer = &starts, 5, 2
	got, err := b.Promotion(t.Context(), pricing.PromotionRequest{Code: "SPRING"})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if p, err := b.Promotion(t.Context(), pricing.PromotionRequest{Code: "OFF"}); err != nil || p.Active || p.BasisPoints != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
	c := mustPrice(t, b, "o2", "bob", "SPRING")
	if replayed, err := b.Replay(t.Context(), pricing.ReplayRequest{Trace: c.Trace}); err != nil || !reflect.DeepEqual(replayed, c) || c.Total.Amount != 2080 {
		t.Errorf("%+v, %v, before %+v", replayed, err, c)
	}
}

// until returns the migrations before one.
func until(t *testing.T, name string) fs.FS {
	t.Helper()
	all, some := migrations.Of(pricing.Module), fstest.MapFS{}
	files, err := fs.Glob(all, "*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if path.Base(f) < name {
			text, err := fs.ReadFile(all, f)
			if err != nil {
				t.Fatal(err)
			}
			some[f] = &fstest.MapFile{Data: text}
		}
	}
	return some
}
