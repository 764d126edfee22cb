package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Stream is an answer that is written while it is made, since it may be larger than memory should be.
type Stream struct {
	ContentType string
	Filename    string                                 // under which a browser stores it
	Write       func(context.Context, io.Writer) error // ctx ends when the client has gone
}

// HandleStream lays a route whose answer is a stream of one of some content types. An error of do becomes a problem. After that the
// status is sent: a Write that fails breaks the connection off, so that the client does not take a part for the whole. The whole may
// take as long as it wants, but each piece of it must be taken within the request timeout.
func HandleStream[I any](a *API, r Route, contentTypes []string, do func(context.Context, *I) (Stream, error)) {
	content := map[string]*huma.MediaType{}
	for _, t := range contentTypes {
		content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	op := huma.Operation{
		Method: r.Method, Path: r.Path, OperationID: r.ID, Tags: []string{r.Tag}, Summary: r.Summary, Description: r.Description,
		Responses: map[string]*huma.Response{strconv.Itoa(http.StatusOK): {Description: http.StatusText(http.StatusOK), Content: content}},
		Security:  []map[string][]string{{"key": r.Scopes}}, Middlewares: huma.Middlewares{a.authorise(r.Scopes)},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		s, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) { a.stream(hc, s) }}, nil
	})
	a.describe(r)
}

func (a *API) stream(hc huma.Context, s Stream) {
	hc.SetHeader("Content-Type", s.ContentType)
	hc.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", s.Filename))
	ctx := hc.Context()
	if err := s.Write(ctx, patient{hc.BodyWriter(), a.options.RequestTimeout}); err != nil {
		if ctx.Err() == nil {
			a.options.Log.ErrorContext(ctx, "a stream breaks off", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// patient gives a client time for each piece, where the server's own deadline is for the whole.
type patient struct {
	io.Writer
	each time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	if w, ok := p.Writer.(http.ResponseWriter); ok {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(p.each)) // a writer without deadlines needs none
	}
	return p.Writer.Write(b)
}
