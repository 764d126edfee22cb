package inventoryhttp_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventoryhttp"
	"cutpoint/platform/web"
)

func TestTransfer(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.do(http.StatusCreated, "PUT /v1/locations/par", `{"name": "Paris"}`)
	c.stocked("MUG", 5)
	c.do(http.StatusCreated, "PUT /v1/items/SET", `{"name": "Set", "components": [{"sku": "MUG", "quantity": 2}]}`)
	const path, three = "POST /v1/items/MUG/transfers", `{"from": "ber", "to": "par", "quantity": 3, "reason": "Paris runs out"}`

	first := c.do(http.StatusCreated, path, three, "Idempotency-Key", "t1")
	moved := decode[inventoryhttp.Transferred](t, first)
	if moved.Out.Delta != -3 || moved.In.Delta != 3 || moved.Out.Reference != moved.In.Reference || moved.From.OnHand != 2 || moved.To.OnHand != 3 {
		t.Fatalf("%s", first.Body)
	}
	again := c.do(http.StatusCreated, path, three, "Idempotency-Key", "t1")
	if !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Fatalf("%s, then %s", first.Body, again.Body)
	}
	for _, tt := range []struct {
		name, request, body, key string
		status                   int
		code, pointers           string
	}{
		{"no key", path, three, "", 400, "idempotency_key_missing", ""},
		{"the key of another transfer", path, strings.Replace(three, "3", "1", 1), "t1", 422, "idempotency_key_reused", ""},
		{"more than is there", path, three, "t2", 409, "inventory.below_reserved", ""},
		{"to the same place", path, `{"from": "ber", "to": "ber", "quantity": 1, "reason": "x"}`, "t2", 422, "invalid", "/to"},
		{"nothing", path, `{"from": "ber", "to": "par", "quantity": 0, "reason": "x"}`, "t2", 422, "invalid", "/quantity"},
		{"from nowhere", path, `{"from": "ams", "to": "par", "quantity": 1, "reason": "x"}`, "t2", 422, "inventory.unknown_location", "/from"},
		{"to nowhere", path, `{"from": "ber", "to": "ams", "quantity": 1, "reason": "x"}`, "t2", 422, "inventory.unknown_location", "/to"},
		{"no such item", "POST /v1/items/CUP/transfers", three, "t2", 404, "inventory.item_not_found", ""},
		{"a kit", "POST /v1/items/SET/transfers", three, "t2", 409, "inventory.is_kit", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			if tt.key != "" {
				headers = []string{"Idempotency-Key", tt.key}
			}
			if got := (client{t, c.api, c.service}).refused(tt.status, tt.code, tt.request, tt.body, headers...); got != tt.pointers {
				t.Fatalf("points at %q, want %q", got, tt.pointers)
			}
		})
	}
}

func TestAllotments(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.do(http.StatusCreated, "PUT /v1/items/PRINT", `{"name": "Print", "backorder": true, "backorder_limit": 3}`)
	order := inventory.ReserveRequest{OrderID: "o1", Lines: []inventory.Line{{SKU: "PRINT", Quantity: 3}}}
	if _, err := c.service.Reserve(context.Background(), order); err != nil {
		t.Fatal(err)
	}
	c.do(http.StatusCreated, "POST /v1/items/PRINT/adjustments", `{"location": "ber", "delta": 2, "kind": "received", "reason": "delivery"}`, "Idempotency-Key", "d")
	const path = "POST /v1/items/PRINT/allotments"
	first := c.do(http.StatusCreated, path, `{"location": "ber"}`, "Idempotency-Key", "a1")
	a := decode[inventoryhttp.Allotted](t, first)
	if len(a.Orders) != 1 || a.Orders[0] != (inventory.Allotment{OrderID: "o1", Quantity: 2}) || a.Backordered != 1 {
		t.Fatalf("%s", first.Body)
	}
	again := c.do(http.StatusCreated, path, `{"location": "ber"}`, "Idempotency-Key", "a1")
	if !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Fatalf("%s, then %s", first.Body, again.Body)
	}
	c.refused(http.StatusBadRequest, "idempotency_key_missing", path, `{"location": "ber"}`)
	c.refused(http.StatusNotFound, "inventory.item_not_found", "POST /v1/items/CUP/allotments", `{"location": "ber"}`, "Idempotency-Key", "a2")
	if got := c.refused(http.StatusUnprocessableEntity, "inventory.unknown_location", path, `{"location": "par"}`, "Idempotency-Key", "a2"); got != "/location" {
		t.Fatal(got)
	}
}

