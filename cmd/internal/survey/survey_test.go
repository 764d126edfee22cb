package survey_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cutpoint/cmd/internal/fences"
	"cutpoint/cmd/internal/shop"
	"cutpoint/cmd/internal/survey"
)

const root = "../../.."

var limits = survey.Limits{CallsPerOrder: 2, P99: 500 * time.Millisecond}

func described(t *testing.T) survey.Survey {
	t.Helper()
	modules, err := shop.Describe()
	if err != nil {
		t.Fatal(err)
	}
	return survey.Survey{Modules: modules}
}

// TestEdges holds the edges that the doors ask for against the calls in the source, and against what arch-lint.yml permits. A
// method that a door asks for and nobody calls is an edge that is not there.
func TestEdges(t *testing.T) {
	source, err := fences.Edges(root)
	if err != nil {
		t.Fatal(err)
	}
	var drawn [][2]string
	for _, e := range described(t).Edges() {
		edge := [2]string{e.From, e.To}
		drawn = append(drawn, edge)
		var want, have []string
		for _, method := range source[edge] {
			want = append(want, e.To+"."+snake(method))
		}
		for _, o := range e.Operations {
			have = append(have, o.Name)
		}
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s -> %s: the door asks for %v, the body calls %v", e.From, e.To, have, want)
		}
	}
	permitted, err := fences.Permitted(root)
	if err != nil {
		t.Fatal(err)
	}
	byName := func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(drawn, byName)
	slices.SortFunc(permitted, byName)
	imported := slices.SortedFunc(maps.Keys(source), byName)
	if !slices.Equal(drawn, imported) || !slices.Equal(drawn, permitted) {
		t.Errorf("drawn %v\nimported %v\npermitted %v", drawn, imported, permitted)
	}
}

var capital = regexp.MustCompile(`(.)([A-Z])`)

func snake(method string) string {
	return strings.ToLower(capital.ReplaceAllString(method, "${1}_${2}"))
}

// TestDocumented wants docs/architecture.md to hold the graph as it is printed.
func TestDocumented(t *testing.T) {
	var graph strings.Builder
	if err := described(t).Mermaid(&graph); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "```mermaid\n" + graph.String() + "```\n"; !strings.Contains(string(text), want) {
		t.Errorf("docs/architecture.md lacks the graph of `cutpoint modules --graph`:\n%s", want)
	}
}

// TestReady wants every module to be ready to leave, as far as code and source tell.
func TestReady(t *testing.T) {
	broken, err := fences.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	s := described(t)
	for _, m := range shop.Modules() {
		r, err := s.Check(m, limits, true, broken)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Errorf("%s: %s", m, f)
		}
		var said strings.Builder
		if err := r.Print(&said); err != nil || !strings.HasSuffix(said.String(), "\n"+m+" is ready\n") {
			t.Errorf("%s (%v)", said.String(), err)
		}
	}
	if _, err := s.Check("billing", limits, false, nil); err == nil {
		t.Error("a module that is not there can be checked")
	}
}

// seeded is a shop with all that may be wrong with a module: ledger calls orders, which calls it back four times an order.
func seeded() survey.Survey {
	calls := func(n uint64, p99 time.Duration) shop.LiveCalls {
		return shop.LiveCalls{Count: n, P99US: p99.Microseconds()}
	}
	return survey.Survey{
		Modules: []shop.Description{
			{
				Name: "orders", Contract: "v1",
				Operations: []shop.Operation{{Name: "orders.place", Keyed: true}, {Name: "orders.events", Keyed: true, Feed: true}},
				Calls:      []shop.Call{{To: "ledger", Operations: []string{"ledger.book", "ledger.show"}}},
			},
			{
				Name: "ledger", Contract: "v1", Tables: []string{"entries"},
				Operations: []shop.Operation{{Name: "ledger.book"}, {Name: "ledger.show", Keyed: true, Err: errors.New("func() can't cross a module boundary")}},
				Calls:      []shop.Call{{To: "orders", Operations: []string{"orders.events"}}},
			},
		},
		Live: []shop.LiveModule{
			{Name: "orders", CalledBy: []shop.LiveEdge{
				{From: "http", LiveCalls: calls(10, time.Second), Operations: []shop.LiveOperation{{Name: "orders.place", LiveCalls: calls(10, time.Second)}}},
				{From: "ledger", LiveCalls: calls(1000, time.Millisecond), Operations: []shop.LiveOperation{{Name: "orders.events", LiveCalls: calls(1000, time.Millisecond)}}},
			}},
			{Name: "ledger", CalledBy: []shop.LiveEdge{
				{From: "orders", LiveCalls: calls(60, 750*time.Millisecond), Operations: []shop.LiveOperation{
					{Name: "ledger.book", LiveCalls: calls(40, 750*time.Millisecond)}, {Name: "ledger.show", LiveCalls: calls(20, time.Millisecond)},
				}},
			}},
		},
	}
}

