package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// root is the repository.
const root = "../.."

var all = flag.Bool("all", false, "write each module out, and run all tests there; CI tries one, with the tests of the module itself")

// TestExtract writes a module out, builds, checks and tests it there, and runs a shop around it: as it is, and without the body.
func TestExtract(t *testing.T) {
	extracted := []string{"payments"}
	if *all {
		extracted = modules(t)
	}
	cutpoint := filepath.Join(t.TempDir(), "cutpoint")
	goes(t, root, "build", "-o", cutpoint, "./cmd/cutpoint")
	for _, module := range extracted {
		t.Run(module, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), module)
			timed(t, "extract", func() {
				e := extraction{root: root, module: module, out: out, force: true}
				if err := e.run(); err != nil {
					t.Fatal(err)
				}
				testPlace(t, &e)
			})
			own := filepath.Join(out, "bin", module)
			timed(t, "build", func() { goes(t, out, "build", "./..."); goes(t, out, "build", "-o", own, "./cmd/"+module) })
			timed(t, "vet", func() { goes(t, out, "vet", "./...") })
			timed(t, "lint", func() {
				goes(t, out, "tool", "-modfile=.ci/tools.mod", "go-arch-lint", "check", "--arch-file", "arch-lint.yml")
				if *all {
					goes(t, out, "tool", "-modfile=.ci/tools.mod", "golangci-lint", "run", "--allow-parallel-runners", "./...")
				}
			})
			timed(t, "test", func() {
				if *all {
					goes(t, out, "test", "./...")
				} else { // what it stands on has been tested here already, without a change
					goes(t, out, "test", "-short", "./cmd/...", "./modules/...")
				}
			})
			timed(t, "orders", func() { testShop(t, cutpoint, own, cutpoint, module) })
			if *all {
				timed(t, "detached", func() { testDetached(t, module, own, cutpoint) })
			}
		})
	}
}

// testPlace looks at what was written: all of it, and no more.
func testPlace(t *testing.T, e *extraction) {
	t.Helper()
	for _, f := range []string{"README.md", "CHANGELOG.md", "LICENSE", "Makefile", "go.sum", ".ci/run", ".gitignore", "cmd/" + e.module + "/main.go"} {
		if _, err := os.Stat(filepath.Join(e.out, f)); err != nil {
			t.Error(err)
		}
	}
	for _, m := range e.others() {
		for _, gone := range []string{"cmd/" + m, "migrations/" + m, "modules/" + m + "/internal", "modules/" + m + "/" + m + "mod", "modules/" + m + "/" + m + "http"} {
			if _, err := os.Stat(filepath.Join(e.out, gone)); err == nil {
				t.Errorf("%s went along", gone)
			}
		}
	}
	for _, dir := range []string{".ci", "cmd", "migrations", "modules", "platform"} {
		err := filepath.WalkDir(filepath.Join(e.out, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, []byte(`"`+e.old+`/`)) || bytes.Contains(content, []byte("module "+e.old)) {
				t.Errorf("%s names the Go module that it comes from", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if said := goes(t, e.out, "mod", "tidy", "-diff"); said != "" {
		t.Errorf("go.mod is not tidy: %s", said)
	}
}

// TestProgramsApart holds each program of a module to its own body.
func TestProgramsApart(t *testing.T) {
	names := modules(t)
	for _, module := range names {
		t.Run(module, func(t *testing.T) {
			linked := strings.Fields(goes(t, root, "list", "-deps", "./cmd/"+module))
			if !slices.Contains(linked, "cutpoint/modules/"+module+"/"+module+"mod") {
				t.Errorf("it does not link the door of its own module")
			}
			for _, p := range linked {
				for _, other := range names {
					rest, ok := strings.CutPrefix(p, "cutpoint/modules/"+other+"/")
					if ok && other != module {
						t.Errorf("it links %s of %s", rest, other)
					}
				}
			}
		})
	}
}

// TestRefusals tries what would spoil something.
func TestRefusals(t *testing.T) {
	repository := t.TempDir()
	write(t, filepath.Join(repository, "go.mod"), "module example\n\ngo 1.26\n")
	write(t, filepath.Join(repository, "modules/stars/wire.go"), "package stars\n")
	commit(t, repository)
	full, link, taken := t.TempDir(), filepath.Join(t.TempDir(), "link"), filepath.Join(t.TempDir(), "file")
	write(t, filepath.Join(full, "kept"), "")
	write(t, taken, "")
	if err := os.Symlink(filepath.Join(repository, "modules"), link); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		module, out string
		change      string // a file that is not committed
		force       bool
		want        string
	}{
		"a module that is none":                {module: "moons", out: t.TempDir(), want: `there is no module "moons", only stars`},
		"a directory with something in it":     {module: "stars", out: full, want: "is not empty"},
		"a file":                               {module: "stars", out: taken, want: "not a directory"},
		"the repository":                       {module: "stars", out: repository, want: "is inside this repository"},
		"a directory in the repository":        {module: "stars", out: filepath.Join(repository, "a/b"), want: "is inside this repository"},
		"the repository, through a link":       {module: "stars", out: filepath.Join(link, "a"), want: "is inside this repository"},
		"changes that are not committed":       {module: "stars", out: t.TempDir(), change: "new.txt", want: "commit them, or say FORCE=1"},
		"changes, by force, without a program": {module: "stars", out: t.TempDir(), change: "new.txt", force: true, want: "cmd/stars is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.change != "" {
				changed := filepath.Join(repository, test.change)
				write(t, changed, "")
				defer func() { _ = os.Remove(changed) }()
			}
			e := extraction{root: repository, module: test.module, out: test.out, force: test.force}
			if err := e.run(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a word of %q", err, test.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(full, "kept")); err != nil {
		t.Error(err)
	}
}

// TestReaddress rewrites import paths, in the order that gofmt wants, and nothing that looks like one.
func TestReaddress(t *testing.T) {
	e := extraction{old: "cutpoint", path: "example.com/pay"}
	got, err := e.readdress([]byte(`package x

import (
	"fmt"

	"cutpoint/platform/money" // cutpoint/platform/money
	other "cutpointer/x"
)

const said = "cutpoint/platform/money"
`))
	want := `package x

import (
	"fmt"

	other "cutpointer/x"
	"example.com/pay/platform/money" // cutpoint/platform/money
)

const said = "cutpoint/platform/money"
`
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
}

// modules names those of the repository.
func modules(t *testing.T) []string {
	t.Helper()
	e := extraction{root: root}
	if err := e.look(); err != nil {
		t.Fatal(err)
	}
	return e.modules
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func timed(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	t.Logf("%-8s %5.1f s", what, time.Since(began).Seconds())
}

// goes runs the go command in a directory and returns what it says. It downloads nothing: all that a module needs has been needed here.
func goes(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return runs(t, dir, "go", args...)
}

func runs(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s in %s: %v\n%s", name, strings.Join(args, " "), dir, err, out)
	}
	return out
}

// fails runs a program that should refuse to, and returns what it says.
func fails(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, name, args...)
	if err == nil {
		t.Errorf("%s %s went well", name, strings.Join(args, " "))
	}
	return out
}

func try(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod")
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// commit makes a directory a repository with one commit.
func commit(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "x"}} {
		runs(t, dir, "git", args...)
	}
}
