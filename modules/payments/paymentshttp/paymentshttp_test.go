package paymentshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentshttp"
	"cutpoint/platform/auth"
	"cutpoint/platform/money"
	"cutpoint/platform/web"
)

// books is a payments module with two payments and two movements, a page each.
type books struct {
	payments.Service
}

func payment(id string) payments.Payment {
	return payments.Payment{
		ID: id, OrderID: "ord_" + id, Status: payments.StatusSucceeded, Amount: money.Of(2580, "EUR"), Version: 2,
		Operations: []payments.Operation{{ID: "op_1", Kind: payments.OperationCharge, Status: payments.OperationSucceeded}},
	}
}

func (books) Payment(_ context.Context, r payments.PaymentRequest) (payments.Payment, error) {
	if r.ID != "pay_2" {
		return payments.Payment{}, payments.ErrPaymentNotFound
	}
	return payment(r.ID), nil
}

func (books) Payments(_ context.Context, r payments.PaymentsRequest) (payments.PaymentPage, error) {
	switch {
	case r.OrderID == "ord_none":
		return payments.PaymentPage{}, nil
	case r.Before == "pay_2":
		return payments.PaymentPage{Payments: []payments.Payment{payment("pay_1")}}, nil
	}
	return payments.PaymentPage{Payments: []payments.Payment{payment("pay_2")}, More: true}, nil
}

func (books) Ledger(_ context.Context, r payments.LedgerRequest) (payments.LedgerPage, error) {
	e := payments.LedgerEntry{ID: "led_1", Operation: "charge", OrderID: r.OrderID, Amount: 2580, Currency: "EUR", Key: "op_1", Reference: "ch_1", At: time.Unix(0, 0).UTC()}
	if r.After == "led_1" {
		e.ID = "led_2"
	}
	return payments.LedgerPage{Entries: []payments.LedgerEntry{e}, More: r.After == ""}, nil
}

// keys takes a scope for the secret that grants it.
type keys struct{}

func (keys) Verify(_ context.Context, secret string) (auth.Principal, error) {
	return auth.Principal{KeyID: "key_test", Scopes: []string{secret}}, nil
}

func get(api http.Handler, scope, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+scope)
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func newAPI() *web.API {
	api := web.New(web.Options{Verifier: keys{}, Version: "test"})
	paymentshttp.Register(api, books{})
	paymentshttp.RegisterTestGateway(api, books{})
	return api
}

func TestRoutes(t *testing.T) {
	api := newAPI()
	for _, c := range []struct {
		name, scope, path string
		header            []string
		status            int
		contains          string
	}{
		{"a payment", auth.PaymentsRead, "/v1/payments/pay_2", nil, 200, `"kind":"charge"`},
		{"a payment that has not changed", auth.PaymentsRead, "/v1/payments/pay_2", []string{"If-None-Match", `"2"`}, 304, ""},
		{"a payment that is not there", auth.PaymentsRead, "/v1/payments/pay_9", nil, 404, "payments.payment_not_found"},
		{"an id that is too long", auth.PaymentsRead, "/v1/payments/" + strings.Repeat("x", 65), nil, 422, "path/id"},
		{"an order without payments", auth.PaymentsRead, "/v1/payments?order=ord_none", nil, 200, `"data":[],"has_more":false`},
		{"a page that is too large", auth.PaymentsRead, "/v1/payments?limit=201", nil, 422, "query/limit"},
		{"a foreign cursor", auth.PaymentsRead, "/v1/payments?cursor=abc", nil, 400, "cursor_invalid"},
		{"payments need their scope", auth.Ops, "/v1/payments", nil, 403, "payments:read"},
		{"a payment needs its scope", auth.Ops, "/v1/payments/pay_2", nil, 403, "payments:read"},
		{"the ledger of an order", auth.Ops, "/v1/test-gateway/ledger?order=ord_1", nil, 200,
			`"operation":"charge","order_id":"ord_1","amount":2580,"currency":"EUR","key":"op_1","reference":"ch_1","at":"1970-01-01T00:00:00Z"`},
		{"the ledger needs its scope", auth.PaymentsRead, "/v1/test-gateway/ledger", nil, 403, "ops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := get(api, c.scope, c.path, c.header...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.contains) {
				t.Errorf("%d\n%s", w.Code, w.Body)
			}
			if w.Code == http.StatusNotModified && w.Body.Len() > 0 {
				t.Errorf("a 304 with a body: %s", w.Body)
			}
		})
	}
	if etag := get(api, auth.PaymentsRead, "/v1/payments/pay_2").Header().Get("ETag"); etag != `"2"` {
		t.Errorf("ETag %s", etag)
	}
}

func TestPages(t *testing.T) {
	api := newAPI()
	type page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
		NextCursor string `json:"next_cursor"`
		HasMore    bool   `json:"has_more"`
	}
	for _, c := range []struct{ scope, path, first, second string }{
		{auth.PaymentsRead, "/v1/payments", "pay_2", "pay_1"},
		{auth.Ops, "/v1/test-gateway/ledger", "led_1", "led_2"},
	} {
		t.Run(c.path+" goes on where the cursor says", func(t *testing.T) {
			var first, second page
			if err := json.Unmarshal(get(api, c.scope, c.path).Body.Bytes(), &first); err != nil || !first.HasMore || first.Data[0].ID != c.first {
				t.Fatalf("%+v, %v", first, err)
			}
			next := c.path + "?cursor=" + first.NextCursor
			if err := json.Unmarshal(get(api, c.scope, next).Body.Bytes(), &second); err != nil || second.HasMore || second.Data[0].ID != c.second {
				t.Errorf("%+v, %v", second, err)
			}
			if w := get(api, c.scope, next+"&order=ord_1"); w.Code != http.StatusBadRequest {
				t.Errorf("the cursor of another list: %d", w.Code)
			}
		})
	}
}
