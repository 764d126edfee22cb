package migrations

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// statement is what makes, renames or drops a table.
var statement = regexp.MustCompile(`(?im)^\s*(?:CREATE TABLE (?:IF NOT EXISTS )?(\w+)|ALTER TABLE (\w+)\s+RENAME TO (\w+)|DROP TABLE (?:IF EXISTS )?(\w+))`)

// Tables returns the tables that a history leaves behind, sorted, and the name of its latest file without the ending. They are the same
// in each dialect.
func Tables(history fs.FS) (tables []string, latest string, err error) {
	files, err := fs.Glob(history, "sqlite/*.sql") // in the order of their numbers
	if err != nil {
		return nil, "", err
	}
	there := map[string]bool{}
	for _, file := range files {
		text, err := fs.ReadFile(history, file)
		if err != nil {
			return nil, "", fmt.Errorf("read the migrations: %w", err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, m := range statement.FindAllStringSubmatch(up, -1) {
			delete(there, m[2])
			delete(there, m[4])
			there[m[1]+m[3]] = true
		}
		latest = strings.TrimSuffix(path.Base(file), ".sql")
	}
	delete(there, "")
	for name := range there {
		tables = append(tables, name)
	}
	slices.Sort(tables)
	return tables, latest, nil
}
