// Package client speaks the HTTP API of a shop, as any stranger would: over the network, or straight into a handler in the same
// process. It knows no module.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"
)

// DefaultTimeout bounds one request.
const DefaultTimeout = 60 * time.Second

const maxAnswer = 16 << 20 // bytes of an answer

// Client calls one shop with one key. It is safe for concurrent use.
type Client struct {
	url  string
	key  string
	http *http.Client
}

// New returns a client of the shop at a URL that keeps up to connections open.
func New(url, key string, connections int) *Client {
	transport := &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, IdleConnTimeout: time.Minute}
	return &Client{url: strings.TrimSuffix(url, "/"), key: key, http: &http.Client{Transport: transport, Timeout: DefaultTimeout}}
}

// Into returns a client that calls a handler without a network.
func Into(h http.Handler, key string) *Client {
	return &Client{url: "http://shop", key: key, http: &http.Client{Transport: handlerTransport{h}}}
}

type handlerTransport struct{ handler http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// Problem is an error that the shop answered with (RFC 9457).
type Problem struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	OrderID string `json:"order_id"`
	Errors  []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// Error implements error.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
	for _, e := range p.Errors {
		s += fmt.Sprintf("; %s: %s", e.Pointer, e.Detail)
	}
	return s
}

// HasCode reports whether err is a problem with this code.
func HasCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

// Answer is what beside the body may matter of an answer.
type Answer struct {
	Status int
	ETag   string
}

// Do sends body as JSON, if it is not nil, with headers given as name and value in turn, and decodes the answer into into, if
// that is not nil. An answer of 400 and up is a *Problem.
func (c *Client) Do(ctx context.Context, method, path string, body, into any, headers ...string) (Answer, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return Answer{}, err
		}
		reader = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, reader)
	if err != nil {
		return Answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return c.send(r, into)
}

func (c *Client) send(r *http.Request, into any) (a Answer, err error) {
	res, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return Answer{}, err
	}
	a = Answer{Status: res.StatusCode, ETag: res.Header.Get("ETag")}
	if res.StatusCode >= http.StatusBadRequest {
		p := &Problem{Status: res.StatusCode}
		if json.Unmarshal(text, p) != nil || p.Code == "" {
			p.Code, p.Detail = "not_a_shop", fmt.Sprintf("%s answered %s, which is not how a shop answers", r.URL.Host, res.Status)
		}
		return a, p
	}
	if into == nil || len(text) == 0 {
		return a, nil
	}
	return a, json.Unmarshal(text, into)
}

// Put creates or replaces what stands at a path: it reads the ETag of what is there, and reads it again if somebody was faster.
func (c *Client) Put(ctx context.Context, path string, body any) error {
	const tries = 5
	var err error
	var etag string
	for range tries {
		if etag == "" {
			_, err = c.Do(ctx, http.MethodPut, path, body, nil)
		} else {
			_, err = c.Do(ctx, http.MethodPut, path, body, nil, "If-Match", etag)
		}
		if !HasCode(err, "precondition_required") && !HasCode(err, "precondition_failed") {
			return err
		}
		a, readErr := c.Do(ctx, http.MethodGet, path, nil, nil)
		if readErr != nil {
			return readErr
		}
		etag = a.ETag
	}
	return err
}
