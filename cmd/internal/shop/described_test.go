package shop_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"cutpoint/platform/web"
)

// description is an OpenAPI document, of which answers can be checked. OpenAPI 3.1 uses JSON Schema 2020-12 as it is.
type description struct {
	document map[string]any

	mu       *sync.Mutex // the compiler is for one goroutine at a time
	compiler *jsonschema.Compiler
}

// described is a handler that fails the test when an answer is not as the API's own description says.
func described(t testing.TB, a *web.API) http.Handler {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.OpenAPI()))
	if err != nil {
		t.Fatal(err)
	}
	d := description{document.(map[string]any), &sync.Mutex{}, jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource("openapi.json", document); err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		a.ServeHTTP(answer, r)
		if err := d.check(r, answer); err != nil {
			t.Errorf("%s %s answered %d: %v\n%s", r.Method, r.URL, answer.Code, err, answer.Body)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// check holds one answer against the description of its operation.
func (d description) check(r *http.Request, answer *httptest.ResponseRecorder) error {
	template, operation := d.operation(r.Method, r.URL.Path)
	if operation == nil {
		if answer.Code == http.StatusNotFound || answer.Code == http.StatusMethodNotAllowed {
			return d.problem(answer)
		}
		return fmt.Errorf("no such operation is described")
	}
	if answer.Header().Get("X-Correlation-ID") == "" {
		return fmt.Errorf("no correlation id")
	}
	if answer.Code >= 400 {
		return d.problem(answer)
	}
	status := fmt.Sprint(answer.Code)
	response, ok := operation["responses"].(map[string]any)[status].(map[string]any)
	if !ok {
		return fmt.Errorf("this status is not described")
	}
	content, _ := response["content"].(map[string]any)
	if content == nil {
		if answer.Body.Len() > 0 {
			return fmt.Errorf("no body is described")
		}
		return nil
	}
	media, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	if content[media] == nil {
		return fmt.Errorf("content type %q is not described", media)
	}
	if media == "text/csv" || media == "application/jsonl" { // a stream, whose form is its own
		return nil
	}
	return d.validate(pointer("paths", template, strings.ToLower(r.Method), "responses", status, "content", media, "schema"), answer.Body.Bytes())
}

func (d description) problem(answer *httptest.ResponseRecorder) error {
	if got := answer.Header().Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("content type %q of a problem", got)
	}
	return d.validate(pointer("components", "schemas", "Problem"), answer.Body.Bytes())
}

func (d description) validate(at string, body []byte) error {
	d.mu.Lock()
	schema, err := d.compiler.Compile("openapi.json#" + at)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// operation finds the description of what a method does at a path: a path without parameters goes before one with.
func (d description) operation(method, path string) (template string, operation map[string]any) {
	if item, ok := d.document["paths"].(map[string]any)[path].(map[string]any); ok {
		if operation, ok := item[strings.ToLower(method)].(map[string]any); ok {
			return path, operation
		}
	}
	for template, item := range d.document["paths"].(map[string]any) {
		if operation, ok := item.(map[string]any)[strings.ToLower(method)].(map[string]any); ok && matches(template, path) {
			return template, operation
		}
	}
	return "", nil
}

func matches(template, path string) bool {
	t, p := strings.Split(template, "/"), strings.Split(path, "/")
	if len(t) != len(p) {
		return false
	}
	for i := range t {
		if t[i] != p[i] && !strings.HasPrefix(t[i], "{") {
			return false
		}
	}
	return true
}

// pointer is a JSON pointer (RFC 6901) in a URI fragment.
func pointer(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p))
	}
	return b.String()
}
