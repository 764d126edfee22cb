package natslayer

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/nats-io/nats.go"
)

// ConnectOptions say how a process reaches the NATS server.
type ConnectOptions struct {
	Name        string // of this process, as the server's monitoring shows it
	Credentials string // file with the user's JWT and key; "": none
	Key         string // file with the seed of the user's nkey; "": none
	TLS         *tls.Config
	Timeout     time.Duration // for the first connection; 0: DefaultPatience
	Log         *slog.Logger

	// Other are set after all of these: nats.InProcessServer, say.
	Other []nats.Option
}

// The pauses between two attempts to reach a server that went away, with jitter, so that its clients don't come back as one.
const (
	reconnectPause  = 250 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
)

// Connect reaches a server (or one of several, with commas between), or fails. A connection that is lost later is made again, for
// as long as it takes; what is sent meanwhile is refused and not kept: nats.go would send it later, when nobody wants it any more.
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
		nats.ReconnectWait(reconnectPause),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
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
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.Key != "" {
		key, err := nats.NkeyOptionFromSeed(o.Key)
		if err != nil {
			return nil, err
		}
		options = append(options, key)
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS))
	}
	return nats.Connect(url, append(options, o.Other...)...)
}
