package compat

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var asked = flag.Bool("compat", false, "compare with the last release, which takes a minute")

const (
	root       = "../../.."
	breaksFile = ".ci/contract-breaks"
)

// TestCompat compares today's contracts with those of the base.
func TestCompat(t *testing.T) {
	if !*asked {
		t.Skip("make compat runs it")
	}
	today, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	name, err := base(today)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("compared with %s", name)
	old := tree(t, today, name)
	tools := newTools(t, today, old)
	accepted, err := readBreaks(filepath.Join(today, breaksFile))
	if err != nil {
		t.Fatal(err)
	}
	found := slices.Concat(tools.api(t, today), tools.words(t, today), tools.wire(t, today))
	for _, broken := range accepted.judge(found) {
		t.Errorf("%s", broken)
	}
	t.Run("mutants", func(t *testing.T) { testMutants(t, tools, found) })
	t.Run("live", func(t *testing.T) { testLive(t, build(t, old, "cutpoint"), build(t, today, "cutpoint")) })
}

// breaks are the agreed ones, and why.
type breaks map[string]string

func readBreaks(path string) (breaks, error) {
	lines, err := entries(path)
	if err != nil {
		return nil, err
	}
	b := breaks{}
	for _, line := range lines {
		what, why, _ := strings.Cut(line, " # ")
		if strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s: %q has no reason: put one after \" # \"", breaksFile, line)
		}
		b[strings.TrimSpace(what)] = why
	}
	return b, nil
}

// judge returns what is broken and not agreed on, and what is agreed on and not broken, in sentences.
func (b breaks) judge(found []string) (broken []string) {
	for _, what := range found {
		if b[what] == "" {
			broken = append(broken, fmt.Sprintf("%s\n\tcallers or callees of the last release rely on it; instead: leave it as it is and put a v2 beside it (docs/contracts.md), "+
				"or, if nobody can be hurt, put this line into %s with \" # \" and the reason", what, breaksFile))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(b)) {
		if !slices.Contains(found, what) {
			broken = append(broken, fmt.Sprintf("%s lists %q, which is not broken: take it out", breaksFile, what))
		}
	}
	return broken
}

func TestBreaks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "breaks")
	for text, says := range map[string]string{"# none\n": "", "a: gone # nobody used it\n": "", "a: gone\n": "no reason", "a: gone # \n": "no reason"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readBreaks(path); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, not %q", text, err, says)
		}
	}
	b := breaks{"a: gone": "nobody used it", "b: gone": "it was never released"}
	got := b.judge([]string{"a: gone", "c: gone"})
	if len(got) != 2 || !strings.HasPrefix(got[0], "c: gone\n") || !strings.Contains(got[1], `"b: gone", which is not broken`) {
		t.Errorf("got %q", got)
	}
}

// TestEveryContract wants each contract tested against its golden messages.
func TestEveryContract(t *testing.T) {
	for _, module := range contracts(t, root) {
		text, err := os.ReadFile(filepath.Join(root, "modules", module, "contract_test.go"))
		if err != nil || !strings.Contains(string(text), "contracttest.Run(t, "+module+".Module, "+module+".NewClient)") {
			t.Errorf("modules/%s has no test that calls contracttest.Run: add contract_test.go as its neighbours have it (%v)", module, err)
		}
	}
}

// contracts returns the modules that a tree has a contract of.
func contracts(t *testing.T, tree string) (modules []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(tree, "modules/*/wire.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no contract in %s (%v)", tree, err)
	}
	for _, path := range paths {
		modules = append(modules, filepath.Base(filepath.Dir(path)))
	}
	return modules
}

// build builds a command of a tree, with Go's flags beside those of the environment, and returns its path.
func build(t *testing.T, tree, command string, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), filepath.Base(command))
	execute(t, tree, nil, "go", slices.Concat([]string{"build", "-o", path}, flags, []string{"./cmd/" + command})...)
	return path
}

// execute runs a program to its end and returns what it said.
func execute(t *testing.T, dir string, stdin []byte, name string, args ...string) (stdout []byte) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	var complaints bytes.Buffer
	c.Dir, c.Stdin, c.Stderr = dir, bytes.NewReader(stdin), &complaints
	stdout, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s in %s: %v\n%s%s", name, strings.Join(args, " "), dir, err, stdout, complaints.Bytes())
	}
	return stdout
}

// overlay is what the go command reads in the place of files of a tree: another file, or none. Both names are absolute.
type overlay map[string]string

// replaceAll puts the Go files of one directory in the place of those of another.
func (o overlay) replaceAll(t *testing.T, old, new string) {
	t.Helper()
	sources := func(dir string) []string {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		return paths
	}
	for _, path := range sources(old) {
		o[path] = ""
	}
	for _, path := range sources(new) {
		o[filepath.Join(old, filepath.Base(path))] = path
	}
}

// write writes the overlay as the go command wants it.
func (o overlay) write(t *testing.T) (path string) {
	t.Helper()
	text, err := json.Marshal(map[string]overlay{"Replace": o})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
