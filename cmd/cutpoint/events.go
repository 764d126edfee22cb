package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"

	"cutpoint/cmd/internal/eventstream"
	"cutpoint/platform/channel/natslayer"
)

// events is where the events of orders go besides the feed: to a stream of NATS JetStream, or nowhere.
type events struct {
	Events            string `help:"Publish the events of orders to a stream of NATS JetStream at this server, nats://host:4222; several with commas between. Unset: nothing is published." placeholder:"URL"`
	EventsStream      string `help:"Name of the stream; made if it is not there." default:"CUTPOINT_EVENTS" placeholder:"NAME"`
	EventsSubject     string `help:"Events go to the subjects PREFIX.events.TYPE." default:"cutpoint" placeholder:"PREFIX"`
	EventsReplicas    int    `help:"Servers that keep the stream: 1, or 3 in a cluster. A stream that is kept by fewer is refused." default:"1"`
	EventsKey         string `help:"File with the seed of the NATS user for events; the authority of the server's certificate is that of --nats-ca." type:"path" placeholder:"FILE"`
	EventsCredentials string `help:"File with the credentials of that user, for servers with operator and accounts." type:"path" placeholder:"FILE"`
	EventsAllowWeak   bool   `help:"Publish also to a stream whose settings may lose events: in memory, acknowledged before it is written, or with fewer replicas."`
}

// publish starts the publisher, if there is to be one, and returns what stops it.
func (e events) publish(ctx context.Context, feed eventstream.Feed, ca string, log *slog.Logger) (stop func(), err error) {
	if e.Events == "" {
		return func() {}, nil
	}
	p, err := eventstream.New(eventstream.Deps{Orders: feed, URL: e.Events, Random: rand.Float64, Log: log}, eventstream.Options{
		Stream: e.EventsStream, Prefix: e.EventsSubject, Replicas: e.EventsReplicas, AllowWeak: e.EventsAllowWeak,
		Connect: natslayer.ConnectOptions{Key: e.EventsKey, Credentials: e.EventsCredentials, CA: ca},
	})
	if err != nil {
		return nil, err
	}
	return p.Stop, p.Start(ctx)
}

// check refuses settings that no server would take.
func (e events) check() error {
	if e.Events == "" {
		return nil
	}
	for url := range strings.SplitSeq(e.Events, ",") {
		if scheme, _, ok := strings.Cut(strings.TrimSpace(url), "://"); !ok || scheme != "nats" && scheme != "tls" && scheme != "ws" && scheme != "wss" {
			return errors.New("--events wants the URL of a NATS server: nats://host:4222, or tls://host:4222")
		}
	}
	if e.EventsStream == "" || strings.ContainsAny(e.EventsStream, " .*>/\\\t\r\n") {
		return fmt.Errorf("--events-stream %q: a name without blanks, dots, slashes, * and >", e.EventsStream)
	}
	for token := range strings.SplitSeq(e.EventsSubject, ".") {
		if token == "" || strings.ContainsAny(token, " *>\t\r\n") {
			return fmt.Errorf("--events-subject %q: words with dots between, without blanks, * and >", e.EventsSubject)
		}
	}
	if e.EventsReplicas < 1 || e.EventsReplicas > 5 {
		return fmt.Errorf("--events-replicas %d: 1 to 5, and odd numbers make sense", e.EventsReplicas)
	}
	return nil
}
