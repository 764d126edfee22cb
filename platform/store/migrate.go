package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
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

// migrator is what goose needs to bring a datastore up to date.
type migrator struct {
	pool    *sql.DB
	folder  string // of the migrations
	dialect goose.Dialect
	options []goose.ProviderOption
	empty   bool         // nothing was ever applied
	make    func() error // what the first migration needs to be there
}

// Migrate brings the schema of a datastore up to date, each step in a transaction of its own. It refuses one that a newer
// binary has migrated further. Of o it needs what says where, and Migrations.
func Migrate(ctx context.Context, o Options) error {
	e, err := engineOf(o)
	if err != nil {
		return err
	}
	return migrate(ctx, e, o.Migrations)
}

func migrate(ctx context.Context, e engine, migrations fs.FS) error {
	return withProvider(ctx, e, migrations, func(m *migrator, p *goose.Provider) error {
		if err := m.make(); err != nil {
			return err
		}
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
func upToDate(ctx context.Context, db *gorm.DB, migrations fs.FS) bool {
	files, err := fs.Glob(migrations, db.Name()+"/*.sql")
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
	err = db.WithContext(ctx).Raw("SELECT version_id FROM goose_db_version WHERE is_applied ORDER BY version_id").Scan(&applied).Error
	return err == nil && slices.Equal(applied, known)
}

// Migrations returns the history of a datastore. One that is not there has nothing applied, and is not made.
func Migrations(ctx context.Context, o Options) (list []MigrationStatus, err error) {
	e, err := engineOf(o)
	if err != nil {
		return nil, err
	}
	err = withProvider(ctx, e, o.Migrations, func(m *migrator, p *goose.Provider) error {
		if m.empty {
			for _, s := range p.ListSources() {
				list = append(list, MigrationStatus{Version: s.Version, Name: s.Path})
			}
			return nil
		}
		status, err := p.Status(ctx)
		for _, s := range status {
			list = append(list, MigrationStatus{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied})
		}
		return err
	})
	return list, err
}

func withProvider(ctx context.Context, e engine, migrations fs.FS, do func(*migrator, *goose.Provider) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("migrate %s: %w", e, err)
		}
	}()
	m, err := e.migrator(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.pool.Close()) }()
	files, err := fs.Sub(migrations, m.folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(m.dialect, m.pool, files, append(m.options, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	return do(m, p)
}
