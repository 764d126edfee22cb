package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(beTheBinary) != "" {
		main()
		return
	}
	if err := flag.Set("test.parallel", storiesAtOnce); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"cutpoint": main})
}

// storiesAtOnce is how many stories are told at a time: they wait more than they work.
const storiesAtOnce = "8"

// beTheBinary in the environment makes the test's own binary behave as cutpoint.
const beTheBinary = "CUTPOINT_TEST_BINARY"

// TestShutdownUnderLoad sends SIGTERM while many customers place orders: every request that got through is answered, and what
// was answered is there afterwards.
func TestShutdownUnderLoad(t *testing.T) {
	data := t.TempDir()
	shop := startShop(t, data)
	type answer struct {
		status int
		err    error
	}
	answers := make(chan answer, 10_000)
	accepted := make(chan struct{}, 10_000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for customer := range 16 {
		go func() {
			for n := 0; ctx.Err() == nil; n++ {
				status, err := shop.place(fmt.Sprintf("c%d-%d", customer, n))
				answers <- answer{status, err}
				if err != nil {
					return
				}
				accepted <- struct{}{}
			}
		}()
	}
	for range 50 {
		<-accepted
	}
	if err := shop.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := shop.process.Wait(); err != nil {
		t.Fatalf("after SIGTERM: %v\n%s", err, shop.complaints.String())
	}
	completed := 0
	for range 16 { // each customer's last answer is that nobody listens any more
		for {
			a := <-answers
			if a.err != nil {
				if !errors.Is(a.err, syscall.ECONNREFUSED) && !errors.Is(a.err, io.EOF) && !errors.Is(a.err, syscall.ECONNRESET) {
					t.Errorf("got %v", a.err)
				}
				break
			}
			if a.status != http.StatusCreated {
				t.Errorf("status %d", a.status)
			}
			completed++
		}
	}
	again := startShop(t, data)
	if got := again.count(t, "completed"); got < completed {
		t.Errorf("%d orders were answered as completed, %d are there", completed, got)
	}
	if got := again.count(t, "processing"); got != 0 {
		t.Errorf("%d orders were left under way", got)
	}
}

// served is a shop in a process of its own.
type served struct {
	process    *exec.Cmd
	url        string
	complaints *bytes.Buffer
}

const testKey = "cpk_story_of_a_demonstration"

func startShop(t *testing.T, data string) *served {
	t.Helper()
	s := &served{complaints: &bytes.Buffer{}}
	s.process = exec.Command(os.Args[0], "serve", "--demo", "--addr", "127.0.0.1:0", "--data", data, "--demo-key", testKey)
	s.process.Env = append(os.Environ(), beTheBinary+"=1")
	s.process.Stderr = s.complaints
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.process.Process.Kill(); _ = s.process.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, s.complaints)
	}
	s.url = strings.TrimSpace(line[strings.Index(line, "http://"):])
	return s
}

func (s *served) do(method, path, key string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+testKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	return http.DefaultClient.Do(r)
}

