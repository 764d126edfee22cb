package pricinghttp_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// many remembers what it was asked to put.
type many struct {
	pricing.Service
	asked pricing.PutManyPricesRequest
}

func (m *many) PutManyPrices(_ context.Context, r pricing.PutManyPricesRequest) (pricing.ManyPricesPut, error) {
	m.asked = r
	return pricing.ManyPricesPut{Changed: len(r.Entries)}, nil
}

func TestPutManyPrices(t *testing.T) {
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	m := &many{}
	pricinghttp.Register(api, m)
	const one = `{"sku": "MUG-1", "prices": [{"currency": "EUR", "amount": 1290}], "tax_category": "food"}`
	for _, c := range []struct {
		name, key, body string
		status          int
		contains        string
	}{
		{"all are put", auth.PricesWrite, `{"entries": [` + one + `]}`, 200, `"changed":1`},
		{"writing needs its scope", auth.PricesRead, `{"entries": [` + one + `]}`, 403, "prices:write"},
		{"none", auth.PricesWrite, `{"entries": []}`, 422, "/entries"},
		{"too many", auth.PricesWrite, `{"entries": [` + strings.Repeat(one+",", 500) + one + `]}`, 422, "/entries"},
		{"one without a price", auth.PricesWrite, `{"entries": [{"sku": "MUG-1", "prices": []}]}`, 422, "/entries/0/prices"},
		{"one that can't be a SKU", auth.PricesWrite, `{"entries": [{"sku": "-", "prices": [{"currency": "EUR", "amount": 1}]}]}`, 422, "/entries/0/sku"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/v1/prices/batch", strings.NewReader(c.body))
			r.Header.Set("Authorization", "Bearer "+c.key)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.contains) {
				t.Errorf("%d\n%s", w.Code, w.Body)
			}
		})
	}
	if e := m.asked.Entries; len(e) != 1 || e[0].SKU != "MUG-1" || e[0].TaxCategory != "food" || e[0].Prices[0].Amount != 1290 {
		t.Errorf("asked for %+v", m.asked)
	}
}
