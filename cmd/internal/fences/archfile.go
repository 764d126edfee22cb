package fences

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// archName is the linter's configuration.
const archName = "arch-lint.yml"

// testFiles is the only pattern of files that the linter may leave out: tests have a rule of their own.
const testFiles = `_test\.go$`

// archFile is arch-lint.yml with all that it may contain. Whatever else the linter would understand (commonComponents,
// commonVendors, exclude, anyProjectDeps, anyVendorDeps) opens a hole, has no field here and is refused when it is read.
type archFile struct {
	Version int    `yaml:"version"`
	Workdir string `yaml:"workdir"`
	Allow   struct {
		AnyVendor bool  `yaml:"depOnAnyVendor"`
		NotFound  bool  `yaml:"ignoreNotFoundComponents"`
		DeepScan  *bool `yaml:"deepScan"` // on unless it is switched off
	} `yaml:"allow"`
	ExcludeFiles []string        `yaml:"excludeFiles"`
	Vendors      map[string]area `yaml:"vendors"`
	Components   map[string]area `yaml:"components"`
	Deps         map[string]struct {
		MayDependOn []named `yaml:"mayDependOn"`
		CanUse      []named `yaml:"canUse"`
	} `yaml:"deps"`

	mistakes []breakage
}

// area is a set of import paths or directories, each alone or with all below it ("/**").
type area struct {
	In   oneOrMore `yaml:"in"`
	line int
}

// UnmarshalYAML remembers where the area is defined. It refuses other fields as the rest of the file does.
func (a *area) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || n.Content[0].Value != "in" {
		return errors.New("line " + strconv.Itoa(n.Line) + ": an area has the field in, and no other")
	}
	a.line = n.Line
	return n.Content[1].Decode(&a.In)
}

type oneOrMore []string

// UnmarshalYAML takes a list, or a string for a list of one.
func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// named is a permission: the name of a component or of a vendor.
type named struct {
	name string
	line int
}

// UnmarshalYAML remembers where the name stands.
func (p *named) UnmarshalYAML(n *yaml.Node) error {
	p.name, p.line = n.Value, n.Line
	return nil
}

// covers reports whether a path is in the area. Unlike a shell's, "a/**" covers a itself, as it does for the linter.
func (a area) covers(p string) bool {
	return slices.ContainsFunc(a.In, func(pattern string) bool {
		whole, below := strings.CutSuffix(pattern, "/**")
		return p == whole || below && strings.HasPrefix(p, whole+"/")
	})
}

func (t *tree) readArchFile() error {
	t.arch = &archFile{}
	source, err := os.ReadFile(filepath.Join(t.root, archName))
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(source))
	d.KnownFields(true)
	err = d.Decode(t.arch)
	var mistakes *yaml.TypeError
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes.Errors {
			t.arch.mistake(m)
		}
	case err != nil:
		t.arch.mistake(err.Error())
	}
	return nil
}

var lineNumber = regexp.MustCompile(`line (\d+): `)

func (a *archFile) mistake(what string) {
	at := place{archName, 1}
	if m := lineNumber.FindStringSubmatch(what); m != nil {
		at.line, _ = strconv.Atoi(m[1])
	}
	a.mistakes = append(a.mistakes, breakage{at, lineNumber.ReplaceAllString(what, "")})
}

// componentsOf returns the components that cover a package, sorted.
func (t *tree) componentsOf(p *pkg) []string {
	var names []string
	for name, a := range t.arch.Components {
		if a.covers(p.path) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func archSettings(t *tree, found report) {
	for _, m := range t.arch.mistakes {
		found(m.at, "%s", m.what)
	}
	a := t.arch
	top := place{archName, 1}
	switch {
	case a.Version != 3 || a.Workdir != ".":
		found(top, "its version is not 3, or its workdir is not the root")
	case a.Allow.AnyVendor || a.Allow.NotFound || a.Allow.DeepScan == nil || *a.Allow.DeepScan:
		found(top, "depOnAnyVendor, ignoreNotFoundComponents and deepScan must all be false")
	case len(a.ExcludeFiles) != 1 || a.ExcludeFiles[0] != testFiles:
		found(top, "excludeFiles leaves out other files than tests (%s)", testFiles)
	}
	for name, c := range a.Components {
		for _, pattern := range c.In {
			if strings.ContainsAny(strings.TrimSuffix(pattern, "/**"), "*?[{") {
				found(place{archName, c.line}, "component %s has the pattern %s; a path or a path with /** is all that can be seen not to overlap", name, pattern)
			}
		}
	}
}

func mapped(t *tree, found report) {
	for _, p := range t.packages {
		if len(p.code()) == 0 {
			continue // tests alone, which the linter does not look at
		}
		switch names := t.componentsOf(p); len(names) {
		case 0:
			found(p.start(), "package %s belongs to no component", p.path)
		case 1:
		default:
			found(p.start(), "package %s belongs to %s; the linter silently takes the one with the fewest files", p.path, strings.Join(names, " and "))
		}
	}
}

func unusedPermissions(t *tree, found report) {
	imports := t.importsByComponent()
	granted := map[string]bool{}
	for name, dep := range t.arch.Deps {
		for _, other := range dep.MayDependOn {
			area := t.arch.Components[other.name]
			used := func(path string) bool { rel, ok := t.local(path); return ok && area.covers(rel) }
			if !slices.ContainsFunc(imports[name], used) {
				found(place{archName, other.line}, "component %s never imports %s", name, other.name)
			}
		}
		for _, vendor := range dep.CanUse {
			granted[vendor.name] = true
			if !slices.ContainsFunc(imports[name], t.arch.Vendors[vendor.name].covers) {
				found(place{archName, vendor.line}, "component %s never imports vendor %s", name, vendor.name)
			}
		}
	}
	for name, vendor := range t.arch.Vendors {
		if !granted[name] {
			found(place{archName, vendor.line}, "no component may use vendor %s", name)
		}
	}
}

// importsByComponent returns all that the packages of each component import, tests aside.
func (t *tree) importsByComponent() map[string][]string {
	imports := map[string][]string{}
	for _, p := range t.packages {
		for _, component := range t.componentsOf(p) {
			for _, f := range p.code() {
				for _, i := range f.imports {
					imports[component] = append(imports[component], i.path)
				}
			}
		}
	}
	return imports
}
