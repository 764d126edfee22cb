// Package store is a module's own database.
//
// A store has one writer and several readers. Write runs a function in a transaction that is on the disk when Write returns;
// writers that come at the same time share one commit (see commit.go). Read gives a connection that sees what is committed.
//
//	err := s.Write(ctx, func(tx *gorm.DB) error { return tx.Exec("UPDATE ...").Error })
//	err := s.Read(ctx).Raw("SELECT ...").Scan(&rows).Error
//
// The store is a SQLite file (sqlite.go) or a schema of a PostgreSQL database (postgres.go), and keeps the same promises on both: a
// committed transaction survives a power loss, not only a crash of the process; writes take turns, so that what a write has read stays
// true until it is committed, also where several processes have the same datastore; and statements reach no other module's tables.
//
// Times are stored as integers, microseconds since 1970 in UTC: see Micros and Time. No SQL function that reads a clock is
// used, so that a simulation can drive the time.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"cutpoint/platform/failpoint"
)

// Defaults of a store. On PostgreSQL statements take long beside a commit, and the calls that a batch answers at once would go through
// the modules as one convoy, of which only one works at a time: so there fewer share a commit.
const (
	DefaultReaders       = 4
	DefaultBatch         = 256
	DefaultBatchPostgres = 32
	DefaultQueue         = 1024
)

// Options are the settings of a store. Datastore and Migrations are required.
type Options struct {
	// Datastore is the path of a SQLite file, or the URL of a PostgreSQL database: "postgres://user@host/database". The tables are
	// in the schema that the URL's search_path names, or in Module's. File and schema are made if they are not there.
	Datastore  string
	Module     string // whose datastore it is; empty: the file's name tells
	Migrations fs.FS  // the SQL files that lead to the current schema, in a folder per dialect: "sqlite" and "postgres"
	Readers    int    // read connections
	Batch      int    // writes that may share a commit
	Queue      int    // writes that may wait; more wait outside, until their context ends

	// Fail, for tests, is asked before and after each commit: at "orders.commit.before" and "orders.commit.after" of the module orders.
	Fail failpoint.Points
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	engine    engine
	writer    *gorm.DB
	reader    *gorm.DB
	committer *committer
}

// engine is what a kind of database does in its own way.
type engine interface {
	String() string                           // names the datastore in errors, without a password
	name() string                             // goes before the failpoints
	writer(context.Context) (*gorm.DB, error) // checked to be durable
	reader(connections int) (*gorm.DB, error)
	batch() int                            // DefaultBatch or what replaces it
	begin(*gorm.DB) (*batch, error)        // the transaction of writes that share a commit
	query(context.Context) context.Context // for a reader
	migrator(context.Context) (*migrator, error)
}

func engineOf(o Options) (engine, error) {
	if strings.HasPrefix(o.Datastore, "postgres://") || strings.HasPrefix(o.Datastore, "postgresql://") {
		return newPostgres(o)
	}
	return sqliteFile(o.Datastore), nil
}

// Open opens the database, bringing its schema up to date first. It refuses one whose schema is newer than Migrations, and
// one that would not be durable.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Readers <= 0 {
		o.Readers = DefaultReaders
	}
	if o.Queue <= 0 {
		o.Queue = DefaultQueue
	}
	e, err := engineOf(o)
	if err != nil {
		return nil, err
	}
	if o.Batch <= 0 {
		o.Batch = e.batch()
	}
	s := &Store{engine: e}
	if s.writer, err = e.writer(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", e, err)
	}
	if !upToDate(ctx, s.writer, o.Migrations) {
		err = migrate(ctx, e, o.Migrations)
	}
	if err == nil {
		s.reader, err = e.reader(o.Readers)
	}
	if err != nil {
		_ = closePool(s.writer) // err tells why
		return nil, fmt.Errorf("open %s: %w", e, err)
	}
	s.committer = startCommitter(s.writer, e, o)
	return s, nil
}

// Read returns a handle for queries. Each query sees everything that was committed before it began. The context's values
// reach hooks, but its cancellation reaches PostgreSQL alone.
func (s *Store) Read(ctx context.Context) *gorm.DB {
	return s.reader.WithContext(s.engine.query(ctx))
}

// Close finishes the writes that were taken, and closes the datastore. Writes that come later fail. It may be called twice.
func (s *Store) Close() error {
	s.committer.stop()
	return errors.Join(closePool(s.reader), closePool(s.writer))
}

// Stats returns the figures of the store since it was opened.
func (s *Store) Stats() Stats { return s.committer.stats() }

// open makes a handle of a pool of connections, which it closes where it fails.
func open(pool *sql.DB, connections int, dialect gorm.Dialector) (*gorm.DB, error) {
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	db, err := gorm.Open(dialect, &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true, // what follows would tell
		Logger:                 logger.Discard,
	})
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return db, nil
}

func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// Micros is how a time is stored: microseconds since 1970, or 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the reverse of Micros, in UTC.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
