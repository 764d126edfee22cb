package fences

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// compositionRoot is the only package that may know several modules' doors.
const compositionRoot = "cmd/internal/shop"

// tree is the source of Cutpoint, as far as the rules look at it.
type tree struct {
	root     string
	module   string // the module path, "cutpoint"
	set      *token.FileSet
	byPath   map[string]*pkg
	packages []*pkg // those that have something in them, sorted by path
	broken   []breakage
	arch     *archFile
}

// breakage is something that keeps a package from being read.
type breakage struct {
	at   place
	what string
}

// role is the part that a package plays in its module.
type role string

const (
	contract role = "contract" // modules/orders
	door     role = "door"     // modules/orders/ordersmod
	face     role = "face"     // modules/orders/ordershttp
	body     role = "body"     // modules/orders/internal/...
)

// pkg is a directory with Go files. It holds all of them, also those that build constraints leave out.
type pkg struct {
	path   string // relative to the root: an import path without the module's
	name   string // as its package clauses say
	owner  string // the module that it belongs to, "orders", or ""
	role   role   // in that module
	files  []*file
	others []string // files that are not Go
	deps   []string // import paths of all that it links, tests aside, as go list knows them
}

// file is a Go file.
type file struct {
	path    string
	test    bool
	syntax  *ast.File
	imports []imported
}

// imported is one import of a file.
type imported struct {
	at    place
	path  string
	local string // the name by which the file knows it; "_" or "." for the two special forms
}

// load reads the tree under root.
func load(root string) (*tree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, set: token.NewFileSet(), byPath: map[string]*pkg{}}
	if err := filepath.WalkDir(root, t.visit); err != nil {
		return nil, fmt.Errorf("walk the tree: %w", err)
	}
	for _, p := range t.byPath {
		if len(p.files) > 0 || len(p.others) > 0 && p.owner != "" {
			t.packages = append(t.packages, p)
		}
	}
	slices.SortFunc(t.packages, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	if err := t.list(); err != nil {
		return nil, err
	}
	return t, t.readArchFile()
}

// visit adds a file or a directory to the tree. It leaves out what the go command leaves out: hidden directories, test data,
// and directories that are a Go module of their own.
func (t *tree) visit(where string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(t.root, where)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	if !d.IsDir() {
		return t.visitFile(t.byPath[path.Dir(rel)], rel)
	}
	if name := d.Name(); rel != "." {
		_, err := os.Stat(filepath.Join(where, "go.mod"))
		if name[0] == '.' || name[0] == '_' || name == "testdata" || err == nil {
			return filepath.SkipDir
		}
	}
	t.byPath[rel] = newPkg(rel)
	return nil
}

func newPkg(rel string) *pkg {
	p := &pkg{path: rel}
	parts := strings.Split(rel, "/")
	if parts[0] != "modules" || len(parts) < 2 {
		return p
	}
	p.owner = parts[1]
	switch {
	case len(parts) == 2:
		p.role = contract
	case parts[2] == "internal":
		p.role = body
	case len(parts) == 3 && parts[2] == p.owner+"mod":
		p.role = door
	case len(parts) == 3 && parts[2] == p.owner+"http":
		p.role = face
	}
	return p
}

func (t *tree) visitFile(p *pkg, rel string) error {
	if path.Ext(rel) != ".go" {
		p.others = append(p.others, rel)
		return nil
	}
	source, err := os.ReadFile(filepath.Join(t.root, rel))
	if err != nil {
		return err
	}
	f := &file{path: rel, test: strings.HasSuffix(rel, "_test.go")}
	f.syntax, err = parser.ParseFile(t.set, rel, source, parser.ParseComments|parser.SkipObjectResolution)
	if mistakes := (scanner.ErrorList)(nil); errors.As(err, &mistakes) {
		t.broken = append(t.broken, breakage{place{rel, mistakes[0].Pos.Line}, mistakes[0].Msg})
	}
	if p.name == "" && !f.test {
		p.name = f.syntax.Name.Name
	}
	for _, spec := range f.syntax.Imports {
		f.imports = append(f.imports, t.imported(spec))
	}
	p.files = append(p.files, f)
	return nil
}

func (t *tree) imported(spec *ast.ImportSpec) imported {
	of, _ := strconv.Unquote(spec.Path.Value) // a string that the parser has accepted
	i := imported{at: t.place(spec.Pos()), path: of, local: path.Base(of)}
	if rest, version := path.Split(of); len(version) > 1 && version[0] == 'v' && strings.Trim(version[1:], "0123456789") == "" {
		i.local = path.Base(rest)
	}
	if spec.Name != nil {
		i.local = spec.Name.Name
	}
	return i
}

func (t *tree) place(p token.Pos) place {
	at := t.set.Position(p)
	return place{at.Filename, at.Line}
}

// list asks the go command what each package links, and what it can't load.
func (t *tree) list() error {
	c := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Deps,Error,Module", "./...")
	c.Dir = t.root
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		switch err := d.Decode(&l); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("go list: %w", err)
		}
		t.add(l)
	}
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Dir        string
	Deps       []string
	Module     *struct{ Path string }
	Error      *struct{ Pos, Err string }
}

func (t *tree) add(l listed) {
	if l.Module != nil {
		t.module = l.Module.Path
	}
	rel, err := filepath.Rel(t.root, l.Dir)
	if err != nil {
		rel = l.ImportPath // a package that has no directory to speak of
	}
	if p := t.byPath[filepath.ToSlash(rel)]; p != nil {
		p.deps = l.Deps
	}
	if l.Error != nil {
		at := place{file: filepath.ToSlash(rel)}
		if name, rest, ok := strings.Cut(l.Error.Pos, ":"); ok { // "dir/file.go:3:8"
			number, _, _ := strings.Cut(rest, ":")
			at.file = filepath.ToSlash(name)
			at.line, _ = strconv.Atoi(number)
		}
		t.broken = append(t.broken, breakage{at, l.Error.Err})
	}
}

// local returns the path of a package of this tree relative to the root, or false for anybody else's.
func (t *tree) local(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, t.module+"/")
}

// find returns the package of an import path, or nil if it is not of this tree.
func (t *tree) find(importPath string) *pkg {
	rel, ok := t.local(importPath)
	if !ok {
		return nil
	}
	return t.byPath[rel]
}

// standard reports whether an import path is of the standard library: only its paths have no dot before the first slash.
func (t *tree) standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".") && first != t.module
}

// code returns the files of a package that are not tests.
func (p *pkg) code() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
}

// tests returns the others.
func (p *pkg) tests() []*file {
	return slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return !f.test })
}

// start is where a finding about a whole package stands.
func (p *pkg) start() place {
	if len(p.files) == 0 {
		return place{p.path, 1}
	}
	return place{p.files[0].path, 1}
}

func loads(t *tree, found report) {
	for _, b := range t.broken {
		found(b.at, "%s", b.what)
	}
}