func TestKits(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.stocked("MUG", 5)
	c.stocked("TEA", 9)
	const set = `{"name": "Set", "components": [{"sku": "MUG", "quantity": 2}, {"sku": "TEA", "quantity": 1}]}`
	w := c.do(http.StatusCreated, "PUT /v1/items/SET", set)
	if i := decode[inventory.Item](t, w); i.Available != 2 || len(i.Components) != 2 || i.OnHand != 0 {
		t.Fatalf("%s", w.Body)
	}
	etag := c.do(http.StatusOK, "GET /v1/items/SET", "").Header().Get("ETag")
	c.do(http.StatusCreated, "POST /v1/items/MUG/adjustments", `{"location": "ber", "delta": 3, "reason": "more"}`, "Idempotency-Key", "k")
	if i := decode[inventory.Item](t, c.do(http.StatusOK, "GET /v1/items/SET", "", "If-None-Match", etag)); i.Available != 4 {
		t.Fatalf("%+v", i)
	}
	for _, tt := range []struct {
		name, request, body string
		status              int
		code, pointers      string
	}{
		{"a part that is no item", "PUT /v1/items/K", `{"name": "K", "components": [{"sku": "NONE", "quantity": 1}]}`, 422, "inventory.unknown_sku", "/components/0/sku"},
		{"a part that is a kit", "PUT /v1/items/K", `{"name": "K", "components": [{"sku": "SET", "quantity": 1}]}`, 422, "inventory.nested_kit", "/components/0/sku"},
		{"itself", "PUT /v1/items/K", `{"name": "K", "components": [{"sku": "K", "quantity": 1}]}`, 422, "invalid", "/components/0/sku"},
		{"no units of a part", "PUT /v1/items/K", `{"name": "K", "components": [{"sku": "MUG", "quantity": 0}]}`, 422, "invalid", "/components/0/quantity"},
		{"a backorder of its own", "PUT /v1/items/K", `{"name": "K", "backorder": true, "components": [{"sku": "MUG", "quantity": 1}]}`, 422, "invalid", "/backorder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (client{t, c.api, c.service}).refused(tt.status, tt.code, tt.request, tt.body); got != tt.pointers {
				t.Fatalf("points at %q, want %q", got, tt.pointers)
			}
		})
	}
	c.stocked("BOWL", 1)
	c.refused(http.StatusConflict, "inventory.has_stock", "PUT /v1/items/BOWL", set, "If-Match", "*")
	c.refused(http.StatusConflict, "inventory.is_kit", "POST /v1/items/SET/adjustments", `{"location": "ber", "delta": 1, "reason": "x"}`, "Idempotency-Key", "k2")
}

func TestStockEvents(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.stocked("MUG", 5)
	c.do(http.StatusOK, "PUT /v1/items/MUG", `{"name": "Mug", "low_stock_threshold": 3}`, "If-Match", "*")
	c.do(http.StatusOK, "PUT /v1/locations/ber", `{"name": "Berlin", "priority": 2, "active": false}`, "If-Match", "*")
	w := c.do(http.StatusOK, "PUT /v1/locations/ber", `{"name": "Berlin"}`, "If-Match", "*")
	if l := decode[inventory.Location](t, w); !l.Active || l.Priority != 0 {
		t.Fatalf("%+v", l)
	}
	got, after := "", "0"
	for more := true; more; {
		page := decode[web.Page[inventory.Event]](t, c.do(http.StatusOK, "GET /v1/stock-events?limit=1&after="+after, ""))
		got += page.Data[0].Kind + " "
		after, more = page.NextCursor, page.HasMore
	}
	if want := "back_in_stock low_stock out_of_stock back_in_stock "; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	page := decode[web.Page[inventory.Event]](t, c.do(http.StatusOK, "GET /v1/stock-events?after="+after, ""))
	if len(page.Data) != 0 || page.NextCursor != after || page.HasMore {
		t.Fatalf("%+v", page)
	}
	c.refused(http.StatusUnprocessableEntity, "invalid", "GET /v1/stock-events?after=-1", "")
}
