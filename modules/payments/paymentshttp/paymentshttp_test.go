package paymentshttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
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
	case slices.Equal(r.OrderIDs, []string{"ord_none"}):
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

func (books) Dispute(_ context.Context, r payments.DisputeRequest) (payments.Dispute, error) {
	return payments.Dispute{Reference: "dp_1", Status: r.Status, Reason: "fraudulent"}, nil
}

func (books) Reconciliations(_ context.Context, r payments.ReconciliationsRequest) (payments.ReconciliationPage, error) {
	return payments.ReconciliationPage{Reconciliations: []payments.Reconciliation{{ID: "rec_after_" + r.Before}}, More: r.Before == ""}, nil
}

func (books) Entries(_ context.Context, r payments.EntriesRequest) (payments.EntryPage, error) {
	e := payments.Entry{Sequence: r.After + 1, OrderID: r.OrderID, Debit: payments.AccountProvider, Credit: payments.AccountSales, Amount: money.Of(2580, "EUR")}
	return payments.EntryPage{Entries: []payments.Entry{e}, More: r.After == 0}, nil
}

func (books) Accounts(context.Context, payments.AccountsRequest) (payments.AccountList, error) {
	return payments.AccountList{Accounts: []payments.Account{{Name: payments.AccountSales, Balance: money.Of(-2580, "EUR")}}}, nil
}

func (books) Reconcile(_ context.Context, r payments.ReconcileRequest) (payments.Reconciliation, error) {
	return payments.Reconciliation{Compared: 1, Mismatches: []payments.Mismatch{{Problem: "since " + r.Since.Format(time.RFC3339)}}}, nil
}

func (books) ReceiveWebhook(_ context.Context, r payments.WebhookRequest) (payments.WebhookReceipt, error) {
	switch {
	case r.Provider != "test-gateway":
		return payments.WebhookReceipt{}, payments.ErrUnknownProvider
	case r.Header["webhook-signature"] != "v1,good":
		return payments.WebhookReceipt{}, payments.ErrWebhookSignature
	}
	return payments.WebhookReceipt{ID: r.Header["webhook-id"] + " " + string(r.Body)}, nil
}

func (books) Act(_ context.Context, r payments.ActRequest) (payments.Acted, error) {
	if r.OrderID != "ord_1" {
		return payments.Acted{}, payments.ErrNotCharged.About(r.OrderID)
	}
	return payments.Acted{OrderID: r.OrderID, Reference: "ch_1", Status: "succeeded"}, nil
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

func post(api http.Handler, scope, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if scope != "" {
		r.Header.Set("Authorization", "Bearer "+scope)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func TestCommands(t *testing.T) {
	api := newAPI()
	signed := []string{"Webhook-Id", "whm_1", "Webhook-Signature", "v1,good"}
	for _, c := range []struct {
		name, scope, path, body string
		header                  []string
		status                  int
		contains                string
	}{
		{"a webhook needs no key, and reaches the module byte for byte", "", "/v1/payment-webhooks/test-gateway", " {\"a\" : 1}", signed, 200, `"id":"whm_1  {\"a\" : 1}"`},
		{"a webhook need not be JSON", "", "/v1/payment-webhooks/test-gateway", "a=1", signed, 200, "whm_1 a=1"},
		{"a forged webhook", "", "/v1/payment-webhooks/test-gateway", "{}", nil, 400, "payments.webhook_signature"},
		{"a webhook of nobody", "", "/v1/payment-webhooks/other", "{}", signed, 404, "payments.unknown_provider"},
		{"a webhook that is too large", "", "/v1/payment-webhooks/test-gateway", strings.Repeat("x", 256<<10+1), signed, 413, "body_too_large"},
		{"reconciliation since the module's choice", auth.PaymentsManage, "/v1/payments/reconciliations", "{}", nil, 200, "since 0001-01-01T00:00:00Z"},
		{"reconciliation since a time", auth.PaymentsManage, "/v1/payments/reconciliations", `{"since":"2026-01-02T03:04:05Z"}`, nil, 200, "since 2026-01-02T03:04:05Z"},
		{"reconciliation needs its scope", auth.PaymentsRead, "/v1/payments/reconciliations", "{}", nil, 403, "payments:manage"},
		{"an act", auth.Ops, "/v1/test-gateway/actions", `{"order":"ord_1","outcome":"confirm"}`, nil, 200, `"status":"succeeded"`},
		{"an act on what was not charged", auth.Ops, "/v1/test-gateway/actions", `{"order":"ord_2","outcome":"fail"}`, nil, 409, "payments.not_charged"},
		{"an act that nobody knows", auth.Ops, "/v1/test-gateway/actions", `{"order":"ord_1","outcome":"maybe"}`, nil, 422, "/outcome"},
		{"a dispute", auth.Ops, "/v1/test-gateway/disputes", `{"order":"ord_1","status":"open"}`, nil, 200, `"status":"open"`},
		{"a dispute needs its scope", auth.PaymentsManage, "/v1/test-gateway/disputes", `{"order":"ord_1","status":"open"}`, nil, 403, "ops"},
		{"an act needs its scope", auth.PaymentsManage, "/v1/test-gateway/actions", `{"order":"ord_1","outcome":"confirm"}`, nil, 403, "ops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(api, c.scope, c.path, c.body, c.header...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.contains) {
				t.Errorf("%d\n%s", w.Code, w.Body)
			}
		})
	}
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
		{"the entries of an order", auth.PaymentsRead, "/v1/payments/ledger?order=ord_1", nil, 200, `"order_id":"ord_1"`},
		{"the entries need their scope", auth.Ops, "/v1/payments/ledger", nil, 403, "payments:read"},
		{"the accounts", auth.PaymentsRead, "/v1/payments/accounts", nil, 200, `{"name":"sales","balance":{"amount":-2580,"currency":"EUR"}}`},
		{"the reports", auth.PaymentsRead, "/v1/payments/reconciliations", nil, 200, `"id":"rec_after_"`},
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
