package stripe_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cutpoint/modules/payments/internal/stripe"
)

const (
	secretKey     = "sk_test_51Secret"
	webhookSecret = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
)

// fake is a Stripe with a memory: intents, refunds, and keys that are answered once. What strikes it is said by fault.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	intents map[string]map[string]any
	refunds []map[string]any
	answers map[string]answer // by key
	made    int
	asked   []string // "POST /v1/payment_intents"
	keys    []string
	fault   func(request string) fault // of each request, by its name: "create", "confirm", ...
}

type answer struct {
	request, params string
	status          int
	body            []byte
}

// fault is what becomes of a request: the zero value is none.
type fault struct {
	status int    // answered without doing anything
	body   string // of that
	lost   bool   // the answer, after doing it
	reset  bool   // the connection, before doing anything
}

func newFake(t testing.TB) *fake {
	f := &fake{intents: map[string]map[string]any{}, answers: map[string]answer{}, fault: func(string) fault { return fault{} }}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func adapter(t testing.TB, url string) *stripe.Adapter {
	t.Helper()
	a, err := stripe.New(stripe.Options{
		SecretKey: secretKey, WebhookSecret: webhookSecret, URL: url, ReturnURL: "https://shop.example/thanks",
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// nameOf is a request's name.
func nameOf(r *http.Request) string {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case r.Method == http.MethodPost && last == "payment_intents":
		return "create"
	case r.Method == http.MethodPost && last == "refunds":
		return "refund"
	case r.Method == http.MethodPost, last == "search":
		return last
	case last == "payment_intents":
		return "list intents"
	case last == "refunds":
		return "list refunds"
	}
	return "retrieve"
}

func hangUp(w http.ResponseWriter) {
	if line, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = line.Close()
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.keys = append(f.asked, r.Method+" "+r.URL.Path), append(f.keys, r.Header.Get("Idempotency-Key"))
	strike := f.fault(nameOf(r))
	switch {
	case strike.reset:
		hangUp(w)
		return
	case strike.status != 0:
		w.WriteHeader(strike.status)
		_, _ = w.Write([]byte(strike.body))
		return
	}
	status, body := f.once(r)
	if strike.lost {
		hangUp(w)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// once answers a key as it was answered before.
func (f *fake) once(r *http.Request) (int, []byte) {
	if r.Method == http.MethodGet {
		return f.get(r)
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return refuse(400, "invalid_request_error", "no_key", nil)
	}
	if a, known := f.answers[key]; known {
		if a.request != r.URL.Path || a.params != r.PostForm.Encode() {
			return refuse(400, "idempotency_error", "", nil)
		}
		return a.status, a.body
	}
	status, body := f.post(r)
	f.answers[key] = answer{r.URL.Path, r.PostForm.Encode(), status, body}
	return status, body
}

func refuse(status int, kind, code string, intent map[string]any) (int, []byte) {
	e := map[string]any{"type": kind, "message": "No."}
	if code != "" {
		e["code"] = code
	}
	if intent != nil {
		e["payment_intent"] = intent
	}
	text, _ := json.Marshal(map[string]any{"error": e})
	return status, text
}

func say(what any) (int, []byte) {
	text, _ := json.Marshal(what)
	return 200, text
}

func number(form url.Values, name string) int64 {
	n, _ := strconv.ParseInt(form.Get(name), 10, 64)
	return n
}

func (f *fake) post(r *http.Request) (int, []byte) {
	f.made++
	if r.URL.Path == "/v1/payment_intents" {
		i := map[string]any{
			"id": fmt.Sprintf("pi_%d", f.made), "object": "payment_intent", "status": "requires_payment_method", "amount": number(r.PostForm, "amount"),
			"currency": r.PostForm.Get("currency"), "capture_method": "automatic", "amount_received": int64(0),
			"metadata": map[string]any{"cutpoint_key": r.PostForm.Get("metadata[cutpoint_key]"), "cutpoint_order": r.PostForm.Get("metadata[cutpoint_order]")},
		}
		if m := r.PostForm.Get("capture_method"); m != "" {
			i["capture_method"] = m
		}
		f.intents[i["id"].(string)] = i
		return say(i)
	}
	if r.URL.Path == "/v1/refunds" {
		return f.refund(r.PostForm)
	}
	parts := strings.Split(r.URL.Path, "/") // "", v1, payment_intents, id, request
	i := f.intents[parts[3]]
	if i == nil {
		return refuse(404, "invalid_request_error", "resource_missing", nil)
	}
	switch parts[4] {
	case "confirm":
		return confirm(i, r.PostForm)
	case "capture":
		return capture(i, r.PostForm)
	}
	if s := i["status"]; s == "succeeded" || s == "canceled" {
		return refuse(400, "invalid_request_error", "payment_intent_unexpected_state", i)
	}
	i["status"] = "canceled"
	return say(i)
}

func confirm(i map[string]any, form url.Values) (int, []byte) {
	if i["status"] != "requires_payment_method" {
		return refuse(400, "invalid_request_error", "payment_intent_unexpected_state", i)
	}
	switch form.Get("payment_method") {
	case "pm_card_visa_chargeDeclined":
		i["last_payment_error"] = map[string]any{"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": "Your card was declined."}
		return refuse(402, "card_error", "card_declined", i)
	case "pm_card_authenticationRequired":
		i["status"], i["next_action"] = "requires_action", map[string]any{"type": "redirect_to_url", "redirect_to_url": map[string]any{"url": "https://bank.example/3ds"}}
		return say(i)
	}
	i["latest_charge"] = map[string]any{
		"id": "ch" + i["id"].(string)[2:], "status": "succeeded",
		"payment_method_details": map[string]any{"card": map[string]any{"capture_before": 1795600000, "multicapture": map[string]any{"status": "available"}}},
	}
	if i["status"] = "succeeded"; i["capture_method"] == "manual" {
		i["status"] = "requires_capture"
	} else {
		i["amount_received"] = i["amount"]
	}
	return say(i)
}

func capture(i map[string]any, form url.Values) (int, []byte) {
	if i["status"] != "requires_capture" {
		return refuse(400, "invalid_request_error", "payment_intent_unexpected_state", i)
	}
	took := i["amount_received"].(int64) + number(form, "amount_to_capture")
	if took > i["amount"].(int64) {
		return refuse(400, "invalid_request_error", "amount_too_large", nil)
	}
	i["amount_received"] = took
	for name := range form {
		if key, is := strings.CutPrefix(name, "metadata["); is {
			i["metadata"].(map[string]any)[strings.TrimSuffix(key, "]")] = form.Get(name)
		}
	}
	if form.Get("final_capture") != "false" || took == i["amount"] {
		i["status"] = "succeeded"
	}
	return say(i)
}

func (f *fake) refund(form url.Values) (int, []byte) {
	i := f.intents[form.Get("payment_intent")]
	if i == nil {
		return refuse(404, "invalid_request_error", "resource_missing", nil)
	}
	left := i["amount_received"].(int64)
	for _, r := range f.refunds {
		if r["payment_intent"] == i["id"] {
			left -= r["amount"].(int64)
		}
	}
	if number(form, "amount") > left {
		return refuse(400, "invalid_request_error", "charge_already_refunded", nil)
	}
	r := map[string]any{
		"id": fmt.Sprintf("re_%d", f.made), "object": "refund", "status": "succeeded", "amount": number(form, "amount"), "currency": i["currency"],
		"payment_intent": i["id"], "metadata": map[string]any{"cutpoint_key": form.Get("metadata[cutpoint_key]")},
	}
	f.refunds = append(f.refunds, r)
	return say(r)
}

func (f *fake) get(r *http.Request) (int, []byte) {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch nameOf(r) {
	case "search":
		found := []any{}
		for _, i := range f.intents {
			if strings.Contains(r.Form.Get("query"), "'"+i["metadata"].(map[string]any)["cutpoint_key"].(string)+"'") {
				found = append(found, i)
			}
		}
		return say(map[string]any{"object": "search_result", "data": found, "has_more": false})
	case "list intents":
		return page(slices.Collect(maps.Values(f.intents)), r.Form)
	case "list refunds":
		return page(f.refunds, r.Form)
	}
	if i := f.intents[last]; i != nil {
		return say(i)
	}
	for _, re := range f.refunds {
		if re["id"] == last {
			return say(re)
		}
	}
	return refuse(404, "invalid_request_error", "resource_missing", nil)
}

// page lists at most two objects, so that a few of them make several pages.
func page(all []map[string]any, form url.Values) (int, []byte) {
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(b["id"].(string), a["id"].(string)) })
	list := []map[string]any{}
	more := false
	for _, o := range all {
		after, of := form.Get("starting_after"), form.Get("payment_intent")
		if after != "" && o["id"].(string) >= after || of != "" && o["payment_intent"] != of {
			continue
		}
		if len(list) == 2 {
			more = true
			break
		}
		list = append(list, o)
	}
	return say(map[string]any{"object": "list", "data": list, "has_more": more})
}
