package store_test

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// onPostgres skips where no server is asked for: a machine without one tests the rest.
func onPostgres(t testing.TB) {
	t.Helper()
	if !storetest.Postgres() {
		t.Skip("on PostgreSQL only: " + storetest.EnvDatastore + "=postgres")
	}
}

func mustOpen(t testing.TB, datastore string) *store.Store {
	t.Helper()
	s, err := openAt(t, datastore, history())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPostgres_roles makes the roles as docs/postgresql.md says, and lets one of them look at the other's tables.
func TestPostgres_roles(t *testing.T) {
	onPostgres(t)
	page, err := os.ReadFile("../../docs/postgresql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```sql\n")
	script, _, there := strings.Cut(script, "```")
	if !there {
		t.Fatal("docs/postgresql.md has no script")
	}
	server, suffix := storetest.Server(t), "_"+strings.ToLower(rand.Text()[:10])
	database := "cutpoint" + suffix
	storetest.Exec(t, server, "CREATE DATABASE "+database)
	t.Cleanup(func() {
		storetest.Exec(t, server, "DROP DATABASE "+database+" WITH (FORCE)")
		storetest.Exec(t, server, fmt.Sprintf("DROP ROLE IF EXISTS inventory%[1]s, pricing%[1]s", suffix))
	})
	at := func(user string) string {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/" + database
		if user != "" {
			u.User = url.User(user)
		}
		return u.String()
	}
	storetest.Exec(t, at(""), strings.NewReplacer("DATABASE cutpoint", "DATABASE "+database, "inventory", "inventory"+suffix, "pricing", "pricing"+suffix).Replace(script))

	open := func(module string) *store.Store {
		s, err := store.Open(t.Context(), store.Options{Datastore: at(module + suffix), Module: module + suffix, Migrations: history()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	inventory, pricing := open("inventory"), open("pricing")
	if err := pricing.Write(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pricing, "true"); n != 1 {
		t.Errorf("pricing sees %d of its rows", n)
	}
	for _, statement := range []string{"SELECT n FROM pricing%s.rows", "CREATE TABLE pricing%s.mine (n BIGINT)", "CREATE SCHEMA more%s", "CREATE TABLE public.mine%s (n BIGINT)"} {
		err := inventory.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(fmt.Sprintf(statement, suffix)).Error })
		if err == nil || !strings.Contains(err.Error(), "42501") { // insufficient_privilege
			t.Errorf("inventory's role may %s (%v)", statement, err)
		}
	}
	if err := inventory.Read(t.Context()).Exec("INSERT INTO rows (n, who) VALUES (1, 'reader')").Error; err == nil {
		t.Error("a reader wrote")
	}
}

// TestPostgres_turns lets two processes write what they have read, on one datastore.
func TestPostgres_turns(t *testing.T) {
	onPostgres(t)
	const writers, times = 8, 25
	datastore := storetest.Datastore(t, "test")
	stores := []*store.Store{mustOpen(t, datastore), mustOpen(t, datastore)}
	if err := stores[0].Write(t.Context(), insert(0)); err != nil {
		t.Fatal(err)
	}
	count := func(tx *gorm.DB) error {
		var n int
		if err := store.Row(tx, "SELECT n FROM rows").Scan(&n); err != nil {
			return err
		}
		_, err := store.Exec(tx, "UPDATE rows SET n = ?", n+1)
		return err
	}
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for range times {
				if err := stores[i%2].Write(t.Context(), count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	var n int
	if err := store.Row(stores[0].Read(t.Context()), "SELECT n FROM rows").Scan(&n); err != nil || n != writers*times {
		t.Errorf("counted to %d of %d (%v)", n, writers*times, err)
	}
}

// TestPostgres_waits bounds how long a batch waits for the turn of another process, and leaves nothing behind.
func TestPostgres_waits(t *testing.T) {
	onPostgres(t)
	datastore := storetest.Datastore(t, "test")
	slow, hasty := mustOpen(t, datastore), mustOpen(t, storetest.With(t, datastore, "lock_timeout", "50"))
	hold, held := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { _ = slow.Write(t.Context(), func(*gorm.DB) error { close(held); <-hold; return nil }) })
	<-held
	if err := hasty.Write(t.Context(), insert(1)); err == nil || !strings.Contains(err.Error(), "another process holds the writes") {
		t.Errorf("it waited for its turn: %v", err)
	}
	close(hold)
	group.Wait()
	if err := hasty.Write(t.Context(), insert(1)); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// TestPostgres_hidden rolls back a write that hides a failed statement, and nothing else.
func TestPostgres_hidden(t *testing.T) {
	onPostgres(t)
	s := mustOpen(t, storetest.Datastore(t, "test"))
	results := together(t, s, insert(1), func(tx *gorm.DB) error {
		_ = insert(2)(tx)
		_ = tx.Exec("INSERT INTO rows (n, who) VALUES (3, '')")
		return nil
	}, insert(4))
	if results[0] != nil || results[1] == nil || results[2] != nil || count(t, s, "n IN (1, 4)") != 2 || count(t, s, "true") != 2 {
		t.Errorf("answers %v, %d rows", results, count(t, s, "true"))
	}
}

// unsendable is an argument that the driver refuses.
type unsendable struct{}

func (unsendable) Value() (driver.Value, error) { return nil, errors.New("unsendable") }

// TestPostgres_mixes runs every mix of three writes in one batch: where the savepoint of the next write stands, and with what it is sent,
// depends on those before it.
func TestPostgres_mixes(t *testing.T) {
	onPostgres(t)
	s := mustOpen(t, storetest.Datastore(t, "test"))
	failed := errors.New("out of stock")
	kinds := []func(n int, tx *gorm.DB) error{
		func(n int, tx *gorm.DB) error { return insert(n)(tx) }, // the only one to be kept
		func(n int, tx *gorm.DB) error { return errors.Join(insert(n)(tx), failed) },
		func(n int, tx *gorm.DB) error { _ = insert(n)(tx); _ = insert(n)(tx); return nil }, // hides that the second fails
		func(int, *gorm.DB) error { return failed },
		func(int, *gorm.DB) error { return nil },
		func(_ int, tx *gorm.DB) error {
			return tx.Exec("INSERT INTO rows (n, who) VALUES (?, 'test')", unsendable{}).Error
		}, // not sent at all
		func(n int, tx *gorm.DB) error {
			return errors.Join(insert(n)(tx), tx.Exec("SELECT ? FROM nowhere", n).Error)
		},
	}
	fails := []bool{false, true, true, true, false, true, true}
	k := len(kinds)
	for mix := range 2 * k * k * k {
		chosen := []int{mix / k / k % k, mix / k % k, mix % k}
		first := []error{nil, failed}[mix/k/k/k]
		var writes []func(*gorm.DB) error
		for i, kind := range chosen {
			writes = append(writes, func(tx *gorm.DB) error { return kinds[kind](1+10*mix+i, tx) })
		}
		for i, err := range behind(t, s, first, writes...) {
			kept := count(t, s, "n = ?", 1+10*mix+i) == 1
			if kept != (chosen[i] == 0) || (err != nil) != fails[chosen[i]] {
				t.Errorf("behind %v, %v: write %d: kept %v, %v", first, chosen, i, kept, err)
			}
		}
	}
}

// TestPostgres_restart lets the server crash under a store.
func TestPostgres_restart(t *testing.T) {
	onPostgres(t)
	server, err := storetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := mustOpen(t, storetest.With(t, server.URL, "search_path", "test"))
	if err := s.Write(t.Context(), insert(1)); err != nil || count(t, s, "true") != 1 {
		t.Fatal(err)
	}
	err = s.Write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(insert(2)(tx), server.Restart())
	})
	if err == nil {
		t.Error("a write outlived the server")
	}
	if err := s.Write(t.Context(), insert(3)); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	for range store.DefaultReaders { // connections that died unnoticed
		if err = s.Read(t.Context()).Exec("SELECT 1").Error; err == nil {
			break
		}
	}
	if err != nil || count(t, s, "n IN (1, 3)") != 2 || count(t, s, "true") != 2 {
		t.Errorf("a reader after the restart: %v", err)
	}
}

func TestPostgres_refused(t *testing.T) {
	onPostgres(t)
	server := storetest.Server(t)
	for name, tt := range map[string]struct{ datastore, want string }{
		"not durable":      {storetest.With(t, storetest.Datastore(t, "test"), "synchronous_commit", "off"), "not durable"},
		"no schema":        {server, "search_path="},
		"several schemas":  {storetest.With(t, server, "search_path", "a,public"), "search_path="},
		"no such database": {"postgres://nobody@127.0.0.1:1/none?search_path=x", "schema x"},
		"no URL":           {"postgres://a:secret@[", "the URL of a datastore"},
	} {
		_, err := openAt(t, tt.datastore, history())
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPostgres_together opens a datastore that is not there by several processes at once.
func TestPostgres_together(t *testing.T) {
	onPostgres(t)
	datastore := storetest.Datastore(t, "test")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s, err := store.Open(context.Background(), store.Options{Datastore: datastore, Migrations: history(2, 3)})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
