package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
	"cutpoint/platform/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// thing has every shape that an answer of a module may have.
type thing struct {
	SKU      string            `json:"sku" minLength:"1" maxLength:"10"`
	Quantity int64             `json:"quantity" minimum:"1"`
	Email    string            `json:"email,omitempty" format:"email"`
	Homepage string            `json:"homepage,omitempty" format:"uri"`
	Lines    []thingLine       `json:"lines,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

type thingLine struct {
	Quantity int64 `json:"quantity" minimum:"1"`
}

type stored struct {
	ID      string       `json:"id"`
	Failure *failure     `json:"failure"`
	EndedAt *time.Time   `json:"ended_at"`
	Lines   []thingLine  `json:"lines"`
	Parent  *failure     `json:"parent,omitempty"`
	Nested  []*thingLine `json:"nested,omitempty"`
}

type failure struct {
	Code string `json:"code"`
}

// keys is a verifier: the secret names the scopes.
type keys struct{}

func (keys) Verify(_ context.Context, secret string) (auth.Principal, error) {
	scopes, ok := strings.CutPrefix(secret, "cpk_")
	if !ok {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	return auth.Principal{KeyID: "key_" + scopes, Scopes: strings.Split(scopes, "+")}, nil
}

type fixture struct {
	*web.API
	do   func(context.Context, thing) (stored, error) // what the handler does
	log  *bytes.Buffer
	seen channel.Header
}

func newFixture(t testing.TB, o web.Options) *fixture {
	t.Helper()
	f := &fixture{log: &bytes.Buffer{}}
	f.do = func(context.Context, thing) (stored, error) { return stored{ID: "1", Lines: []thingLine{}}, nil }
	o.Verifier, o.Version, o.Log = keys{}, "test", slog.New(slog.NewTextHandler(f.log, nil))
	f.API = web.New(o)
	type answer struct {
		Status int
		ETag   string `header:"ETag"`
		web.ReplayHeader
		Body *stored
	}
	put := func(ctx context.Context, in thing) (*answer, error) {
		f.seen = channel.HeaderOf(ctx)
		s, err := f.do(ctx, in)
		return &answer{Status: http.StatusOK, Body: &s}, err
	}
	web.Handle(f.API, web.Route{Method: http.MethodPost, Path: "/v1/things", ID: "make-thing", Tag: "Things", Summary: "Make.",
		Scopes: []string{auth.StockWrite, auth.Ops}, Statuses: []int{http.StatusAccepted}},
		func(ctx context.Context, in *struct {
			web.Keyed
			Body thing
		}) (*answer, error) {
			if _, err := in.Key(ctx, "POST things", in.Body); err != nil {
				return nil, err
			}
			return put(ctx, in.Body)
		})
	web.Handle(f.API, web.Route{Method: http.MethodGet, Path: "/v1/things/{id}", ID: "thing", Tag: "Things", Summary: "Read.",
		Scopes: []string{auth.StockRead}, Statuses: []int{http.StatusNotModified}},
		func(ctx context.Context, in *struct {
			web.Conditional
			ID string `path:"id"`
		}) (*answer, error) {
			if in.Unchanged(web.ETag(3)) {
				return &answer{Status: http.StatusNotModified, ETag: web.ETag(3)}, nil
			}
			a, err := put(ctx, thing{SKU: in.ID})
			if err != nil {
				return nil, err
			}
			a.ETag = web.ETag(3)
			return a, nil
		})
	web.Handle(f.API, web.Route{Method: http.MethodGet, Path: "/v1/things", ID: "things", Tag: "Things", Summary: "List.", Scopes: []string{auth.StockRead}},
		func(_ context.Context, in *web.PageQuery) (*struct{ Body web.Page[stored] }, error) {
			after, err := in.After("things")
			return &struct{ Body web.Page[stored] }{web.NewPage([]stored{{ID: after + "x", Lines: []thingLine{}}}, true, func(s stored) string { return s.ID }, "things")}, err
		})
	return f
}

const valid = `{"sku": "MUG-1", "quantity": 2}`

// request is a request with a key that may do all, unless headers say otherwise.
func request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer cpk_ops+stock:read")
	r.Header.Set("Idempotency-Key", "k1")
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, strings.TrimSpace(value))
		}
	}
	return r
}

func (f *fixture) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// problem decodes a problem document, and checks what is true of all of them.
func problem(t testing.TB, w *httptest.ResponseRecorder) (p web.Problem) {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q: %s", ct, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if p.Status != w.Code || p.Type != "urn:cutpoint:problem:"+p.Code || p.Title != http.StatusText(w.Code) || p.Code == "" || p.Detail == "" {
		t.Errorf("status %d, problem %s", w.Code, w.Body)
	}
	if p.CorrelationID == "" || p.CorrelationID != w.Header().Get("X-Correlation-ID") {
		t.Errorf("correlation id %q, header %q", p.CorrelationID, w.Header().Get("X-Correlation-ID"))
	}
	if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "Go struct") {
		t.Errorf("it tells too much: %s", w.Body)
	}
	return p
}

func TestProblems(t *testing.T) {
	const path = "/v1/things"
	body := func(b string, headers ...string) *http.Request { return request("POST", path, b, headers...) }
	fails := func(err error) func(context.Context, thing) (stored, error) {
		return func(context.Context, thing) (stored, error) { return stored{ID: "secret"}, err }
	}
	outOfStock := fault.New(fault.Conflict, "inventory.out_of_stock", "not enough").At("/lines/0", "short", "1 left").About("ord_7")
	tests := map[string]struct {
		request *http.Request
		do      func(context.Context, thing) (stored, error)
		status  int
		code    string
		errors  string            // "pointer code" of each
		headers map[string]string // of the answer
	}{
		"unknown route":            {request: request("GET", "/v1/nothing", ""), status: 404, code: "route_not_found"},
		"root":                     {request: request("GET", "/", ""), status: 404, code: "route_not_found"},
		"unknown method":           {request: request("DELETE", path, ""), status: 405, code: "method_not_allowed", headers: map[string]string{"Allow": "OPTIONS, GET, POST"}},
		"bad JSON":                 {request: body(`{"sku": secret`), status: 400, code: "malformed", errors: " invalid"},
		"no body":                  {request: body(""), status: 400, code: "malformed"},
		"text":                     {request: body("sku=secret", "Content-Type: text/plain"), status: 415, code: "unsupported_media_type", errors: " invalid"},
		"too large":                {request: body(`{"sku": "` + strings.Repeat("x", 2000) + `"}`), status: 413, code: "body_too_large"},
		"missing members":          {request: body(`{}`), status: 422, code: "invalid", errors: " required,  required"},
		"wrong members":            {request: body(`{"sku": "secret-secret", "quantity": 0}`), status: 422, code: "invalid", errors: "/sku invalid, /quantity invalid"},
		"wrong types":              {request: body(`{"sku": 5, "quantity": "secret"}`), status: 422, code: "invalid", errors: "/sku invalid, /quantity invalid"},
		"unknown member":           {request: body(`{"sku": "a", "quantity": 1, "colour": "secret"}`), status: 422, code: "invalid", errors: "/colour unknown_field"},
		"in a list":                {request: body(`{"sku": "a", "quantity": 1, "lines": [{"quantity": 1}, {"quantity": 0}, {}]}`), status: 422, code: "invalid", errors: "/lines/1/quantity invalid, /lines/2 required"},
		"escaped pointer":          {request: body(`{"sku": "a", "quantity": 1, "metadata": {"a/b~c": 5}}`), status: 422, code: "invalid", errors: "/metadata/a~1b~0c invalid"},
		"address":                  {request: body(`{"sku": "a", "quantity": 1, "email": "secret"}`), status: 422, code: "invalid", errors: "/email invalid"},
		"link":                     {request: body(`{"sku": "a", "quantity": 1, "homepage": "http://secret:x y"}`), status: 422, code: "invalid", errors: "/homepage invalid"},
		"a number that is too big": {request: body(`{"sku": "a", "quantity": 1e30}`), status: 422, code: "invalid", errors: " invalid"},
		"query":                    {request: request("GET", path+"?limit=secret", ""), status: 422, code: "invalid", errors: "query/limit invalid"},
		"query out of range":       {request: request("GET", path+"?limit=201", ""), status: 422, code: "invalid", errors: "query/limit invalid"},
		"foreign cursor":           {request: request("GET", path+"?cursor=secret", ""), status: 400, code: "cursor_invalid"},
		"no idempotency key":       {request: body(valid, "Idempotency-Key:"), status: 400, code: "idempotency_key_missing"},
		"no key":                   {request: body("{", "Authorization:"), status: 401, code: "unauthenticated", headers: map[string]string{"WWW-Authenticate": "Bearer"}},
		"another scheme":           {request: body(valid, "Authorization: Basic cpk_ops"), status: 401, code: "unauthenticated", headers: map[string]string{"WWW-Authenticate": "Bearer"}},
		"unknown key":              {request: body(valid, "Authorization: Bearer secret"), status: 401, code: "unauthenticated"},
		"no right":                 {request: body("{", "Authorization: Bearer cpk_orders:read"), status: 403, code: "forbidden"},
		"panic": {request: body(valid), status: 500, code: "internal",
			do: func(context.Context, thing) (stored, error) { panic("secret") }},
		"unforeseen":   {request: body(valid), do: fails(errors.New("secret")), status: 500, code: "internal"},
		"a conflict":   {request: body(valid), do: fails(fmt.Errorf("secret: %w", outOfStock)), status: 409, code: "inventory.out_of_stock", errors: "/lines/0 short"},
		"a replay":     {request: body(valid), do: fails(web.Replayed(outOfStock)), status: 409, code: "inventory.out_of_stock", errors: "/lines/0 short", headers: map[string]string{"Idempotent-Replayed": "true"}},
		"at capacity":  {request: body(valid), do: fails(channel.ErrFull.WithRetryAfter(1100 * time.Millisecond)), status: 503, code: "channel_full", headers: map[string]string{"Retry-After": "2"}},
		"in use":       {request: body(valid), do: fails(idempotency.ErrInUse.WithRetryAfter(time.Second)), status: 409, code: "idempotency_key_in_use", headers: map[string]string{"Retry-After": "1"}},
		"no answer":    {request: body(valid), do: fails(context.DeadlineExceeded), status: 504, code: "timeout"},
		"other accept": {request: body("{", "Accept: text/html"), status: 400, code: "malformed", errors: " invalid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, web.Options{BodyLimit: 1000})
			if test.do != nil {
				f.do = test.do
			}
			w := f.serve(test.request)
			p := problem(t, w)
			if w.Code != test.status || p.Code != test.code {
				t.Errorf("%d %s, want %d %s: %s", w.Code, p.Code, test.status, test.code, w.Body)
			}
			var list []string
			for _, e := range p.Errors {
				list = append(list, e.Pointer+" "+e.Code)
			}
			want := strings.Split(test.errors, ", ")
			slices.Sort(list)
			if slices.Sort(want); strings.Join(list, ", ") != strings.Join(want, ", ") {
				t.Errorf("errors %q, want %q: %s", list, want, w.Body)
			}
			for name, value := range test.headers {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			if p.Instance != test.request.URL.Path {
				t.Errorf("instance %q", p.Instance)
			}
			if retry := test.status == 503 || test.status == 504 || w.Header().Get("Retry-After") != ""; p.Retryable != retry {
				t.Errorf("retryable %v", p.Retryable)
			}
			if orderID := map[bool]string{true: "ord_7"}[test.code == outOfStock.Code]; p.OrderID != orderID {
				t.Errorf("order %q", p.OrderID)
			}
			if logged := strings.Contains(f.log.String(), "request failed"); logged != (test.status == 500) {
				t.Errorf("logged %v: %s", logged, f.log)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	f := newFixture(t, web.Options{})
	for kind, status := range map[fault.Kind]int{
		fault.Malformed: 400, fault.Unauthenticated: 401, fault.Declined: 402, fault.Forbidden: 403, fault.NotFound: 404,
		fault.Conflict: 409, fault.Stale: 412, fault.TooLarge: 413, fault.Invalid: 422, fault.Unconditional: 428, fault.Limited: 429,
		fault.Internal: 500, fault.Unavailable: 503, fault.Timeout: 504, "made up": 500,
	} {
		f.do = func(context.Context, thing) (stored, error) { return stored{}, fault.New(kind, "code", "message") }
		if w := f.serve(request("POST", "/v1/things", valid)); w.Code != status || problem(t, w).Code != "code" {
			t.Errorf("%s: %d, want %d", kind, w.Code, status)
		}
	}
}

func TestCorrelation(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	f := newFixture(t, web.Options{NewID: func(prefix string) string { return prefix + "_made" }})
	tests := []struct{ sent, kept string }{
		{"abc 1/2~", "abc 1/2~"}, {strings.Repeat("c", 128), strings.Repeat("c", 128)},
		{"", "cor_made"}, {strings.Repeat("c", 129), "cor_made"}, {"tab\tx", "cor_made"}, {"é", "cor_made"},
	}
	for _, test := range tests {
		for _, path := range []string{"/v1/things", "/healthz", "/docs", "/nothing"} {
			w := f.serve(request("GET", path, "", "X-Correlation-ID: "+test.sent))
			if got := w.Header().Get("X-Correlation-ID"); got != test.kept {
				t.Errorf("GET %s with %q: answered %q", path, test.sent, got)
			}
		}
		f.serve(request("POST", "/v1/things", valid, "X-Correlation-ID: "+test.sent, "traceparent: "+parent, "tracestate: v=1"))
		if h := f.seen; h.CorrelationID != test.kept || h.Actor != "key_ops+stock:read" || h.Traceparent != parent || h.Tracestate != "v=1" {
			t.Errorf("the handler saw %+v", h)
		}
	}
	made := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`)
	for _, damaged := range []string{"", "00-junk"} {
		w := f.serve(request("POST", "/v1/things", valid, "traceparent: "+damaged, "tracestate: v=1"))
		if got := w.Header().Get("traceparent"); !made.MatchString(got) || f.seen.Traceparent != got || f.seen.Tracestate != "" {
			t.Errorf("traceparent %q: answered %q, the handler saw %+v", damaged, got, f.seen)
		}
	}
}

