package mutants

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	run   = flag.Bool("mutants", false, "compile the mutants and run them, which takes minutes")
	seeds = flag.Int("seeds", 400, "the seeds within which a mutant must fail")
	limit = flag.Duration("limit", time.Minute, "the time within which a mutant must fail, once it is compiled")
)

const root = "../../.."

// TestMutants takes out guard after guard.
func TestMutants(t *testing.T) {
	overlaid := t.TempDir()
	for i, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			overlay := m.overlay(t, filepath.Join(overlaid, fmt.Sprint(i)))
			if !*run {
				return // only the texts were looked for
			}
			said := simulate(t, overlay)
			first, _, _ := strings.Cut(said, "\n")
			t.Log(first)
			if !regexp.MustCompile(m.says).MatchString(said) {
				t.Errorf("it is red, but nothing says %q:\n%s", m.says, said)
			}
		})
	}
}

// mutant is a tree without one of its guards.
type mutant struct {
	name  string
	edits []edit // more than one where a second guard stands behind the first
	says  string // matches part of what the simulation says when it turns red
}

// edit puts a text in the place of another one, which stands in its file once.
type edit struct{ file, from, to string }

// overlay writes the changed files to a directory, and the list of them that the go command wants.
func (m mutant) overlay(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	replaced := map[string]string{}
	for i, e := range m.edits {
		path, err := filepath.Abs(filepath.Join(root, e.file))
		if err != nil {
			t.Fatal(err)
		}
		from := path
		if replaced[path] != "" { // the second edit of a file
			from = replaced[path]
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.from); n != 1 {
			t.Fatalf("%s has %d times %q", e.file, n, e.from)
		}
		to := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(to, []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[path] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// compiling is how long the compiler may take.
const compiling = 5 * time.Minute

// simulate compiles the simulation with an overlay, runs seeds, more and more at a time, and returns what the first that failed said. It
// ends the test if none did. A seed may go on for ever without its guard: when the time is over, what others said by then is the result,
// and if they said nothing, the test ends with the seeds that were running.
func simulate(t *testing.T, overlay string) string {
	t.Helper()
	binary := filepath.Join(filepath.Dir(overlay), "sim.test")
	if out, err := execute(t, root, compiling, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, "./cmd/internal/sim"); err != nil {
		t.Fatalf("it does not compile (%v): %s", err, out)
	}
	defer func() { _ = os.Remove(binary) }()
	end, dir := time.Now().Add(*limit), t.TempDir()
	for first, many := 1, 20; first <= *seeds; first, many = first+many, 2*many {
		many = min(many, *seeds-first+1)
		left := max(time.Until(end), time.Millisecond)
		out, err := execute(t, dir, left+10*time.Second, binary, "-test.run", "^TestSimulation$", "-test.v", "-test.timeout", left.String(),
			"-first", fmt.Sprint(first), "-seeds", fmt.Sprint(many))
		said := findings(out)
		if err != nil && said == "" {
			t.Fatalf("no result within %v, in the seeds from %d on (%v):\n%s", *limit, first, err, out[max(0, strings.Index(out, "panic: ")):])
		}
		if err != nil {
			return said
		}
	}
	t.Fatalf("it survived %d seeds", *seeds)
	return ""
}

// execute runs a program to its end, or kills it when its time is over, and returns what it said.
func execute(t *testing.T, dir string, within time.Duration, name string, args ...string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	program := exec.CommandContext(ctx, name, args...)
	program.Dir, program.WaitDelay = dir, time.Second
	out, err := program.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("killed after %v: %w", within, err)
	}
	return string(out), err
}

// findings are the lines in which the simulation said what is wrong.
func findings(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") && !strings.Contains(line, "\t/") { // which stands before the places of a stack
			b.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return b.String()
}
