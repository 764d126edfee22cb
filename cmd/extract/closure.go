package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// fences is the package that holds the boundaries. It goes along, with one test that looks at the new tree, in place of those that
// know every module.
const fences = "cmd/internal/fences"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath                string
	Dir                       string
	GoFiles, EmbedFiles       []string
	Imports                   []string
	Deps                      []string
	TestImports, XTestImports []string

	rel string // its directory, below the root
}

// list reads every package of the repository.
func (e *extraction) list() error {
	out, err := e.tool("go", "list", "-json=ImportPath,Dir,GoFiles,EmbedFiles,Imports,Deps,TestImports,XTestImports", "./...")
	if err != nil {
		return err
	}
	e.packages = map[string]*pkg{}
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		p := &pkg{}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		p.rel = strings.TrimPrefix(p.ImportPath, e.old+"/")
		e.packages[p.rel] = p
	}
}

// close finds what goes out: what the program links, and what the tests of that need of the platform. The tests of a package that
// need more than that stay home, all of them: they lean on each other.
func (e *extraction) close() error {
	e.closure, e.home = map[string]*pkg{}, map[string][]string{}
	e.include("cmd/" + e.module)
	e.include(fences)
	for before := 0; before != len(e.closure); {
		before = len(e.closure)
		for _, dir := range e.directories() {
			for _, need := range e.testNeeds(e.closure[dir]) {
				if strings.HasPrefix(need, "platform/") {
					e.include(need)
				}
			}
		}
	}
	for dir, p := range e.closure {
		if missing := slices.DeleteFunc(e.testNeeds(p), func(need string) bool { return e.closure[need] != nil }); len(missing) > 0 {
			e.home[dir] = missing
		}
	}
	if e.closure["cmd/"+e.module] == nil {
		return fmt.Errorf("module %s has no program of its own: cmd/%s is missing", e.module, e.module)
	}
	return nil
}

// include adds a package and all of ours that it links.
func (e *extraction) include(dir string) {
	p := e.packages[dir]
	if p == nil || e.closure[dir] != nil {
		return
	}
	e.closure[dir] = p
	for _, need := range e.ours(p.Deps) {
		e.closure[need] = e.packages[need]
	}
}

// testNeeds are the packages of ours that the tests of a package import, sorted.
func (e *extraction) testNeeds(p *pkg) []string {
	needs := e.ours(slices.Concat(p.TestImports, p.XTestImports))
	slices.Sort(needs)
	return slices.Compact(needs)
}

// ours are the directories of those import paths that are of this repository.
func (e *extraction) ours(imports []string) (dirs []string) {
	for _, i := range imports {
		if dir, ok := strings.CutPrefix(i, e.old+"/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// histories are the folders of migrations that the code names: the argument of each call of package migrations, which is a constant.
func (e *extraction) histories() (names []string, err error) {
	for _, dir := range e.directories() {
		p := e.closure[dir]
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && isCallOf(call, "migrations") && len(call.Args) > 0 {
					if history, ok := e.constant(p, f, call.Args[0]); ok {
						names = append(names, history)
					}
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func isCallOf(call *ast.CallExpr, pkg string) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := s.X.(*ast.Ident)
	return ok && of.Name == pkg
}

// constant returns the text that an expression of a file stands for, if it is a constant of ours.
func (e *extraction) constant(p *pkg, f *ast.File, x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(x.Value)
		return text, err == nil && x.Kind == token.STRING
	case *ast.Ident:
		return e.defined(p, x.Name)
	case *ast.SelectorExpr:
		of, ok := x.X.(*ast.Ident)
		if !ok {
			return "", false
		}
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value) // the parser took it
			if dir, ok := strings.CutPrefix(imported, e.old+"/"); ok && path.Base(dir) == of.Name {
				return e.defined(e.packages[dir], x.Sel.Name)
			}
		}
	}
	return "", false
}

// defined looks a constant up where its package defines it.
func (e *extraction) defined(p *pkg, name string) (string, bool) {
	for _, file := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			continue // the compiler says it better
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if n.Name == name && i < len(v.Values) {
						return e.constant(p, f, v.Values[i])
					}
				}
			}
		}
	}
	return "", false
}
