package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
)

const correlationHeader = "X-Correlation-ID"

type pathKey struct{}

func pathOf(ctx context.Context) string {
	p, _ := ctx.Value(pathKey{}).(string)
	return p
}

// correlate gives the request the header under which all calls that it causes will travel.
func (a *API) correlate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		correlation := r.Header.Get(correlationHeader)
		if !printable(correlation) {
			correlation = a.options.NewID("cor")
		}
		c.Response().Header().Set(correlationHeader, correlation)
		h := channel.Header{CorrelationID: correlation, Traceparent: r.Header.Get("traceparent")}
		if !validTraceparent(h.Traceparent) {
			h.Traceparent = newTraceparent()
		} else if ts := r.Header.Get("tracestate"); len(ts) <= 512 {
			h.Tracestate = ts
		}
		c.Response().Header().Set("traceparent", h.Traceparent)
		ctx := context.WithValue(channel.WithHeader(r.Context(), h), pathKey{}, r.URL.Path)
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// printable reports whether a correlation id may be used: 1 to 128 characters of printable ASCII.
func printable(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// validTraceparent checks the shape of version 00 of W3C Trace Context, section 3.2.
func validTraceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, span, flags := s[3:35], s[36:52], s[53:]
	return strings.Trim(trace+span+flags, "0123456789abcdef") == "" && strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

// newTraceparent begins a trace that nobody has asked to be sampled.
func newTraceparent() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-00"
}

// recover turns a panic of a handler into a problem of this request alone.
func (a *API) recover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// authorise lets a request pass whose key has any of the scopes.
func (a *API) authorise(scopes []string) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		principal, err := a.principal(hc)
		if err == nil && !principal.May(scopes...) {
			err = auth.ErrForbidden.Saying("this key may not do that; it would need one of the scopes: %s", strings.Join(scopes, ", "))
		}
		if err != nil {
			p := a.problem(hc.Context(), err)
			for name, values := range p.GetHeaders() {
				hc.SetHeader(name, values[0])
			}
			_ = huma.WriteErr(a.huma, hc, p.Status, p.Detail, p)
			return
		}
		header := channel.HeaderOf(hc.Context())
		header.Actor = principal.KeyID
		next(huma.WithContext(hc, auth.WithPrincipal(channel.WithHeader(hc.Context(), header), principal)))
	}
}

func (a *API) principal(hc huma.Context) (auth.Principal, error) {
	scheme, secret, _ := strings.Cut(hc.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	return a.options.Verifier.Verify(hc.Context(), strings.TrimSpace(secret))
}
