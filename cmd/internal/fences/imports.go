package fences

import (
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// valuePackages are the standard packages that a contract may import: they hold values and make them.
var valuePackages = []string{"context", "errors", "time"}

func contractImports(t *tree, found report) {
	for _, p := range t.packages {
		if p.role != contract {
			continue
		}
		for i := range importsOf(p.code()) {
			if t.standard(i.path) && !slices.Contains(valuePackages, i.path) {
				found(i.at, "the contract of %s imports %s", p.owner, i.path)
			}
		}
	}
}

// importsOf yields every import of some files.
func importsOf(files []*file) func(yield func(imported) bool) {
	return func(yield func(imported) bool) {
		for _, f := range files {
			for _, i := range f.imports {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// noCycle follows the real edges: module a calls module b if any package of a, tests aside, imports b's contract.
func noCycle(t *tree, found report) {
	edges := map[string]map[string]place{}
	for _, p := range t.packages {
		if p.owner == "" {
			continue
		}
		for i := range importsOf(p.code()) {
			if to := t.find(i.path); to != nil && to.role == contract && to.owner != p.owner {
				if edges[p.owner] == nil {
					edges[p.owner] = map[string]place{}
				}
				edges[p.owner][to.owner] = i.at
			}
		}
	}
	finished := map[string]bool{}
	var visit func(trail []string)
	visit = func(trail []string) {
		from := trail[len(trail)-1]
		for _, to := range slices.Sorted(maps.Keys(edges[from])) {
			if i := slices.Index(trail, to); i >= 0 {
				found(edges[from][to], "this import closes the circle %s", strings.Join(append(slices.Clone(trail[i:]), to), " -> "))
			} else if !finished[to] {
				visit(append(slices.Clone(trail), to))
			}
		}
		finished[from] = true
	}
	for _, owner := range slices.Sorted(maps.Keys(edges)) {
		if !finished[owner] {
			visit([]string{owner})
		}
	}
}

// apart looks at all that is linked, not only at what is imported directly.
func apart(t *tree, found report) {
	for _, p := range t.packages {
		if p.owner == "" {
			continue
		}
		for _, dep := range p.deps {
			if q := t.find(dep); q != nil && q.owner != "" && q.owner != p.owner && q.role != contract {
				found(t.wayTo(p, dep), "package %s of module %s links %s", p.path, p.owner, q.path)
			}
		}
	}
}

// wayTo is the import by which a package comes to link another.
func (t *tree) wayTo(p *pkg, dep string) place {
	for i := range importsOf(p.code()) {
		if i.path == dep {
			return i.at
		}
		if via := t.find(i.path); via != nil && slices.Contains(via.deps, dep) {
			return i.at
		}
	}
	return p.start()
}

// bodyStays looks at the results of a door's exported functions. The composition root has no other way to a body, so that all
// it can hand to a neighbour is a client.
func bodyStays(t *tree, found report) {
	for _, p := range t.modules() {
		if p.role != door {
			continue
		}
		private := t.privateNames(p)
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				fun, ok := d.(*ast.FuncDecl)
				if !ok || !fun.Name.IsExported() || fun.Type.Results == nil {
					continue
				}
				ast.Inspect(fun.Type.Results, func(n ast.Node) bool {
					id, isName := n.(*ast.Ident)
					if s, ok := n.(*ast.SelectorExpr); ok && t.isPrivate(f, s) || isName && slices.Contains(private, id.Name) {
						found(t.place(n.Pos()), "%s of %s returns something of its module's", fun.Name.Name, p.path)
					}
					return true
				})
			}
		}
	}
}

// privateNames returns the names that a door's own types give to those of its body or contract.
func (t *tree) privateNames(p *pkg) (names []string) {
	for _, f := range p.code() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.SelectorExpr); ok && t.isPrivate(f, s) {
					names = append(names, spec.Name.Name)
				}
			}
			return true
		})
	}
	return names
}

// isPrivate reports whether a file names something of a body or a contract.
func (t *tree) isPrivate(f *file, s *ast.SelectorExpr) bool {
	q := t.find(f.locals().of(s.X))
	return q != nil && (q.role == body || q.role == contract)
}

func oneRoot(t *tree, found report) {
	for _, p := range t.packages {
		if p.path == compositionRoot {
			continue
		}
		doors := map[string]bool{}
		for i := range importsOf(p.files) {
			q := t.find(i.path)
			if q == nil || q.role != door {
				continue
			}
			doors[q.path] = true
			if len(doors) == 2 {
				found(i.at, "package %s imports the doors of several modules", p.path)
				break
			}
		}
	}
}

func testImports(t *tree, found report) {
	for _, p := range t.packages {
		if p.owner == "" && !strings.HasPrefix(p.path, "platform/") {
			continue
		}
		for i := range importsOf(p.tests()) {
			q := t.find(i.path)
			if q == nil {
				continue
			}
			stranger := q.owner != "" && q.owner != p.owner
			if strings.HasPrefix(q.path, "cmd/") || stranger && (p.owner == "" || q.role != contract) {
				found(i.at, "a test of %s imports %s", p.path, q.path)
			}
		}
	}
}
