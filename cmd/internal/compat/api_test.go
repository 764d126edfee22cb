package compat

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// valuePackages are those whose values stand in the messages of contracts.
var valuePackages = []string{"platform/audit", "platform/fault", "platform/idempotency", "platform/money"}

// tools compare one tree with the base.
type tools struct {
	today, old string // trees
	apidiff    string
	exports    map[string]string // what apidiff knows of the base's packages, by their directory
	messages   []byte            // of the base's contracts
	probe      string            // of the base
}

func newTools(t *testing.T, today, old string) *tools {
	t.Helper()
	x := &tools{today: today, old: old, apidiff: filepath.Join(t.TempDir(), "apidiff"), exports: map[string]string{}}
	execute(t, today, nil, "go", "build", "-modfile=.ci/tools.mod", "-o", x.apidiff, "golang.org/x/exp/cmd/apidiff")
	for _, dir := range append(under("modules", contracts(t, old)), valuePackages...) {
		if _, err := os.Stat(filepath.Join(old, dir)); err == nil {
			x.exports[dir] = x.export(t, old, dir)
		}
	}
	x.probe = buildProbe(t, old, today)
	x.messages = execute(t, old, nil, x.probe, "list")
	return x
}

func under(dir string, names []string) (paths []string) {
	for _, name := range names {
		paths = append(paths, dir+"/"+name)
	}
	return paths
}

// export writes down what apidiff must know of a package.
func (x *tools) export(t *testing.T, tree, dir string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "export")
	execute(t, tree, nil, x.apidiff, "-w", path, "cutpoint/"+dir)
	return path
}

// api returns what is incompatible in the packages of a tree, as "package: what apidiff says".
func (x *tools) api(t *testing.T, tree string) (found []string) {
	t.Helper()
	for _, dir := range slices.Sorted(maps.Keys(x.exports)) {
		found = append(found, x.apiOf(t, tree, dir)...)
	}
	return found
}

func (x *tools) apiOf(t *testing.T, tree, dir string) (found []string) {
	t.Helper()
	if sources, _ := filepath.Glob(filepath.Join(tree, dir, "*.go")); len(sources) == 0 {
		return []string{dir + ": the package is gone"}
	}
	said := execute(t, tree, nil, x.apidiff, "-incompatible", x.exports[dir], x.export(t, tree, dir))
	for line := range strings.Lines(string(said)) {
		if change := strings.TrimPrefix(strings.TrimSpace(line), "- "); change != "" && !harmless(change) {
			found = append(found, dir+": "+change)
		}
	}
	return found
}

// widened is a new method of an interface, a new operation: only the module itself implements its contract.
var widened = regexp.MustCompile(`^\w+\.\w+: added$`)

// harmless reports whether a change that apidiff calls incompatible breaks nobody here: a new operation, or a new field that makes
// messages incomparable with ==, which no two processes do.
func harmless(change string) bool {
	return widened.MatchString(change) || strings.HasSuffix(change, ": old is comparable, new is not")
}