func TestDeadline(t *testing.T) {
	f := newFixture(t, web.Options{RequestTimeout: time.Nanosecond})
	f.do = func(ctx context.Context, _ thing) (stored, error) { <-ctx.Done(); return stored{}, ctx.Err() }
	if w := f.serve(request("POST", "/v1/things", valid)); w.Code != http.StatusGatewayTimeout {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestConditionalRead(t *testing.T) {
	f := newFixture(t, web.Options{})
	w := f.serve(request("GET", "/v1/things/a%20b", ""))
	if w.Code != 200 || w.Header().Get("ETag") != `"3"` {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	w = f.serve(request("GET", "/v1/things/1", "", `If-None-Match: "2", W/"3"`))
	if w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != `"3"` {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestReady(t *testing.T) {
	f := newFixture(t, web.Options{Ready: func(context.Context) error { return channel.ErrNoReceiver }})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if w := f.serve(request("GET", path, "", "Authorization:")); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestServer speaks real HTTP: what a recorder can't show.
func TestServer(t *testing.T) {
	f := newFixture(t, web.Options{BodyLimit: 1000})
	s, err := web.Listen("127.0.0.1:0", f.API)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(method, path string, body io.Reader) (*http.Response, string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, body)
		r.Header.Set("Authorization", "bearer cpk_ops+stock:read")
		r.Header.Set("Idempotency-Key", "k")
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp, string(b)
	}
	t.Run("HEAD is GET without a body", func(t *testing.T) {
		for path, want := range map[string]int{"/healthz": 200, "/v1/things/1": 200, "/docs": 200, "/openapi.json": 200, "/nothing": 404} {
			get, text := call("GET", path, nil)
			head, body := call("HEAD", path, nil)
			if head.StatusCode != want || get.StatusCode != want || body != "" || text == "" || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
				t.Errorf("HEAD %s: %d %v %q, GET %d", path, head.StatusCode, head.Header, body, get.StatusCode)
			}
		}
	})
	t.Run("a body of unknown length is bounded", func(t *testing.T) {
		endless := io.MultiReader(strings.NewReader(`{"sku": "`), strings.NewReader(strings.Repeat("x", 5000)), strings.NewReader(`"}`))
		if resp, body := call("POST", "/v1/things", struct{ io.Reader }{endless}); resp.StatusCode != 413 {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
	t.Run("damaged chunks are the client's fault", func(t *testing.T) {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = fmt.Fprint(c, "POST /v1/things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cpk_ops\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
	})
	t.Run("Stop lets running requests end, and is no failure", func(t *testing.T) {
		running, goOn, answered := make(chan struct{}), make(chan struct{}), make(chan int)
		f.do = func(context.Context, thing) (stored, error) { close(running); <-goOn; return stored{}, nil }
		go func() {
			resp, _ := call("POST", "/v1/things", strings.NewReader(valid))
			answered <- resp.StatusCode
		}()
		<-running
		stopped := make(chan error)
		go func() { stopped <- s.Stop(t.Context()) }()
		close(goOn)
		if status := <-answered; status != 200 {
			t.Errorf("the running request got %d", status)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		select {
		case err := <-s.Failed():
			t.Errorf("failed: %v", err)
		default:
		}
	})
	t.Run("an address that is taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if _, err := web.Listen(l.Addr().String(), f.API); err == nil {
			t.Error("it was bound twice")
		}
	})
}

func TestDocs(t *testing.T) {
	f := newFixture(t, web.Options{})
	page := f.serve(request("GET", "/docs", "", "Authorization:"))
	policy := page.Header().Get("Content-Security-Policy")
	if page.Code != 200 || !strings.Contains(policy, "default-src 'none'") || regexp.MustCompile(`https?:|\*|unsafe-eval|script-src[^;]*unsafe`).MatchString(policy) {
		t.Errorf("%d, policy %q", page.Code, policy)
	}
	for _, link := range regexp.MustCompile(`(?:src|href|spec-url)="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1) {
		if w := f.serve(request("GET", link[1], "", "Authorization:")); w.Code != 200 || strings.Contains(link[1], "//") {
			t.Errorf("the page refers to %s: %d", link[1], w.Code)
		}
	}
	if strings.Contains(page.Body.String(), "://") {
		t.Error("the page names an address outside")
	}
}

func TestOpenAPI(t *testing.T) {
	f := newFixture(t, web.Options{})
	w := f.serve(request("GET", "/openapi.json", "", "Authorization:"))
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	schemas := document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	compiled := map[string]*jsonschema.Schema{}
	for name := range schemas {
		if compiled[name], err = c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	matches := func(schema, text string) error {
		t.Helper()
		if compiled[schema] == nil {
			t.Fatalf("no schema %s among %v", schema, schemas)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return compiled[schema].Validate(v)
	}
	name := func(suffix string) string {
		for n := range schemas {
			if strings.HasSuffix(n, suffix) && !strings.Contains(n, "Page") {
				return n
			}
		}
		return suffix
	}
	if err := matches(name("Stored"), `{"id": "1", "failure": null, "ended_at": null, "lines": []}`); err != nil {
		t.Errorf("nullable members: %v", err)
	}
	if err := matches(name("Stored"), `{"id": "1", "failure": {"code": "x"}, "ended_at": "2026-05-04T03:02:01Z", "lines": []}`); err != nil {
		t.Errorf("members that are there: %v", err)
	}
	if err := matches(name("Stored"), `{"id": "1", "ended_at": null, "lines": []}`); err == nil {
		t.Error("a member is missing and the schema does not see it")
	}
	if err := matches("Problem", f.serve(request("POST", "/v1/things", "{}")).Body.String()); err != nil {
		t.Errorf("a problem: %v", err)
	}
	if err := matches(name("Stored"), f.serve(request("GET", "/v1/things/1", "")).Body.String()); err != nil {
		t.Errorf("an answer: %v", err)
	}
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Parameters []struct {
				Name     string
				Required bool
			}
			Responses map[string]struct{ Content map[string]any }
			Security  []map[string][]string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	post, get := d.Paths["/v1/things"]["post"], d.Paths["/v1/things/{id}"]["get"]
	if !strings.HasPrefix(d.OpenAPI, "3.1") || post.Responses["202"].Content == nil || get.Responses["304"].Content != nil || post.Security == nil {
		t.Errorf("OpenAPI %s: %+v %+v", d.OpenAPI, post, get)
	}
	if len(post.Parameters) != 1 || !post.Parameters[0].Required {
		t.Errorf("parameters %+v: want a required Idempotency-Key", post.Parameters)
	}
	if _, ok := post.Responses["default"].Content["application/problem+json"]; !ok {
		t.Errorf("responses %+v: want problems", post.Responses)
	}
	if !bytes.Equal(f.OpenAPI(), w.Body.Bytes()) {
		t.Error("the description changes from one look to the next")
	}
}

// TestConcurrent makes APIs and descriptions while requests are served.
func TestConcurrent(t *testing.T) {
	f := newFixture(t, web.Options{})
	f.do = func(context.Context, thing) (stored, error) { return stored{}, revision.ErrStale }
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { newFixture(t, web.Options{}) })
		group.Go(func() { f.OpenAPI() })
		group.Go(func() { f.serve(request("GET", "/v1/things", "")) })
		group.Go(func() { f.serve(request("GET", "/v1/things?limit=x", "")) })
	}
	group.Wait()
}
