package compat

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"cutpoint/platform/rpc/contracttest"
)

// probeSource is a program that is built inside a tree. `list` prints messages of all its contracts in which nothing is zero; `pass`
// reads such messages, carries them through the tree's own servers and clients, and prints what is left of them.
var probeSource = template.Must(template.New("probe").Parse(`package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
{{range .}}
	"cutpoint/modules/{{.Name}}"{{end}}
	"cutpoint/platform/rpc"
	"cutpoint/platform/rpc/contracttest"
)

func main() {
	var out any
	var err error
	if os.Args[1] == "list" {
		out, err = list()
	} else {
		out, err = pass()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func list() (all []contracttest.Operation, err error) {
{{- range .}}
	if all, err = with({{.Name}}.Module, {{.Name}}.NewClient, all); err != nil {
		return nil, err
	}
{{- end}}
	return all, nil
}

func with[C any](module string, client func(*rpc.Caller) C, all []contracttest.Operation) ([]contracttest.Operation, error) {
	operations, err := contracttest.Operations(module, client)
	return append(all, operations...), err
}

func pass() (all []contracttest.Passed, err error) {
	var messages []contracttest.Operation
	if err := json.NewDecoder(os.Stdin).Decode(&messages); err != nil {
		return nil, err
	}
	serve := map[string]func(*rpc.Server, *rpc.Caller){
{{- range $module := .}}
		{{.Name}}.Module: func(s *rpc.Server, c *rpc.Caller) {
			{{- range .Serve}}
			{{$module.Name}}.{{.}}(s, {{$module.Name}}.NewClient(c))
			{{- end}}
		},
{{- end}}
	}
	for _, m := range messages {
		module, _, _ := strings.Cut(m.Name, ".")
		if serve[module] == nil {
			continue // the module is not there yet, or not any more
		}
		passed, err := contracttest.Pass(module, serve[module], []contracttest.Operation{m})
		if err != nil {
			return nil, err
		}
		all = append(all, passed...)
	}
	return all, nil
}
`))

// served is a contract and the functions that register its operations.
type served struct {
	Name  string
	Serve []string
}

var serveFunction = regexp.MustCompile(`(?m)^func (Serve\w*)\(s \*rpc\.Server, body \w+\) \{`)

// buildProbe builds the probe in a tree, with today's package contracttest, and returns its path. Nothing is written into the tree.
func buildProbe(t *testing.T, tree, today string) (path string) {
	t.Helper()
	var all []served
	for _, module := range contracts(t, tree) {
		text, err := os.ReadFile(filepath.Join(tree, "modules", module, "wire.go"))
		if err != nil {
			t.Fatal(err)
		}
		s := served{Name: module}
		for _, m := range serveFunction.FindAllStringSubmatch(string(text), -1) {
			s.Serve = append(s.Serve, m[1])
		}
		if s.Serve == nil {
			t.Fatalf("modules/%s/wire.go has no function Serve(s *rpc.Server, body Service)", module)
		}
		all = append(all, s)
	}
	source := filepath.Join(t.TempDir(), "main.go")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := probeSource.Execute(f, all); err != nil {
		t.Fatal(err)
	}
	o := overlay{filepath.Join(tree, "cmd/compatprobe/main.go"): source}
	if tree != today {
		o.replaceAll(t, filepath.Join(tree, "platform/rpc/contracttest"), filepath.Join(today, "platform/rpc/contracttest"))
	}
	return build(t, tree, "compatprobe", "-overlay", o.write(t))
}

// wire returns what the code of the base and that of a tree don't
// understand of each other: an operation, a message, a field.
func (x *tools) wire(t *testing.T, tree string) []string {
	t.Helper()
	probe := buildProbe(t, tree, x.today)
	messages := execute(t, tree, nil, probe, "list")
	readByNew := byName(t, execute(t, tree, x.messages, probe, "pass"))
	readByOld := byName(t, execute(t, x.old, messages, x.probe, "pass"))
	ways := map[string][]string{} // by what is broken
	add := func(what, way string) {
		what = index.ReplaceAllString(what, "[]")
		if !slices.Contains(ways[what], way) {
			ways[what] = append(ways[what], way)
		}
	}
	for name, old := range byName(t, x.messages) {
		byNew, there := readByNew[name]
		if !there || strings.Contains(byNew.Refused, "rpc_unknown_operation") {
			ways[name] = []string{"gone; an old caller is refused"}
			continue
		}
		compare(add, name, old, byNew, "from an old caller to a new callee", "from an old callee to a new caller")
		compare(add, name, old, readByOld[name], "from a new caller to an old callee", "from a new callee to an old caller")
	}
	var found []string
	for what, way := range ways {
		found = append(found, fmt.Sprintf("wire: %s: %s", what, strings.Join(way, ", ")))
	}
	slices.Sort(found)
	return found
}

// words returns what a tree has lost or changed of the base's faults and string constants, which no message is made of.
func (x *tools) words(t *testing.T, tree string) (found []string) {
	t.Helper()
	describe := func(tree, module string) map[string][]byte {
		d, err := contracttest.Describe(filepath.Join(tree, "modules", module))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, module := range contracts(t, x.old) {
		old, new := describe(x.old, module), describe(tree, module)
		for _, file := range []string{"faults.json", "values.json"} {
			for _, d := range contracttest.Differences(old[file], new[file]) {
				found = append(found, fmt.Sprintf("%s of %s: %s: gone or changed", strings.TrimSuffix(file, ".json"), module, d.Path))
			}
		}
	}
	return found
}

var index = regexp.MustCompile(`\.\d+\b`)

// compare tells of all that an old message says and that was not understood. A value depends on its place alone, so that the old
// message also tells what a new one says of what both know.
func compare(add func(what, way string), name string, old, passed contracttest.Passed, request, response string) {
	if passed.Refused != "" {
		add(name, "can't be read "+request+" ("+passed.Refused+")")
		return
	}
	for _, d := range contracttest.Differences(old.Request, passed.Request) {
		add(fmt.Sprintf("%s request %q", name, d.Path), "lost or changed "+request)
	}
	for _, d := range contracttest.Differences(old.Response, passed.Response) {
		add(fmt.Sprintf("%s answer %q", name, d.Path), "lost or changed "+response)
	}
}

func byName(t *testing.T, text []byte) map[string]contracttest.Passed {
	t.Helper()
	var all []contracttest.Passed
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	named := map[string]contracttest.Passed{}
	for _, p := range all {
		named[p.Name] = p
	}
	return named
}
