package fences

import (
	"go/ast"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"cutpoint/migrations"
)

// Edges returns who calls whom in the tree under root, as its source says: from a module to the contracts that its body imports,
// with the names of the methods that the body calls on a neighbour ("Reserve"), sorted.
func Edges(root string) (map[[2]string][]string, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	edges := map[[2]string][]string{}
	for _, p := range t.modules() {
		for i := range importsOf(p.code()) {
			if to := t.find(i.path); to != nil && to.role == contract && to.owner != p.owner {
				edges[[2]string{p.owner, to.owner}] = nil
			}
		}
	}
	for edge := range edges {
		edges[edge] = t.calledOn(edge[0], edge[1])
	}
	return edges, nil
}

// Permitted returns the edges that arch-lint.yml permits: from a module's body to another one's contract.
func Permitted(root string) ([][2]string, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var edges [][2]string
	for name, dep := range t.arch.Deps {
		from, isModule := strings.CutSuffix(name, "-body")
		for _, other := range dep.MayDependOn {
			if to, ok := strings.CutSuffix(other.name, "-contract"); ok && isModule && to != from {
				edges = append(edges, [2]string{from, to})
			}
		}
	}
	return edges, nil
}

// calledOn returns the methods that a module's body calls on a field named like a neighbour, c.Inventory.Reserve(...): the house
// has no other form.
func (t *tree) calledOn(from, neighbour string) []string {
	methods := map[string]bool{}
	for _, p := range t.modules() {
		if p.owner != from || p.role != body {
			continue
		}
		for _, f := range p.code() {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if method, ok := n.(*ast.SelectorExpr); ok {
					if field, ok := method.X.(*ast.SelectorExpr); ok && strings.EqualFold(field.Sel.Name, neighbour) {
						methods[method.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	return slices.Sorted(maps.Keys(methods))
}

// Of keeps the findings about one module: those in its packages and its migrations.
func Of(module string, findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool {
		return !strings.HasPrefix(f.File, "modules/"+module+"/") && !strings.HasPrefix(f.File, "migrations/"+module+"/")
	})
}

// IsTree reports whether a directory holds the source of Cutpoint, so that Check can be run on it.
func IsTree(dir string) bool {
	for _, file := range []string{"go.mod", "arch-lint.yml", "modules"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			return false
		}
	}
	return true
}

// tableName is a table in a statement.
var tableName = regexp.MustCompile(`\b(?:FROM|INTO|UPDATE|JOIN|TABLE)\s+([a-z_][a-z0-9_]*)`)

// ownTables looks for tables in SQL, as the house writes it: keywords in capitals, names in lower case.
func ownTables(t *tree, found report) {
	owners := t.tables()
	for _, p := range t.modules() {
		for _, f := range p.code() {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				text, ok := n.(*ast.BasicLit)
				if !ok {
					return true
				}
				for _, m := range tableName.FindAllStringSubmatch(text.Value, -1) {
					if by := owners[m[1]]; len(by) > 0 && !slices.Contains(by, p.owner) {
						found(t.place(text.Pos()), "module %s names the table %s of %s", p.owner, m[1], strings.Join(by, " and "))
					}
				}
				return true
			})
		}
	}
}

// datastores are those beside a module's own that it opens.
var datastores = map[string]string{"testgateway": "payments"}

// tables returns the modules that have a table of each name.
func (t *tree) tables() map[string][]string {
	owners := map[string][]string{}
	for dir := range t.byPath {
		if path.Base(dir) != "sqlite" || !strings.HasPrefix(dir, "migrations/") {
			continue
		}
		names, _, err := migrations.Tables(os.DirFS(filepath.Join(t.root, path.Dir(dir))))
		if err != nil {
			continue // of files that are gone meanwhile
		}
		owner := path.Base(path.Dir(dir))
		if by := datastores[owner]; by != "" {
			owner = by
		}
		for _, name := range names {
			owners[name] = append(owners[name], owner)
		}
	}
	for _, by := range owners {
		slices.Sort(by)
	}
	return owners
}
