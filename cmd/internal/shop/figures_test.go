package shop_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"cutpoint/cmd/internal/shop"
	"cutpoint/modules/orders"
	"cutpoint/modules/pricing"
)

// put puts a rule of pricing, whatever version of it there is.
func (r *running) put(t testing.TB, path string, body map[string]any) {
	t.Helper()
	var header []string
	if a, err := r.Do(t.Context(), http.MethodGet, path, nil, nil); err == nil {
		header = []string{"If-Match", a.ETag}
	}
	if _, err := r.Do(t.Context(), http.MethodPut, path, body, nil, header...); err != nil {
		t.Fatal(err)
	}
}

func (r *running) price(t testing.TB, sku string, amount int64) {
	t.Helper()
	r.put(t, "/v1/prices/"+sku, map[string]any{"prices": []map[string]any{{"currency": "EUR", "amount": amount}}})
}

// with is a body with other fields.
func with(body map[string]any, more map[string]any) map[string]any {
	body = maps.Clone(body)
	maps.Copy(body, more)
	return body
}

type quoted struct {
	ID         string
	ValidUntil time.Time `json:"valid_until"`
	Totals     struct{ Total struct{ Amount int64 } }
	Status     string
	Quote      string
}

// refused places an order that must not start.
func (r *running) refused(t testing.TB, key string, body map[string]any, status int, code string) {
	t.Helper()
	a, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", body, nil, "Idempotency-Key", key)
	if err == nil || a.Status != status || !strings.Contains(err.Error(), code) {
		t.Errorf("%d, %v; want %d %s", a.Status, err, status, code)
	}
}

// TestQuotes quotes an order, changes the price, and orders.
func TestQuotes(t *testing.T) {
	r := open(t, shop.Config{})
	r.price(t, "MUG-1", 1000)
	var q quoted
	basket := body("MUG-1", 2, "pm_card_visa")
	if _, err := r.Do(t.Context(), http.MethodPost, "/v1/quotes", basket, &q); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(q.ValidUntil); !strings.HasPrefix(q.ID, "quo_") || left < 14*time.Minute || left > 15*time.Minute || q.Totals.Total.Amount != 2000 {
		t.Fatalf("%+v", q)
	}
	r.price(t, "MUG-1", 1100)

	t.Run("an order that names the quote gets its figures, again and again", func(t *testing.T) {
		for _, key := range []string{"a", "b"} {
			var o quoted
			if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", with(basket, map[string]any{"quote": q.ID}), &o, "Idempotency-Key", key); err != nil {
				t.Fatal(err)
			}
			if o.Status != "completed" || o.Totals.Total.Amount != 2000 || o.Quote != q.ID {
				t.Errorf("%+v", o)
			}
			var l ledger
			if r.get(t, "/v1/test-gateway/ledger?order="+o.ID, &l); len(l.Data) != 1 || l.Data[0].Amount != 2000 {
				t.Errorf("moved %+v", l)
			}
		}
	})
	t.Run("one that does not gets the new price", func(t *testing.T) {
		var o quoted
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", basket, &o, "Idempotency-Key", "c"); err != nil || o.Totals.Total.Amount != 2200 || o.Quote != "" {
			t.Errorf("%+v, %v", o, err)
		}
	})
	var before item
	r.get(t, "/v1/items/MUG-1", &before)
	for name, test := range map[string]struct {
		body map[string]any
		code string
	}{
		"something else was quoted":     {with(body("MUG-1", 3, "pm_card_visa"), map[string]any{"quote": q.ID}), "pricing.quote_mismatch"},
		"another group was quoted":      {with(basket, map[string]any{"quote": q.ID, "customer": map[string]string{"email": "a@b.example", "group": "trade"}}), "pricing.quote_mismatch"},
		"the quote is not there at all": {with(basket, map[string]any{"quote": "quo_1"}), "pricing.quote_expired"},
	} {
		t.Run("refused before anything is held or charged: "+name, func(t *testing.T) {
			r.refused(t, name[:9], test.body, http.StatusConflict, test.code)
		})
	}
	var after item
	if r.get(t, "/v1/items/MUG-1", &after); after != before {
		t.Errorf("stock is %+v, was %+v", after, before)
	}
}

func TestQuoteValidity(t *testing.T) {
	r := open(t, shop.Config{QuoteValidity: time.Nanosecond}) // over before anybody can order
	var q quoted
	basket := body("MUG-1", 2, "pm_card_visa")
	if _, err := r.Do(t.Context(), http.MethodPost, "/v1/quotes", basket, &q); err != nil {
		t.Fatal(err)
	}
	r.refused(t, "late", with(basket, map[string]any{"quote": q.ID}), http.StatusConflict, "pricing.quote_expired")
	var list struct{ Data []any }
	if r.get(t, "/v1/orders", &list); len(list.Data) != 0 {
		t.Errorf("%d orders", len(list.Data))
	}
}

