package main

import (
	"path/filepath"
	"testing"
)

// TestArch takes what is not there, and what is not used, out of a file, and leaves the rest as it was.
func TestArch(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, archName), `# The header.
version: 3

vendors:
  gorm: { in: [gorm.io/gorm, gorm.io/gorm/**] }
  kong: { in: github.com/alecthomas/kong }
  uuid: { in: [github.com/google/uuid] } # nobody's any more

components:
  # Modules.
  stars: { in: modules/stars }
  stars-body: { in: [modules/stars/internal/near, modules/stars/internal/far] }
  moons: { in: modules/moons/** } # gone

  money: { in: platform/money }

  cmd: { in: cmd/** }

deps:
  # Who calls whom.
  stars: { mayDependOn: [moons, money], canUse: [uuid] }
  stars-body:
    mayDependOn:
      - stars # its contract
      - moons # to shine
    canUse: [gorm, uuid]
  moons: { mayDependOn: [stars] }
  money: { canUse: [uuid] }
  cmd:
    mayDependOn: [moons]
    canUse: [kong]
`)
	e := extraction{root: dir, old: "space", closure: map[string]*pkg{
		"modules/stars":              {Imports: []string{"fmt", "space/platform/money"}},
		"modules/stars/internal/far": {Imports: []string{"space/modules/stars", "gorm.io/gorm/clause"}},
		"platform/money":             {Imports: []string{"math"}},
		"cmd/stars":                  {Imports: []string{"github.com/alecthomas/kong", "space/platform/money"}},
	}}
	got, err := e.arch("# Another.\n")
	want := `# Another.
version: 3

vendors:
  gorm: { in: [gorm.io/gorm, gorm.io/gorm/**] }
  kong: { in: github.com/alecthomas/kong }

components:
  # Modules.
  stars: { in: modules/stars }
  stars-body: { in: [modules/stars/internal/far] }

  money: { in: platform/money }

  cmd: { in: cmd/** }

deps:
  # Who calls whom.
  stars: { mayDependOn: [money] }
  stars-body:
    mayDependOn:
      - stars # its contract
    canUse: [gorm]
  cmd:
    canUse: [kong]
`
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
}
