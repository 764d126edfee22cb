package stripe_test

import (
	"bufio"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"cutpoint/modules/payments/internal/till"
)

// mock starts stripe-mock, Stripe's own server of its API description, and returns where it is. It refuses requests that
// Stripe's description does not allow, keeps no state and declines nothing.
func mock(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("stripe-mock has to be built")
	}
	path, err := exec.Command("go", "tool", "-C", "../../../..", "-modfile=.ci/tools.mod", "-n", "stripe-mock").Output()
	if err != nil {
		t.Fatalf("stripe-mock can't be had; -short does without: %v", err)
	}
	server := exec.Command(strings.TrimSpace(string(path)), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGKILL)
		_ = server.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, addr, found := strings.Cut(lines.Text(), "Listening for HTTP at address: "); found {
			go func() { // it must not wait for a reader of its log
				for lines.Scan() {
				}
			}()
			return "http://" + addr
		}
	}
	t.Fatal("stripe-mock does not listen")
	return ""
}

func misunderstood(r till.Result) bool {
	return strings.Contains(r.Failure.Message, "did not understand")
}

// TestStripeMock makes each request of the adapter once, so that a parameter that Stripe does not know, or no longer does, is seen.
// What it answers with is an example, whose state says nothing.
func TestStripeMock(t *testing.T) {
	url := mock(t)
	a := adapter(t, url)
	for _, c := range append(moving(), looking()...) {
		r, err := c.do(t.Context(), a)
		if err != nil || misunderstood(r) || r.State == till.NotSent || r.Cause != nil && !strings.Contains(r.Cause.Error(), "can't be read") {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
	sealed := charge
	if r, err := a.Seal(t.Context(), sealed); err != nil || misunderstood(r) {
		t.Errorf("seal: %+v, %v", r, err)
	}
	for _, cursor := range []string{"", "refunds/"} {
		if l, err := a.List(t.Context(), time.Now().Add(-time.Hour), cursor); err != nil || len(l.Facts) == 0 {
			t.Errorf("list %q: %+v, %v", cursor, l, err)
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/refunds", strings.NewReader("nonsense=1"))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+secretKey)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("stripe-mock takes what Stripe's description does not allow: %s", answer.Status)
	}
}
