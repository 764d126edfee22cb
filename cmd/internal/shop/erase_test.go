package shop_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/shop"
)

// TestErase leads a customer through all of a shop, with a coupon that is limited per customer and a receiver of webhooks that repeats
// what it is told, and erases her: no column of any datastore tells of her after that. Each of her data holds the word zebra.
func TestErase(t *testing.T) {
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(message), "zebra") {
			fmt.Fprint(w, "thanks, zebra@example.com")
		}
		told <- string(message)
	}))
	t.Cleanup(receiver.Close)
	r := open(t, shop.Config{Webhooks: shop.WebhooksPolicy{AllowPrivate: true}})
	do := func(method, path string, body, into any, key string) error {
		_, err := r.Do(t.Context(), method, path, body, into, "Idempotency-Key", key)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(do(http.MethodPost, "/v1/webhook-endpoints", map[string]any{"url": receiver.URL}, nil, "endpoint"))
	must(do(http.MethodPut, "/v1/promotions/TWICE", map[string]any{"kind": "percentage", "basis_points": 1000, "limit_per_customer": 2}, nil, "promotion"))

	zebra := func(key, token string) (o order, err error) {
		b := body("MUG-1", 2, token)
		b["coupon"], b["metadata"] = "TWICE", map[string]string{"cart": "zebra"}
		b["customer"] = map[string]string{"email": "Zebra@example.com", "id": "zebra_7"}
		b["shipping"] = map[string]any{"address": map[string]string{"name": "Zoe Zebra", "line1": "1 Zebra St", "city": "Zebratown", "country": "DE"}}
		return o, do(http.MethodPost, "/v1/orders", b, &o, key)
	}
	sent, err := zebra("sent", "pm_card_visa")
	must(err)
	if _, err := zebra("declined", "pm_card_visa_chargeDeclined"); !client.HasCode(err, "payments.declined") {
		t.Fatal(err)
	}
	cancelled, err := zebra("cancelled", "pm_card_visa")
	must(err)
	must(do(http.MethodPost, "/v1/orders/"+cancelled.ID+"/cancel", map[string]any{"reason": "zebra changed her mind"}, nil, "cancel"))
	acted, err := zebra("acted", "pm_card_authenticationRequired")
	must(err)
	must(do(http.MethodPost, "/v1/orders/"+acted.ID+"/cancel", map[string]any{"reason": "zebra did not act"}, nil, "give up"))
	must(do(http.MethodPost, "/v1/orders/"+sent.ID+"/notes", map[string]any{"text": "zebra called"}, nil, "note"))
	must(do(http.MethodPost, "/v1/orders/"+sent.ID+"/fulfilments", map[string]any{"status": "shipped", "tracking_number": "zebra-1"}, nil, "parcel"))
	for last := ""; !strings.Contains(last, sent.ID) || !strings.Contains(last, `"orders.fulfilment`); { // webhooks has stored all of it by then
		last = <-told
	}
	if files := tellingOf(t, r.data, "zebra"); len(files) == 0 {
		t.Fatal("the shop has not heard of her")
	}

	var hers struct{ Data []order }
	r.get(t, "/v1/orders?customer=zebra_7", &hers)
	waiting := map[string]bool{}
	for _, o := range hers.Data {
		waiting[o.ID] = true
	}
	if len(waiting) != 4 {
		t.Fatalf("she has %d orders", len(waiting))
	}
	var erasure struct{ ID, Status string }
	must(do(http.MethodPost, "/v1/customers/erase", map[string]any{"email": "zebra@example.com"}, &erasure, "erase"))
	eventually(t, "the erasure is done", func() bool {
		r.get(t, "/v1/customers/erasures/"+erasure.ID, &erasure)
		return erasure.Status == "done"
	})
	for len(waiting) > 0 { // whoever was sent orders.erased can tell that webhooks has erased its own
		message := <-told
		for id := range waiting {
			if strings.Contains(message, id) && strings.Contains(message, `"orders.erased"`) {
				delete(waiting, id)
			}
		}
	}
	for _, found := range tellingOf(t, r.data, "zebra") {
		t.Errorf("still there: %s", found)
	}

	if _, err := zebra("again", "pm_card_visa"); err != nil {
		t.Errorf("her second use of the coupon: %v", err)
	}
	if _, err := zebra("too often", "pm_card_visa"); !client.HasCode(err, "pricing.coupon_exhausted") {
		t.Errorf("her third use of the coupon: %v", err)
	}
}

// tellingOf lists the rows of all datastores in a directory that hold a word.
func tellingOf(t testing.TB, data, word string) (found []string) {
	t.Helper()
	for _, name := range shop.Datastores() {
		db, err := rawFile(filepath.Join(data, name+".db"), "mode=ro")
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range column(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'") {
			columns := column(t, db, "SELECT '\"' || name || '\"' FROM pragma_table_info(?)", table)
			row := "'' || COALESCE(" + strings.Join(columns, ", '') || ' ' || COALESCE(") + ", '')"
			for _, text := range column(t, db, "SELECT "+row+" FROM \""+table+"\"") {
				if strings.Contains(strings.ToLower(text), word) {
					found = append(found, name+"."+table+": "+text)
				}
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// column returns the only column of a query.
func column(t testing.TB, db *sql.DB, query string, args ...any) (values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
