package web

import (
	_ "embed"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// The page that shows the API, and the script that draws it: RapiDoc 9.3.8, MIT. Nothing is loaded from elsewhere.
var (
	//go:embed docs/index.html
	docsPage []byte
	//go:embed docs/rapidoc-9.3.8.min.js.gz
	docsScript []byte
)

func (a *API) registerDocs() {
	description := sync.OnceValue(a.OpenAPI)
	a.echo.GET("/openapi.json", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/openapi+json", description())
	})
	a.echo.GET("/docs", func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy",
			"default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
		return c.HTMLBlob(http.StatusOK, docsPage)
	})
	a.echo.GET("/docs/rapidoc.js", func(c echo.Context) error {
		c.Response().Header().Set("Content-Encoding", "gzip")
		c.Response().Header().Set("Cache-Control", "public, max-age=86400")
		return c.Blob(http.StatusOK, "text/javascript", docsScript)
	})
}

// OpenAPI returns the description of all routes that are registered by now, OpenAPI 3.1 as JSON.
func (a *API) OpenAPI() []byte {
	a.allowNull()
	b, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		panic(err) // the description is made of plain values
	}
	return b
}

// describe adds to huma's description of a route what its types don't say.
func (a *API) describe(r Route) {
	item := a.huma.OpenAPI().Paths[r.Path]
	op := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete,
	}[r.Method]
	success := strconv.Itoa(max(r.Status, http.StatusOK))
	for _, s := range r.Statuses {
		response := *op.Responses[success]
		response.Description = http.StatusText(s)
		if s == http.StatusNotModified {
			response.Content = nil
		}
		op.Responses[strconv.Itoa(s)] = &response
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == "Idempotency-Key" {
			p.Required = true
		}
	}
}

// allowNull lets those members of answers be null that are pointers and always present; huma says so of scalars only.
func (a *API) allowNull() {
	registry := a.huma.OpenAPI().Components.Schemas
	for name, schema := range registry.Map() {
		t := registry.TypeFromRef("#/components/schemas/" + name)
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == nil || t.Kind() != reflect.Struct {
			continue
		}
		for i := range t.NumField() {
			f := t.Field(i)
			member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			p := schema.Properties[member]
			if f.Type.Kind() == reflect.Pointer && p != nil && p.Ref != "" && !strings.Contains(options, "omitempty") {
				schema.Properties[member] = &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}, Description: p.Description}
			}
		}
	}
}

var qualified = regexp.MustCompile(`([\w./-]+)\.(\w+)`)

// schemaName names a type in the description: package and type in one word ("InventoryItem"), since modules may use the same
// word for different things.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Name() == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	name := qualified.ReplaceAllStringFunc(t.PkgPath()+"."+t.Name(), func(s string) string {
		m := qualified.FindStringSubmatch(s)
		pkg := strings.TrimSuffix(path.Base(m[1]), "http")
		if pkg == "web" || pkg == "fault" || strings.EqualFold(pkg, m[2]) {
			return capital(m[2])
		}
		return capital(pkg) + capital(m[2])
	})
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("[],*. ", r) {
			return -1
		}
		return r
	}, name)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
