package migrations_test

import (
	"bufio"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cutpoint/migrations"
)

// TestDialects holds both histories of a datastore to the same steps.
func TestDialects(t *testing.T) {
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		sqlite, postgres := names(t, f.Name(), "sqlite"), names(t, f.Name(), "postgres")
		if len(sqlite) == 0 || !slices.Equal(sqlite, postgres) {
			t.Errorf("%s has the steps %q for SQLite and %q for PostgreSQL", f.Name(), sqlite, postgres)
		}
	}
}

func names(t *testing.T, module, dialect string) (list []string) {
	t.Helper()
	files, err := fs.ReadDir(migrations.Of(module), dialect)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		list = append(list, f.Name())
	}
	return list
}

var text = regexp.MustCompile(`^(ALTER TABLE \w+ ADD COLUMN| {4})\s*"?\w+"?\s+TEXT\b`)

// TestCollation sees to it that PostgreSQL orders texts by their bytes, as SQLite does: pages go on from a key.
func TestCollation(t *testing.T) {
	files, err := fs.Glob(os.DirFS("."), "*/postgres/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(strings.NewReader(string(b))); lines.Scan(); {
			if text.MatchString(lines.Text()) && !strings.Contains(lines.Text(), `TEXT COLLATE "C"`) {
				t.Errorf("%s: %s", name, lines.Text())
			}
		}
	}
}
