package inventoryhttp_test

import (
	"net/http"
	"testing"
	"time"

	"cutpoint/modules/inventory"
)

func TestHolds(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.stocked("MUG", 5)
	const two = `{"lines": [{"sku": "MUG", "quantity": 2}], "ttl_seconds": 900}`
	reserved := func() int64 {
		t.Helper()
		return decode[inventory.Item](c, c.do(http.StatusOK, "GET /v1/items/MUG", "")).Reserved
	}

	h := decode[inventory.CartHold](c, c.do(http.StatusOK, "PUT /v1/holds/cart-1", two))
	if h.ID != "cart-1" || len(h.Lines) != 1 || h.Lines[0].Quantity != 2 || h.ExpiresAt.Sub(h.CreatedAt) != 15*time.Minute {
		t.Fatalf("%+v", h)
	}
	c.do(http.StatusOK, "PUT /v1/holds/cart-1", two)
	if reserved() != 2 {
		t.Fatalf("%d are reserved after a repeat", reserved())
	}
	for _, tt := range []struct {
		name, request, body string
		status              int
		code, pointers      string
	}{
		{"more than there is", "PUT /v1/holds/cart-1", `{"lines": [{"sku": "MUG", "quantity": 6}], "ttl_seconds": 1}`, 409, "inventory.out_of_stock", "/lines/0/quantity"},
		{"no such item", "PUT /v1/holds/cart-1", `{"lines": [{"sku": "CUP", "quantity": 1}], "ttl_seconds": 1}`, 422, "inventory.unknown_sku", "/lines/0/sku"},
		{"no lines", "PUT /v1/holds/cart-1", `{"lines": [], "ttl_seconds": 1}`, 422, "invalid", "/lines"},
		{"a sourcing that is none", "PUT /v1/holds/cart-1", `{"lines": [{"sku": "MUG", "quantity": 1}], "ttl_seconds": 1, "sourcing": "any"}`, 422, "invalid", "/sourcing"},
		{"for no time", "PUT /v1/holds/cart-1", `{"lines": [{"sku": "MUG", "quantity": 1}], "ttl_seconds": 0}`, 422, "invalid", "/ttl_seconds"},
		{"for more than a day", "PUT /v1/holds/cart-1", `{"lines": [{"sku": "MUG", "quantity": 1}], "ttl_seconds": 86401}`, 422, "invalid", "/ttl_seconds"},
		{"an id that can't be", "DELETE /v1/holds/a%20b", "", 422, "invalid", "path/id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (client{t, c.api, c.service}).refused(tt.status, tt.code, tt.request, tt.body); got != tt.pointers {
				t.Fatalf("points at %q, want %q", got, tt.pointers)
			}
		})
	}
	if reserved() != 2 {
		t.Fatalf("%d are reserved after what was refused", reserved())
	}
	for range 2 {
		if w := c.do(http.StatusNoContent, "DELETE /v1/holds/cart-1", ""); w.Body.Len() != 0 {
			t.Fatalf("a 204 with a body: %s", w.Body)
		}
	}
	if reserved() != 0 {
		t.Fatalf("%d are reserved after the end", reserved())
	}
	for _, request := range []string{"PUT /v1/holds/cart-1", "DELETE /v1/holds/cart-1"} {
		c.refused(http.StatusForbidden, "forbidden", request, two, "Authorization", "Bearer reader")
	}
}
