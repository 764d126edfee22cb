package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
)

// MigrationStatus is one step of a store's history.
type MigrationStatus struct {
	Version int64
	Name    string
	Applied bool
}

// Migrate brings the schema of a SQLite file up to date, each step in a transaction of its own. It refuses a file that a newer
// binary has migrated further.
func Migrate(ctx context.Context, path string, migrations fs.FS) error {
	return withProvider(path, migrations, func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		if err != nil {
			return err
		}
		if current > target {
			return fmt.Errorf("its schema has version %d and this binary knows %d: run the binary that migrated it, or a newer one", current, target)
		}
		_, err = p.Up(ctx) // it also refuses a step that was slipped in before an applied one
		return err
	})
}

// upToDate reports whether exactly the steps that migrations has were applied, which spares most starts the work of Migrate. In
// doubt it says no: Migrate then finds the reason.
func upToDate(db *gorm.DB, migrations fs.FS) bool {
	files, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return false
	}
	known := []int64{0} // goose's own first row
	for _, file := range files {
		version, err := goose.NumericComponent(file)
		if err != nil {
			return false
		}
		known = append(known, version)
	}
	slices.Sort(known)
	var applied []int64
	err = db.Raw("SELECT version_id FROM goose_db_version WHERE is_applied = 1 ORDER BY version_id").Scan(&applied).Error
	return err == nil && slices.Equal(applied, known)
}

// Migrations returns the history of a SQLite file. A file that is not there has nothing applied, and is not made.
func Migrations(ctx context.Context, path string, migrations fs.FS) (list []MigrationStatus, err error) {
	where := path
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		where = ":memory:"
	}
	err = withProvider(where, migrations, func(p *goose.Provider) error {
		status, err := p.Status(ctx)
		for _, s := range status {
			list = append(list, MigrationStatus{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied})
		}
		return err
	})
	return list, err
}

func withProvider(path string, migrations fs.FS, do func(*goose.Provider) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s: %w", path, err)
		}
	}()
	db := sql.OpenDB(connector{writerDSN(path)})
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return do(p)
}
