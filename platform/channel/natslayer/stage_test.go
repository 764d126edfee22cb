package natslayer_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
)

// serve starts a real NATS server on a free port of the loopback interface.
func serve(t testing.TB, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoLog, o.NoSigs = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// open returns the layer of a process of its own.
func open(t testing.TB, s *server.Server, o natslayer.Options, other ...nats.Option) *natslayer.Layer {
	t.Helper()
	nc, err := natslayer.Connect(s.ClientURL(), natslayer.ConnectOptions{Name: t.Name(), Other: other})
	if err != nil {
		t.Fatal(err)
	}
	l, err := natslayer.New(nc, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func listen(t testing.TB, l channel.Layer, names ...string) channel.Listener {
	t.Helper()
	r, err := l.Listen(names...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
