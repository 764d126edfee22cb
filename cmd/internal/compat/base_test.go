package compat

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const baseFile = ".ci/contract-base"

// base returns the commit that contracts are compared with, in the clone at root: the latest release behind HEAD, or the commit in
// baseFile. It fails if the clone does not have it.
func base(root string) (name string, err error) {
	tags, err := git(root, "-c", "versionsort.suffix=-", "tag", "--list", "v*", "--sort=-v:refname", "--merged", "HEAD", "--no-contains", "HEAD")
	if err != nil {
		return "", err
	}
	name, _, _ = strings.Cut(tags, "\n")
	if name == "" {
		entries, err := entries(filepath.Join(root, baseFile))
		if err != nil {
			return "", err
		}
		if len(entries) != 1 {
			return "", fmt.Errorf("%s names %d commits; it must be one", baseFile, len(entries))
		}
		name = entries[0]
	}
	if _, err := git(root, "cat-file", "-e", name+"^{commit}"); err != nil {
		return "", fmt.Errorf("this clone does not have %s, with which contracts are compared: `git fetch --unshallow --tags` gets it", name)
	}
	return name, nil
}

// tree writes the tree of a commit into a new directory. Nothing is left behind in the clone, unlike with a worktree.
func tree(t *testing.T, root, commit string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	archive := filepath.Join(t.TempDir(), "tree.tar")
	if _, err := git(root, "archive", "--format=tar", "-o", archive, commit); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, nil, "tar", "-xf", archive)
	return dir
}

func git(root string, args ...string) (out string, err error) {
	b, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("git %s: %s", strings.Join(args, " "), failed.Stderr)
	}
	return strings.TrimSpace(string(b)), err
}

// entries returns the lines of a file that are no comments.
func entries(path string) (entries []string, err error) {
	text, err := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			entries = append(entries, line)
		}
	}
	return entries, err
}

// TestBase finds the base in clones of a small history: a, b, c, d.
func TestBase(t *testing.T) {
	origin := t.TempDir()
	run := func(dir string, args ...string) string {
		t.Helper()
		out, err := git(dir, append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := func(dir, name, says string) {
		t.Helper()
		got, err := base(dir)
		if got != name || (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %q and %v, not %q and %q", got, err, name, says)
		}
	}
	commit := func(message string) string {
		run(origin, "commit", "--quiet", "--allow-empty", "-m", message)
		return run(origin, "rev-parse", "HEAD")
	}
	run(origin, "init", "--quiet")
	if err := os.Mkdir(filepath.Join(origin, ".ci"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := commit("a")
	if err := os.WriteFile(filepath.Join(origin, baseFile), []byte("# why\n"+a+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(origin, "add", ".")
	commit("b")
	want(origin, a, "")
	shallow := filepath.Join(t.TempDir(), "shallow")
	run(origin, "clone", "--quiet", "--depth=1", "file://"+origin, shallow)
	want(shallow, "", "git fetch --unshallow --tags")
	run(shallow, "fetch", "--quiet", "--unshallow")
	want(shallow, a, "")

	run(origin, "tag", "v0.9.0")
	want(origin, a, "") // a release is not compared with itself
	commit("c")
	want(origin, "v0.9.0", "")
	run(origin, "tag", "v0.10.0-rc.1")
	run(origin, "tag", "v0.10.0")
	commit("d")
	want(origin, "v0.10.0", "")

	if err := os.WriteFile(filepath.Join(shallow, baseFile), []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(shallow, "", "it must be one")
}
