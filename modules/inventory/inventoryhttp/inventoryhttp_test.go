package inventoryhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/inventory/inventoryhttp"
	"cutpoint/modules/inventory/inventorymod"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/id"
	"cutpoint/platform/rpc"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/web"
)

// keys are secrets with what they may do.
type keys map[string][]string

func (k keys) Verify(_ context.Context, secret string) (auth.Principal, error) {
	scopes, ok := k[secret]
	if !ok {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	return auth.Principal{KeyID: "key_" + secret, Scopes: scopes}, nil
}

// client speaks HTTP to the face of a real module on a layer that encodes every message.
type client struct {
	testing.TB
	api     *web.API
	service inventory.Service
}

func newClient(t testing.TB) client {
	t.Helper()
	layer := channel.NewMemory(channel.Options{Strict: true})
	m, err := inventorymod.New(inventorymod.Deps{
		Layer: layer, Datastore: storetest.Datastore(t, "inventory"), Now: time.Now,
		NewID: id.NewSource(time.Now, rand.Reader), Log: slog.New(slog.DiscardHandler),
	}, inventorymod.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		layer.Close()
	})
	service := inventory.NewClient(rpc.NewCaller(layer, "http", rpc.CallerOptions{}))
	api := web.New(web.Options{Version: "test", Verifier: keys{"all": auth.Scopes(), "reader": {auth.StockRead}}})
	inventoryhttp.Register(api, service)
	return client{t, api, service}
}

// do sends a request, "PUT /v1/items/MUG", with headers in pairs, and wants a status.
func (c client) do(status int, request, body string, headers ...string) *httptest.ResponseRecorder {
	c.Helper()
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer all")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.api.ServeHTTP(w, r)
	if w.Code != status {
		c.Fatalf("%s answers %d, want %d: %s", request, w.Code, status, w.Body)
	}
	return w
}

// refused sends a request that must fail with a code, and returns the places at fault.
func (c client) refused(status int, code, request, body string, headers ...string) (pointers string) {
	c.Helper()
	w := c.do(status, request, body, headers...)
	p := decode[web.Problem](c, w)
	if p.Code != code || w.Header().Get("Content-Type") != "application/problem+json" {
		c.Fatalf("%s answers code %s as %s, want %s: %s", request, p.Code, w.Header().Get("Content-Type"), code, w.Body)
	}
	for _, e := range p.Errors {
		pointers += e.Pointer + " "
	}
	return strings.TrimSpace(pointers)
}

