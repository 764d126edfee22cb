package pricinghttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/platform/auth"
	"cutpoint/platform/revision"
	"cutpoint/platform/web"
)

// book is a pricing module of one set.
type book struct {
	pricing.Service
	set pricing.PriceSet
}

func (b *book) PutPrices(_ context.Context, r pricing.PutPricesRequest) (pricing.PriceSet, error) {
	if err := revision.Check(b.set.Version, r.IfVersion); err != nil {
		return pricing.PriceSet{}, err
	}
	b.set = pricing.PriceSet{SKU: r.SKU, Prices: r.Prices, TaxCategory: r.TaxCategory, Version: b.set.Version + 1}
	return b.set, nil
}

func (b *book) Prices(_ context.Context, r pricing.PricesRequest) (pricing.PriceSet, error) {
	if r.SKU != b.set.SKU {
		return pricing.PriceSet{}, pricing.ErrPricesNotFound
	}
	return b.set, nil
}

// keys takes a scope for the secret that grants it.
type keys struct{}

func (keys) Verify(_ context.Context, secret string) (auth.Principal, error) {
	return auth.Principal{KeyID: "key_test", Scopes: strings.Split(secret, "+")}, nil
}

func TestRoutes(t *testing.T) {
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	b := &book{}
	pricinghttp.Register(api, b)
	const both = auth.PricesRead + "+" + auth.PricesWrite
	const mug = `{"prices": [{"currency": "EUR", "amount": 1290}, {"currency": "EUR", "amount": 990, "min_quantity": 10}], "tax_category": "standard"}`

	for _, c := range []struct {
		name, key, method, path, body string
		header                        [2]string
		status                        int
		etag, contains                string
	}{
		{name: "a new set is created", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: mug, status: 201, etag: `"1"`, contains: `"min_quantity":1`},
		{name: "a set is read", key: both, method: "GET", path: "/v1/prices/MUG-1", status: 200, etag: `"1"`, contains: `"tax_category":"standard"`},
		{name: "nothing new since the ETag", key: both, method: "GET", path: "/v1/prices/MUG-1", header: [2]string{"If-None-Match", `"1"`}, status: 304, etag: `"1"`},
		{name: "replacing needs If-Match", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: mug, status: 428, contains: "precondition_required"},
		{name: "an old ETag is stale", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: mug, header: [2]string{"If-Match", `"9"`}, status: 412, contains: "precondition_failed"},
		{name: "a set is replaced", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: mug, header: [2]string{"If-Match", `"1"`}, status: 200, etag: `"2"`},
		{name: "an unknown SKU", key: both, method: "GET", path: "/v1/prices/MUG-2", status: 404, contains: "pricing.prices_not_found"},
		{name: "a SKU that can't be one", key: both, method: "PUT", path: "/v1/prices/-MUG", body: mug, status: 422, contains: "path/sku"},
		{name: "a negative amount", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{"prices": [{"currency": "EUR", "amount": -1}]}`, status: 422, contains: "/prices/0/amount"},
		{name: "a minimum of nothing", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{"prices": [{"currency": "EUR", "amount": 1, "min_quantity": 0}]}`, status: 422, contains: "/prices/0/min_quantity"},
		{name: "no prices", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{"prices": []}`, status: 422, contains: "/prices"},
		{name: "prices that are null", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{"prices": null}`, status: 422, contains: "/prices"},
		{name: "a field that nobody knows", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{"prices": [], "price": 1}`, status: 422, contains: "unknown_field"},
		{name: "no JSON", key: both, method: "PUT", path: "/v1/prices/MUG-1", body: `{`, status: 400, contains: "malformed"},
		{name: "reading needs its scope", key: auth.PricesWrite, method: "GET", path: "/v1/prices/MUG-1", status: 403, contains: "prices:read"},
		{name: "writing needs its scope", key: auth.PricesRead, method: "PUT", path: "/v1/prices/MUG-1", body: mug, status: 403, contains: "prices:write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			r.Header.Set("Authorization", "Bearer "+c.key)
			r.Header.Set("Content-Type", "application/json")
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			body := w.Body.String()
			if w.Code != c.status || !strings.Contains(body, c.contains) || w.Header().Get("ETag") != c.etag {
				t.Errorf("%d, ETag %s\n%s", w.Code, w.Header().Get("ETag"), body)
			}
			switch {
			case w.Code == http.StatusNotModified:
				if body != "" {
					t.Errorf("a 304 with a body: %s", body)
				}
			case !json.Valid([]byte(body)), (w.Code >= 400) != (w.Header().Get("Content-Type") == "application/problem+json"):
				t.Errorf("%s as %s", body, w.Header().Get("Content-Type"))
			}
		})
	}
}
