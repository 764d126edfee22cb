package fences

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// fixed are the functions whose results never change, or keep what changes to themselves. A package variable of a module may
// hold such a result, also after methods were called on it: fault.New(...).WithOutcome(...). Packages of ours stand without
// the module path.
var fixed = []string{
	"platform/fault.New",
	"platform/rpc.Define",
	"errors.New",
	"regexp.MustCompile",
	"strings.NewReplacer",
}

// readers are the functions that only read the table that they are given.
var readers = []string{
	"slices.Contains", "slices.ContainsFunc", "slices.Index", "slices.IndexFunc", "slices.BinarySearch", "slices.Clone",
	"slices.Values", "slices.All", "maps.Keys", "maps.Values", "maps.Clone", "strings.Join",
}

// state allows a package three sorts of variables:
//
//   - the blank one with a type, which makes the compiler compare (var _ orders.Service = Client{});
//   - a result of a fixed function;
//   - a table: an unexported map, slice, array or struct, written out where it stands, that the package does nothing with but
//     index it, range over it, measure it or hand it to a reader.
func state(t *tree, found report) {
	for _, p := range t.modules() {
		for _, f := range p.code() {
			for _, d := range f.syntax.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil && d.Name.Name == "init" {
						found(t.place(d.Pos()), "package %s has an init function", p.path)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
							t.variables(p, f, v, found)
						}
					}
				}
			}
		}
	}
}

// variables judges one line of a var declaration.
func (t *tree) variables(p *pkg, f *file, v *ast.ValueSpec, found report) {
	for i, name := range v.Names {
		var value ast.Expr
		if i < len(v.Values) {
			value = v.Values[i]
		}
		switch {
		case name.Name == "_" && v.Type != nil && isConversion(value):
		case t.isFixed(f, value):
		case isTable(name, value) && t.onlyRead(p, name):
		default:
			found(t.place(name.Pos()), "package variable %s may change", name.Name)
		}
	}
}

// isConversion recognises Client{} and (*Stock)(nil), which run no code.
func isConversion(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		_, ok := e.Fun.(*ast.ParenExpr)
		return ok
	}
	return false
}

// isFixed looks below the methods and type arguments of a call for the function that everything comes from.
func (t *tree) isFixed(f *file, e ast.Expr) bool {
	for {
		switch x := e.(type) {
		case *ast.CallExpr:
			e = x.Fun
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.SelectorExpr:
			of := f.locals().of(x.X)
			if of == "" {
				e = x.X
				continue
			}
			return slices.Contains(fixed, strings.TrimPrefix(of, t.module+"/")+"."+x.Sel.Name)
		default:
			return false
		}
	}
}

// isTable recognises a variable that is written out in full. An empty one is there to be filled.
func isTable(name *ast.Ident, value ast.Expr) bool {
	literal, ok := value.(*ast.CompositeLit)
	return ok && !name.IsExported() && len(literal.Elts) > 0
}

// onlyRead reports whether nothing in a package, tests included, could change one of its variables. It goes by the name: a
// local variable of the same name is taken for it, so that it errs on the side of red.
func (t *tree) onlyRead(p *pkg, variable *ast.Ident) bool {
	ok := true
	for _, f := range p.files {
		paths := f.locals()
		var above []ast.Node
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if n == nil {
				above = above[:len(above)-1]
				return true
			}
			if id, is := n.(*ast.Ident); is && id != variable && id.Name == variable.Name && !isRead(id, above, paths) {
				ok = false
			}
			above = append(above, n)
			return true
		})
	}
	return ok
}

// isRead reports whether a use of a table, below the nodes above, leaves it as it is.
func isRead(use ast.Expr, above []ast.Node, paths locals) bool {
	element := false // of the table, rather than the table itself
	for i := len(above) - 1; i >= 0; i-- {
		switch parent := above[i].(type) {
		case *ast.IndexExpr:
			if parent.X != use {
				return true // it is the index of something else, and copied
			}
			use, element = parent, true
			continue
		case *ast.SelectorExpr:
			if parent.Sel == use {
				return true // a field or a method that happens to have the name
			}
			use, element = parent, true
			continue
		case *ast.ParenExpr:
			use = parent
			continue
		case *ast.Field:
			return true // a parameter or a field that happens to have the name
		case *ast.KeyValueExpr:
			return element || parent.Key == use // the key of a literal, most likely
		case *ast.RangeStmt:
			return parent.X == use
		case *ast.AssignStmt:
			return element && !slices.Contains(parent.Lhs, use)
		case *ast.IncDecStmt:
			return false
		case *ast.UnaryExpr:
			return parent.Op != token.AND
		case *ast.CallExpr:
			return element || readsArgument(parent, paths)
		default:
			return element
		}
	}
	return false
}

// readsArgument reports whether a call can't change the table that it is given.
func readsArgument(c *ast.CallExpr, paths locals) bool {
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		return fun.Name == "len"
	case *ast.SelectorExpr:
		return slices.Contains(readers, paths.of(fun.X)+"."+fun.Sel.Name)
	}
	return false
}
