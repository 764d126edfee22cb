package shop_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/webhook"
)

// TestRoutes calls each route of what is done after an order was placed, so that an answer of it is held against the description,
// and wants a key without the scope to be refused.
func TestRoutes(t *testing.T) {
	data := t.TempDir()
	r := open(t, shop.Config{Options: host.Options{Data: data}, Webhooks: shop.WebhooksPolicy{AllowPrivate: true}})
	place := func(key, token, capture string) order {
		t.Helper()
		b, o := body("MUG-1", 1, token), order{}
		b["payment"] = map[string]string{"token": token, "capture": capture}
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", b, &o, "Idempotency-Key", key); err != nil {
			t.Fatal(err)
		}
		return o
	}
	authorised, paid := place("a", "pm_card_visa", "manual"), place("b", "pm_card_visa", "automatic")
	asked, wrong := place("c", "pm_card_authenticationRequired", "automatic"), place("d", "pm_sim_wrongAmount", "automatic")
	two := body("MUG-1", 2, "pm_card_visa")
	two["metadata"] = map[string]string{"note": "=1+1"}
	sent := order{}
	if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", two, &sent, "Idempotency-Key", "two"); err != nil {
		t.Fatal(err)
	}
	one := []any{map[string]any{"sku": "MUG-1", "quantity": 1}}
	made := func(path string, body any) string {
		t.Helper()
		var thing struct{ ID string }
		if _, err := r.Do(t.Context(), http.MethodPost, path, body, &thing); err != nil {
			t.Fatal(err)
		}
		return thing.ID
	}
	parcel := made("/v1/orders/"+sent.ID+"/fulfilments", map[string]any{"status": "shipped"})
	comes := made("/v1/orders/"+sent.ID+"/returns", map[string]any{"lines": one, "refund": true})
	stays := made("/v1/orders/"+sent.ID+"/returns", map[string]any{"lines": one})
	erasure := made("/v1/customers/erase", map[string]any{"id": "cus_nobody"})
	acted := place("e", "pm_card_authenticationRequired", "automatic")
	told := make(chan struct{}, 100) // for each message to the receiver
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(receiver.Close)
	var endpoint struct{ ID string }
	settings := map[string]any{"url": receiver.URL}
	first, err := r.Do(t.Context(), http.MethodPost, "/v1/webhook-endpoints", settings, &endpoint, "Idempotency-Key", "first")
	if err != nil {
		t.Fatal(err)
	}
	place("f", "pm_card_visa", "automatic")
	<-told
	var deliveries struct{ Data []struct{ ID string } }
	r.get(t, "/v1/webhook-endpoints/"+endpoint.ID+"/deliveries", &deliveries)
	delivery := "/v1/webhook-deliveries/" + deliveries.Data[0].ID
	fact := map[string]any{"type": "charge.succeeded", "data": map[string]any{}}
	headers := map[string][]string{ // beside those that every request has
		"PUT /v1/webhook-endpoints/" + endpoint.ID: {"If-Match", first.ETag},
		"POST /v1/payment-webhooks/test-gateway":   signed(t, data, fact),
	}
	for i, c := range []struct {
		method, path string
		body         any
		status       int
		scope        string // "": no key is needed, or one of several will do
	}{
		{http.MethodPost, "/v1/orders/" + authorised.ID + "/capture", nil, 200, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + paid.ID + "/refunds", map[string]any{"reason": "scratched"}, 201, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + wrong.ID + "/resolve", map[string]any{"action": "refund"}, 200, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + asked.ID + "/cancel", nil, 200, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/cancel", nil, 409, auth.OrdersManage},
		{http.MethodPatch, "/v1/orders/" + sent.ID + "/fulfilments/" + parcel, map[string]any{"status": "delivered"}, 200, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/fulfilments", map[string]any{"lines": one}, 409, auth.OrdersManage},
		{http.MethodGet, "/v1/orders/" + sent.ID + "/fulfilments", nil, 200, ""},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/returns", map[string]any{"lines": one}, 409, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/returns/" + comes + "/receive", nil, 200, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/returns/" + stays + "/cancel", nil, 200, auth.OrdersManage},
		{http.MethodGet, "/v1/orders/" + sent.ID + "/returns", nil, 200, ""},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/refunds", map[string]any{"lines": one}, 201, auth.OrdersManage},
		{http.MethodPost, "/v1/orders/" + sent.ID + "/notes", map[string]any{"text": "a gift"}, 201, auth.OrdersManage},
		{http.MethodGet, "/v1/orders/" + sent.ID + "/notes", nil, 200, auth.OrdersManage},
		{http.MethodPut, "/v1/orders/" + sent.ID + "/metadata", map[string]any{"cart": "c1"}, 428, auth.OrdersManage},
		{http.MethodGet, "/v1/orders?state=completed&fulfilment_status=fulfilled&sku=MUG-1&metadata=note%3D%3D1%2B1&q=ada%40example.com", nil, 200, ""},
		{http.MethodGet, "/v1/orders?metadata=none", nil, 422, ""},
		{http.MethodGet, "/v1/orders/export?format=jsonl&sku=MUG-1&fulfilment_status=fulfilled", nil, 200, auth.OrdersRead},
		{http.MethodGet, "/v1/orders/export?metadata=none", nil, 422, auth.OrdersRead},
		{http.MethodPost, "/v1/customers/erase", map[string]any{}, 422, auth.OrdersManage},
		{http.MethodGet, "/v1/customers/erasures/" + erasure, nil, 200, auth.OrdersManage},
		{http.MethodGet, "/v1/events", nil, 200, auth.OrdersRead},
		{http.MethodGet, "/v1/ops/sagas?stuck=true", nil, 200, auth.Ops},
		{http.MethodGet, "/v1/ops/modules", nil, 200, auth.Ops},
		{http.MethodPut, "/v1/holds/cart-1", map[string]any{"lines": []any{map[string]any{"sku": "MUG-1", "quantity": 1}}, "ttl_seconds": 60}, 200, auth.OrdersPlace},
		{http.MethodDelete, "/v1/holds/cart-1", nil, 204, auth.OrdersPlace},
		{http.MethodPut, "/v1/locations/depot", map[string]any{"name": "Depot", "priority": 5, "active": false}, 201, auth.StockWrite},
		{http.MethodPut, "/v1/items/MUG-SET", map[string]any{"name": "Mugs", "components": []any{map[string]any{"sku": "MUG-1", "quantity": 2}}}, 201, auth.StockWrite},
		{http.MethodGet, "/v1/items/MUG-SET", nil, 200, auth.StockRead},
		{http.MethodPost, "/v1/items/MUG-1/transfers", map[string]any{"from": "nowhere", "to": "depot", "quantity": 1, "reason": "more"}, 422, auth.StockWrite},
		{http.MethodPost, "/v1/items/MUG-1/transfers", map[string]any{"from": "main", "to": "depot", "quantity": 1, "reason": "more"}, 201, auth.StockWrite},
		{http.MethodPost, "/v1/items/MUG-1/allotments", map[string]any{"location": "depot"}, 201, auth.StockWrite},
		{http.MethodPost, "/v1/items/MUG-SET/allotments", map[string]any{"location": "depot"}, 409, auth.StockWrite},
		{http.MethodGet, "/v1/stock-events", nil, 200, auth.StockRead},
		{http.MethodGet, "/v1/stock-events?after=-1", nil, 422, auth.StockRead},
		{http.MethodPost, "/v1/items/batch", map[string]any{"reason": "count", "entries": []any{
			map[string]any{"sku": "NEW-1", "name": "New", "location": "main", "on_hand": 3}, map[string]any{"sku": "NEW-2", "name": "New", "location": "moon", "on_hand": 3},
		}}, 200, auth.StockWrite},
		{http.MethodPost, "/v1/prices/batch", map[string]any{"entries": []any{
			map[string]any{"sku": "NEW-1", "prices": []any{map[string]any{"currency": "EUR", "amount": 100}}},
		}}, 200, auth.PricesWrite},
		{http.MethodPut, "/v1/promotions/TEN", map[string]any{"kind": "percentage", "basis_points": 1000}, 201, auth.PricesWrite},
		{http.MethodGet, "/v1/promotions/TEN", nil, 200, auth.PricesRead},
		{http.MethodGet, "/v1/promotions", nil, 200, auth.PricesRead},
		{http.MethodPut, "/v1/price-lists/staff", map[string]any{"currency": "EUR", "customer_group": "staff", "entries": []any{map[string]any{"basis_points_off": 1000}}}, 201, auth.PricesWrite},
		{http.MethodGet, "/v1/price-lists/staff", nil, 200, auth.PricesRead},
		{http.MethodGet, "/v1/price-lists", nil, 200, auth.PricesRead},
		{http.MethodPut, "/v1/tax-rates/de", map[string]any{"country": "DE", "rate_ppm": 190000}, 201, auth.PricesWrite},
		{http.MethodGet, "/v1/tax-rates/de", nil, 200, auth.PricesRead},
		{http.MethodGet, "/v1/tax-rates", nil, 200, auth.PricesRead},
		{http.MethodPut, "/v1/shipping-methods/parcel", map[string]any{"prices": []any{map[string]any{"currency": "EUR", "amount": 490}}}, 201, auth.PricesWrite},
		{http.MethodGet, "/v1/shipping-methods/parcel", nil, 200, auth.PricesRead},
		{http.MethodGet, "/v1/shipping-methods", nil, 200, auth.PricesRead},
		{http.MethodPost, "/v1/webhook-endpoints", settings, 201, auth.WebhooksManage},
		{http.MethodGet, "/v1/webhook-endpoints", nil, 200, auth.WebhooksManage},
		{http.MethodGet, "/v1/webhook-endpoints/" + endpoint.ID, nil, 200, auth.WebhooksManage},
		{http.MethodGet, "/v1/webhook-endpoints/" + endpoint.ID + "/deliveries", nil, 200, auth.WebhooksManage},
		{http.MethodPut, "/v1/webhook-endpoints/" + endpoint.ID, settings, 200, auth.WebhooksManage},
		{http.MethodPost, "/v1/webhook-endpoints/" + endpoint.ID + "/rotate-secret", nil, 200, auth.WebhooksManage},
		{http.MethodGet, delivery, nil, 200, auth.WebhooksManage},
		{http.MethodPost, delivery + "/redeliver", nil, 202, auth.WebhooksManage},
		{http.MethodPost, "/v1/webhook-deliveries/whd_none/redeliver", nil, 404, auth.WebhooksManage},
		{http.MethodDelete, "/v1/webhook-endpoints/" + endpoint.ID, nil, 204, auth.WebhooksManage},
		{http.MethodPost, "/v1/payment-webhooks/test-gateway", fact, 200, ""},
		{http.MethodPost, "/v1/payment-webhooks/test-gateway", map[string]any{}, 400, ""},
		{http.MethodPost, "/v1/payment-webhooks/nobody", map[string]any{}, 404, ""},
		{http.MethodPost, "/v1/payments/reconciliations", map[string]any{}, 200, auth.PaymentsManage},
		{http.MethodGet, "/v1/payments/reconciliations", nil, 200, auth.PaymentsRead},
		{http.MethodGet, "/v1/payments/ledger?order=" + paid.ID, nil, 200, auth.PaymentsRead},
		{http.MethodGet, "/v1/payments/accounts", nil, 200, auth.PaymentsRead},
		{http.MethodPost, "/v1/test-gateway/disputes", map[string]any{"order": "ord_none", "status": "open"}, 409, auth.Ops},
		{http.MethodPost, "/v1/test-gateway/actions", map[string]any{"order": acted.ID, "outcome": "confirm"}, 200, auth.Ops},
		{http.MethodPost, "/v1/test-gateway/actions", map[string]any{"order": paid.ID, "outcome": "confirm"}, 409, auth.Ops},
		{http.MethodGet, "/v1/test-gateway/ledger", nil, 200, auth.Ops},
	} {
		t.Run(fmt.Sprintf("%s %s", c.method, c.path), func(t *testing.T) {
			if c.scope != "" {
				others := slices.DeleteFunc(auth.Scopes(), func(s string) bool { return s == c.scope })
				stranger := r.clientWith(t, fmt.Sprintf("cpk_test_key_without_a_scope_%d", i), others...)
				_, err := stranger.Do(t.Context(), c.method, c.path, c.body, nil, "Idempotency-Key", "k")
				if !client.HasCode(err, "forbidden") {
					t.Errorf("without %s: got %v", c.scope, err)
				}
			}
			var answer json.RawMessage
			a, err := r.Do(t.Context(), c.method, c.path, c.body, &answer, append(headers[c.method+" "+c.path], "Idempotency-Key", strings.ReplaceAll(c.path, "/", "."))...)
			if a.Status != c.status {
				t.Errorf("answered %d (%v), want %d", a.Status, err, c.status)
			}
		})
	}
}

// signed are the headers of a webhook that the test gateway of a shop signed just now.
func signed(t *testing.T, data string, message any) []string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(data, "testgateway.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var secret []byte
	if err := db.QueryRow("SELECT secret FROM secret").Scan(&secret); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	const id = "whm_of_a_test"
	return []string{
		webhook.HeaderID, id, webhook.HeaderTimestamp, webhook.Timestamp(now), webhook.HeaderSignature, webhook.Sign(secret, id, now, text),
	}
}
