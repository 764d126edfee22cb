package paymentsmod_test

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"gorm.io/gorm"

	"cutpoint/platform/store"
)

// migrationsOf is the part of a history up to a number.
type migrationsOf struct {
	fs.FS
	number string
}

// ReadDir implements fs.ReadDirFS.
func (m migrationsOf) ReadDir(name string) (kept []fs.DirEntry, err error) {
	all, err := fs.ReadDir(m.FS, name)
	for _, e := range all {
		if upTo(e.Name(), m.number) {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// Glob implements fs.GlobFS.
func (m migrationsOf) Glob(pattern string) (kept []string, err error) {
	all, err := fs.Glob(m.FS, pattern)
	for _, name := range all {
		if upTo(path.Base(name), m.number) {
			kept = append(kept, name)
		}
	}
	return kept, err
}

func upTo(name, number string) bool {
	return strings.Compare(name[:min(len(name), len(number))], number) <= 0
}

func exec(t *testing.T, s *store.Store, sql string) {
	t.Helper()
	if err := s.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err != nil {
		t.Fatal(err)
	}
}
