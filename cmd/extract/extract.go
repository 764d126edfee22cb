package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// extraction is one module on its way out. Root, module and out are given, path and force may be.
type extraction struct {
	root   string // of the repository
	module string // payments
	out    string // directory to be written, empty or not there yet
	path   string // of the new Go module
	force  bool

	old      string // path of the Go module that it comes from
	revision string
	tracked  []string // files of the repository, by their paths below root
	modules  []string // that can be extracted
	packages map[string]*pkg
	closure  map[string]*pkg // what goes out, by directory
	home     map[string][]string
}

// run writes the module out. When it fails, the directory may hold a part of it.
func (e *extraction) run() error {
	for _, step := range []func() error{e.look, e.checkModule, e.checkOut, e.list, e.close, e.write, e.tidy} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// look learns what the repository is like.
func (e *extraction) look() (err error) {
	if e.root, err = filepath.Abs(e.root); err != nil {
		return err
	}
	if e.old, err = e.tool("go", "list", "-m"); err != nil {
		return err
	}
	if e.revision, err = e.tool("git", "rev-parse", "HEAD"); err != nil {
		return err
	}
	files, err := e.tool("git", "ls-files", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	e.tracked = slices.DeleteFunc(strings.Split(files, "\n"), func(f string) bool {
		_, err := os.Stat(filepath.Join(e.root, f))
		return err != nil // deleted, and that is not committed yet
	})
	for _, f := range e.tracked {
		if dir, ok := strings.CutPrefix(f, "modules/"); ok && strings.Count(dir, "/") == 1 && strings.HasSuffix(f, "/wire.go") {
			e.modules = append(e.modules, filepath.Dir(dir))
		}
	}
	return nil
}

// others are the modules that stay.
func (e *extraction) others() []string {
	return slices.DeleteFunc(slices.Clone(e.modules), func(m string) bool { return m == e.module })
}

func (e *extraction) checkModule() error {
	if !slices.Contains(e.modules, e.module) {
		return fmt.Errorf("there is no module %q, only %s", e.module, strings.Join(e.modules, ", "))
	}
	if e.path == "" {
		e.path = e.module
	}
	changed, err := e.tool("git", "status", "--porcelain")
	if err != nil || changed == "" {
		return err
	}
	if !e.force {
		return errors.New("there are changes that are not committed, and the new README names a revision: commit them, or say FORCE=1")
	}
	e.revision += ", with changes that were not committed"
	return nil
}

// checkOut refuses to mix the module with anything that is there.
func (e *extraction) checkOut() error {
	out, err := filepath.Abs(e.out)
	if err != nil {
		return err
	}
	e.out = out
	inside, err := e.below(out)
	if err != nil {
		return err
	}
	if inside {
		return fmt.Errorf("%s is inside this repository: choose a directory beside it", e.out)
	}
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the directory for the module: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: choose another directory, or remove what is in it", e.out)
	}
	return nil
}

// below reports whether a path, which need not be there, would be in the repository.
func (e *extraction) below(path string) (bool, error) {
	root, err := os.Stat(e.root)
	if err != nil {
		return false, err
	}
	for {
		there, err := os.Stat(path)
		if err == nil && os.SameFile(root, there) {
			return true, nil
		}
		if err == nil { // it is there: names lead on, links do not
			if path, err = filepath.EvalSymlinks(path); err != nil {
				return false, err
			}
		}
		parent := filepath.Dir(path)
		if parent == path {
			return false, nil
		}
		path = parent
	}
}

// tidy leaves those requirements in go.mod that the module has.
func (e *extraction) tidy() error {
	if err := e.inOut("go", "mod", "edit", "-module="+e.path); err != nil {
		return err
	}
	return e.inOut("go", "mod", "tidy")
}

// inOut runs a program in what was written.
func (e *extraction) inOut(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir = e.out
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// tool runs a program in the repository and returns what it says.
func (e *extraction) tool(name string, args ...string) (string, error) {
	c := exec.Command(name, args...)
	c.Dir = e.root
	var complaint strings.Builder
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, complaint.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// directories are those of the closure, sorted.
func (e *extraction) directories() []string { return slices.Sorted(maps.Keys(e.closure)) }
