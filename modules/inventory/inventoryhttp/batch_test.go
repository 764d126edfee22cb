package inventoryhttp_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestPutItems(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	const path = "POST /v1/items/batch"
	const two = `{"reason": "import", "entries": [{"sku": "MUG-1", "name": "Mug", "location": "ber", "on_hand": 4}, {"sku": "CUP-1", "name": "Cup", "location": "par", "on_hand": 1}]}`
	c.refused(http.StatusBadRequest, "idempotency_key_missing", path, two)
	w := c.do(http.StatusOK, path, two, "Idempotency-Key", "k")
	for _, want := range []string{`"done":1`, `{"index":1,"sku":"CUP-1","code":"inventory.unknown_location"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s lacks %s", w.Body, want)
		}
	}
	again := c.do(http.StatusOK, path, two, "Idempotency-Key", "k")
	if again.Header().Get("Idempotent-Replayed") != "true" || again.Body.String() != w.Body.String() {
		t.Errorf("replayed %q: %s", again.Header().Get("Idempotent-Replayed"), again.Body)
	}
	c.refused(http.StatusUnprocessableEntity, "idempotency_key_reused", path, strings.Replace(two, "4", "5", 1), "Idempotency-Key", "k")
	for body, pointer := range map[string]string{
		`{"reason": "x", "entries": []}`:                                                                               "/entries",
		`{"reason": "", "entries": [{"sku": "A", "name": "A"}]}`:                                                       "/reason",
		`{"reason": "x", "entries": [{"sku": "A", "name": "A"}, {"sku": "a b", "name": "A"}]}`:                         "/entries/1/sku",
		`{"reason": "x", "entries": [{"sku": "A", "name": "A", "on_hand": 1}]}`:                                        "/entries/0/location",
		`{"reason": "x", "entries": [` + strings.Repeat(`{"sku": "A", "name": "A"},`, 500) + `{"sku":"A","name":""}]}`: "/entries /entries/500/name",
	} {
		if got := c.refused(http.StatusUnprocessableEntity, "invalid", path, body, "Idempotency-Key", "bad"); got != pointer {
			t.Errorf("%.80s points at %q, want %q", body, got, pointer)
		}
	}
	// An item that is named as the route is can be read.
	c.do(http.StatusCreated, "PUT /v1/items/batch", `{"name": "Batch"}`)
	if w := c.do(http.StatusOK, "GET /v1/items/batch", ""); !strings.Contains(w.Body.String(), `"name":"Batch"`) {
		t.Errorf("got %s", w.Body)
	}
}
