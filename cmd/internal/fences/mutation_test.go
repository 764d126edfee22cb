package fences

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutation is a violation of the boundaries, and the fence that must turn red.
type mutation struct {
	name  string
	edits []edit
	fence fence
	says  string // part of what the fence says, so that it is red for the right reason
}

// edit changes one file. It returns the new text for the old one, which is "" where there is no such file yet.
type edit struct {
	file   string
	change func(old string) (string, error)
}

// fence looks at a tree and tells what is wrong with it, "" if nothing. Its dirs are those that were edited.
type fence struct {
	name string
	look func(t testing.TB, root string, dirs []string) string
}

func TestMutations(t *testing.T) {
	tree := copyTree(t)
	if findings, err := Check(tree); err != nil || len(findings) > 0 {
		t.Fatalf("the clean copy is not clean: %v %v", findings, err)
	}
	if said := lint(t, tree); said != "" {
		t.Fatalf("the clean copy does not pass the linter: %s", said)
	}
	for _, m := range mutations() {
		t.Run(m.fence.name+"/"+m.name, func(t *testing.T) {
			for _, e := range m.edits {
				apply(t, tree, e)
			}
			dirs := m.dirs()
			// A violation that does not compile proves nothing about the fences behind the compiler.
			if m.fence.name != compiler.name && m.fence.name != loading.name {
				if said := compiler.look(t, tree, dirs); said != "" {
					t.Fatalf("the compiler sees it: %s", said)
				}
			}
			switch said := m.fence.look(t, tree, dirs); {
			case said == "":
				t.Errorf("%s stayed green", m.fence.name)
			case !strings.Contains(said, m.says):
				t.Errorf("%s is red, but does not say %q: %s", m.fence.name, m.says, said)
			}
		})
	}
}

// TestAllowed is the other side: what looks like a violation and is none stays green.
func TestAllowed(t *testing.T) {
	tree := copyTree(t)
	for name, code := range map[string]string{
		"a fault with an outcome": "import \"cutpoint/platform/fault\"\n\nvar errBusy = fault.New(fault.Conflict, \"a.b\", \"c\").WithOutcome(fault.NotExecuted)",
		"a regular expression":    "import \"regexp\"\n\nvar digits = regexp.MustCompile(`[0-9]`)",
		"a proof for the compiler": "import \"fmt\"\n\ntype word string\n\nfunc (w *word) String() string { return string(*w) }\n\n" +
			"var _ fmt.Stringer = (*word)(nil)",
		"a table that is only read": "import \"slices\"\n\nvar steps = map[string][]string{\"a\": {\"b\"}}\n\n" +
			"var stepNames = []string{\"a\"}\n\n" +
			"func step(s string) (n int) {\n\tfor range steps {\n\t\tn++\n\t}\n\tif slices.Contains(stepNames, s) && steps[s][0] == s {\n\t\treturn len(steps)\n\t}\n\treturn n\n}",
		"a timer, which a simulation drives": "import \"time\"\n\nfunc timer() *time.Timer { return time.NewTimer(time.Second) }",
		"an address that is only parsed":     "import \"net/url\"\n\nfunc parse(s string) (*url.URL, error) { return url.Parse(s) }",
	} {
		t.Run(name, func(t *testing.T) {
			apply(t, tree, intruder(pricingBody, code))
			if said := compiler.look(t, tree, []string{"./" + pricingBody}); said != "" {
				t.Fatal(said)
			}
			if findings, err := Check(tree); err != nil || len(findings) > 0 {
				t.Errorf("%v %v", findings, err)
			}
		})
	}
}

// The fences, from the first to the last.
var (
	compiler = fence{"compiler", func(t testing.TB, root string, dirs []string) string {
		if len(dirs) == 0 {
			return ""
		}
		out, err := goCommand(root, append([]string{"vet"}, dirs...)...).CombinedOutput()
		if err == nil {
			return ""
		}
		return string(out)
	}}
	linter = fence{"linter", func(t testing.TB, root string, _ []string) string {
		return lint(t, root)
	}}
	loading   = byRule("loads")
	wireTests = fence{"test of the contracts", func(t testing.TB, root string, _ []string) string {
		out, err := goCommand(root, "test", "-vet=off", "-run", "^TestContracts$", "./cmd/internal/fences").CombinedOutput()
		if err == nil {
			return ""
		}
		return string(out)
	}}
)

// byRule is the fence that one rule of Check makes.
func byRule(name string) fence {
	return fence{"rule " + name, func(t testing.TB, root string, _ []string) string {
		t.Helper()
		findings, err := Check(root)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, f := range findings {
			if f.Rule == name {
				said = append(said, f.String())
			}
		}
		return strings.Join(said, "\n")
	}}
}

// copyTree copies what the fences look at.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", archName, ".ci", "cmd", "modules", "platform", "migrations"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(from string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, from)
			if err != nil {
				return err
			}
			if d.IsDir() {
				return os.MkdirAll(filepath.Join(to, rel), 0o755)
			}
			b, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), b, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// apply makes an edit and takes it back when the test is over.
func apply(t *testing.T, tree string, e edit) {
	t.Helper()
	name := filepath.Join(tree, e.file)
	old, err := os.ReadFile(name)
	isNew := os.IsNotExist(err)
	if err != nil && !isNew {
		t.Fatal(err)
	}
	changed, err := e.change(string(old))
	if err != nil {
		t.Fatalf("%s: %v", e.file, err)
	}
	_, err = os.Stat(filepath.Dir(name))
	newDir := os.IsNotExist(err)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		switch {
		case newDir:
			err = os.RemoveAll(filepath.Dir(name))
		case isNew:
			err = os.Remove(name)
		default:
			err = os.WriteFile(name, old, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// dirs returns the packages that a mutation touches, as the go command wants them.
func (m mutation) dirs() []string {
	var dirs []string
	for _, e := range m.edits {
		if path.Ext(e.file) == ".go" {
			dirs = append(dirs, "./"+path.Dir(e.file))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// add makes a new file.
func add(file, text string) edit {
	return edit{file, func(old string) (string, error) {
		if old != "" {
			return "", fmt.Errorf("it is there already")
		}
		return text, nil
	}}
}

// intruder adds a file to a package.
func intruder(dir, code string) edit {
	name := path.Base(dir)
	if dir == "cmd/cutpoint" {
		name = "main"
	}
	return add(dir+"/intruder.go", "package "+name+"\n\n"+code+"\n")
}

// imports adds a file that imports something to a package.
func imports(dir, what string) edit { return intruder(dir, fmt.Sprintf("import _ %q", what)) }

// replace puts other text in the place of the first occurrence of some.
func replace(file, some, other string) edit {
	return edit{file, func(old string) (string, error) {
		if !strings.Contains(old, some) {
			return "", fmt.Errorf("%q is not in it", some)
		}
		return strings.Replace(old, some, other, 1), nil
	}}
}

// Where most of the violations happen.
const (
	inventoryBody = "modules/inventory/internal/stock"
	pricingBody   = "modules/pricing/internal/pricebook"
	ordersBody    = "modules/orders/internal/checkout"
	ordersFace    = "modules/orders/ordershttp"
	ordersDoor    = "modules/orders/ordersmod"
	pricingDoor   = "modules/pricing/pricingmod"
)
