package web

import (
	_ "embed"
	"encoding/json"
	"maps"
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

// introduction says what holds on every route, as Markdown.
const introduction = `An order backend: stock, prices, payments and orders.

**Keys.** Send ` + "`Authorization: Bearer <key>`" + `. Each route names the scopes of which the key needs one.

**Money** is an integer of minor units with an ISO 4217 currency: 1290 EUR is 12.90 euros, 1290 JPY is 1290 yen.
**Times** are RFC 3339 in UTC.

**Errors** are problem documents (RFC 9457). Switch on ` + "`code`" + `, which is stable; ` + "`errors`" + ` points at what is wrong in the
request; ` + "`retryable`" + ` says whether the same request may succeed later.

**Commands that move stock or money** need an ` + "`Idempotency-Key`" + `, fresh for each new command. Repeat a request that you got no
answer to with the same key: it is done once, and the repeat returns the first answer.

**Replacing** something that exists needs its ` + "`ETag`" + ` in ` + "`If-Match`" + `. Reading it again with ` + "`If-None-Match`" + ` answers 304 while it is unchanged.

**Lists** come in pages: send ` + "`next_cursor`" + ` as ` + "`cursor`" + ` to get the next one.

**X-Correlation-ID** is taken from the request or made, stands in every answer, and marks everything that the request caused.
`

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
	described := *a.huma.OpenAPI()
	components := *described.Components
	components.Schemas = nullable{components.Schemas}
	described.Components = &components
	b, err := described.MarshalJSON()
	if err != nil {
		panic(err) // the description is made of plain values
	}
	return b
}

// describe adds to huma's description of a route what its types don't say.
func (a *API) describe(r Route) {
	item := a.huma.OpenAPI().Paths[r.Path]
	op := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch,
		http.MethodDelete: item.Delete,
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
	if r.Example != nil {
		op.RequestBody.Content["application/json"].Example = r.Example
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == "Idempotency-Key" {
			p.Required = strings.HasPrefix(p.Description, "Required") // of a Keyed; a Repeatable's is not
		}
	}
}

// nullable describes the same types, and lets those members of answers be null that are pointers and always present; huma says
// so of scalars only. It works on copies, since requests are validated against the originals meanwhile.
type nullable struct{ huma.Registry }

// Map implements huma.Registry.
func (n nullable) Map() map[string]*huma.Schema {
	schemas := maps.Clone(n.Registry.Map())
	for name, schema := range schemas {
		schemas[name] = allowNull(n.TypeFromRef("#/components/schemas/"+name), schema)
	}
	return schemas
}

// MarshalJSON implements json.Marshaler.
func (n nullable) MarshalJSON() ([]byte, error) { return json.Marshal(n.Map()) }

func allowNull(t reflect.Type, schema *huma.Schema) *huma.Schema {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return schema
	}
	changed := *schema
	changed.Properties = maps.Clone(schema.Properties)
	for _, f := range reflect.VisibleFields(t) {
		member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := schema.Properties[member]
		if f.Type.Kind() == reflect.Pointer && p != nil && p.Ref != "" && !strings.Contains(options, "omit") {
			changed.Properties[member] = &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}, Description: p.Description}
		}
	}
	return &changed
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
