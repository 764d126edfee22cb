package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// sqliteFile is the path of a SQLite file, in WAL mode with synchronous=FULL. Statements that would reach other files (ATTACH) are refused.
type sqliteFile string

func (f sqliteFile) String() string { return string(f) }

func (f sqliteFile) name() string { return strings.TrimSuffix(filepath.Base(string(f)), ".db") }

func (f sqliteFile) writer(ctx context.Context) (*gorm.DB, error) {
	db, err := f.connect(writerDSN(string(f)), 1)
	if err != nil {
		return nil, err
	}
	if err := checkDurable(ctx, db); err != nil {
		return nil, errors.Join(err, closePool(db))
	}
	return db, nil
}

func (f sqliteFile) reader(connections int) (*gorm.DB, error) {
	return f.connect(readerDSN(string(f)), connections)
}

func (sqliteFile) connect(dsn string, connections int) (*gorm.DB, error) {
	pool := sql.OpenDB(connector{dsn})
	return open(pool, connections, sqlite.New(sqlite.Config{Conn: pool}))
}

func (sqliteFile) batch() int { return DefaultBatch }

func (sqliteFile) begin(db *gorm.DB) (*batch, error) {
	tx := db.Begin()
	return &batch{tx: tx, savepoints: nested{tx}, end: func() {}}, tx.Error
}

// nested makes and releases savepoints by hand, since gorm never releases those it makes.
type nested struct{ tx *gorm.DB }

func (n nested) set() error  { return n.exec("SAVEPOINT w") }
func (n nested) keep() error { return n.exec("RELEASE w") }
func (n nested) undo() error { return n.exec("ROLLBACK TO w; RELEASE w") }

func (n nested) exec(statement string) error {
	_, err := Exec(n.tx, statement)
	return err
}

// query takes the cancellation from a reader's context: watching for it would double the cost of a query that takes microseconds.
func (sqliteFile) query(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// migrator looks at a file that is not there without making it.
func (f sqliteFile) migrator(context.Context) (*migrator, error) {
	pool := sql.OpenDB(connector{writerDSN(string(f))})
	pool.SetMaxOpenConns(1)
	_, err := os.Stat(string(f))
	m := &migrator{pool: pool, folder: "sqlite", dialect: goose.DialectSQLite3, empty: errors.Is(err, fs.ErrNotExist)}
	m.make = func() error { return nil } // the file is made when it is opened
	return m, nil
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
