package main

import (
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
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cutpoint/cmd/internal/fleet"
)

var deployment = flag.String("deployment", "short",
	"tell the stories in this deployment of cmd/internal/fleet; short: in those that are quick, all: in every one")

// TestStories tells what a stranger does with the binary: the real one, in processes of its own, over real HTTP. It tells every story
// in several deployments. A story knows these commands beside those of testscript:
//
//	serve [FLAGS]                            starts cutpoint serve on a free port, or the other processes of the deployment, and waits until they are ready
//	shutdown                                 sends SIGTERM to each and wants exit status 0
//	crash                                    sends SIGKILL to each
//	http METHOD PATH [FILE] [NAME:VALUE...]  sends a request with the demonstration's key; the answer goes to stdout
//	capture NAME REGEXP                      keeps what the first group matches in the latest answer as $NAME
//	capture-file NAME FILE                   keeps what a file holds
//	await ORDER STATUS                       reads the order until it has this status; the answer goes to stdout
//	await PATH REGEXP                        reads something else until the answer matches
//	timeline ORDER STEP...                   wants exactly these steps in the order's timeline: "state", or "state: outcome"
//	ledger ORDER [ENTRY...]                  wants exactly these entries in the test gateway's books: "charge 1290 EUR"
//	events ORDER TYPE...                     wants exactly these events of the order in the feed, numbered from 1
//	receiver up | down                       serves $RECEIVER, which takes webhooks, or refuses them while it is down
//	received ORDER TYPE...                   waits until the receiver has exactly these events of the order, in this order
//	delivered                                waits until the test gateway has delivered all of its webhooks
//	sql STORE STATEMENT                      changes a datastore in the directory "data", behind the back of the shop
//	sign FILE AGE                            signs a file as the test gateway did so long ago: $WEBHOOK_ID and two more
//
// [files] before a command wants it only where datastores are files, which one process locks, [together] only where all modules run in
// the process that serves HTTP.
//
// http prints the status line, the headers and the body, JSON on one line; variables in its file are replaced. "!" before http
// wants a status of 400 and more. $URL is the address of the shop. HASTY among the flags of serve stands for less patience with
// the payment provider than a shop should have, so that a story comes to its end.
func TestStories(t *testing.T) {
	for _, d := range chosen(t) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			tell(t, d)
		})
	}
}

// chosen is the deployments that the flag names.
func chosen(t *testing.T) []fleet.Deployment {
	if *deployment != "short" && *deployment != "all" {
		d, err := fleet.Named(*deployment)
		if err != nil {
			t.Fatal(err)
		}
		return []fleet.Deployment{d}
	}
	return slices.DeleteFunc(fleet.Table(), func(d fleet.Deployment) bool { return !d.Short && *deployment != "all" })
}

// tell tells every story in a deployment.
func tell(t *testing.T, d fleet.Deployment) {
	newDatabase := databases(t, d)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "stories"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("CUTPOINT_DEMO_KEY", testKey)
			s := &story{deployment: d}
			if newDatabase != nil {
				s.db = newDatabase()
				env.Setenv("CUTPOINT_DB", s.db)
			}
			env.Values[storyKey{}] = s
			env.Defer(func() { s.crash(); s.receiver.close() })
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "files":
				return !d.Database, nil
			case "together":
				return !d.Apart(), nil
			}
			return false, fmt.Errorf("there is no condition %q", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":        told((*story).serve), // none of these may be named like a command of testscript's own: it would run that
			"shutdown":     told(func(s *story, ts *testscript.TestScript, _ bool, _ []string) { s.stop(ts) }),
			"crash":        told(func(s *story, _ *testscript.TestScript, _ bool, _ []string) { s.crash() }),
			"http":         told((*story).http),
			"capture":      told((*story).capture),
			"capture-file": told((*story).captureFile),
			"await":        told((*story).await),
			"timeline":     told((*story).timeline),
			"ledger":       told((*story).ledger),
			"events":       told((*story).events),
			"receiver":     told((*story).receive),
			"received":     told((*story).received),
			"delivered":    told((*story).delivered),
			"sql":          told((*story).sql),
			"sign":         told((*story).sign),
		},
	})
}

