package fences

import (
	"go/ast"
	"maps"
	"slices"
)

// promise is an exported interface of a contract.
type promise struct {
	name    string
	methods map[string]place
}

// promises returns the exported interfaces of a contract, in the order of its files.
func (t *tree) promises(p *pkg) []promise {
	var list []promise
	for _, f := range p.code() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if it, ok := spec.Type.(*ast.InterfaceType); ok {
				list = append(list, promise{spec.Name.Name, t.methods(it)})
			}
			return true
		})
	}
	return list
}

func (t *tree) methods(it *ast.InterfaceType) map[string]place {
	methods := map[string]place{}
	for _, m := range it.Methods.List {
		for _, name := range m.Names {
			methods[name.Name] = t.place(name.Pos())
		}
	}
	return methods
}

// served compares a contract's interfaces with its plumbing: operation = rpc.Define(...), rpc.Handle(s, operation, body.Method).
func served(t *tree, found report) {
	for _, p := range t.packages {
		if p.role != contract {
			continue
		}
		defined, handled := t.operations(p), t.handled(p)
		serving := map[string]int{}
		for _, h := range handled {
			serving[h.operation]++
			if serving[h.operation] > 1 {
				found(h.at, "operation %s serves more than one method", h.operation)
			}
		}
		for _, operation := range slices.Sorted(maps.Keys(defined)) {
			if serving[operation] == 0 {
				found(defined[operation], "operation %s serves no method", operation)
			}
		}
		for _, promise := range t.promises(p) {
			for _, method := range slices.Sorted(maps.Keys(promise.methods)) {
				if !slices.ContainsFunc(handled, func(h handling) bool { return h.of == promise.name && h.method == method }) {
					found(promise.methods[method], "method %s of %s.%s is not served", method, p.owner, promise.name)
				}
			}
		}
	}
}

// operations returns the package variables that rpc.Define made.
func (t *tree) operations(p *pkg) map[string]place {
	names := map[string]place{}
	for _, f := range p.code() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i, value := range v.Values {
					if call, ok := value.(*ast.CallExpr); ok && t.calls(f, call, "Define") {
						names[v.Names[i].Name] = t.place(v.Pos())
					}
				}
			}
			return true
		})
	}
	return names
}

// handling is one call of rpc.Handle: which operation calls which method of which interface.
type handling struct {
	at                    place
	operation, of, method string
}

func (t *tree) handled(p *pkg) []handling {
	var list []handling
	for _, f := range p.code() {
		for _, d := range f.syntax.Decls {
			serve, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			types := parameterTypes(serve)
			ast.Inspect(serve, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !t.calls(f, call, "Handle") || len(call.Args) != 3 {
					return true
				}
				operation, _ := call.Args[1].(*ast.Ident)
				method, _ := call.Args[2].(*ast.SelectorExpr)
				if operation == nil || method == nil {
					return true
				}
				if body, ok := method.X.(*ast.Ident); ok {
					list = append(list, handling{t.place(call.Pos()), operation.Name, types[body.Name], method.Sel.Name})
				}
				return true
			})
		}
	}
	return list
}

// calls reports whether a call is one of a function of platform/rpc.
func (t *tree) calls(f *file, call *ast.CallExpr, name string) bool {
	fun := call.Fun
	if x, ok := fun.(*ast.IndexListExpr); ok {
		fun = x.X
	}
	s, ok := fun.(*ast.SelectorExpr)
	return ok && s.Sel.Name == name && f.locals().of(s.X) == t.module+"/platform/rpc"
}

// parameterTypes maps the parameters of a function to their types, as far as these are of the same package.
func parameterTypes(d *ast.FuncDecl) map[string]string {
	types := map[string]string{}
	for _, field := range d.Type.Params.List {
		if of, ok := field.Type.(*ast.Ident); ok {
			for _, name := range field.Names {
				types[name.Name] = of.Name
			}
		}
	}
	return types
}
