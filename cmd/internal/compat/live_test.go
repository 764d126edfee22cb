package compat

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"cutpoint/cmd/internal/client"
)

var (
	oldBinary = flag.String("old", "", "a built cutpoint to stand for the last release")
	newBinary = flag.String("new", "", "a built cutpoint to stand for this one")
)

const (
	secret   = "cpk_key_of_the_compat_test"
	patience = 30 * time.Second
)

// TestLive runs two given binaries beside each other: go test ./cmd/internal/compat -run TestLive -args -old FILE -new FILE.
func TestLive(t *testing.T) {
	if *oldBinary == "" || *newBinary == "" {
		t.Skip("make compat runs it with the base and today's tree; -old and -new name two other binaries")
	}
	testLive(t, *oldBinary, *newBinary)
}

// testLive makes shops of two binaries: in each, one module is of one and all others, with the HTTP server, are of the other.
func testLive(t *testing.T, old, new string) {
	if !servesModules(t, old) {
		t.Skip("the base can't serve single modules (its serve has no --modules), so there is nothing to run beside today's binary; " +
			"this starts to run when .ci/contract-base or a tag has moved on to a commit that can")
	}
	if !servesModules(t, new) {
		t.Fatal("serve has no --modules any more: the last release has it, and can't be run beside this one")
	}
	modules := contracts(t, root)
	for _, m := range modules {
		rest := slices.DeleteFunc(slices.Clone(modules), func(other string) bool { return other == m })
		t.Run("old "+m, func(t *testing.T) { testShop(t, old, m, new, rest) })
		t.Run("new "+m, func(t *testing.T) { testShop(t, new, m, old, rest) })
	}
}

func servesModules(t *testing.T, binary string) bool {
	t.Helper()
	return strings.Contains(string(execute(t, ".", nil, binary, "serve", "--help")), "--modules")
}

// testShop runs one module in a process of its own, and tells the story of a few orders.
func testShop(t *testing.T, aloneBinary, alone, restBinary string, rest []string) {
	nats := startNATS(t)
	serve(t, aloneBinary, "--modules", alone, "--channel", nats, "--http=false")
	said := serve(t, restBinary, "--modules", strings.Join(rest, ","), "--channel", nats, "--http=true", "--addr", "127.0.0.1:0", "--demo")
	url := ready.FindStringSubmatch(said)[2]
	if url == "" {
		t.Fatalf("the process with --http=true says no address: %q", said)
	}
	tell(t, client.New(url, secret, 4))
}

func startNATS(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not listen")
	}
	return s.ClientURL()
}

// ready is what a process says when it is: where it serves HTTP, or which modules it runs.
var ready = regexp.MustCompile(` (serves on (http://\S+)|runs \[)`)

// serve runs a process with datastores of its own until the test is over, and returns what it said when it was ready.
func serve(t *testing.T, binary string, flags ...string) (said string) {
	t.Helper()
	c := exec.Command(binary, slices.Concat([]string{"serve", "--data", t.TempDir(), "--payment-provider", "test-gateway"}, flags)...)
	c.Env = append(os.Environ(), "CUTPOINT_DEMO_KEY="+secret)
	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	lines := bufio.NewScanner(out)
	for said == "" && lines.Scan() {
		if ready.MatchString(lines.Text()) {
			said = lines.Text()
		}
	}
	kill.Stop()
	if said == "" {
		t.Fatalf("%v is not ready (%v): %s", c.Args, c.Wait(), complaints.String())
	}
	drained := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, out); close(drained) }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		end := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
		defer end.Stop()
		<-drained
		if err := c.Wait(); err != nil || t.Failed() {
			t.Errorf("%v ended: %v: %s", c.Args, err, complaints.String())
		}
	})
	return said
}

type (
	object = map[string]any
	order  struct {
		ID      string `json:"id"`
		Status  string `json:"status"`
		Payment struct {
			ID       string
			Refunded struct{ Amount int64 }
		}
	}
)

// tell tells the story: an order is completed, its repeat replayed, another one declined, and the first cancelled. Every module has a
// part in it.
func tell(t *testing.T, c *client.Client) {
	ask := func(method, path string, body, into any, headers ...string) {
		t.Helper()
		if _, err := c.Do(t.Context(), method, path, body, into, headers...); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	refused := func(code, method, path string, body any, headers ...string) {
		t.Helper()
		if _, err := c.Do(t.Context(), method, path, body, nil, headers...); !client.HasCode(err, code) {
			t.Fatalf("%s %s: got %v, not %s", method, path, err, code)
		}
	}
	draft := func(token string) object {
		return object{
			"currency": "EUR", "customer": object{"email": "ada@example.com"}, "lines": []object{{"sku": "MUG-1", "quantity": 2}},
			"payment": object{"token": token},
		}
	}
	ask("POST", "/v1/webhook-endpoints", object{"url": "https://shop.example.com/hooks"}, nil, "Idempotency-Key", "endpoint")
	var placed, again, cancelled order
	ask("POST", "/v1/quotes", draft("pm_card_visa"), nil)
	ask("POST", "/v1/orders", draft("pm_card_visa"), &placed, "Idempotency-Key", "first")
	ask("POST", "/v1/orders", draft("pm_card_visa"), &again, "Idempotency-Key", "first")
	if placed.Status != "completed" || again.ID != placed.ID {
		t.Fatalf("the order is %+v, its repeat %+v", placed, again)
	}
	available(t, c, 999_998)
	refused("payments.declined", "POST", "/v1/orders", draft("pm_card_visa_chargeDeclined"), "Idempotency-Key", "second")
	refused("inventory.item_not_found", "GET", "/v1/items/NONE", nil)
	ask("GET", "/v1/payments/"+placed.Payment.ID, nil, nil)
	ask("POST", "/v1/orders/"+placed.ID+"/cancel", object{"reason": "changed my mind"}, &cancelled, "Idempotency-Key", "cancel")
	if cancelled.Status != "cancelled" || cancelled.Payment.Refunded.Amount != 2580 {
		t.Fatalf("the cancelled order is %+v", cancelled)
	}
	available(t, c, 1_000_000)
	var ledger struct {
		Data []struct {
			Operation string
			Amount    int64
		}
	}
	ask("GET", "/v1/test-gateway/ledger?order="+placed.ID, nil, &ledger)
	if books := fmt.Sprint(ledger.Data); books != "[{charge 2580} {refund 2580}]" {
		t.Errorf("the gateway's books are %s", books)
	}
}

// available waits until so many mugs are: units of a declined order come back a moment after its answer.
func available(t *testing.T, c *client.Client, units int64) {
	t.Helper()
	var item struct{ Available int64 }
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := c.Do(t.Context(), "GET", "/v1/items/MUG-1", nil, &item); err != nil {
			t.Fatal(err)
		}
		if item.Available == units {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d mugs are available, not %d", item.Available, units)
		}
	}
}