type storyKey struct{}

// told is a command of the story that its script tells.
func told(command func(*story, *testscript.TestScript, bool, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		command(ts.Value(storyKey{}).(*story), ts, neg, args)
	}
}

// story is the shop of one story, and who listens to it.
type story struct {
	deployment fleet.Deployment
	db         string       // URL of its database, "" if it has files
	fleet      *fleet.Fleet // nil while the shop does not run
	url        string
	answer     string
	receiver   receiver
}

// patience bounds every wait of a story, pace is the pause between two looks.
const (
	patience = 30 * time.Second
	pace     = 20 * time.Millisecond
)

// hasty is what HASTY stands for: a payment provider that says nothing is waited for a second, and looked up at once.
func hasty() []string {
	return []string{"--provider-timeout=1s", "--call-timeout=2s", "--lookup-min=50ms", "--lookup-max=200ms"}
}

// ownBinaries builds the binary of each module, once.
var ownBinaries = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "cutpoint-binaries-"); err != nil {
		return "", err
	}
	return dir, fleet.Build(dir, "", "inventory", "pricing", "payments", "orders", "webhooks")
})

// programPath finds cutpoint, which is this test's own binary, or builds that of a module.
func programPath(name string) (string, error) {
	if name == "cutpoint" {
		return exec.LookPath(name)
	}
	dir, err := ownBinaries()
	return filepath.Join(dir, name), err
}

// flags of a story, each in one word.
func flagsIn(args []string) (flags []string) {
	for _, a := range args {
		switch {
		case a == "HASTY":
			flags = append(flags, hasty()...)
		case strings.HasPrefix(a, "--") || len(flags) == 0:
			flags = append(flags, a)
		default:
			flags[len(flags)-1] += "=" + a
		}
	}
	return flags
}

func (s *story) serve(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	s.fleet, err = fleet.Start(fleet.Options{
		Deployment: s.deployment, Program: programPath, Dir: ts.Getenv("WORK"), Flags: flagsIn(args),
		Env: []string{"CUTPOINT_DEMO_KEY=" + ts.Getenv("CUTPOINT_DEMO_KEY"), "CUTPOINT_DB=" + s.db},
	})
	ts.Check(err)
	s.url = s.fleet.URL()
	ts.Setenv("URL", s.url)
}

func (s *story) stop(ts *testscript.TestScript) {
	err := s.fleet.Stop()
	s.crash()
	ts.Check(err)
}

func (s *story) crash() {
	if s.fleet != nil {
		s.fleet.Kill()
		s.fleet, s.url = nil, ""
	}
}

var headerArgument = regexp.MustCompile(`^[A-Za-z-]+:`)

func (s *story) http(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [FILE] [NAME:VALUE...]")
	}
	var body io.Reader
	rest := args[2:]
	if len(rest) > 0 && !headerArgument.MatchString(rest[0]) {
		body = strings.NewReader(os.Expand(ts.ReadFile(rest[0]), ts.Getenv))
		rest = rest[1:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, args[0], s.url+args[1], body)
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("CUTPOINT_DEMO_KEY"))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range rest {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(name, value)
	}
	status := s.send(ts, r)
	if failed := status >= 400; failed != neg {
		ts.Fatalf("status %d", status)
	}
}

// send sends a request, and tells the answer.
func (s *story) send(ts *testscript.TestScript, r *http.Request) (status int) {
	res, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d\n", res.StatusCode)
	_ = res.Header.Write(&b)
	var line bytes.Buffer
	if json.Compact(&line, text) != nil {
		line.Reset()
		line.Write(text)
	}
	s.tell(ts, b.String()+"\n"+line.String()+"\n")
	return res.StatusCode
}

