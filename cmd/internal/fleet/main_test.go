package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cutpoint/cmd/internal/natsserver"
)

// In the environment of the test's own binary these make it a NATS server, on an address and with a configuration.
const (
	natsAddress = "FLEET_TEST_NATS"
	natsConfig  = "FLEET_TEST_NATS_CONFIG"
)

// builtBinary in the environment is the path of cutpoint, for a test process that is started by another.
const builtBinary = "FLEET_TEST_BINARY"

func TestMain(m *testing.M) {
	if addr := os.Getenv(natsAddress); addr != "" {
		if err := serveNATS(addr, os.Getenv(natsConfig)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveNATS(addr, config string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := natsserver.Start(addr, config)
	if err != nil {
		return err
	}
	fmt.Printf("NATS listens on %s\n", s.ClientURL())
	<-ctx.Done()
	s.Stop()
	return nil
}

// startNATS starts a NATS server in a process of its own, within a command if there is one.
func startNATS(t testing.TB, addr, config string, within ...string) *Process {
	t.Helper()
	command := append(within, os.Args[0])
	p := &Process{Name: nats, cmd: exec.Command(command[0], command[1:]...), ready: listening}
	p.cmd.Env = append(os.Environ(), natsAddress+"="+addr, natsConfig+"="+config)
	err := p.start()
	if err == nil {
		t.Cleanup(p.Kill)
		err = p.AwaitReady(DefaultPatience)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// addressOf is where a NATS server listens, as startNATS wants it.
func addressOf(p *Process) string { return strings.TrimPrefix(p.stdout.find(listening), "nats://") }

// nats is how tests call the process of the NATS server.
const nats = "nats"

// binary builds cutpoint, once.
var binary = sync.OnceValues(func() (path string, err error) {
	if path = os.Getenv(builtBinary); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "cutpoint-fleet-")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, monolith), Build(dir, "", monolith)
})

// program finds cutpoint, the only program that these tests need.
func program(string) (string, error) { return binary() }
