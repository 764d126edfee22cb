package natsconf

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/channel"
	"cutpoint/platform/channel/natslayer"
	"cutpoint/platform/rpc"
)

const (
	prefix   = "cutpoint"
	patience = 10 * time.Second
)

// stage is a real server with a generated configuration, in a directory of its own.
type stage struct {
	dir    string
	url    string
	server *server.Server
	users  []User
}

// apart are the processes of a shop in which every module lives by itself.
func apart(t testing.TB) [][]string {
	t.Helper()
	processes, err := ParseProcesses(shop.Modules())
	if err != nil {
		t.Fatal(err)
	}
	return processes
}

// write generates the files into a directory of its own.
func write(t testing.TB, processes [][]string) string {
	t.Helper()
	files, err := Generate(Options{
		Listen: "127.0.0.1:4222", Hosts: []string{"127.0.0.1"}, Prefix: prefix, Processes: processes, Now: time.Now(), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run lets a real server load the file, on a free port.
func run(t *testing.T, processes [][]string) *stage {
	t.Helper()
	dir := write(t, processes)
	t.Chdir(dir)
	o, err := server.ProcessConfigFile(ServerFile)
	if err != nil {
		t.Fatal(err)
	}
	o.Port, o.NoLog, o.NoSigs = server.RANDOM_PORT, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server did not start")
	}
	return &stage{dir: dir, url: "tls://" + s.Addr().String(), server: s, users: Users(prefix, processes)}
}

func (s *stage) options(user string) natslayer.ConnectOptions {
	return natslayer.ConnectOptions{Key: filepath.Join(s.dir, user+SeedSuffix), CA: filepath.Join(s.dir, AuthorityFile)}
}

// connect is a user with nothing but a connection, who tries what the layer would not.
func (s *stage) connect(t testing.TB, user string, other ...nats.Option) *nats.Conn {
	t.Helper()
	o := s.options(user)
	o.Other = other
	nc, err := natslayer.Connect(s.url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// open is the layer of a process of a user.
func (s *stage) open(t testing.TB, u User) *natslayer.Layer {
	t.Helper()
	o := natslayer.Options{User: u.Name, Prefix: prefix}
	for _, module := range u.Hosts {
		o.Hosted = append(o.Hosted, module+".request")
	}
	l, err := natslayer.New(s.connect(t, u.Name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// echo is what every module answers here.
func echo(module string) *rpc.Op[string, string] { return rpc.Define[string, string](module, "echo") }

// host serves a module.
func host(t testing.TB, l channel.Layer, module string) {
	t.Helper()
	s := rpc.NewServer(l, module, rpc.ServerOptions{})
	rpc.Handle(s, echo(module), func(_ context.Context, said string) (string, error) { return module + " heard " + said, nil })
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("serve %s: %v", module, err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
}

// play starts every process of the shop.
func (s *stage) play(t testing.TB) map[string]*natslayer.Layer {
	t.Helper()
	layers := map[string]*natslayer.Layer{}
	for _, u := range s.users {
		if u.Hosts == nil {
			continue
		}
		layers[u.Name] = s.open(t, u)
		for _, module := range u.Hosts {
			if module != shop.Edge {
				host(t, layers[u.Name], module)
			}
		}
	}
	return layers
}

// refused does something with a connection, and returns whether the server complains.
func refused(t testing.TB, nc *nats.Conn, do func() error) bool {
	t.Helper()
	before := nc.LastError()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return nc.LastError() != before
}