func TestFindings(t *testing.T) {
	broken := []fences.Finding{
		{Rule: "state", File: "modules/ledger/internal/book/book.go", Line: 7, What: "package variable cache may change"},
		{Rule: "state", File: "modules/ledgers/internal/book/book.go", Line: 7, What: "package variable of a stranger may change"},
	}
	r, err := seeded().Check("ledger", limits, true, broken)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ledger.book is not safe to repeat: its request names no key",
		"ledger.show can't cross a wire: func() can't cross a module boundary",
		"its calls go in a circle: ledger -> orders -> ledger",
		"orders calls ledger.book 4 times an order, more than 2: each would be a hop",
		"orders waits 750ms for ledger at p99, more than 500ms: a hop comes on top",
		"modules/ledger/internal/book/book.go:7: [state] package variable cache may change",
	}
	if !slices.Equal(r.Findings, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(r.Findings, "\n"), strings.Join(want, "\n"))
	}
	var said strings.Builder
	if err := r.Print(&said); err != nil || strings.Contains(said.String(), "ready") || strings.Count(said.String(), "\nfinding: ") != len(want) {
		t.Errorf("%s (%v)", said.String(), err)
	}
}

// TestSource seeds violations into a copy of the tree: the report has each, with its place, and those of no other module.
func TestSource(t *testing.T) {
	tree := t.TempDir()
	if out, err := exec.Command("cp", "-r", root+"/go.mod", root+"/go.sum", root+"/arch-lint.yml", root+"/cmd", root+"/modules", root+"/platform", root+"/migrations", tree).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for file, code := range map[string]string{
		"modules/payments/internal/till/intruder.go": "package till\n\nvar seen = map[string]bool{}\n\nfunc peek() string { return \"SELECT state FROM sagas\" }\n",
		"modules/pricing/pricingmod/intruder.go":     "package pricingmod\n\nvar counted int\n",
	} {
		if err := os.WriteFile(filepath.Join(tree, file), []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !fences.IsTree(tree) || fences.IsTree(t.TempDir()) {
		t.Error("a checkout is not recognised")
	}
	broken, err := fences.Check(tree)
	if err != nil {
		t.Fatal(err)
	}
	r, err := described(t).Check("payments", limits, true, broken)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"modules/payments/internal/till/intruder.go:3: [state] package variable seen may change",
		"modules/payments/internal/till/intruder.go:5: [own-tables] module payments names the table sagas of orders",
	}
	if !slices.Equal(r.Findings, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(r.Findings, "\n"), strings.Join(want, "\n"))
	}
}

func TestGraph(t *testing.T) {
	for name, c := range map[string]struct {
		print func(survey.Survey, *strings.Builder) error
		want  string
	}{
		"mermaid": {func(s survey.Survey, b *strings.Builder) error { return s.Mermaid(b) }, "" +
			"flowchart LR\n    orders[orders]\n    ledger[ledger]\n" +
			"    orders -->|\"60 calls, p99 750ms<br/>book: 40 calls, 4 an order, p99 750ms<br/>show: 20 calls, 2 an order, p99 1ms\"| ledger\n" +
			"    ledger -->|\"1000 calls, p99 1ms<br/>events: 1000 calls, p99 1ms\"| orders\n"},
		"dot": {func(s survey.Survey, b *strings.Builder) error { return s.DOT(b) }, "" +
			"digraph modules {\n\trankdir=LR\n\torders [shape=box label=\"orders\"]\n\tledger [shape=box label=\"ledger\"]\n" +
			"\torders -> ledger [label=\"60 calls, p99 750ms\\lbook: 40 calls, 4 an order, p99 750ms\\lshow: 20 calls, 2 an order, p99 1ms\"]\n" +
			"\tledger -> orders [label=\"1000 calls, p99 1ms\\levents: 1000 calls, p99 1ms\"]\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := c.print(seeded(), &b); err != nil || b.String() != c.want {
				t.Errorf("printed\n%s(%v), want\n%s", b.String(), err, c.want)
			}
		})
	}
}
