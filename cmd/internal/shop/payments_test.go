package shop_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/shop"
)

// TestCardNumbers sends the number of a card where a token belongs: it is refused before there is an order, and not repeated.
func TestCardNumbers(t *testing.T) {
	r := open(t, shop.Config{})
	for _, number := range []string{"4242424242424242", "4242 4242-4242 4242"} {
		answer, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", body("MUG-1", 1, number), nil, "Idempotency-Key", number[:9])
		if answer.Status != http.StatusUnprocessableEntity || err == nil || strings.Contains(err.Error(), "4242") {
			t.Errorf("%d, %v", answer.Status, err)
		}
	}
	var list struct{ Data []any }
	if r.get(t, "/v1/orders", &list); len(list.Data) != 0 {
		t.Errorf("%d orders", len(list.Data))
	}
}

// TestStripe pays an order at something that answers as Stripe does, and sends its webhook.
func TestStripe(t *testing.T) {
	var asked []string
	var created string
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_ = q.ParseForm()
		asked = append(asked, q.Method+" "+q.URL.Path+" "+q.Form.Get("payment_method"))
		if q.URL.Path == "/v1/payment_intents" {
			created = fmt.Sprintf(`"id": "pi_1", "object": "payment_intent", "amount": %s, "currency": %q, "capture_method": "automatic",
				"metadata": {"cutpoint_key": %q, "cutpoint_order": %q}`,
				q.Form.Get("amount"), q.Form.Get("currency"), q.Form.Get("metadata[cutpoint_key]"), q.Form.Get("metadata[cutpoint_order]"))
			fmt.Fprintf(w, `{%s, "status": "requires_payment_method"}`, created)
			return
		}
		fmt.Fprintf(w, `{%s, "status": "succeeded", "amount_received": 1290}`, created)
	}))
	defer stripe.Close()
	r := open(t, shop.Config{Provider: shop.ProviderStripe, Stripe: shop.Stripe{SecretKey: "sk_test_1", WebhookSecret: "whsec_1", URL: stripe.URL}})
	var o order
	if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", body("MUG-1", 1, "pm_1"), &o, "Idempotency-Key", "first"); err != nil || o.Status != "completed" {
		t.Fatalf("%+v, %v", o, err)
	}
	if want := "POST /v1/payment_intents  POST /v1/payment_intents/pi_1/confirm pm_1"; strings.Join(asked, " ") != want {
		t.Errorf("asked %q", asked)
	}
	event := fmt.Sprintf(`{"id": "evt_1", "object": "event", "api_version": "2026-06-24.dahlia", "type": "payment_intent.succeeded",
		"data": {"object": {%s, "status": "succeeded", "amount_received": 1290}}}`, created)
	at := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte("whsec_1"))
	fmt.Fprintf(mac, "%d.%s", at, event)
	send := func(path, signature string) int {
		q := httptest.NewRequest(http.MethodPost, path, strings.NewReader(event))
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Stripe-Signature", signature)
		w := httptest.NewRecorder()
		r.shop.API().ServeHTTP(w, q)
		return w.Code
	}
	signature := fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil)))
	for path, want := range map[string]int{"/v1/payment-webhooks/stripe": 200, "/v1/payment-webhooks/test-gateway": 404} {
		if got := send(path, signature); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got := send("/v1/payment-webhooks/stripe", strings.Replace(signature, "v1=", "v1=00", 1)); got != 400 {
		t.Errorf("a forged webhook: %d", got)
	}
	if _, err := r.Do(t.Context(), http.MethodGet, "/v1/test-gateway/ledger", nil, nil); !client.HasCode(err, "route_not_found") {
		t.Errorf("a test gateway beside Stripe: %v", err)
	}
}

// TestPaymentTimeout lets the patience with a payment end while somebody waits for the order: the answer says that it was not paid in
// time.
func TestPaymentTimeout(t *testing.T) {
	r := open(t, shop.Config{
		Checkout: shop.CheckoutPolicy{ActionLimit: time.Nanosecond, UnknownLimit: time.Nanosecond, LookupMin: 10 * time.Millisecond},
		Payments: shop.PaymentsPolicy{ProviderTimeout: 200 * time.Millisecond},
	})
	refused := func(t *testing.T, key, token string) string {
		t.Helper()
		a, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", body("MUG-1", 1, token), nil, "Idempotency-Key", key)
		var p *client.Problem
		if !errors.As(err, &p) || a.Status != http.StatusPaymentRequired || p.Code != "orders.payment_timeout" || p.OrderID == "" {
			t.Fatalf("%d, %v", a.Status, err)
		}
		return p.OrderID
	}
	t.Run("the provider never answers the POST that waits", func(t *testing.T) {
		id := refused(t, "hangs", "pm_sim_timeoutNotCharged")
		if again := refused(t, "hangs", "pm_sim_timeoutNotCharged"); again != id {
			t.Errorf("a repeat is answered with %s, the first was %s", again, id)
		}
	})
	t.Run("the customer does not act, and the POST is repeated", func(t *testing.T) {
		o, err := r.place(t, "idle", "MUG-1", 1, "pm_card_authenticationRequired")
		if err != nil || o.Status != "requires_action" {
			t.Fatalf("%+v, %v", o, err)
		}
		if id := refused(t, "idle", "pm_card_authenticationRequired"); id != o.ID {
			t.Errorf("the repeat is answered with %s, the first was %s", id, o.ID)
		}
	})
	var shelf item
	if r.get(t, "/v1/items/MUG-1", &shelf); shelf.Reserved != 0 {
		t.Errorf("%d are still held", shelf.Reserved)
	}
}
