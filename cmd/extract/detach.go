package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// detach takes the body, the door and the program of a module out of the repository, now that they live elsewhere. Its contract stays,
// since others call it, and its HTTP face, since this is where the shop is served. The composition root gets a stand-in for it.
func (e *extraction) detach() error {
	for _, step := range []func() error{e.look, e.checkModule, e.list, e.remove, e.standIn, e.list} {
		if err := step(); err != nil {
			return err
		}
	}
	e.closure, e.out = e.packages, e.root
	arch, err := e.arch("")
	if err != nil {
		return err
	}
	if err := e.put(archName, arch); err != nil {
		return err
	}
	return e.inOut("go", "mod", "tidy")
}

// remove deletes what lives elsewhere, and those tests of the face that ask the body.
func (e *extraction) remove() error {
	home := path.Join("modules", e.module)
	gone := []string{path.Join(home, "internal"), path.Join(home, e.module+"mod"), path.Join("cmd", e.module)}
	isGone := func(dir string) bool {
		return slices.ContainsFunc(gone, func(g string) bool { return covers(g+"/**", dir) })
	}
	for _, f := range e.tracked {
		dir := path.Dir(f)
		p := e.packages[dir]
		orphan := p != nil && strings.HasPrefix(dir, home+"/") && strings.HasSuffix(f, "_test.go") && slices.ContainsFunc(e.testNeeds(p), isGone)
		if orphan {
			if err := os.Remove(filepath.Join(e.root, f)); err != nil {
				return err
			}
		}
	}
	for _, g := range gone {
		if err := os.RemoveAll(filepath.Join(e.root, g)); err != nil {
			return err
		}
	}
	return nil
}

// standIn writes the composition root's file of the module anew.
func (e *extraction) standIn() error {
	t, err := parseTemplates()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	facts := map[string]string{"Module": e.module, "Name": strings.ToUpper(e.module[:1]) + e.module[1:], "From": e.old}
	if err := t.ExecuteTemplate(&out, "standin.go.txt", facts); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(e.root, "cmd/internal/shop", e.module+".go"), out.Bytes(), 0o666)
}
