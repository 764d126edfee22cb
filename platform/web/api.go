// Package web is the HTTP edge: one API over which every module's face lays its routes, and the conventions that hold on all
// of them.
//
//   - Errors are problem documents (RFC 9457), whatever goes wrong: see Problem.
//   - A correlation id and a W3C trace context are taken from the request or made, and travel with every call that it causes.
//   - A route names the scopes that open it; the key is checked before the body is read.
//   - Commands that move stock or money need an Idempotency-Key: see Keyed.
//   - Single resources carry an ETag and are replaced with If-Match: see ETag and IfVersion.
//   - Lists are pages with opaque cursors: see PageQuery.
//   - Signed messages of strangers are taken byte for byte: see Raw.
//
// Faces use this package and know neither echo nor the server; both stand here alone.
package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"cutpoint/platform/auth"
	"cutpoint/platform/id"
)

// Defaults of an API.
const (
	DefaultBodyLimit      = 1 << 20
	DefaultRequestTimeout = 30 * time.Second
)

// Verifier tells who holds a key, or returns auth.ErrUnauthenticated.
type Verifier interface {
	Verify(ctx context.Context, secret string) (auth.Principal, error)
}

// Options are the settings of an API. Verifier and Version are required.
type Options struct {
	Verifier       Verifier
	Version        string                      // of the product, for the description
	BodyLimit      int64                       // bytes of a request body
	RequestTimeout time.Duration               // deadline of everything that a request causes
	Ready          func(context.Context) error // what /readyz asks; nil: always ready
	Log            *slog.Logger
	NewID          id.Source
}

// API is the set of all routes. Routes are registered before it serves; after that it is safe for concurrent use.
type API struct {
	options Options
	echo    *echo.Echo
	huma    huma.API
}

// New returns an API with the routes that are nobody's: health, the OpenAPI description and its pages.
func New(o Options) *API {
	if o.BodyLimit <= 0 {
		o.BodyLimit = DefaultBodyLimit
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.NewID == nil {
		o.NewID = id.NewSource(time.Now, rand.Reader)
	}
	a := &API{options: o, echo: echo.New()}
	a.echo.HideBanner, a.echo.HidePort = true, true
	a.echo.HTTPErrorHandler = a.handleEchoError
	a.echo.Use(a.correlate, a.recover)

	useConventions()
	config := huma.DefaultConfig("Cutpoint", o.Version)
	config.Info.Description = introduction
	config.Tags = []*huma.Tag{{Name: "Orders"}, {Name: "Inventory"}, {Name: "Prices"}, {Name: "Payments"}, {Name: "Webhooks"}, {Name: "Test gateway"}, {Name: "Health"}}
	config.CreateHooks, config.DocsPath, config.OpenAPIPath, config.SchemasPath = nil, "", "", ""
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "An API key, made by `cutpoint keys add`"},
	}
	a.huma = humaecho.NewV4(a.echo, config)
	a.registerHealth()
	a.registerDocs()
	return a
}

// ServeHTTP implements http.Handler. HEAD is GET whose body the server leaves out (RFC 9110, section 9.3.2).
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		r = r.WithContext(r.Context()) // a copy: the server looks at its own
		r.Method = http.MethodGet
	}
	a.echo.ServeHTTP(w, r)
}

// Route describes one operation of the API.
type Route struct {
	Method      string
	Path        string // with parameters in braces
	ID          string // unique, "place-order"
	Tag         string // the group in which it is shown
	Summary     string
	Description string
	Scopes      []string // any of them opens the route; none: no key is needed
	Status      int      // of success, if not 200
	Statuses    []int    // further answers that carry the same body
	BodyLimit   int64    // bytes of a request body, if less than what the API takes
	Example     any      // a request body that works as it stands
}

// Handle lays a route. I and O follow huma's rules: fields of I are tagged path, query or header, those of O header, and Body
// is the body. An error of do becomes a problem.
func Handle[I, O any](a *API, r Route, do func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		Method: r.Method, Path: r.Path, OperationID: r.ID, Tags: []string{r.Tag},
		Summary: r.Summary, Description: r.Description, DefaultStatus: r.Status,
		MaxBodyBytes: a.options.BodyLimit, Responses: map[string]*huma.Response{},
	}
	if r.BodyLimit > 0 {
		op.MaxBodyBytes = min(r.BodyLimit, a.options.BodyLimit)
	}
	if len(r.Scopes) > 0 {
		op.Security = []map[string][]string{{"key": r.Scopes}}
		op.Middlewares = huma.Middlewares{a.authorise(r.Scopes)}
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, a.options.RequestTimeout)
		defer cancel()
		out, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
	a.describe(r)
}

func (a *API) registerHealth() {
	type answer struct {
		Body struct {
			Status string `json:"status" enum:"ok"`
		}
	}
	ok := &answer{}
	ok.Body.Status = "ok"
	Handle(a, Route{Method: http.MethodGet, Path: "/healthz", ID: "health", Tag: "Health", Summary: "Is the process alive?"},
		func(context.Context, *struct{}) (*answer, error) { return ok, nil })
	Handle(a, Route{Method: http.MethodGet, Path: "/readyz", ID: "ready", Tag: "Health", Summary: "Can it take orders now?"},
		func(ctx context.Context, _ *struct{}) (*answer, error) {
			if a.options.Ready != nil {
				if err := a.options.Ready(ctx); err != nil {
					return nil, err
				}
			}
			return ok, nil
		})
}
