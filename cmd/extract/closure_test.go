package main

import (
	"reflect"
	"slices"
	"testing"
)

// TestClosure takes along what the program links and what the tests need of the platform. Tests that need another module stay home.
func TestClosure(t *testing.T) {
	e := extraction{old: "space", module: "stars", packages: map[string]*pkg{
		"cmd/stars":              {Deps: []string{"fmt", "space/migrations", "space/modules/stars", "space/platform/money"}},
		"migrations":             {TestImports: []string{"space/cmd/moons"}},
		"modules/stars":          {XTestImports: []string{"space/modules/moons/moonsmod", "space/platform/money"}},
		"modules/moons":          {},
		"modules/moons/moonsmod": {},
		"platform/money":         {TestImports: []string{"space/platform/moneytest", "testing"}},
		"platform/moneytest":     {Deps: []string{"space/platform/coins"}, TestImports: []string{"space/platform/mint"}},
		"platform/coins":         {},
		"platform/mint":          {},
		"platform/unused":        {},
	}}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	want := []string{"cmd/stars", "migrations", "modules/stars", "platform/coins", "platform/mint", "platform/money", "platform/moneytest"}
	if got := e.directories(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if want := map[string][]string{"migrations": {"cmd/moons"}, "modules/stars": {"modules/moons/moonsmod"}}; !reflect.DeepEqual(e.home, want) {
		t.Errorf("at home are %v, want %v", e.home, want)
	}
	for f, want := range map[string]bool{
		"modules/stars/stars.go":             true,
		"modules/stars/stars_test.go":        false, // it stays
		"modules/stars/testdata/sky.json":    false, // with its tests
		"platform/money/money_test.go":       true,
		"platform/money/testdata/fuzz/F/1":   true,
		"platform/money/README":              false,
		"modules/moons/moons.go":             false,
		"migrations/migrations.go":           true,
		"migrations/migrations_test.go":      false, // it stays
		"migrations/stars/sqlite/0001_x.sql": true,
		"migrations/moons/sqlite/0001_x.sql": false,
	} {
		if got := e.goesOut(f, []string{"stars"}); got != want {
			t.Errorf("%s goes out: %v, want %v", f, got, want)
		}
	}
}
