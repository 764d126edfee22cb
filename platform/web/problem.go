package web

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// Problem is an error as clients see it (RFC 9457, with extensions). Code is stable; clients switch on it.
type Problem struct {
	Type          string         `json:"type" format:"uri" doc:"Names the kind of problem, like code"`
	Title         string         `json:"title"`
	Status        int            `json:"status"`
	Detail        string         `json:"detail"`
	Instance      string         `json:"instance,omitempty" doc:"The path of the request"`
	Code          string         `json:"code" doc:"Stable; switch on it"`
	Errors        []fault.Detail `json:"errors,omitempty" doc:"The offending parts of the request"`
	OrderID       string         `json:"order_id,omitempty" doc:"The order that was started"`
	CorrelationID string         `json:"correlation_id"`
	Retryable     bool           `json:"retryable" doc:"The same request may succeed later"`

	retryAfter time.Duration
	replayed   bool
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.replayed {
		h.Set("Idempotent-Replayed", "true")
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	return h
}

// Replayed marks an error as the repeated answer to an Idempotency-Key.
func Replayed(err error) error { return replayed{err} }

type replayed struct{ error }

func (r replayed) Unwrap() error { return r.error }

// statusOf is the one table from a kind of fault to an HTTP status.
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Declined:
		return http.StatusPaymentRequired
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Gone:
		return http.StatusGone
	case fault.Stale:
		return http.StatusPreconditionFailed
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.Unconditional:
		return http.StatusPreconditionRequired
	case fault.Limited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Timeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// problem turns the error of a handler into what the client sees. What nobody foresaw is logged here, and told as such.
func (a *API) problem(ctx context.Context, err error) *Problem {
	f := fault.From(err)
	status := statusOf(f.Kind)
	if status == http.StatusInternalServerError {
		a.options.Log.ErrorContext(ctx, "request failed", "error", err)
	}
	p := newProblem(status, f.Code, f.Message)
	p.Errors = f.Details
	p.CorrelationID = channel.CorrelationID(ctx)
	p.Instance = pathOf(ctx)
	p.retryAfter = f.RetryAfter
	p.Retryable = p.Retryable || f.RetryAfter > 0
	if strings.HasPrefix(f.Subject, "ord_") {
		p.OrderID = f.Subject
	}
	p.replayed = errors.As(err, new(replayed))
	return p
}

func newProblem(status int, code, detail string) *Problem {
	return &Problem{
		Type: "urn:cutpoint:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
		Retryable: status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout || status == http.StatusTooManyRequests,
	}
}

// useConventions makes huma speak of its own errors, of validation above all, in problems, and describe lists as lists, never as
// null. These are settings of the library, not of one API, and always the same ones: they are made once, since an API may serve
// already when the next one is made.
var useConventions = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		return validationProblem(nil, status, detail, errs...)
	}
	huma.NewErrorWithContext = validationProblem
})

func validationProblem(hc huma.Context, status int, detail string, errs ...error) huma.StatusError {
	for _, err := range errs {
		var p *Problem
		if errors.As(err, &p) {
			return p
		}
	}
	if status == http.StatusInternalServerError && detail == "cannot read request body" {
		status = http.StatusBadRequest // the client broke off, or its chunks are damaged
	}
	p := newProblem(status, codeOf(status), detail)
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			p.Errors = append(p.Errors, detailOf(d.ErrorDetail()))
		}
	}
	if status == http.StatusBadRequest && len(p.Errors) > 0 {
		p.Detail = "the body is not valid JSON"
	}
	if hc != nil {
		p.CorrelationID = channel.CorrelationID(hc.Context())
		p.Instance = pathOf(hc.Context())
	}
	return p
}

// codeOf names the failures that have no fault behind them.
func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusNotFound:
		return "route_not_found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusRequestEntityTooLarge:
		return "body_too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type"
	case http.StatusUnprocessableEntity:
		return fault.ErrInvalid.Code
	case http.StatusRequestTimeout:
		return "body_too_slow"
	default:
		return fault.ErrInternal.Code
	}
}

// detailOf says what is wrong where, and never with what: the value may be a secret. Where a member is missing, it points
// at the object that lacks it.
func detailOf(e *huma.ErrorDetail) fault.Detail {
	message := e.Message
	if before, _, found := strings.Cut(message, ": "); found && e.Location != "body" {
		message = before // after the colon, parsers of addresses and formats repeat what they were given
	}
	if strings.HasPrefix(message, "json: ") {
		message = "a value does not fit its type"
	}
	return fault.Detail{Pointer: pointer(e.Location), Code: detailCode(message), Detail: message}
}

// pointer turns huma's "body.lines[0].quantity" into the JSON pointer "/lines/0/quantity" (RFC 6901), and "query.limit" into
// "query/limit". A dot in the name of a member can't be told from one between two.
func pointer(location string) string {
	p := strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(location)
	if p == "body" {
		return ""
	}
	if inBody, ok := strings.CutPrefix(p, "body/"); ok {
		return "/" + inBody
	}
	return p
}

func detailCode(message string) string {
	switch {
	case strings.Contains(message, "required"):
		return "required"
	case strings.HasPrefix(message, "unexpected property"):
		return "unknown_field"
	default:
		return fault.ErrInvalid.Code
	}
}

// handleEchoError answers what no route answered: unknown paths and methods, and panics.
func (a *API) handleEchoError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	ctx := c.Request().Context()
	status := http.StatusInternalServerError
	var he *echo.HTTPError
	if errors.As(err, &he) {
		status = he.Code
	} else {
		a.options.Log.ErrorContext(ctx, "request failed", "error", err)
	}
	detail := fault.ErrInternal.Message
	switch status {
	case http.StatusNotFound:
		detail = "there is nothing at this path; see /docs"
	case http.StatusMethodNotAllowed:
		detail = "this path does not know this method; see /docs"
	}
	p := newProblem(status, codeOf(status), detail)
	p.CorrelationID = channel.CorrelationID(ctx)
	p.Instance = pathOf(ctx)
	body, _ := json.Marshal(p) // strings and numbers only
	_ = c.Blob(status, p.ContentType(""), body)
}