// tell makes text the stdout of a story's command, so that `stdout` and `! stdout` of testscript see it.
func (s *story) tell(ts *testscript.TestScript, text string) {
	s.answer = text
	_, err := ts.Stdout().Write([]byte(text))
	ts.Check(err)
}

func (s *story) capture(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(s.answer)
	if len(m) < 2 {
		ts.Fatalf("nothing in the latest answer matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func (s *story) captureFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// read decodes what the shop answers to a GET, and returns the text too.
func (s *story) read(ts *testscript.TestScript, path string, into any) (text string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("CUTPOINT_DEMO_KEY"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		ts.Fatalf("%v; the processes said:\n%s", err, s.fleet.Said())
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("GET %s: status %d: %s", path, res.StatusCode, body)
	}
	ts.Check(json.Unmarshal(body, into))
	return string(body)
}

func (s *story) await(ts *testscript.TestScript, _ bool, args []string) {
	path, want := args[0], args[1]
	if !strings.HasPrefix(path, "/") {
		path, want = "/v1/orders/"+args[0], `"id":"`+args[0]+`","status":"`+args[1]+`"` // its own, not that of its payment
	}
	var latest string
	reached := eventually(func() bool {
		var anything json.RawMessage
		latest = s.read(ts, path, &anything)
		return regexp.MustCompile(want).MatchString(latest)
	})
	s.tell(ts, latest)
	if !reached {
		ts.Fatalf("%s never showed %s", path, want)
	}
}

// eventually asks again and again for as long as a story has patience.
func eventually(is func() bool) bool {
	end, look := time.After(patience), time.NewTicker(pace)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-end:
			return false
		}
	}
	return true
}

func (s *story) timeline(ts *testscript.TestScript, _ bool, args []string) {
	var page struct {
		Data []struct{ State, Outcome string }
	}
	s.read(ts, "/v1/orders/"+args[0]+"/timeline", &page)
	var steps []string
	for _, e := range page.Data {
		step := e.State
		if e.Outcome != "succeeded" {
			step += ": " + e.Outcome
		}
		steps = append(steps, step)
	}
	s.compare(ts, "timeline", steps, args[1:])
}

func (s *story) ledger(ts *testscript.TestScript, _ bool, args []string) {
	var page struct {
		Data []struct {
			Operation, Currency string
			Amount              int64
		}
	}
	s.read(ts, "/v1/test-gateway/ledger?order="+args[0], &page)
	var entries []string
	for _, e := range page.Data {
		entries = append(entries, fmt.Sprintf("%s %d %s", e.Operation, e.Amount, e.Currency))
	}
	s.compare(ts, "ledger", entries, args[1:])
}

func (s *story) events(ts *testscript.TestScript, _ bool, args []string) {
	var types []string
	for after, more := "0", true; more; {
		var page struct {
			Data []struct {
				Type     string
				OrderID  string `json:"order_id"`
				Sequence int
			}
			NextCursor string `json:"next_cursor"`
			HasMore    bool   `json:"has_more"`
		}
		s.read(ts, "/v1/events?after="+after, &page)
		for _, e := range page.Data {
			if e.OrderID != args[0] {
				continue
			}
			if types = append(types, e.Type); e.Sequence != len(types) {
				ts.Fatalf("event %d of the order has the number %d", len(types), e.Sequence)
			}
		}
		after, more = page.NextCursor, page.HasMore
	}
	s.compare(ts, "events", types, args[1:])
}

// compare wants a list to be as the story says, no more and no less.
func (s *story) compare(ts *testscript.TestScript, what string, got, want []string) {
	if !slices.Equal(got, want) {
		ts.Check(errors.New(what + " is\n\t" + strings.Join(got, "\n\t") + "\nand not\n\t" + strings.Join(want, "\n\t")))
	}
}
