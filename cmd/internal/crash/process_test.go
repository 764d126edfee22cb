package crash

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cutpoint/cmd/internal/client"
)

const (
	secret   = "cpk_key_of_the_crash_test"
	patience = 30 * time.Second
)

// binary builds cutpoint with its failpoints, once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cutpoint-crash-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cutpoint")
	out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", path, "cutpoint/cmd/cutpoint").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func cutpoint(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running shop.
type process struct {
	*client.Client
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
	err    error // of its end
}

var ready = regexp.MustCompile(`serves on (http://\S+)`)

// start serves a data directory. dieAt is the point at which the process kills itself; 0: none.
func start(t testing.TB, data string, dieAt int) *process {
	t.Helper()
	p := &process{cmd: exec.Command(cutpoint(t), "serve", "--demo", "--addr", "127.0.0.1:0", "--data", data), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "CUTPOINT_DEMO_KEY="+secret)
	if dieAt > 0 {
		p.cmd.Env = append(p.cmd.Env, fmt.Sprint("CUTPOINT_DIE_AT=", dieAt))
	}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for p.Client == nil && lines.Scan() {
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			p.Client = client.New(m[1], secret, 64)
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	if p.Client == nil {
		<-p.ended
		if dieAt > 0 && p.died() != "" {
			return p
		}
		t.Fatalf("the shop did not start (%v): %s", p.err, p.stderr.String())
	}
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// dead reports whether the process has killed itself. It gives a signal that is under way the time to arrive.
func (p *process) dead() bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(20 * time.Millisecond):
		return false
	}
}

// died is what a process said of its death, "" if it has not killed itself.
func (p *process) died() string {
	text := p.stderr.String()
	i := strings.LastIndex(text, "dies at ")
	if i < 0 {
		return ""
	}
	return strings.TrimSpace(text[i:])
}

// stop ends the process gracefully.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("it is still running long after SIGTERM")
	}
	if p.err != nil {
		t.Errorf("it ended with %v: %s", p.err, p.stderr.String())
	}
}

// audit wants a clean data directory.
func audit(t testing.TB, data string) {
	t.Helper()
	out, err := exec.Command(cutpoint(t), "audit", "--data", data).CombinedOutput()
	if err != nil {
		t.Errorf("the audit says (%v):\n%s", err, out)
	}
}

// seeded is a data directory with the demonstration's catalogue, made once.
var seeded = func() func(testing.TB) string {
	var once sync.Once
	var dir string
	return func(t testing.TB) string {
		t.Helper()
		once.Do(func() {
			var err error
			if dir, err = os.MkdirTemp("", "cutpoint-crash-data-"); err != nil {
				t.Fatal(err)
			}
			start(t, dir, 0).stop(t)
		})
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		return to
	}
}()

// order is what this test reads of an order.
type order struct {
	ID      string
	Status  string
	State   string
	Payment struct{ Captured, Refunded struct{ Amount int64 } }
	Failure *struct{ Code string }
	Totals  struct{ Total struct{ Amount int64 } }
}

// atRest reports whether an order is at its end, or with an operator for a reason.
func (o order) atRest() bool {
	return o.Status != "processing" && (o.Status != "review" || o.Failure != nil)
}

// await reads an order until it is at rest: within ten seconds of the start of its process.
func (p *process) await(t testing.TB, id string) (o order) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if _, err := p.Do(context.Background(), http.MethodGet, "/v1/orders/"+id, nil, &o); err != nil {
			t.Errorf("order %s was acknowledged: %v", id, err)
			return o
		}
		if o.atRest() {
			return o
		}
	}
	t.Errorf("order %s is still %s (%s)", id, o.Status, o.State)
	return o
}

// charged is how often an order was charged, by the provider's own ledger, and what is left of that.
func (p *process) charged(t testing.TB, id string) (times int, net int64) {
	t.Helper()
	var ledger struct {
		Data []struct {
			Operation string
			Amount    int64
		}
	}
	if _, err := p.Do(context.Background(), http.MethodGet, "/v1/test-gateway/ledger?limit=200&order="+id, nil, &ledger); err != nil {
		t.Fatal(err)
	}
	for _, e := range ledger.Data {
		switch e.Operation {
		case "charge", "capture":
			times++
			net += e.Amount
		case "refund":
			net -= e.Amount
		}
	}
	return times, net
}
