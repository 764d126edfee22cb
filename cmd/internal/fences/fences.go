// Package fences checks the boundaries of Cutpoint that neither the compiler nor go-arch-lint sees.
//
// There are four fences, each for what the one before it lets through:
//
//  1. Go's internal directories: a neighbour's body can't be imported.
//  2. arch-lint.yml with go-arch-lint: who may import what, vendors included.
//  3. Check, in this package: rules over `go list` and the syntax trees.
//  4. The mutation suite, in this package's tests: violations are injected into a copy of the tree, and each must turn red.
//
// Contracts also have a test by reflection here: what they say must be able to cross a wire.
//
// docs/boundaries.md tells how to read a red fence and how to allow something openly. A rule is a function in the table below;
// whoever adds one adds a row to the mutation suite, or the rule may rot unseen.
package fences

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is a place that breaks a rule.
type Finding struct {
	Rule    string // name of the rule
	File    string // relative to the root of the tree, with slashes
	Line    int
	What    string // what is wrong there
	Instead string // what to do instead
}

// String is the finding on two lines, the first of them clickable.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: [%s] %s\n\tinstead: %s", f.File, f.Line, f.Rule, f.What, f.Instead)
}

// place is where something stands.
type place struct {
	file string
	line int
}

// report tells of a place that breaks a rule.
type report func(at place, what string, args ...any)

// rule is something that must hold for a whole tree.
type rule struct {
	name    string
	promise string // what holds when the rule is green, in one sentence
	instead string // what to do instead of breaking it
	find    func(*tree, report)
}

// rules returns every rule, in the order in which a reader wants to see them fail.
func rules() []rule {
	return []rule{
		{
			"loads", "Every package can be read: the linter calls a file that does not parse clean.",
			"make `go build ./...` and `go vet ./...` green first", loads,
		},
		{
			"arch-file", "arch-lint.yml has none of the settings that open a hole.",
			"list each permission at its component", archSettings,
		},
		{
			"mapped", "Every package belongs to exactly one component of arch-lint.yml.",
			"give the package a component of its own, and no other component a path that reaches it", mapped,
		},
		{
			"unused-permission", "Every permission in arch-lint.yml is used.",
			"remove the permission; add it again with the code that needs it", unusedPermissions,
		},
		{
			"contract-imports", "A contract imports only those standard packages that hold values.",
			"move the work into the body; a contract says what is promised, in plain values", contractImports,
		},
		{
			"served", "Every method of a contract has one operation, and every operation serves one method.",
			"define the operation and hand it to rpc.Handle, both in wire.go", served,
		},
		{
			"no-cycle", "The calls between modules have no cycle.",
			"let the module further up the chain pass on what the lower one needs", noCycle,
		},
		{
			"apart", "What a module links names no other module's body, door or face.",
			"call the other module through the client of its contract", apart,
		},
		{
			"body-stays", "A door gives nobody its body: what it returns names nothing of the body or the contract.",
			"let strangers call it over the channel layer, through the client of its contract", bodyStays,
		},
		{
			"one-root", "The composition root is the only package that knows more than one module's door.",
			"wire modules in " + compositionRoot, oneRoot,
		},
		{
			"test-imports", "A test under modules/ or platform/ knows no more of the neighbours than the code that it tests may.",
			"fake the neighbour as a plain struct that implements its contract, or move the test to " + compositionRoot, testImports,
		},
		{
			"hatch", "No module leaves the language: no unsafe, linkname, cgo, assembly, embedded file or import for its effects.",
			"write it in plain Go, or put it into a platform package with an interface of plain values", hatches,
		},
		{
			"state", "No package of a module has variables that can change, or an init function.",
			"make it a constant, a function that returns it, or a field of the struct that New builds", state,
		},
		{
			"process", "No module reads or changes what belongs to the whole process: environment, arguments, default mux, default logger.",
			"take the value as an argument; the composition root reads it", processWide,
		},
		{
			"outside", "A module is given the time, ids and randomness, so that a simulation can drive it.",
			"take now func() time.Time or id.Source as an argument", outside,
		},
		{
			"network", "No module talks to the network by itself.",
			"call other modules through their contracts, and serve HTTP through platform/web", network,
		},
		{
			"own-tables", "A module's SQL names no table that only other modules have.",
			"ask the other module through its contract", ownTables,
		},
	}
}

// Check returns what breaks a rule in the tree under root, sorted by file and line, and nothing for a clean tree. The error
// says that the tree can't be examined at all.
func Check(root string) ([]Finding, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, r := range rules() {
		r.find(t, func(at place, what string, args ...any) {
			findings = append(findings, Finding{r.name, at.file, at.line, fmt.Sprintf(what, args...), r.instead})
		})
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(findings), nil
}
