// Package store is a module's own database.
//
// A store has one writer and several readers. Write runs a function in a transaction that is on the disk when Write returns;
// writers that come at the same time share one commit (see commit.go). Read gives a connection that sees what is committed.
//
//	err := s.Write(ctx, func(tx *gorm.DB) error { return tx.Exec("UPDATE ...").Error })
//	err := s.Read(ctx).Raw("SELECT ...").Scan(&rows).Error
//
// The store is a SQLite file in WAL mode with synchronous=FULL: a committed transaction survives a power loss, not only a
// crash of the process. Statements that would reach other files (ATTACH) are refused.
//
// Times are stored as integers, microseconds since 1970 in UTC: see Micros and Time. No SQL function that reads a clock is
// used, so that a simulation can drive the time.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"cutpoint/platform/failpoint"
)

// Defaults of a store.
const (
	DefaultReaders = 4
	DefaultBatch   = 256
	DefaultQueue   = 1024
)

// Options are the settings of a store. Path and Migrations are required.
type Options struct {
	Path       string // of the SQLite file; made if it is not there
	Migrations fs.FS  // the SQL files that lead to the current schema
	Readers    int    // read connections
	Batch      int    // writes that may share a commit
	Queue      int    // writes that may wait; more wait outside, until their context ends

	// Fail, for tests, is asked before and after each commit: at "orders.commit.before" and "orders.commit.after" of a file orders.db.
	Fail failpoint.Points
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	path      string
	writer    *gorm.DB
	reader    *gorm.DB
	committer *committer
}

// Open opens the database, bringing its schema up to date first. It refuses a file whose schema is newer than Migrations, and
// one that would not be durable.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Readers <= 0 {
		o.Readers = DefaultReaders
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Queue <= 0 {
		o.Queue = DefaultQueue
	}
	s := &Store{path: o.Path}
	var err error
	if s.writer, err = connect(writerDSN(o.Path), 1); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	if err = checkDurable(ctx, s.writer); err == nil && !upToDate(s.writer, o.Migrations) {
		err = Migrate(ctx, o.Path, o.Migrations)
	}
	if err == nil {
		s.reader, err = connect(readerDSN(o.Path), o.Readers)
	}
	if err != nil {
		_ = closePool(s.writer) // err tells why
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	s.committer = startCommitter(s.writer, o)
	return s, nil
}

// Read returns a handle for queries. Each query sees everything that was committed before it began. The context's values
// reach hooks, but its cancellation does not reach SQLite: watching for it would double the cost of a query that takes
// microseconds.
func (s *Store) Read(ctx context.Context) *gorm.DB {
	return s.reader.WithContext(context.WithoutCancel(ctx))
}

// Close finishes the writes that were taken, and closes the file. Writes that come later fail. It may be called twice.
func (s *Store) Close() error {
	s.committer.stop()
	return errors.Join(closePool(s.reader), closePool(s.writer))
}

// Stats returns the figures of the store since it was opened.
func (s *Store) Stats() Stats { return s.committer.stats() }

func connect(dsn string, connections int) (*gorm.DB, error) {
	pool := sql.OpenDB(connector{dsn})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: pool}), &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
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

func writerDSN(path string) string {
	return dsn(path, "_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=on&_txlock=immediate&_stmt_cache_size=64")
}

func readerDSN(path string) string {
	return dsn(path, "mode=ro&_query_only=1&_busy_timeout=5000&_stmt_cache_size=64")
}

func dsn(path, query string) string {
	path = filepath.Clean(path) // two slashes at the beginning would name a host
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query}).String()
}

// checkDurable makes sure that a commit means the disk: the driver's own default is weaker.
func checkDurable(ctx context.Context, db *gorm.DB) error {
	var synchronous int
	var journal string
	if err := db.WithContext(ctx).Raw("PRAGMA synchronous").Row().Scan(&synchronous); err != nil {
		return err
	}
	if err := db.WithContext(ctx).Raw("PRAGMA journal_mode").Row().Scan(&journal); err != nil {
		return err
	}
	if synchronous != 2 || journal != "wal" {
		return fmt.Errorf("not durable: synchronous=%d (want 2, FULL), journal_mode=%s (want wal)", synchronous, journal)
	}
	return nil
}

// connector opens connections that can't leave their file.
type connector struct{ dsn string }

func (c connector) Driver() driver.Driver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(conn *sqlite3.SQLiteConn) error {
		conn.RegisterAuthorizer(func(action int, _, _, _ string) int {
			if action == sqlite3.SQLITE_ATTACH || action == sqlite3.SQLITE_DETACH {
				return sqlite3.SQLITE_DENY
			}
			return sqlite3.SQLITE_OK
		})
		return nil
	}}
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }

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
