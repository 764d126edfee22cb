package shop_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cutpoint/cmd/internal/shop"
)

// TestExport reads more orders than a page holds back out of the shop, each once, newest first, in both formats.
func TestExport(t *testing.T) {
	r := open(t, shop.Config{})
	const n = 205
	var placed []string
	for i := range n {
		b, o := body("MUG-1", 1, "pm_card_visa"), order{}
		b["customer"] = map[string]string{"email": "ada@example.com", "id": "=HYPERLINK(1)"}
		if _, err := r.Do(t.Context(), http.MethodPost, "/v1/orders", b, &o, "Idempotency-Key", fmt.Sprint("k", i)); err != nil {
			t.Fatal(err)
		}
		placed = append(placed, o.ID)
	}
	slices.Reverse(placed)
	export := func(query string) *httptest.ResponseRecorder {
		t.Helper()
		w, q := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/orders/export?"+query, nil)
		q.Header.Set("Authorization", "Bearer "+r.secret)
		r.shop.API().ServeHTTP(w, q)
		if w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		return w
	}
	w := export("format=csv&status=completed")
	if got := w.Header().Get("Content-Type"); got != "text/csv" {
		t.Errorf("content type %q", got)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="orders.csv"` {
		t.Errorf("content disposition %q", got)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != n+1 {
		t.Fatalf("%d rows (%v), want %d", len(rows), err, n+1)
	}
	customer := slices.Index(rows[0], "customer_id")
	var ids []string
	for _, row := range rows[1:] {
		ids = append(ids, row[0])
		if row[customer] != "'=HYPERLINK(1)" {
			t.Fatalf("the cell is %q", row[customer])
		}
	}
	if !slices.Equal(ids, placed) {
		t.Errorf("exported %d orders in another order than they were placed, newest first", len(ids))
	}
	if header := strings.Join(rows[0][:6], ","); header != "id,created_at,updated_at,status,state,fulfilment_status" {
		t.Errorf("the columns begin with %s", header)
	}
	ids = nil
	for lines := bufio.NewScanner(export("format=jsonl").Body); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	if !slices.Equal(ids, placed) {
		t.Errorf("exported %d of %d orders as JSON lines", len(ids), n)
	}
}
