package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// migrations is the package whose files are chosen by history, not all taken.
const migrations = "migrations"

// around is what a repository has beside its code, and what is the same in the new one but for the path of the Go module.
func around() []string {
	return []string{".ci/tools.mod", ".ci/tools.sum", ".gitignore", ".golangci.yml", "LICENSE", "go.mod", "go.sum"}
}

// write copies what goes out.
func (e *extraction) write() error {
	files, err := e.files()
	if err != nil {
		return err
	}
	mock := false // do the tests want Stripe's mock among the tools?
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(e.root, f))
		if err != nil {
			return err
		}
		mock = mock || bytes.Contains(content, []byte(`"stripe-mock"`))
		if path.Ext(f) == ".go" {
			if content, err = e.readdress(content); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
		if err := e.put(f, content); err != nil {
			return err
		}
	}
	for _, f := range around() {
		if err := e.copy(f); err != nil {
			return err
		}
	}
	if !mock {
		if _, err := e.tool("go", "mod", "edit", "-droptool=github.com/stripe/stripe-mock", filepath.Join(e.out, ".ci/tools.mod")); err != nil {
			return err
		}
	}
	arch, err := e.arch(archHeader)
	if err != nil {
		return err
	}
	if err := e.put(archName, arch); err != nil {
		return err
	}
	return e.fill()
}

// files are those of the closure, by their paths below the root.
func (e *extraction) files() (files []string, err error) {
	histories, err := e.histories()
	if err != nil {
		return nil, err
	}
	for _, f := range e.tracked {
		if e.goesOut(f, histories) {
			files = append(files, f)
		}
	}
	return files, nil
}

// goesOut reports whether a file belongs to the closure: code, tests that don't stay home, their data, and what is embedded.
func (e *extraction) goesOut(f string, histories []string) bool {
	if rest, ok := strings.CutPrefix(f, migrations+"/"); ok {
		if history, _, ok := strings.Cut(rest, "/"); ok {
			return slices.Contains(histories, history)
		}
	}
	dir := path.Dir(f)
	if owner, _, ok := strings.Cut(f, "/testdata/"); ok {
		return e.closure[owner] != nil && e.home[owner] == nil
	}
	if e.closure[dir] != nil && path.Ext(f) == ".go" {
		return e.home[dir] == nil || !strings.HasSuffix(f, "_test.go")
	}
	for ; dir != "."; dir = path.Dir(dir) {
		if p := e.closure[dir]; p != nil {
			return slices.Contains(p.EmbedFiles, strings.TrimPrefix(f, dir+"/"))
		}
	}
	return false
}

// readdress rewrites the import paths of a Go file.
func (e *extraction) readdress(source []byte) ([]byte, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	from := 0
	for _, spec := range f.Imports {
		old, _ := strconv.Unquote(spec.Path.Value) // the parser took it
		if dir, ok := strings.CutPrefix(old, e.old+"/"); ok {
			out.Write(source[from:set.Position(spec.Path.Pos()).Offset])
			out.WriteString(strconv.Quote(e.path + "/" + dir))
			from = set.Position(spec.Path.End()).Offset
		}
	}
	out.Write(source[from:])
	return format.Source(out.Bytes())
}

// copy takes a file along that names the Go module here and there.
func (e *extraction) copy(f string) error {
	content, err := os.ReadFile(filepath.Join(e.root, f))
	if err != nil {
		return err
	}
	text := string(content)
	for _, place := range []string{"module %s/tools\n", "local-prefixes: [%s]"} {
		text = strings.Replace(text, fmt.Sprintf(place, e.old), fmt.Sprintf(place, e.path), 1)
	}
	return e.put(f, []byte(text))
}

// put writes a file of the new repository. Scripts can be run.
func (e *extraction) put(f string, content []byte) error {
	to := filepath.Join(e.out, f)
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	mode := os.FileMode(0o666)
	if bytes.HasPrefix(content, []byte("#!")) {
		mode = 0o777
	}
	return os.WriteFile(to, content, mode)
}

//go:embed templates
var templates embed.FS

func parseTemplates() (*template.Template, error) { return template.ParseFS(templates, "templates/*") }

// fill writes what is made for the new repository.
func (e *extraction) fill() error {
	t, err := parseTemplates()
	if err != nil {
		return err
	}
	for name, f := range map[string]string{
		"Makefile": "Makefile", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "run": ".ci/run",
		"tree_test.go.txt": fences + "/tree_test.go",
	} {
		var out bytes.Buffer
		if err := t.ExecuteTemplate(&out, name, e.facts()); err != nil {
			return err
		}
		if err := e.put(f, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// facts are what the templates tell of.
func (e *extraction) facts() map[string]any {
	contracts := []string{}
	for _, m := range e.others() {
		if e.closure["modules/"+m] != nil {
			contracts = append(contracts, m)
		}
	}
	return map[string]any{
		"Module": e.module, "Path": e.path, "From": e.old, "Revision": e.revision, "Others": e.others(),
		"Contracts": contracts, "Home": e.home, "Provider": e.module == "payments",
	}
}
