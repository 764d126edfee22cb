package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const key = "cpk_of_a_shop_in_two_parts"

// testShop runs the shop without a module and the module's own program beside it, sells, and lets the
// third program audit what they leave behind.
func testShop(t *testing.T, cutpoint, own, audit, module string) {
	t.Helper()
	data := t.TempDir()
	stay := slices.DeleteFunc(modules(t), func(m string) bool { return m == module })
	// Who serves HTTP seeds the demonstration, so the module comes up as soon as there is a server to reach it by.
	shop := start(t, cutpoint, "serve", "--demo", "--demo-key", key, "--addr", "127.0.0.1:0", "--data", data,
		"--modules", strings.Join(stay, ","), "--nats-listen", "127.0.0.1:0")
	apart := start(t, own, "--channel", shop.says(t, `NATS listens on (\S+)`), "--data", data)
	apart.says(t, `(runs) \[`+module+`\]`)
	url := shop.says(t, `serves on (http://\S+)`)
	for token, want := range outcomes() {
		t.Run(token, func(t *testing.T) { testOrder(t, url, token, want) })
	}
	apart.stop(t)
	shop.stop(t)
	runs(t, root, audit, "audit", "--data", data)
}

// outcomes are tokens of payment, and what becomes of the order.
func outcomes() map[string]string {
	return map[string]string{
		"pm_card_visa":                "completed",
		"pm_card_visa_chargeDeclined": "declined",
		"pm_sim_timeoutCharged":       "completed",
		"pm_sim_timeoutNotCharged":    "completed",
		"pm_sim_500Charged":           "completed",
		"pm_sim_asyncSucceed_1":       "completed",
		"pm_sim_webhookDup_3":         "completed",
		"pm_sim_webhookLost":          "completed",
	}
}

func testOrder(t *testing.T, url, token, want string) {
	t.Helper()
	var order struct{ ID, Status string }
	answer := ask(t, http.MethodPost, url+"/v1/orders", token, fmt.Sprintf(`{"currency": "EUR", "customer": {"email": "ada@example.com"},
		"lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"token": %q}}`, token))
	if err := json.Unmarshal(answer, &order); err != nil || order.ID == "" {
		var refused struct {
			Order string `json:"order_id"`
		}
		if err := json.Unmarshal(answer, &refused); err != nil || refused.Order == "" {
			t.Fatalf("the order was answered %s", answer)
		}
		order.ID = refused.Order
	}
	for giveUp := time.Now().Add(30 * time.Second); order.Status != want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatalf("the order is %s, want %s: %s", order.Status, want, answer)
		}
		answer = ask(t, http.MethodGet, url+"/v1/orders/"+order.ID, "", "")
		if err := json.Unmarshal(answer, &order); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
	}
}

func ask(t *testing.T, method, url, idempotencyKey, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", idempotencyKey)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// settings are those of all programs: charges go to the test gateway, and who says nothing is not waited for as long as he should be.
func settings() []string {
	return []string{
		"CUTPOINT_PAYMENT_PROVIDER=test-gateway", "CUTPOINT_PROVIDER_TIMEOUT=1s", "CUTPOINT_CALL_TIMEOUT=2s",
		"CUTPOINT_LOOKUP_MIN=50ms", "CUTPOINT_LOOKUP_MAX=200ms",
	}
}

// process is a program that runs.
type process struct {
	command *exec.Cmd
	lines   chan string // of its standard output
	seen    []string

	mu         sync.Mutex
	complaints strings.Builder
}

func start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(program, args...), lines: make(chan string, 100)}
	p.command.Stderr, p.command.Env = p, append(os.Environ(), settings()...)
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill(); _ = p.command.Wait() })
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// Write takes what the program says on standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complaints.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.seen, "\n") + "\n" + p.complaints.String()
}

// says waits until the program says something on standard output, and returns the first group of it.
func (p *process) says(t *testing.T, what string) string {
	t.Helper()
	giveUp := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("%s ended, and never said %q: %s", p.command.Path, what, p.said())
			}
			p.seen = append(p.seen, line)
			if m := regexp.MustCompile(what).FindStringSubmatch(line); m != nil {
				return m[1]
			}
		case <-giveUp:
			t.Fatalf("%s does not say %q: %s", p.command.Path, what, p.said())
		}
	}
}

// stop ends the program as a shutdown does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("%s after SIGTERM: %v: %s", p.command.Path, err, p.said())
	}
}
