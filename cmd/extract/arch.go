package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const archName = "arch-lint.yml"

const archHeader = `# Who may import what: documentation that runs.
#
#     go tool -modfile=.ci/tools.mod go-arch-lint check --arch-file arch-lint.yml
#
# A component is a set of directories, and each package belongs to exactly one. Below deps, a component lists every other component
# and every vendor that it may import; what is not listed is forbidden. cmd/internal/fences sees to it that every package is in one
# component, that every permission is used, and that nothing here switches the linter off.
`

// arch is arch-lint.yml for what is in the closure: the components that are there, and the permissions that they use. A header
// replaces the one that it has.
func (e *extraction) arch(header string) ([]byte, error) {
	a, err := readArch(filepath.Join(e.root, archName))
	if err != nil {
		return nil, err
	}
	areas, imports := map[string][]string{}, map[string][]string{} // by component: its directories, and what they import
	a.each("components", func(key, area *yaml.Node) {
		in := field(area, "in")
		for _, dir := range e.directories() {
			if coversAny(patterns(in), dir) {
				areas[key.Value] = append(areas[key.Value], dir)
				imports[key.Value] = append(imports[key.Value], e.closure[dir].Imports...)
			}
		}
		if areas[key.Value] == nil {
			a.drop(key, area)
			return
		}
		a.thin(area, "in", func(pattern string) bool {
			return slices.ContainsFunc(e.directories(), func(dir string) bool { return covers(pattern, dir) })
		})
	})
	vendors, wanted := field(a.top, "vendors"), map[string]bool{}
	a.each("deps", func(key, dep *yaml.Node) {
		used := imports[key.Value]
		left := a.thin(dep, "canUse", func(vendor string) bool { // it stands behind mayDependOn, whose place in the line has to stay true
			all := patterns(field(field(vendors, vendor), "in"))
			is := slices.ContainsFunc(used, func(path string) bool { return coversAny(all, path) })
			wanted[vendor] = wanted[vendor] || is
			return is
		})
		left += a.thin(dep, "mayDependOn", func(component string) bool {
			return slices.ContainsFunc(e.ours(used), func(dir string) bool { return slices.Contains(areas[component], dir) })
		})
		if left == 0 {
			a.drop(key, dep)
		}
	})
	a.each("vendors", func(key, vendor *yaml.Node) {
		if !wanted[key.Value] {
			a.drop(key, vendor)
		}
	})
	return a.text(header), nil
}

// archFile is arch-lint.yml as it is written and as it is meant. What goes is taken out of the text, so that the rest looks as before.
type archFile struct {
	lines []string // the first has the number 1
	gone  map[int]bool
	top   *yaml.Node
}

func readArch(file string) (*archFile, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, err
	}
	return &archFile{append([]string{""}, strings.Split(string(source), "\n")...), map[int]bool{}, document.Content[0]}, nil
}

// each shows every entry of a section.
func (a *archFile) each(section string, look func(key, value *yaml.Node)) {
	entries := field(a.top, section).Content
	for i := 0; i+1 < len(entries); i += 2 {
		look(entries[i], entries[i+1])
	}
}

// drop takes an entry out. A comment above it stays: it is on more than this one.
func (a *archFile) drop(key, value *yaml.Node) {
	for line := key.Line; line <= lastLine(value); line++ {
		a.gone[line] = true
	}
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, below := range n.Content {
		last = max(last, lastLine(below))
	}
	return last
}

// thin leaves only those items of a list that are good, and returns how many there are. A list without any is taken out.
func (a *archFile) thin(mapping *yaml.Node, key string, good func(string) bool) (left int) {
	list := field(mapping, key)
	var kept []string
	for _, item := range list.Content {
		if good(item.Value) {
			kept = append(kept, item.Value)
		} else if list.Style&yaml.FlowStyle == 0 {
			a.gone[item.Line] = true
		}
	}
	if list.Style&yaml.FlowStyle != 0 {
		before, rest := a.lines[list.Line][:list.Column-1], a.lines[list.Line][list.Column-1:]
		_, after, _ := strings.Cut(rest, "]")
		a.lines[list.Line] = before + "[" + strings.Join(kept, ", ") + "]" + after
		a.lines[list.Line] = emptyList.ReplaceAllString(a.lines[list.Line], "")
	}
	if len(kept) == 0 && len(list.Content) > 0 && mapping.Style&yaml.FlowStyle == 0 {
		a.gone[keyLine(mapping, key)] = true
	}
	return len(kept)
}

// emptyList is a list without items among others on its line.
var emptyList = regexp.MustCompile(`, \w+: \[\]|\w+: \[\], `)

// text is what is left, without the gaps.
func (a *archFile) text(header string) []byte {
	lines := []string{}
	if header != "" {
		lines = strings.Split(header, "\n")
		lines = lines[:len(lines)-1]
	}
	for n, line := range a.lines {
		above := header != "" && n < a.top.Content[0].Line
		gap := line == "" && (len(lines) == 0 || lines[len(lines)-1] == "" || strings.HasSuffix(lines[len(lines)-1], ":"))
		if n > 0 && !above && !gap && !a.gone[n] {
			lines = append(lines, line)
		}
	}
	return []byte(strings.TrimSuffix(strings.Join(lines, "\n"), "\n") + "\n")
}

// field is the value of a key of a mapping, an empty node if it has none.
func field(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return &yaml.Node{}
}

func keyLine(mapping *yaml.Node, key string) int {
	i := slices.IndexFunc(mapping.Content, func(n *yaml.Node) bool { return n.Value == key })
	return mapping.Content[i].Line
}

// patterns are the texts of a list, or the one of a text.
func patterns(n *yaml.Node) (all []string) {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	for _, one := range n.Content {
		all = append(all, one.Value)
	}
	return all
}

func coversAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return covers(p, path) })
}

// covers reports whether a path is that of a pattern, or below it: "a/**" covers a too.
func covers(pattern, path string) bool {
	whole, below := strings.CutSuffix(pattern, "/**")
	return path == whole || below && strings.HasPrefix(path, whole+"/")
}