func decode[T any](t testing.TB, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

func (c client) stocked(sku string, units int) {
	c.Helper()
	c.do(http.StatusCreated, "PUT /v1/items/"+sku, `{"name": "a thing"}`)
	c.do(http.StatusCreated, "POST /v1/items/"+sku+"/adjustments", fmt.Sprintf(`{"location": "ber", "set": %d, "reason": "count"}`, units),
		"Idempotency-Key", "stock "+sku)
}

func TestPut(t *testing.T) {
	c := newClient(t)
	for path, body := range map[string]string{
		"/v1/locations/ber": `{"name": "Berlin"}`,
		"/v1/items/MUG-1":   `{"name": "Mug", "backorder": true}`,
	} {
		t.Run("creates, then replaces what was read, at "+path, func(t *testing.T) {
			c := client{t, c.api, c.service}
			w := c.do(http.StatusCreated, "PUT "+path, body)
			etag := w.Header().Get("ETag")
			c.refused(http.StatusPreconditionRequired, "precondition_required", "PUT "+path, body)
			if w = c.do(http.StatusOK, "PUT "+path, body, "If-Match", etag); w.Header().Get("ETag") == etag {
				t.Fatalf("the ETag is still %s", etag)
			}
			c.refused(http.StatusPreconditionFailed, "precondition_failed", "PUT "+path, body, "If-Match", etag)
			c.refused(http.StatusPreconditionFailed, "precondition_failed", "PUT "+path, body, "If-Match", `W/"1"`)
			c.do(http.StatusOK, "PUT "+path, body, "If-Match", "*")
		})
		t.Run("refuses what is not valid, at "+path, func(t *testing.T) {
			c := client{t, c.api, c.service}
			if got := c.refused(http.StatusUnprocessableEntity, "invalid", "PUT "+path, `{"name": ""}`); got != "/name" {
				t.Fatal(got)
			}
			if got := c.refused(http.StatusUnprocessableEntity, "invalid", "PUT "+path, `{"name": "x", "colour": 1}`); got != "/colour" {
				t.Fatal(got)
			}
			if got := c.refused(http.StatusUnprocessableEntity, "invalid", "PUT "+path+"%20x", body); !strings.HasPrefix(got, "path/") {
				t.Fatal(got)
			}
			c.refused(http.StatusUnprocessableEntity, "invalid", "PUT "+path+strings.Repeat("x", 64), body)
			c.refused(http.StatusBadRequest, "malformed", "PUT "+path, `{"name"`)
		})
	}
}

func TestItem(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.stocked("MUG", 5)

	w := c.do(http.StatusOK, "GET /v1/items/MUG", "")
	i := decode[inventory.Item](t, w)
	if i.OnHand != 5 || i.Available != 5 || len(i.Locations) != 1 || i.Locations[0].Location != "ber" {
		t.Fatalf("%+v", i)
	}
	etag := w.Header().Get("ETag")
	if w = c.do(http.StatusNotModified, "GET /v1/items/MUG", "", "If-None-Match", etag); w.Body.Len() != 0 || w.Header().Get("ETag") != etag {
		t.Fatalf("304 with %s and %q", w.Header(), w.Body)
	}
	t.Run("a hold makes a new representation, but no writer loses by it", func(t *testing.T) {
		c := client{t, c.api, c.service}
		if _, err := c.service.Reserve(context.Background(), inventory.ReserveRequest{OrderID: "o1", Lines: []inventory.Line{{SKU: "MUG", Quantity: 2}}}); err != nil {
			t.Fatal(err)
		}
		if i := decode[inventory.Item](t, c.do(http.StatusOK, "GET /v1/items/MUG", "", "If-None-Match", etag)); i.Reserved != 2 || i.Available != 3 {
			t.Fatalf("%+v", i)
		}
		c.do(http.StatusOK, "PUT /v1/items/MUG", `{"name": "Mug"}`, "If-Match", etag)
	})
	c.refused(http.StatusNotFound, "inventory.item_not_found", "GET /v1/items/NONE", "")
}

func TestAdjust(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.do(http.StatusCreated, "PUT /v1/items/MUG", `{"name": "Mug"}`)
	const path = "POST /v1/items/MUG/adjustments"

	body := `{"location": "ber", "delta": 5, "reason": "delivery"}`
	first := c.do(http.StatusCreated, path, body, "Idempotency-Key", "k1", "X-Correlation-ID", "cor-1")
	a := decode[inventoryhttp.Adjusted](t, first)
	if a.Level.OnHand != 5 || a.Movement.Delta != 5 || a.Movement.Actor != "key_all" || a.Movement.CorrelationID != "cor-1" {
		t.Fatalf("%s", first.Body)
	}
	again := c.do(http.StatusCreated, path, `{"reason":"delivery","delta":5,"location":"ber"}`, "Idempotency-Key", `"k1"`)
	if !bytes.Equal(first.Body.Bytes(), again.Body.Bytes()) || again.Header().Get("Idempotent-Replayed") != "true" || first.Header().Get("Idempotent-Replayed") != "" {
		t.Fatalf("%s, then %s with %v", first.Body, again.Body, again.Header())
	}
	c.do(http.StatusCreated, path, `{"location": "ber", "set": 2, "if_on_hand": 5, "reason": "count"}`, "Idempotency-Key", "k2")
	w := c.do(http.StatusCreated, path, `{"location": "ber", "delta": 1, "kind": "received", "reason": "found"}`, "Idempotency-Key", "k4")
	if m := decode[inventoryhttp.Adjusted](t, w).Movement; m.Kind != inventory.MovementReceived || m.OnHand != 3 {
		t.Fatalf("%+v", m)
	}

	for _, tt := range []struct {
		name, request, body, key string
		status                   int
		code, pointers           string
	}{
		{"no key", path, body, "", 400, "idempotency_key_missing", ""},
		{"the key of another request", path, `{"location": "ber", "delta": 6, "reason": "delivery"}`, "k1", 422, "idempotency_key_reused", ""},
		{"the key of another item", "POST /v1/items/CUP/adjustments", body, "k1", 422, "idempotency_key_reused", ""},
		{"neither delta nor set", path, `{"location": "ber", "reason": "x"}`, "k3", 422, "invalid", "/delta"},
		{"delta and set", path, `{"location": "ber", "delta": 1, "set": 1, "reason": "x"}`, "k3", 422, "invalid", "/set"},
		{"a negative count", path, `{"location": "ber", "set": -1, "reason": "x"}`, "k3", 422, "invalid", "/set"},
		{"an overflowing delta", path, `{"location": "ber", "delta": 99999999999, "reason": "x"}`, "k3", 422, "invalid", "/delta"},
		{"more than a level holds", path, `{"location": "ber", "delta": 1000000000, "reason": "x"}`, "k3", 422, "invalid", ""},
		{"no reason", path, `{"location": "ber", "delta": 1}`, "k3", 422, "invalid", ""},
		{"more than is there", path, `{"location": "ber", "delta": -4, "reason": "x"}`, "k3", 409, "inventory.below_reserved", ""},
		{"a count from another level than is there", path, `{"location": "ber", "set": 9, "if_on_hand": 5, "reason": "x"}`, "k3", 409, "inventory.on_hand_changed", ""},
		{"a kind that it can't have", path, `{"location": "ber", "delta": 1, "kind": "consumed", "reason": "x"}`, "k3", 422, "invalid", "/kind"},
		{"a count that was received", path, `{"location": "ber", "set": 9, "kind": "received", "reason": "x"}`, "k3", 422, "invalid", "/kind"},
		{"no such location", path, `{"location": "par", "delta": 1, "reason": "x"}`, "k3", 422, "inventory.unknown_location", "/location"},
		{"no such item", "POST /v1/items/CUP/adjustments", body, "k3", 404, "inventory.item_not_found", ""},
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
	if i := decode[inventory.Item](t, c.do(http.StatusOK, "GET /v1/items/MUG", "")); i.OnHand != 3 {
		t.Fatalf("a refused adjustment changed the stock: %+v", i)
	}
}

func TestLists(t *testing.T) {
	c := newClient(t)
	c.do(http.StatusCreated, "PUT /v1/locations/ber", `{"name": "Berlin"}`)
	c.do(http.StatusCreated, "PUT /v1/locations/ams", `{"name": "Amsterdam"}`)
	for i := range 3 {
		c.stocked(fmt.Sprintf("MUG-%d", i), i)
		order := inventory.ReserveRequest{OrderID: fmt.Sprintf("o%d", i), Lines: []inventory.Line{{SKU: "MUG-2", Quantity: 1}}}
		if _, err := c.service.Reserve(context.Background(), order); err == nil != (i == 2) {
			t.Fatal(err)
		}
	}
	if _, err := c.service.Release(context.Background(), inventory.ReleaseRequest{OrderID: "gone"}); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		c.do(http.StatusCreated, "POST /v1/items/MUG-2/adjustments", `{"location": "ams", "delta": 1, "reason": "more"}`, "Idempotency-Key", fmt.Sprint(n))
	}
	for list, want := range map[string]string{
		"/v1/locations?":                "code: ams ber",
		"/v1/items?":                    "sku: MUG-0 MUG-1 MUG-2",
		"/v1/items/MUG-2/movements?":    "on_hand: 2 1 2", // newest first
		"/v1/reservations?":             "order_id: o2",
		"/v1/reservations?order=gone&":  "state: released",
		"/v1/reservations?order=other&": "order_id:",
	} {
		t.Run(list, func(t *testing.T) {
			c := client{t, c.api, c.service}
			member, _, _ := strings.Cut(want, ":")
			got, cursor := member+":", ""
			for {
				page := decode[web.Page[map[string]any]](t, c.do(http.StatusOK, "GET "+list+"limit=1&cursor="+cursor, ""))
				for _, thing := range page.Data {
					got += fmt.Sprint(" ", thing[member])
				}
				if cursor = page.NextCursor; !page.HasMore {
					break
				}
			}
			if got != want || cursor != "" {
				t.Fatalf("%s, want %s", got, want)
			}
			c.refused(http.StatusBadRequest, "cursor_invalid", "GET "+list+"cursor=AAAA", "")
			c.refused(http.StatusUnprocessableEntity, "invalid", "GET "+list+"limit=201", "")
		})
	}
	t.Run("a cursor of another list is refused", func(t *testing.T) {
		c := client{t, c.api, c.service}
		page := decode[web.Page[any]](t, c.do(http.StatusOK, "GET /v1/items?limit=1", ""))
		c.refused(http.StatusBadRequest, "cursor_invalid", "GET /v1/locations?cursor="+page.NextCursor, "")
	})
	c.refused(http.StatusNotFound, "inventory.item_not_found", "GET /v1/items/NONE/movements", "")
}

func TestScopes(t *testing.T) {
	c := newClient(t)
	for _, request := range []string{"PUT /v1/locations/ber", "PUT /v1/items/MUG", "POST /v1/items/MUG/adjustments", "POST /v1/items/MUG/transfers", "POST /v1/items/MUG/allotments"} {
		c.refused(http.StatusForbidden, "forbidden", request, `{}`, "Authorization", "Bearer reader")
	}
	for _, request := range []string{"GET /v1/locations", "GET /v1/items", "GET /v1/reservations", "GET /v1/stock-events"} {
		c.do(http.StatusOK, request, "", "Authorization", "Bearer reader")
		c.refused(http.StatusUnauthorized, "unauthenticated", request, "", "Authorization", "Bearer nobody")
	}
}

// TestDescription finds the routes in the OpenAPI description, with every status that they answer with.
func TestDescription(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(newClient(t).api.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for route, statuses := range map[string]string{
		"put /v1/locations/{code}": "200 201", "get /v1/locations": "200",
		"put /v1/items/{sku}": "200 201", "get /v1/items/{sku}": "200 304", "get /v1/items": "200",
		"post /v1/items/{sku}/adjustments": "201", "get /v1/items/{sku}/movements": "200", "get /v1/reservations": "200",
		"post /v1/items/{sku}/transfers": "201", "post /v1/items/{sku}/allotments": "201", "get /v1/stock-events": "200",
		"put /v1/holds/{id}": "200", "delete /v1/holds/{id}": "204",
	} {
		method, path, _ := strings.Cut(route, " ")
		responses := doc.Paths[path][method].Responses
		for status := range strings.FieldsSeq(statuses) {
			if responses[status] == nil {
				t.Errorf("%s does not answer %s", route, status)
			}
		}
	}
}
