package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// compare holds today's files of a contract against the golden ones. It returns what is broken, in sentences, and the files that have
// something new.
func compare(old, today map[string][]byte) (broken []string, fresh map[string][]byte) {
	for _, file := range slices.Sorted(maps.Keys(old)) {
		text, still := today[file]
		if !still {
			broken = append(broken, gone(file))
			continue
		}
		for _, d := range Differences(old[file], text) {
			broken = append(broken, d.in(file))
		}
	}
	fresh = map[string][]byte{}
	for file, text := range today {
		if old[file] == nil || len(Differences(text, old[file])) > 0 {
			fresh[file] = text
		}
	}
	return broken, fresh
}

// gone says what it means that nothing stands behind a golden file any more.
func gone(file string) string {
	operation, message, _ := strings.Cut(strings.TrimSuffix(file, ".json"), ".")
	if message == "request" {
		return fmt.Sprintf("the operation %q is gone or has another name: callers of the last release who call it are refused", operation)
	}
	return fmt.Sprintf("the answers of %q are gone with it: callers of the last release wait for them", operation)
}

// Difference is a value of one message that another version of it lacks or tells otherwise.
type Difference struct {
	Path string // "lines.0.sku"
	Old  any
	New  any // nil: it is not there
}

// in says what a difference in a golden file means, and to whom.
func (d Difference) in(file string) string {
	what := fmt.Sprintf("%q is gone or has another name", d.Path)
	if d.New != nil {
		what = fmt.Sprintf("%q has another type or value: it was %v and is %v", d.Path, d.Old, d.New)
	}
	name := strings.TrimSuffix(file, ".json")
	switch {
	case name == "faults":
		return fmt.Sprintf("in the faults, %s: callers of the last release still look for the code", what)
	case name == "values":
		return fmt.Sprintf("in the string constants, %s: callers of the last release still look for the value", what)
	case strings.HasSuffix(name, ".request"):
		return fmt.Sprintf("in the request of %q, %s: callers of the last release still send the old one", strings.TrimSuffix(name, ".request"), what)
	default:
		return fmt.Sprintf("in the answer of %q, %s: callers of the last release still read the old one", strings.TrimSuffix(name, ".response"), what)
	}
}

// Differences returns what of an old message a new one lacks or tells otherwise, by path. What the new one has beside it is none.
func Differences(old, new []byte) []Difference {
	a, err := decode(old)
	if err != nil {
		return []Difference{{Path: "", Old: string(old), New: err.Error()}}
	}
	b, err := decode(new)
	if err != nil {
		return []Difference{{Path: "", Old: string(old), New: err.Error()}}
	}
	return differences("", a, b)
}

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func differences(path string, old, new any) (found []Difference) {
	switch a := old.(type) {
	case map[string]any:
		b, ok := new.(map[string]any)
		if !ok {
			return []Difference{{path, old, new}}
		}
		for _, name := range slices.Sorted(maps.Keys(a)) {
			found = append(found, differences(join(path, name), a[name], b[name])...)
		}
		return found
	case []any:
		b, ok := new.([]any)
		if !ok || len(a) != len(b) {
			return []Difference{{path, old, new}}
		}
		for i := range a {
			found = append(found, differences(join(path, fmt.Sprint(i)), a[i], b[i])...)
		}
		return found
	case nil:
		return nil
	default:
		if !reflect.DeepEqual(old, new) {
			return []Difference{{path, old, new}}
		}
		return nil
	}
}

// readBack reads the golden messages with today's types, as a neighbour of another version makes today's code do: every field must be
// known, and every value be there when it is sent on.
func readBack(old map[string][]byte, operations []Operation) (broken []string) {
	for _, o := range operations {
		for file, t := range map[string]reflect.Type{o.file("request"): o.request, o.file("response"): o.response} {
			if err := survives(old[file], t); old[file] != nil && err != nil {
				broken = append(broken, fmt.Sprintf("%s can't be read any more: %v", file, err))
			}
		}
	}
	return broken
}

func survives(text []byte, t reflect.Type) error {
	v := reflect.New(t)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v.Interface()); err != nil {
		return err
	}
	again, err := json.Marshal(v.Interface())
	if err != nil {
		return err
	}
	if lost := Differences(text, again); len(lost) > 0 {
		return fmt.Errorf("%q was lost on the way", lost[0].Path)
	}
	return nil
}
