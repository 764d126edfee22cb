// Package storetest gives tests fresh datastores, so that one suite runs on every kind of database. Only tests import it.
//
// A datastore is a SQLite file, or with CUTPOINT_TEST_DATASTORE=postgres a schema of a real PostgreSQL server: the one that
// CUTPOINT_TEST_POSTGRES names by its URL, or else one that the test process starts, and that goes with it. For many packages one server
// is faster:
//
//	go run ./platform/store/storetest/withpostgres go test ./modules/...
package storetest

import (
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// The environment that chooses the database.
const (
	EnvDatastore = "CUTPOINT_TEST_DATASTORE"
	EnvPostgres  = "CUTPOINT_TEST_POSTGRES"
)

// Postgres reports whether datastores are on PostgreSQL.
func Postgres() bool { return os.Getenv(EnvDatastore) == "postgres" }

// Datastore returns what store.Options.Datastore wants: a datastore that nobody has used, of a module or whatever name is. It is gone
// after the test.
func Datastore(t testing.TB, name string) string {
	t.Helper()
	if Postgres() {
		return Schema(t, name)
	}
	return filepath.Join(t.TempDir(), name+".db")
}

// Datastores is Datastore for what has several: it gives each name a datastore, and the same one whenever that name is asked for.
func Datastores(t testing.TB) func(name string) string {
	made := map[string]string{}
	return func(name string) string {
		t.Helper()
		if made[name] == "" {
			made[name] = Datastore(t, name)
		}
		return made[name]
	}
}

// Schema is Datastore on PostgreSQL, whatever the environment says.
func Schema(t testing.TB, name string) string {
	t.Helper()
	server := Server(t)
	schema := strings.ToLower(name + "_" + rand.Text()[:12])
	t.Cleanup(func() { Exec(t, server, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
	return With(t, server, "search_path", schema)
}

// SQLiteOnly skips a test of what SQLite alone does.
func SQLiteOnly(t testing.TB, why string) {
	t.Helper()
	if Postgres() {
		t.Skip("on SQLite only:", why)
	}
}

// FewerChecks lets rapid try a tenth of its cases on PostgreSQL, where each takes a datastore of its own that is slower to make.
func FewerChecks(t testing.TB) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if !Postgres() || checks == nil || checks.Value.String() != checks.DefValue {
		return // or somebody has named how many
	}
	if err := flag.Set("rapid.checks", "10"); err != nil {
		t.Fatal(err)
	}
}

// Server returns the URL of a PostgreSQL server's superuser.
func Server(t testing.TB) string {
	t.Helper()
	if u := os.Getenv(EnvPostgres); u != "" {
		return u
	}
	server, err := started()
	if err != nil {
		t.Fatal(err)
	}
	return server.URL
}

// started is the server of this process. It ends with the process, since its keeper reads a pipe that closes then.
var started = sync.OnceValues(Start)

// With returns the URL with a parameter set.
func With(t testing.TB, server, param, value string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(param, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs statements on a server.
func Exec(t testing.TB, server, statements string) {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // the statements are done
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", statements, err))
	}
}
