package sender_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/modules/webhooks/internal/sender"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is a server on loopback.
func receiver(t *testing.T, do http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(do)
	t.Cleanup(s.Close)
	return s.URL
}

func newSender(t *testing.T, o sender.Options) *sender.Sender {
	t.Helper()
	s := sender.New(o)
	t.Cleanup(s.Close)
	return s
}

// TestPost_proxy stands first, since net/http looks at the environment once in a process.
func TestPost_proxy(t *testing.T) {
	var proxied atomic.Bool
	proxy := receiver(t, func(http.ResponseWriter, *http.Request) { proxied.Store(true) })
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newSender(t, sender.Options{AllowPrivate: true}).Post(ctx, outgoing.Request{URL: "http://192.0.2.1/"}) // where nobody is
	if err == nil || proxied.Load() {
		t.Errorf("%v, proxied: %v", err, proxied.Load())
	}
}

func TestPost(t *testing.T) {
	open := sender.Options{AllowPrivate: true}
	t.Run("header and body arrive as they are", func(t *testing.T) {
		var got *http.Request
		var body []byte
		to := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "thanks")
		})
		a, err := newSender(t, open).Post(t.Context(), outgoing.Request{
			URL: to + "/hook?x=1", Header: map[string]string{"webhook-id": "evt_1", "Content-Type": "application/json"}, Body: []byte(`{"a": 1}`),
		})
		if err != nil || a.StatusCode != http.StatusAccepted || string(a.Body) != "thanks" {
			t.Fatalf("%+v, %v", a, err)
		}
		if got.Method != http.MethodPost || got.RequestURI != "/hook?x=1" || got.Header.Get("webhook-id") != "evt_1" || string(body) != `{"a": 1}` ||
			got.ContentLength != 8 || got.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%s %s %v %s", got.Method, got.RequestURI, got.Header, body)
		}
	})
	t.Run("a redirect is an answer, and not followed", func(t *testing.T) {
		var followed atomic.Bool
		to := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/other" {
				followed.Store(true)
			}
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		})
		a, err := newSender(t, open).Post(t.Context(), outgoing.Request{URL: to})
		if err != nil || a.StatusCode != http.StatusTemporaryRedirect || followed.Load() {
			t.Errorf("%+v, %v, followed: %v", a, err, followed.Load())
		}
	})
	t.Run("of a long answer the beginning is read", func(t *testing.T) {
		to := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			for { // until the sender hangs up
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
					return
				}
			}
		})
		a, err := newSender(t, open).Post(t.Context(), outgoing.Request{URL: to})
		if err != nil || len(a.Body) != sender.MaxAnswer {
			t.Errorf("%d bytes, %v", len(a.Body), err)
		}
	})
	for name, do := range map[string]http.HandlerFunc{
		"an answer that does not come": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"an answer that does not end": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name+" is none", func(t *testing.T) {
			to := receiver(t, do)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if a, err := newSender(t, open).Post(ctx, outgoing.Request{URL: to}); err == nil || err.Error() != "no answer in time" {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	t.Run("an error does not tell the URL", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		_, err := newSender(t, open).Post(t.Context(), outgoing.Request{URL: server.URL + "/?token=secret"})
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), "refused") {
			t.Error(err)
		}
	})
}

func TestPost_private(t *testing.T) {
	var reached atomic.Bool
	to := receiver(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, sender.Options{AllowHTTP: true})
	for name, host := range map[string]string{
		"loopback":                           "127.0.0.1",
		"all of loopback":                    "127.1.2.3",
		"loopback as IPv6 writes IPv4":       "[::ffff:127.0.0.1]",
		"loopback of IPv6":                   "[::1]",
		"a name that resolves to loopback":   "localhost",
		"the unspecified address":            "0.0.0.0",
		"the unspecified address of IPv6":    "[::]",
		"a private network":                  "10.0.0.1",
		"the metadata of a cloud":            "169.254.169.254",
		"an address behind a provider's NAT": "100.64.0.1",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := s.Post(t.Context(), outgoing.Request{URL: "http://" + host + ":" + at.Port() + "/"})
			if !errors.Is(err, sender.ErrAddress) || reached.Load() {
				t.Errorf("%v, reached: %v", err, reached.Load())
			}
		})
	}
	t.Run("and reached where the operator allows it", func(t *testing.T) {
		_, err := newSender(t, sender.Options{AllowPrivate: true}).Post(t.Context(), outgoing.Request{URL: "http://localhost:" + at.Port() + "/"})
		if err != nil || !reached.Load() {
			t.Error(err)
		}
	})
	t.Run("http is refused", func(t *testing.T) {
		if _, err := newSender(t, sender.Options{}).Post(t.Context(), outgoing.Request{URL: to}); !errors.Is(err, sender.ErrScheme) {
			t.Error(err)
		}
	})
	t.Run("https at a private address is refused before the handshake", func(t *testing.T) {
		secure := httptest.NewTLSServer(http.NotFoundHandler())
		defer secure.Close()
		if _, err := newSender(t, sender.Options{}).Post(t.Context(), outgoing.Request{URL: secure.URL}); !errors.Is(err, sender.ErrAddress) {
			t.Error(err)
		}
	})
}
