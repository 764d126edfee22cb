package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutant is a change of a contract, and who sees it.
type mutant struct {
	name   string
	edits  []edit
	golden string // part of what the golden messages of its module say; "": they see nothing
	api    string // part of a finding of apidiff
	words  string // part of what is said of faults and string constants
	wire   string // part of a finding on the wire
}

const (
	stock = "modules/inventory/inventory.go"
	hooks = "modules/webhooks/webhooks.go"
)

// mutants are the changes that docs/contracts.md speaks of. In each, the first edit says which package it is about.
func mutants() []mutant {
	return []mutant{
		{
			name:   "a json tag is renamed",
			edits:  []edit{{stock, `json:"delta"`, `json:"change"`}},
			golden: `in the answer of "movements", "movements.0.delta" is gone`,
			wire:   `wire: inventory.movements answer "movements[].delta": lost or changed from `,
		},
		{
			name:   "a field is removed",
			edits:  []edit{{stock, "	Sourcing string `json:\"sourcing\"`\n}\n\n// FinaliseRequest", "}\n\n// FinaliseRequest"}},
			golden: `in the request of "reserve", "sourcing" is gone`,
			api:    "modules/inventory: ReserveRequest.Sourcing: removed",
			wire:   `wire: inventory.reserve request "sourcing": lost or changed from an old caller to a new callee, lost or changed from a new caller to an old callee`,
		},
		{
			name:   "a type is changed",
			edits:  []edit{{hooks, "	Version        int64 ", "	Version        string"}},
			golden: `in the answer of "create_endpoint", "endpoint.version" has another type`,
			api:    "modules/webhooks: Endpoint.Version: changed from int64 to string",
			wire:   "wire: webhooks.endpoint: can't be read ",
		},
		{
			name:   "an operation is renamed",
			edits:  []edit{{"modules/webhooks/wire.go", `"redeliver"`, `"deliver_again"`}},
			golden: `the operation "redeliver" is gone`,
			wire:   "wire: webhooks.redeliver: gone; an old caller is refused",
		},
		{
			name:  "a signature is narrower",
			edits: []edit{{"modules/webhooks/wire.go", "func NewClient(c *rpc.Caller) Client { return Client{c} }", "func NewClient[C *rpc.Caller](c C) Client { return Client{c} }"}},
			api:   "modules/webhooks: NewClient: changed from func(",
		},
		{
			name:   "a fault is gone",
			edits:  []edit{{hooks, `"webhooks.too_many_endpoints"`, `"webhooks.too_many"`}},
			golden: `in the faults, "webhooks.too_many_endpoints" is gone`,
			words:  "faults of webhooks: webhooks.too_many_endpoints: gone or changed",
		},
		{
			name:  "a limit is lower",
			edits: []edit{{"modules/inventory/batch.go", "MaxBatch = 500", "MaxBatch = 400"}},
			api:   "modules/inventory: MaxBatch: value changed from 500 to 400",
		},
		{
			name: "an operation and a field more", // they break nobody, and the golden messages want to have them
			edits: []edit{
				{hooks, "type Service interface {", "type Service interface {\n\tPing(context.Context, Deleted) (Deleted, error)\n"},
				{"modules/webhooks/wire.go", "// Endpoint implements", "var ping = rpc.Define[Deleted, Deleted](Module, \"ping\")\n\n// Ping implements Service.\nfunc (c Client) Ping(ctx context.Context, r Deleted) (Deleted, error) { return ping.Call(ctx, c.caller, r) }\n\n// Endpoint implements"},
			},
			golden: "has something new, which breaks nobody",
		},
	}
}

// testMutants wants each change seen by those who should see it, and by nobody else. already is what is found without any.
func testMutants(t *testing.T, x *tools, already []string) {
	tree := t.TempDir()
	for _, part := range []string{"modules", "platform"} {
		if err := os.CopyFS(filepath.Join(tree, part), os.DirFS(filepath.Join(x.today, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(x.today, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, file), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			for _, e := range m.edits {
				e.make(t, tree)
			}
			dir := "modules/" + strings.Split(m.edits[0].file, "/")[1]
			says(t, "the golden messages", m.golden, golden(t, tree, dir))
			says(t, "apidiff", m.api, without(x.apiOf(t, tree, dir), already)...)
			says(t, "the comparison of faults", m.words, without(x.words(t, tree), already)...)
			if m.wire != "" { // the probe takes a while to build
				says(t, "the wire", m.wire, without(x.wire(t, tree), already)...)
			}
		})
	}
}

// edit puts a text in the place of another one, at its first place in a file.
type edit struct{ file, from, to string }

// make makes an edit in a tree until the test is over.
func (e edit) make(t *testing.T, tree string) {
	t.Helper()
	path := filepath.Join(tree, e.file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), e.from) {
		t.Fatalf("%s does not say %q: break something else in it", e.file, e.from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Error(err)
		}
	})
}

func without(found, already []string) []string {
	return slices.DeleteFunc(found, func(what string) bool { return slices.Contains(already, what) })
}

// golden returns what the golden messages of a contract say of a change, nothing if they are content.
func golden(t *testing.T, tree, dir string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-run", "^TestContract$", "./"+dir)
	c.Dir = tree
	out, err := c.CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}

// says wants a text in one of the findings, or no finding at all.
func says(t *testing.T, who, text string, found ...string) {
	t.Helper()
	said := strings.Join(found, "\n")
	if text == "" && said != "" || text != "" && !slices.ContainsFunc(found, func(what string) bool { return strings.Contains(what, text) }) {
		t.Errorf("%s should say %q, and says:\n%s", who, text, said)
	}
}
