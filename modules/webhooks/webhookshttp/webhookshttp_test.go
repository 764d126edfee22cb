package webhookshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhookshttp"
	"cutpoint/platform/auth"
	"cutpoint/platform/revision"
	"cutpoint/platform/web"
)

// desk is a webhooks module with two endpoints and two deliveries, a page each. It remembers what it was asked.
type desk struct {
	webhooks.Service
	created webhooks.CreateEndpointRequest
	put     webhooks.PutEndpointRequest
}

func endpoint(id string) webhooks.Endpoint {
	since := time.Unix(7, 0).UTC()
	return webhooks.Endpoint{
		ID: id, URL: "https://example.com/", EventTypes: []string{}, Enabled: true, FailingSince: &since, Version: 2, CreatedAt: since, UpdatedAt: since,
	}
}

func delivery(id string) webhooks.Delivery {
	return webhooks.Delivery{
		ID: id, EndpointID: "whe_1", EventID: "evt_1", Type: "orders.completed", OrderID: "ord_1", Sequence: 1, State: webhooks.StatePending,
		AttemptCount: 1, Attempts: []webhooks.Attempt{{StatusCode: 500, DurationMS: 12, Error: "answered 500"}},
	}
}

func (d *desk) CreateEndpoint(_ context.Context, r webhooks.CreateEndpointRequest) (webhooks.EndpointSecret, error) {
	d.created = r
	return webhooks.EndpointSecret{Endpoint: endpoint("whe_1"), Secret: "whsec_new", Replayed: r.Key.Value == "again"}, nil
}

func (d *desk) PutEndpoint(_ context.Context, r webhooks.PutEndpointRequest) (webhooks.Endpoint, error) {
	d.put = r
	return endpoint(r.ID), revision.Check(2, r.IfVersion)
}

func (*desk) Endpoint(_ context.Context, r webhooks.EndpointRequest) (webhooks.Endpoint, error) {
	if r.ID != "whe_1" {
		return webhooks.Endpoint{}, webhooks.ErrEndpointNotFound
	}
	return endpoint(r.ID), nil
}

func (*desk) Endpoints(_ context.Context, r webhooks.EndpointsRequest) (webhooks.EndpointPage, error) {
	if r.After == "whe_1" {
		return webhooks.EndpointPage{Endpoints: []webhooks.Endpoint{endpoint("whe_2")}}, nil
	}
	return webhooks.EndpointPage{Endpoints: []webhooks.Endpoint{endpoint("whe_1")}, More: true}, nil
}

func (*desk) DeleteEndpoint(_ context.Context, r webhooks.EndpointRequest) (webhooks.Deleted, error) {
	if r.ID != "whe_1" {
		return webhooks.Deleted{}, webhooks.ErrEndpointNotFound
	}
	return webhooks.Deleted{}, nil
}

func (*desk) RotateSecret(_ context.Context, r webhooks.EndpointRequest) (webhooks.EndpointSecret, error) {
	return webhooks.EndpointSecret{Endpoint: endpoint(r.ID), Secret: "whsec_rotated"}, nil
}

func (*desk) Deliveries(_ context.Context, r webhooks.DeliveriesRequest) (webhooks.DeliveryPage, error) {
	switch {
	case r.EndpointID != "whe_1":
		return webhooks.DeliveryPage{}, webhooks.ErrEndpointNotFound
	case r.Before == "whd_2":
		return webhooks.DeliveryPage{Deliveries: []webhooks.Delivery{delivery("whd_1")}}, nil
	}
	return webhooks.DeliveryPage{Deliveries: []webhooks.Delivery{delivery("whd_2")}, More: true}, nil
}

func (*desk) Delivery(_ context.Context, r webhooks.DeliveryRequest) (webhooks.Delivery, error) {
	return delivery(r.ID), nil
}

func (*desk) Redeliver(_ context.Context, r webhooks.DeliveryRequest) (webhooks.Delivery, error) {
	if r.ID != "whd_1" {
		return webhooks.Delivery{}, webhooks.ErrEndpointDisabled
	}
	return delivery(r.ID), nil
}

// keys takes a scope for the secret that grants it.
type keys struct{}

func (keys) Verify(_ context.Context, secret string) (auth.Principal, error) {
	return auth.Principal{KeyID: "key_test", Scopes: []string{secret}}, nil
}

func newAPI(d *desk) *web.API {
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	webhookshttp.Register(api, d)
	return api
}

