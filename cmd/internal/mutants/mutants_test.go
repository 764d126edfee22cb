package mutants

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	run   = flag.Bool("mutants", false, "compile the mutants and run them, which takes minutes")
	seeds = flag.Int("seeds", 400, "the seeds within which a mutant must fail")
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
			t.Log(firstLine(said))
			if said == "" {
				t.Errorf("it survived %d seeds", *seeds)
			} else if !regexp.MustCompile(m.says).MatchString(said) {
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

// simulate compiles the simulation with an overlay, runs seeds, more and more at a time, and returns what the first that failed said.
func simulate(t *testing.T, overlay string) string {
	t.Helper()
	binary := filepath.Join(filepath.Dir(overlay), "sim.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, "./cmd/internal/sim")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %s", out)
	}
	defer func() { _ = os.Remove(binary) }()
	for first, many := 1, 20; first <= *seeds; first, many = first+many, 2*many {
		many = min(many, *seeds-first+1)
		sim := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSimulation$", "-test.timeout", "3m",
			"-first", fmt.Sprint(first), "-seeds", fmt.Sprint(many))
		sim.Dir = t.TempDir()
		if out, err := sim.CombinedOutput(); err != nil {
			return string(out)
		}
	}
	return ""
}

// firstLine is the first finding in what the simulation said.
func firstLine(said string) string {
	for line := range strings.Lines(said) {
		if strings.Contains(line, "_test.go:") {
			return strings.TrimSpace(line)
		}
	}
	return said[:min(len(said), 300)]
}
