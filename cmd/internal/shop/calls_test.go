package shop

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A module that may import another's contract calls it, and no other does: what a user of the NATS server may do follows from it.
func TestCallsAreThoseOfTheImports(t *testing.T) {
	text, err := os.ReadFile("../../../arch-lint.yml")
	if err != nil {
		t.Fatal(err)
	}
	var arch struct {
		Components map[string]any
		Deps       map[string]struct {
			MayDependOn []string `yaml:"mayDependOn"`
		}
	}
	if err := yaml.Unmarshal(text, &arch); err != nil {
		t.Fatal(err)
	}
	for component := range arch.Components {
		if module, ok := strings.CutSuffix(component, "-contract"); ok && !slices.Contains(Modules(), module) {
			t.Errorf("%s is no module of the shop", module)
		}
	}
	for _, caller := range Modules() {
		var imported []string
		for _, of := range []string{"-body", "-door"} {
			for _, on := range arch.Deps[caller+of].MayDependOn {
				if module, ok := strings.CutSuffix(on, "-contract"); ok && module != caller && !slices.Contains(imported, module) {
					imported = append(imported, module)
				}
			}
		}
		called := slices.Clone(Calls(caller))
		slices.Sort(imported)
		slices.Sort(called)
		if !slices.Equal(called, imported) {
			t.Errorf("%s imports the contracts of %v and may call %v", caller, imported, called)
		}
	}
	for _, module := range Modules() {
		if _, ok := arch.Deps[module+"-face"]; ok != slices.Contains(Calls(Edge), module) {
			t.Errorf("%s has an HTTP face: %v, and the edge may call it: %v", module, ok, !ok)
		}
	}
}