func (s *served) place(key string) (status int, err error) {
	res, err := s.do(http.MethodPost, "/v1/orders", key, strings.NewReader(`{"currency": "EUR", "customer": {"email": "ada@example.com"},
		"lines": [{"sku": "MUG-1", "quantity": 1}], "payment": {"token": "pm_card_visa"}}`))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// count pages through the orders of a status.
func (s *served) count(t *testing.T, status string) (n int) {
	t.Helper()
	for cursor := ""; ; {
		res, err := s.do(http.MethodGet, "/v1/orders?limit=200&status="+status+"&cursor="+cursor, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Data       []struct{}
			NextCursor string `json:"next_cursor"`
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if n += len(page.Data); page.NextCursor == "" {
			return n
		}
		cursor = page.NextCursor
	}
}

func TestRun(t *testing.T) {
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string // in what is said on stderr
	}{
		"an unknown flag":           {[]string{"serve", "--nope"}, 2, "unknown flag --nope"},
		"an unknown key":            {[]string{"serve", "--config", file("c.yaml", "adr: x\n")}, 2, "unknown key in the configuration file: adr"},
		"a file that is no mapping": {[]string{"serve", "--config", file("c.yaml", "- x\n")}, 2, "not a YAML mapping"},
		"no payment provider":       {[]string{"serve", "--data", t.TempDir()}, 1, "no payment provider"},
		"stripe without a key":      {[]string{"serve", "--payment-provider", "stripe", "--data", t.TempDir()}, 1, "needs --stripe-secret-key-file"},
		"stripe without a secret":   {[]string{"serve", "--payment-provider", "stripe", "--stripe-secret-key-file", file("key", "sk_test_1\n"), "--data", t.TempDir()}, 1, "needs --stripe-webhook-secret-file"},
		"a key for the public":      {[]string{"serve", "--payment-provider", "stripe", "--stripe-secret-key", "pk_test_1", "--stripe-webhook-secret", "whsec_1", "--data", t.TempDir()}, 1, "publishable key"},
		"a secret of another kind":  {[]string{"audit", "--payment-provider", "stripe", "--stripe-secret-key", "sk_test_1", "--stripe-webhook-secret", "sk_test_1", "--data", t.TempDir()}, 1, "begins with whsec_"},
		"a key said twice":          {[]string{"serve", "--payment-provider", "stripe", "--stripe-secret-key", "sk_1", "--stripe-secret-key-file", file("key", "sk_1"), "--data", t.TempDir()}, 1, "say one of them"},
		"a key in no file":          {[]string{"serve", "--payment-provider", "stripe", "--stripe-secret-key-file", "/nowhere", "--data", t.TempDir()}, 1, "no such file"},
		"a demo that takes money":   {[]string{"serve", "--demo", "--payment-provider", "stripe", "--data", t.TempDir()}, 1, "--demo charges nobody"},
		"a provider that is none":   {[]string{"serve", "--payment-provider", "paypal", "--data", t.TempDir()}, 2, "--payment-provider"},
		"a demo for all the world":  {[]string{"serve", "--demo", "--addr", "0.0.0.0:0", "--data", t.TempDir()}, 1, "loopback only"},
		"an address in no use":      {[]string{"serve", "--demo", "--addr", "127.0.0.1:99999", "--data", t.TempDir()}, 1, "serve HTTP"},
		"a bad log level":           {[]string{"serve", "--demo", "--log-level", "loud", "--data", t.TempDir()}, 1, "use debug, info, warn or error"},
		"a short demo key":          {[]string{"serve", "--demo", "--demo-key", "short", "--data", t.TempDir()}, 1, "at least 16 characters"},
		"room for no module":        {[]string{"serve", "--demo", "--module-capacity", "payment=5", "--data", t.TempDir()}, 1, `capacity of "payment": there is no such module, only inventory, pricing, payments, orders`},
		"no room for a module":      {[]string{"serve", "--demo", "--module-capacity", "orders=5,payments=0", "--data", t.TempDir()}, 1, "capacity of payments: at least 1 is needed, not 0"},
		"nobody at work":            {[]string{"serve", "--demo", "--module-workers", "payments=-1", "--data", t.TempDir()}, 1, "workers of payments: at least 1 is needed, not -1"},
		"workers without a number":  {[]string{"serve", "--demo", "--module-workers", "payments", "--data", t.TempDir()}, 2, `expected "<key>=<value>"`},
		"orders for nobody":         {[]string{"demo", "--orders", "0"}, 1, "at least 1"},
		"a file of unknown kind":    {[]string{"import", file("c.txt", "x"), "--data", t.TempDir()}, 1, "name the file .csv or .jsonl"},
		"a scope that is none":      {[]string{"keys", "add", "x", "--scopes", "all:of-it", "--data", t.TempDir()}, 1, "unknown scope"},
		"a key that is none":        {[]string{"keys", "revoke", "key_x", "--data", t.TempDir()}, 1, "there is no valid key"},
	} {
		t.Run(name+" is one clear line", func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			var out, complaints bytes.Buffer
			if got := run(ctx, test.args, &out, &complaints); got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			if said := complaints.String(); !strings.Contains(said, test.want) || strings.Count(said, "\n") != 1 {
				t.Errorf("said %q, want one line with %q", said, test.want)
			}
		})
	}
}

func TestConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cutpoint.yaml")
	if err := os.WriteFile(path, []byte("log-level: loud\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  string
		args []string
		want string
	}{
		"the file goes before the default":     {want: `log level "loud"`},
		"the environment goes before the file": {env: "louder", want: `log level "louder"`},
		"a flag goes before the environment":   {env: "louder", args: []string{"--log-level", "loudest"}, want: `log level "loudest"`},
	} {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv("CUTPOINT_LOG_LEVEL", test.env)
			}
			var out, complaints bytes.Buffer
			run(t.Context(), append([]string{"serve", "--demo", "--config", path, "--data", t.TempDir()}, test.args...), &out, &complaints)
			if !strings.Contains(complaints.String(), test.want) {
				t.Errorf("said %q, want %q", complaints.String(), test.want)
			}
		})
	}
}

func TestModuleFlags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cutpoint.yaml")
	if err := os.WriteFile(path, []byte("module-capacity: {paymentz: 5, ordersz: 7}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  string
		args []string
		want []string // modules that are complained of
	}{
		"from the file":        {want: []string{"paymentz", "ordersz"}},
		"from the environment": {env: "inventoriz=9,pricinz=9", want: []string{"inventoriz", "pricinz"}},
		"from flags":           {args: []string{"--module-capacity", "ada=1", "--module-capacity", "bob=2,eve=3"}, want: []string{"ada", "bob", "eve"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv("CUTPOINT_MODULE_CAPACITY", test.env)
			}
			var out, complaints bytes.Buffer
			run(t.Context(), append([]string{"serve", "--demo", "--config", path, "--data", t.TempDir()}, test.args...), &out, &complaints)
			for _, module := range test.want {
				if !strings.Contains(complaints.String(), `capacity of "`+module+`"`) {
					t.Errorf("said %q, want a word on %s", complaints.String(), module)
				}
			}
			if got := strings.Count(complaints.String(), "no such module"); got != len(test.want) {
				t.Errorf("said %q, want %d complaints", complaints.String(), len(test.want))
			}
		})
	}
}
