package pricinghttp_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/pricinghttp"
	"cutpoint/modules/pricing/pricingmod"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/web"
)

func TestPromotions(t *testing.T) {
	layer := channel.NewMemory(channel.Options{Strict: true})
	m, err := pricingmod.New(pricingmod.Deps{
		Layer: layer, Datastore: storetest.Datastore(t, "pricing"), Now: time.Now,
		NewID: id.NewSource(time.Now, rand.Reader), Log: slog.New(slog.DiscardHandler),
	}, pricingmod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	pricinghttp.Register(api, pricing.NewClient(rpc.NewCaller(layer, "http", rpc.CallerOptions{})))

	const both = auth.PricesRead + "+" + auth.PricesWrite
	const path = "/v1/promotions/SPRING10"
	const ten = `{"kind": "percentage", "basis_points": 1000, "limit": 500, "starts_at": "2026-03-20T00:00:00Z"}`
	for _, c := range []struct {
		name, key, method, path, body string
		header                        [2]string
		status                        int
		etag, contains                string
	}{
		{name: "a new one is created, and active", key: both, method: "PUT", path: path, body: ten, status: 201, etag: `"1.0"`, contains: `"active":true`},
		{name: "it is read", key: both, method: "GET", path: path, status: 200, etag: `"1.0"`, contains: `"starts_at":"2026-03-20T00:00:00Z"`},
		{name: "nothing new since the ETag", key: both, method: "GET", path: path, header: [2]string{"If-None-Match", `"1.0"`}, status: 304, etag: `"1.0"`},
		{name: "replacing needs If-Match", key: both, method: "PUT", path: path, body: ten, status: 428, contains: "precondition_required"},
		{name: "an old ETag is stale", key: both, method: "PUT", path: path, body: ten, header: [2]string{"If-Match", `"9.0"`}, status: 412, contains: "precondition_failed"},
		{name: "it is switched off", key: both, method: "PUT", path: path, body: `{"kind": "fixed", "amounts": [{"amount": 500, "currency": "EUR"}], "active": false}`,
			header: [2]string{"If-Match", `"1.0"`}, status: 200, etag: `"2.0"`, contains: `"active":false`},
		{name: "all are listed", key: both, method: "GET", path: "/v1/promotions", status: 200, contains: `"code":"SPRING10"`},
		{name: "an unknown one", key: both, method: "GET", path: "/v1/promotions/NONE", status: 404, contains: "pricing.promotion_not_found"},
		{name: "a code that can't be one", key: both, method: "PUT", path: "/v1/promotions/-A", body: ten, status: 422, contains: "path/code"},
		{name: "a kind that is none", key: both, method: "PUT", path: path, body: `{"kind": "gift"}`, status: 422, contains: "/kind"},
		{name: "more than all", key: both, method: "PUT", path: path, body: `{"kind": "percentage", "basis_points": 10001}`, status: 422, contains: "/basis_points"},
		{name: "a percentage of nothing said", key: both, method: "PUT", path: path, body: `{"kind": "percentage"}`, status: 422, contains: "/basis_points"},
		{name: "a limit of nothing", key: both, method: "PUT", path: path, body: `{"kind": "percentage", "basis_points": 1, "limit": 0}`, status: 422, contains: "/limit"},
		{name: "a field that nobody knows", key: both, method: "PUT", path: path, body: `{"kind": "percentage", "basis_points": 1, "used": 0}`, status: 422, contains: "unknown_field"},
		{name: "reading needs its scope", key: auth.PricesWrite, method: "GET", path: path, status: 403, contains: "prices:read"},
		{name: "listing too", key: auth.PricesWrite, method: "GET", path: "/v1/promotions", status: 403, contains: "prices:read"},
		{name: "writing needs its scope", key: auth.PricesRead, method: "PUT", path: path, body: ten, status: 403, contains: "prices:write"},
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
