package fences

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const root = "../../.."

func TestTree(t *testing.T) {
	t.Run("breaks no rule", func(t *testing.T) {
		findings, err := Check(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Error(f)
		}
	})
	t.Run("passes the linter", func(t *testing.T) {
		if said := lint(t, root); said != "" {
			t.Error(said)
		}
	})
	t.Run("is mapped to components as the linter maps it", func(t *testing.T) {
		tree, err := load(root)
		if err != nil {
			t.Fatal(err)
		}
		linter := mapping(t, tree.root)
		for _, p := range tree.packages {
			for _, f := range p.code() {
				if here, there := strings.Join(tree.componentsOf(p), ", "), linter[f.path]; here != there {
					t.Errorf("%s: component %q here, %q for the linter", f.path, here, there)
				}
			}
		}
	})
}

func TestRules(t *testing.T) {
	t.Run("each says what it promises", func(t *testing.T) {
		seen := map[string]bool{}
		for _, r := range rules() {
			if seen[r.name] || !strings.HasSuffix(r.promise, ".") || r.instead == "" {
				t.Errorf("rule %s has no name of its own, no promise or no way out", r.name)
			}
			seen[r.name] = true
		}
	})
	t.Run("each has a mutation", func(t *testing.T) {
		proved := map[string]bool{}
		for _, m := range mutations() {
			proved[m.fence.name] = true
		}
		for _, r := range rules() {
			if !proved["rule "+r.name] {
				t.Errorf("no mutation shows that rule %s turns red", r.name)
			}
		}
	})
}

// lint returns what the linter objects to in a tree, "" if nothing.
func lint(t testing.TB, root string) string {
	t.Helper()
	out, err := archLint(t, root, "check").CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}

// mapping returns the linter's component of each file, by its path relative to the root.
func mapping(t testing.TB, root string) map[string]string {
	t.Helper()
	out, err := archLint(t, root, "mapping", "--json").Output()
	if err != nil {
		t.Fatalf("the linter's mapping: %v\n%s", err, out)
	}
	var answer struct {
		Payload struct {
			MappingList []struct{ FileName, ComponentName string }
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	components := map[string]string{}
	for _, m := range answer.Payload.MappingList {
		rel, err := filepath.Rel(root, m.FileName)
		if err != nil {
			t.Fatal(err)
		}
		components[filepath.ToSlash(rel)] = m.ComponentName
	}
	return components
}

// archLint is a call of the linter that .ci/tools.mod pins. Without the linter nothing here can be trusted, so its absence
// fails the test.
func archLint(t testing.TB, root string, args ...string) *exec.Cmd {
	t.Helper()
	if err := probeLinter(); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"tool", "-modfile=.ci/tools.mod", "go-arch-lint"}, args...)
	return goCommand(root, append(args, "--arch-file", archName, "--output-color=false")...)
}

// probeLinter returns why the linter can't be run, and how to get it.
var probeLinter = sync.OnceValue(func() error {
	out, err := goCommand(root, "tool", "-modfile=.ci/tools.mod", "go-arch-lint", "version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go-arch-lint can't be run; with a network, `go tool -modfile=.ci/tools.mod go-arch-lint version` downloads it: %w\n%s", err, out)
	}
	return nil
})

func goCommand(root string, args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Dir = root
	return c
}
