// Package sender posts webhooks: it is the one place of the module that opens connections, and decides to whom.
//
// The address that a strangers' URL leads to is judged when the connection is made, after its name was resolved, so that neither
// a name that resolves to a private address nor one that changes its mind between a check and the call gets through. Redirects
// are not followed, proxies of the environment are not used, and of an answer no more than MaxAnswer bytes are read.
package sender

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/webhook"
)

// MaxAnswer is how many bytes of an answer are read.
const MaxAnswer = 4 << 10

// Bounds of a connection. How long a whole attempt may take is the caller's to say, by its context.
const (
	dialTimeout = 5 * time.Second
	idleTimeout = 30 * time.Second // of a connection that is kept for the next message
	maxIdle     = 64               // connections that are kept, in all
	maxHeader   = 16 << 10         // bytes of an answer's header
)

// What keeps a message from being sent. The texts are shown to the owner of the endpoint, and do not tell what was found.
var (
	ErrAddress = errors.New("the host is not at a public address")
	ErrScheme  = errors.New("the URL does not begin with https://")
)

// Options are what the operator allows.
type Options struct {
	AllowPrivate bool // private and loopback addresses, and http
	AllowHTTP    bool // http
}

// Sender posts messages. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	plain  bool
}

// New returns a sender.
func New(o Options) *Sender {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate
	}
	return &Sender{plain: o.AllowHTTP || o.AllowPrivate, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns: maxIdle, MaxIdleConnsPerHost: 2, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeader,
			DisableCompression: true, // a few bytes may unfold to many
		},
	}}
}

// refusePrivate is asked for every address that is about to be connected to.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !webhook.Public(to.Addr()) {
		return ErrAddress
	}
	return nil
}

// Post implements outgoing.Post.
func (s *Sender) Post(ctx context.Context, r outgoing.Request) (outgoing.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return outgoing.Answer{}, reason(err)
	}
	if request.URL.Scheme != "https" && !s.plain {
		return outgoing.Answer{}, ErrScheme
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("User-Agent", "Cutpoint-Webhooks/1")
	response, err := s.client.Do(request)
	if err != nil {
		return outgoing.Answer{}, reason(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer))
	if err != nil && ctx.Err() != nil { // the status has come, but an answer that never ends is none
		return outgoing.Answer{}, reason(err)
	}
	return outgoing.Answer{StatusCode: response.StatusCode, Body: body}, nil
}

// reason is the part of an error that may be shown: without the URL, which may hold a token, and without our own addresses.
func reason(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, ErrAddress):
		return ErrAddress
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &dns):
		return errors.New("the host name does not resolve")
	case errors.As(err, &op) && op.Timeout():
		return errors.New("no connection in time")
	case errors.As(err, &op):
		return errors.New(op.Op + ": " + op.Err.Error())
	}
	return err
}

// Close ends the connections that are kept.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
