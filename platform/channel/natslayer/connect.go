package natslayer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

// ConnectOptions say how a process reaches the NATS server.
type ConnectOptions struct {
	Name        string // of this process, as the server's monitoring shows it
	Credentials string // file with the user's JWT and key; "": none
	Key         string // file with the seed of the user's nkey; "": none

	// TLS, with files in PEM. The server asks for it if it wants it; with a CA the client insists.
	CA             string // who signed the server's certificate; "": one of those that the system trusts
	Certificate    string // of this client; "": none
	CertificateKey string

	Timeout time.Duration // for the first connection; 0: DefaultPatience
	Log     *slog.Logger

	// Other are set after all of these: nats.InProcessServer, say.
	Other []nats.Option
}

// The pauses between two attempts to reach a server that went away, with jitter, so that its clients don't come back as one.
const (
	reconnectPause  = 250 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
)

// A server that has not answered two pings, three seconds apart, is taken for gone, within nine seconds: where a network drops what is sent,
// a connection does not end by itself for many minutes. A server should look at its clients as often (ping_interval, ping_max), because
// until it takes a host for gone it sends it a share of the calls.
const (
	pingInterval = 3 * time.Second
	maxPings     = 2
)

// Connect reaches a server (or one of several, with commas between), or fails, and says what may be wrong. A connection that is lost
// later is made again, for as long as it takes; what is sent meanwhile is refused and not kept: nats.go would send it later, when
// nobody wants it any more.
func Connect(url string, o ConnectOptions) (*nats.Conn, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultPatience
	}
	options := []nats.Option{
		nats.Name(o.Name),
		nats.Timeout(o.Timeout),
		nats.SetCustomDialer(&gatherer{net.Dialer{Timeout: o.Timeout}}),
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.ReconnectWait(reconnectPause),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.IgnoreAuthErrorAbort(), // a key that is replaced at the server first must not end the process's connection for good
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				o.Log.Warn("the NATS server is away", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { o.Log.Info("the NATS server is back", "server", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Log.Error("the NATS server complains", "error", err)
		}),
	}
	identity, err := o.identity()
	if err != nil {
		return nil, err
	}
	options = append(options, identity...)
	nc, err := nats.Connect(url, append(options, o.Other...)...)
	if err != nil {
		return nil, o.explain(err)
	}
	return nc, nil
}

// identity is who this process is, and whom it believes.
func (o ConnectOptions) identity() (options []nats.Option, err error) {
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.Key != "" {
		key, err := nats.NkeyOptionFromSeed(o.Key)
		if err != nil {
			return nil, fmt.Errorf("the seed of the NATS user in %s: %w", o.Key, err)
		}
		options = append(options, key)
	}
	if o.CA == "" && o.Certificate == "" {
		return options, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		if c.RootCAs, err = readCA(o.CA); err != nil {
			return nil, err
		}
	}
	if o.Certificate != "" {
		own, err := tls.LoadX509KeyPair(o.Certificate, o.CertificateKey)
		if err != nil {
			return nil, fmt.Errorf("the certificate for NATS in %s: %w", o.Certificate, err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return append(options, nats.Secure(c)), nil
}

func readCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority of NATS: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the certificate authority of NATS: %s has no certificate in PEM", file)
	}
	return pool, nil
}

// explain says what to do about a connection that could not be made.
func (o ConnectOptions) explain(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("the NATS server does not know this user; is %s from the same nats-config as the server's configuration? %w", o.secret(), err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the NATS server's certificate is not signed by %s: %w", o.authority(), err)
	case errors.As(err, &name):
		return fmt.Errorf("the NATS server's certificate is for another host; make it with all of its names: %w", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("the NATS server speaks no TLS, which a certificate authority or tls:// asks for: %w", err)
	}
	return fmt.Errorf("connect to the NATS server: %w", err)
}

func (o ConnectOptions) secret() string {
	switch {
	case o.Key != "":
		return o.Key
	case o.Credentials != "":
		return o.Credentials
	}
	return "the missing key"
}

func (o ConnectOptions) authority() string {
	if o.CA == "" {
		return "any authority that the system trusts; name the server's own"
	}
	return o.CA
}
