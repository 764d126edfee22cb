package contracttest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// description is what a contract says beside its messages.
type description struct {
	faults map[string]map[string]string // by code: kind, and outcome where it is a fixed one
	values map[string]string            // by the name of the constant
}

// Describe reads the faults and the exported string constants of the contract in a directory from its source: they are what a caller
// may look for, whether or not the contract's own code uses them. It returns faults.json and values.json.
func Describe(dir string) (map[string][]byte, error) {
	d := description{map[string]map[string]string{}, map[string]string{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declared := range f.Decls {
			if err := d.add(declared); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	faults, err := json.Marshal(d.faults)
	if err != nil {
		return nil, err
	}
	values, err := json.Marshal(d.values)
	return map[string][]byte{"faults.json": faults, "values.json": values}, err
}

func (d description) add(declared ast.Decl) error {
	group, ok := declared.(*ast.GenDecl)
	if !ok {
		return nil
	}
	for _, spec := range group.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, value := range v.Values {
			if group.Tok == token.CONST {
				d.addConstant(v.Names[i], value)
			} else if err := d.addFault(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d description) addConstant(name *ast.Ident, value ast.Expr) {
	if text, ok := literal(value); ok && name.IsExported() {
		d.values[name.Name] = text
	}
}

// addFault takes note of a fault.New and of the outcome that it is given. Its message may change, and so may its advice when to repeat.
func (d description) addFault(value ast.Expr) error {
	outcome := ""
	for {
		call, ok := value.(*ast.CallExpr)
		if !ok {
			return nil
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return nil
		}
		if inner, chained := method.X.(*ast.CallExpr); chained {
			if method.Sel.Name == "WithOutcome" {
				outcome = selected(call.Args[0])
			}
			value = inner
			continue
		}
		if x, ok := method.X.(*ast.Ident); !ok || x.Name != "fault" || method.Sel.Name != "New" {
			return nil
		}
		code, ok := literal(call.Args[1])
		if !ok {
			return fmt.Errorf("the code of a fault is written out, and not put together")
		}
		d.faults[code] = map[string]string{"kind": selected(call.Args[0])}
		if outcome != "" {
			d.faults[code]["outcome"] = outcome
		}
		return nil
	}
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// selected is the last name of pkg.Name.
func selected(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}
