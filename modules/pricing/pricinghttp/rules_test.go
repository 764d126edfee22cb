package pricinghttp_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/platform/auth"
	"cutpoint/platform/revision"
	"cutpoint/platform/web"
)

// ruleBook is a pricing module of one price list, one tax rate and one shipping method.
type ruleBook struct {
	pricing.Service
	list   pricing.PriceList
	rate   pricing.TaxRate
	method pricing.ShippingMethod
}

func next(had pricing.Rule, code string, version int64) (pricing.Rule, error) {
	return pricing.Rule{Code: code, Version: had.Version + 1}, revision.Check(had.Version, version)
}

func found(had pricing.Rule, code string) error {
	if had.Code != code {
		return pricing.ErrRuleNotFound
	}
	return nil
}

func (b *ruleBook) PutPriceList(_ context.Context, r pricing.PutPriceListRequest) (pricing.PriceList, error) {
	rule, err := next(b.list.Rule, r.Code, r.IfVersion)
	if err == nil {
		b.list = pricing.PriceList{Rule: rule, PriceListTerms: r.PriceListTerms}
	}
	return b.list, err
}

func (b *ruleBook) PriceList(_ context.Context, r pricing.RuleRequest) (pricing.PriceList, error) {
	return b.list, found(b.list.Rule, r.Code)
}

func (b *ruleBook) PriceLists(context.Context, pricing.RulesRequest) (pricing.PriceListPage, error) {
	return pricing.PriceListPage{PriceLists: []pricing.PriceList{b.list}}, nil
}

func (b *ruleBook) PutTaxRate(_ context.Context, r pricing.PutTaxRateRequest) (pricing.TaxRate, error) {
	rule, err := next(b.rate.Rule, r.Code, r.IfVersion)
	if err == nil {
		b.rate = pricing.TaxRate{Rule: rule, TaxTerms: r.TaxTerms}
	}
	return b.rate, err
}

func (b *ruleBook) TaxRate(_ context.Context, r pricing.RuleRequest) (pricing.TaxRate, error) {
	return b.rate, found(b.rate.Rule, r.Code)
}

func (b *ruleBook) TaxRates(context.Context, pricing.RulesRequest) (pricing.TaxRatePage, error) {
	return pricing.TaxRatePage{TaxRates: []pricing.TaxRate{b.rate}, More: true}, nil
}

func (b *ruleBook) PutShippingMethod(_ context.Context, r pricing.PutShippingMethodRequest) (pricing.ShippingMethod, error) {
	rule, err := next(b.method.Rule, r.Code, r.IfVersion)
	if err == nil {
		b.method = pricing.ShippingMethod{Rule: rule, ShippingTerms: r.ShippingTerms}
	}
	return b.method, err
}

func (b *ruleBook) ShippingMethod(_ context.Context, r pricing.RuleRequest) (pricing.ShippingMethod, error) {
	return b.method, found(b.method.Rule, r.Code)
}

func (b *ruleBook) ShippingMethods(context.Context, pricing.RulesRequest) (pricing.ShippingMethodPage, error) {
	return pricing.ShippingMethodPage{}, nil
}

func TestRuleRoutes(t *testing.T) {
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	pricinghttp.Register(api, &ruleBook{})
	const both = auth.PricesRead + "+" + auth.PricesWrite
	const list, rate, method = "/v1/price-lists/sale", "/v1/tax-rates/de", "/v1/shipping-methods/parcel"
	const entries = `{"currency": "EUR", "entries": [{"sku": "MUG-1", "amount": 0}, {"basis_points_off": 1000}]}`
	for _, c := range []struct {
		name, key, method, path, body string
		header                        [2]string
		status                        int
		etag, contains                string
	}{
		{name: "a list is created, and active", key: both, method: "PUT", path: list, body: entries, status: 201, etag: `"1"`, contains: `"active":true`},
		{name: "an amount of nothing is an amount", key: both, method: "GET", path: list, status: 200, etag: `"1"`, contains: `{"sku":"MUG-1","min_quantity":1,"amount":0}`},
		{name: "a list is unchanged", key: both, method: "GET", path: list, header: [2]string{"If-None-Match", `"1"`}, status: 304, etag: `"1"`},
		{name: "replacing it needs If-Match", key: both, method: "PUT", path: list, body: entries, status: 428, contains: "precondition_required"},
		{name: "it is switched off", key: both, method: "PUT", path: list, body: strings.Replace(entries, "{", `{"active": false, `, 1),
			header: [2]string{"If-Match", `"1"`}, status: 200, etag: `"2"`, contains: `"active":false`},
		{name: "lists are listed", key: both, method: "GET", path: "/v1/price-lists", status: 200, contains: `"code":"sale"`},
		{name: "an unknown one", key: both, method: "GET", path: "/v1/price-lists/none", status: 404, contains: "pricing.rule_not_found"},
		{name: "a list of nothing said", key: both, method: "PUT", path: list, body: `{}`, status: 422, contains: "property currency"},
		{name: "a field that nobody knows", key: both, method: "PUT", path: list, body: `{"currency": "EUR", "code": "x"}`, status: 422, contains: "unknown_field"},
		{name: "a rate is created", key: both, method: "PUT", path: rate, body: `{"country": "DE", "rate_ppm": 190000, "included": true}`, status: 201, etag: `"1"`, contains: `"rate_ppm":190000`},
		{name: "a rate is read", key: both, method: "GET", path: rate, status: 200, etag: `"1"`, contains: `"included":true`},
		{name: "an old version is stale", key: both, method: "PUT", path: rate, body: `{"rate_ppm": 1}`, header: [2]string{"If-Match", `"9"`}, status: 412, contains: "precondition_failed"},
		{name: "rates are listed, page by page", key: both, method: "GET", path: "/v1/tax-rates?limit=1", status: 200, contains: `"has_more":true`},
		{name: "a country that is none", key: both, method: "PUT", path: rate, body: `{"country": "de", "rate_ppm": 1}`, status: 422, contains: "/country"},
		{name: "more than the price", key: both, method: "PUT", path: rate, body: `{"rate_ppm": 1000001}`, status: 422, contains: "/rate_ppm"},
		{name: "a method is created", key: both, method: "PUT", path: method, body: `{"prices": [{"currency": "EUR", "amount": 490}]}`, status: 201, etag: `"1"`, contains: `"amount":490`},
		{name: "a method is read", key: both, method: "GET", path: method, status: 200, etag: `"1"`, contains: `"active":true`},
		{name: "methods are listed", key: both, method: "GET", path: "/v1/shipping-methods", status: 200, contains: `"data":[]`},
		{name: "a method without prices", key: both, method: "PUT", path: method, body: `{"prices": []}`, status: 422, contains: "/prices"},
		{name: "a cursor of another list", key: both, method: "GET", path: "/v1/shipping-methods?cursor=AAAAAAAAAAA", status: 400, contains: "cursor_invalid"},
		{name: "reading needs its scope", key: auth.PricesWrite, method: "GET", path: rate, status: 403, contains: "prices:read"},
		{name: "listing too", key: auth.PricesWrite, method: "GET", path: "/v1/tax-rates", status: 403, contains: "prices:read"},
		{name: "writing needs its scope", key: auth.PricesRead, method: "PUT", path: method, body: `{}`, status: 403, contains: "prices:write"},
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
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.contains) || w.Header().Get("ETag") != c.etag {
				t.Errorf("%d, ETag %s\n%s", w.Code, w.Header().Get("ETag"), w.Body)
			}
		})
	}
}