// TestCustomerGroup quotes and orders for a group that has a price list.
func TestCustomerGroup(t *testing.T) {
	r := open(t, shop.Config{})
	r.price(t, "MUG-1", 1000)
	r.put(t, "/v1/price-lists/TRADE", map[string]any{
		"currency": "EUR", "customer_group": "trade", "entries": []map[string]any{{"sku": "MUG-1", "amount": 700}},
	})
	for group, total := range map[string]int64{"trade": 1400, "other": 2000, "": 2000} {
		var q, o quoted
		asked := with(body("MUG-1", 2, "pm_card_visa"), map[string]any{"customer": map[string]string{"email": "ada@example.com", "group": group}})
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/quotes", asked, &q); err != nil || q.Totals.Total.Amount != total {
			t.Errorf("group %q is quoted %+v (%v), want %d", group, q, err, total)
		}
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", asked, &o, "Idempotency-Key", "for "+group); err != nil || o.Totals.Total.Amount != total {
			t.Errorf("group %q pays %+v (%v), want %d", group, o, err, total)
		}
		var kept struct{ Customer orders.Customer }
		if r.get(t, "/v1/orders/"+o.ID, &kept); kept.Customer.Group != group {
			t.Errorf("the order is of group %q, want %q", kept.Customer.Group, group)
		}
	}
}

// TestPriceTrace places orders, changes every rule that they went by, and lets pricing compute their figures again.
func TestPriceTrace(t *testing.T) {
	r := open(t, shop.Config{})
	rules := func(price, list, tax, shipping, percent int64) {
		r.price(t, "MUG-1", price)
		r.put(t, "/v1/price-lists/TRADE", map[string]any{
			"currency": "EUR", "customer_group": "trade", "entries": []map[string]any{{"sku": "MUG-1", "amount": list}},
		})
		r.put(t, "/v1/tax-rates/DE", map[string]any{"country": "DE", "rate_ppm": tax, "applies_to_shipping": true})
		r.put(t, "/v1/shipping-methods/parcel", map[string]any{"prices": []map[string]any{{"currency": "EUR", "amount": shipping}}})
		r.put(t, "/v1/promotions/SPRING", map[string]any{"kind": "percentage", "basis_points": percent * 100})
	}
	rules(1000, 733, 190000, 499, 15)
	asked := with(body("MUG-1", 3, "pm_card_visa"), map[string]any{
		"customer": map[string]string{"email": "ada@example.com", "group": "trade"}, "coupon": "SPRING",
		"shipping": map[string]any{"method": "parcel", "address": map[string]string{"country": "DE"}},
	})
	var q quoted
	if _, err := r.Do(t.Context(), http.MethodPost, "/v1/quotes", asked, &q); err != nil {
		t.Fatal(err)
	}
	place := func(key string, asked map[string]any) (o orders.Order) {
		var placed order
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", asked, &placed, "Idempotency-Key", key); err != nil {
			t.Fatal(err)
		}
		r.get(t, "/v1/orders/"+placed.ID, &o)
		return o
	}
	plain := place("plain", asked)
	rules(1500, 999, 70000, 0, 50)
	withQuote := place("quoted", with(asked, map[string]any{"quote": q.ID}))
	later := place("later", asked)
	rules(2, 1, 0, 1, 1)

	if plain.Totals.Total != withQuote.Totals.Total || plain.Totals.Total == later.Totals.Total {
		t.Errorf("totals %v, %v, %v: the quote keeps the first", plain.Totals.Total, withQuote.Totals.Total, later.Totals.Total)
	}
	for _, o := range []orders.Order{plain, withQuote, later} {
		var trace pricing.Trace
		text, err := json.Marshal(o.PriceTrace)
		if err != nil || json.Unmarshal(text, &trace) != nil || len(trace.Rules) != 5 {
			t.Fatalf("trace %s (%v), want one of five rules", text, err)
		}
		c, err := r.shop.Contracts().Pricing.Replay(t.Context(), pricing.ReplayRequest{Trace: trace})
		if err != nil {
			t.Fatal(err)
		}
		totals := orders.Totals{
			Subtotal: c.Subtotal, Discount: c.Discount, Shipping: c.Shipping, Tax: c.Tax, Total: c.Total, ShippingTax: c.ShippingTax, TaxIncluded: c.TaxIncluded,
		}
		if totals != o.Totals {
			t.Errorf("replayed %+v, the order has %+v", totals, o.Totals)
		}
	}
	for _, path := range []string{"/v1/orders", "/v1/events?after=0"} {
		var list json.RawMessage
		if r.get(t, path, &list); strings.Contains(string(list), "price_trace") {
			t.Errorf("%s tells traces: too large", path)
		}
	}
}