func ask(api http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+auth.WebhooksManage)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	api := newAPI(&desk{})
	const hook = `{"url": "https://example.com/"}`
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		contains                 string
	}{
		{"an endpoint is made, and its secret shown", "POST", "/v1/webhook-endpoints", hook, nil, 201, `"secret":"whsec_new"`},
		{"an endpoint without a URL", "POST", "/v1/webhook-endpoints", `{}`, nil, 422, `"required"`},
		{"an endpoint whose URL is too long", "POST", "/v1/webhook-endpoints", `{"url": "https://` + strings.Repeat("x", 2048) + `"}`, nil, 422, `"/url"`},
		{"a key that is none", "POST", "/v1/webhook-endpoints", hook, []string{"Idempotency-Key", strings.Repeat("x", 256)}, 400, "idempotency_key_invalid"},
		{"endpoints", "GET", "/v1/webhook-endpoints", "", nil, 200, `"data":[{"id":"whe_1"`},
		{"an endpoint", "GET", "/v1/webhook-endpoints/whe_1", "", nil, 200, `"failing_since":"1970-01-01T00:00:07Z"`},
		{"an endpoint that has not changed", "GET", "/v1/webhook-endpoints/whe_1", "", []string{"If-None-Match", `"2.7000000"`}, 304, ""},
		{"an endpoint that is not there", "GET", "/v1/webhook-endpoints/whe_9", "", nil, 404, "webhooks.endpoint_not_found"},
		{"settings without a version", "PUT", "/v1/webhook-endpoints/whe_1", hook, nil, 428, "precondition_required"},
		{"settings of an old version", "PUT", "/v1/webhook-endpoints/whe_1", hook, []string{"If-Match", `"1"`}, 412, "precondition_failed"},
		{"settings", "PUT", "/v1/webhook-endpoints/whe_1", hook, []string{"If-Match", `"2.7000000"`}, 200, `"version":2`},
		{"an endpoint is deleted", "DELETE", "/v1/webhook-endpoints/whe_1", "", nil, 204, ""},
		{"an endpoint that is not there is deleted", "DELETE", "/v1/webhook-endpoints/whe_9", "", nil, 404, "webhooks.endpoint_not_found"},
		{"a secret is rotated", "POST", "/v1/webhook-endpoints/whe_1/rotate-secret", "", nil, 200, `"secret":"whsec_rotated"`},
		{"deliveries", "GET", "/v1/webhook-endpoints/whe_1/deliveries", "", nil, 200, `"attempts":[{"at":"0001-01-01T00:00:00Z","duration_ms":12,"status_code":500`},
		{"deliveries of a state that there is not", "GET", "/v1/webhook-endpoints/whe_1/deliveries?state=lost", "", nil, 422, "query/state"},
		{"deliveries of an endpoint that is not there", "GET", "/v1/webhook-endpoints/whe_9/deliveries", "", nil, 404, "webhooks.endpoint_not_found"},
		{"a delivery", "GET", "/v1/webhook-deliveries/whd_1", "", nil, 200, `"event_id":"evt_1"`},
		{"a redelivery", "POST", "/v1/webhook-deliveries/whd_1/redeliver", "", nil, 202, `"state":"pending"`},
		{"a redelivery to a disabled endpoint", "POST", "/v1/webhook-deliveries/whd_2/redeliver", "", nil, 409, "webhooks.endpoint_disabled"},
		{"a foreign cursor", "GET", "/v1/webhook-endpoints?cursor=abc", "", nil, 400, "cursor_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(api, c.method, c.path, c.body, c.header...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.contains) || c.contains == "" && w.Body.Len() > 0 {
				t.Errorf("%d\n%s", w.Code, w.Body)
			}
		})
		t.Run(c.name+" needs the scope", func(t *testing.T) {
			if w := ask(api, c.method, c.path, c.body, append(c.header, "Authorization", "Bearer "+auth.Ops)...); w.Code != http.StatusForbidden {
				t.Errorf("%d\n%s", w.Code, w.Body)
			}
		})
	}
}

func TestCreate(t *testing.T) {
	d := &desk{}
	api := newAPI(d)
	w := ask(api, "POST", "/v1/webhook-endpoints", `{"url": "https://example.com/", "event_types": ["orders.completed"]}`)
	if w.Header().Get("Location") != "/v1/webhook-endpoints/whe_1" || w.Header().Get("ETag") != `"2.7000000"` || w.Header().Get("Idempotent-Replayed") != "" {
		t.Errorf("%v", w.Header())
	}
	if d.created.Key.Value != "" || d.created.Settings.URL != "https://example.com/" || len(d.created.Settings.EventTypes) != 1 {
		t.Errorf("%+v", d.created)
	}
	w = ask(api, "POST", "/v1/webhook-endpoints", `{"url": "https://example.com/"}`, "Idempotency-Key", `"again"`)
	if d.created.Key.Value != "again" || d.created.Key.Caller != "key_test" || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%+v, %v", d.created, w.Header())
	}
}

func TestPages(t *testing.T) {
	api := newAPI(&desk{})
	type page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
		NextCursor string `json:"next_cursor"`
	}
	for _, c := range []struct{ path, first, second string }{
		{"/v1/webhook-endpoints", "whe_1", "whe_2"},
		{"/v1/webhook-endpoints/whe_1/deliveries", "whd_2", "whd_1"},
	} {
		t.Run(c.path+" goes on where the cursor says", func(t *testing.T) {
			var first, second page
			if err := json.Unmarshal(ask(api, "GET", c.path, "").Body.Bytes(), &first); err != nil || first.Data[0].ID != c.first {
				t.Fatalf("%+v, %v", first, err)
			}
			w := ask(api, "GET", c.path+"?cursor="+first.NextCursor, "")
			if err := json.Unmarshal(w.Body.Bytes(), &second); err != nil || second.Data[0].ID != c.second || second.NextCursor != "" {
				t.Errorf("%+v, %v", second, err)
			}
		})
	}
}

func TestOpenAPI(t *testing.T) {
	var described struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name     string
				Required bool
			}
			Responses map[string]struct{ Content map[string]any }
		}
	}
	if err := json.Unmarshal(newAPI(&desk{}).OpenAPI(), &described); err != nil {
		t.Fatal(err)
	}
	for _, p := range described.Paths["/v1/webhook-endpoints"]["post"].Parameters {
		if p.Name == "Idempotency-Key" && p.Required {
			t.Error("the key is described as required")
		}
	}
	if r, ok := described.Paths["/v1/webhook-endpoints/{id}"]["delete"].Responses["204"]; !ok || len(r.Content) > 0 {
		t.Errorf("delete answers with %+v", r)
	}
}
