package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func TestMain(m *testing.M) {
	// database/sql closes its pools' goroutines a moment after Close.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
}

const first = `-- +goose Up
CREATE TABLE rows (n BIGINT PRIMARY KEY, who TEXT NOT NULL CHECK (who <> ''));
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL, value TEXT NOT NULL, digest TEXT NOT NULL, subject TEXT NOT NULL,
    answer TEXT NOT NULL DEFAULT '', created_at BIGINT NOT NULL, PRIMARY KEY (caller, value));
-- +goose Down
DROP TABLE rows;
`

// history returns migrations: the first, and others that each add a column.
func history(versions ...int) fstest.MapFS {
	files := fstest.MapFS{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		files[dialect+"/0001_rows.sql"] = &fstest.MapFile{Data: []byte(first)}
		for _, v := range versions {
			files[fmt.Sprintf("%s/%04d_more.sql", dialect, v)] = &fstest.MapFile{Data: fmt.Appendf(nil, "-- +goose Up\nALTER TABLE rows ADD COLUMN c%d BIGINT;\n", v)}
		}
	}
	return files
}

func openAt(t testing.TB, datastore string, migrations fs.FS) (*store.Store, error) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: datastore, Migrations: migrations})
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	return s, err
}

func open(t testing.TB) *store.Store {
	t.Helper()
	s, err := openAt(t, storetest.Datastore(t, "test"), history())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func insert(n int) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Exec("INSERT INTO rows (n, who) VALUES (?, 'test')", n).Error }
}

// count returns how many rows there are, of those that are asked for.
func count(t testing.TB, s *store.Store, where string, args ...any) (n int) {
	t.Helper()
	if err := s.Read(t.Context()).Raw("SELECT count(*) FROM rows WHERE "+where, args...).Row().Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDurable(t *testing.T) {
	storetest.SQLiteOnly(t, "it asks for pragmas")
	s := open(t)
	err := s.Write(t.Context(), func(tx *gorm.DB) error {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"} {
			var got string
			if err := tx.Raw("PRAGMA " + pragma).Row().Scan(&got); err != nil || got != want {
				t.Errorf("PRAGMA %s is %q, want %q: %v", pragma, got, want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, ":memory:", history()); err == nil {
		t.Error("a database in memory is not durable, and was opened")
	}
	if _, err := openAt(t, "", history()); err == nil {
		t.Error("a database without a path was opened")
	}
}

func TestPaths(t *testing.T) {
	storetest.SQLiteOnly(t, "it is about files")
	for _, name := range []string{"plain.db", "with space.db", "what?.db", "a#b.db", "100%.db", "%41.db", "a&b=c;d.db", "ü'\".db", "a:b.db", "?mode=memory"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := openAt(t, filepath.Join(dir, name), history())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Write(t.Context(), insert(1)); err != nil || count(t, s, "n = 1") != 1 {
				t.Fatalf("write: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			files, _ := os.ReadDir(dir)
			if len(files) != 1 || files[0].Name() != name {
				t.Fatalf("the folder holds %v, want %q alone", files, name)
			}
		})
	}
	t.Run("two slashes", func(t *testing.T) {
		if _, err := openAt(t, "/"+filepath.Join(t.TempDir(), "x.db"), history()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("relative", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if _, err := openAt(t, "x.db", history()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("x.db"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGroupCommit(t *testing.T) {
	const writers = 200
	s := open(t)
	var group sync.WaitGroup
	var panics atomic.Int32
	start := make(chan struct{})
	for n := range writers {
		group.Go(func() {
			<-start
			defer func() {
				if p := recover(); p != nil {
					panics.Add(1)
					if !strings.Contains(fmt.Sprint(p), "number 77") {
						t.Errorf("panic: %v", p)
					}
				}
			}()
			err := s.Write(t.Context(), func(tx *gorm.DB) error {
				if err := insert(n)(tx); err != nil {
					return err
				}
				switch {
				case n == 77:
					panic("number 77")
				case n == 78: // what gorm does for a savepoint of its own is part of the write
					return tx.Transaction(func(tx *gorm.DB) error { return insert(1078)(tx) })
				case n == 79:
					_ = tx.AddError(errors.New("kept to itself"))
				case n%10 == 3:
					return fmt.Errorf("number %d", n)
				case n%10 == 4:
					return tx.Exec("INSERT INTO rows (n, who) VALUES (?, '')", n+1000).Error
				}
				return nil
			})
			if failed := n%10 == 3 || n%10 == 4; (err != nil) != failed {
				t.Errorf("writer %d: %v", n, err)
			}
			// What Write answered is what everybody sees.
			if seen := count(t, s, "n = ?", n) == 1; seen != (err == nil) {
				t.Errorf("writer %d: answered %v, seen %v", n, err, seen)
			}
		})
	}
	close(start)
	group.Wait()
	if panics.Load() != 1 {
		t.Errorf("%d panics reached their callers", panics.Load())
	}
	if n := count(t, s, "true"); n != writers-41+1 {
		t.Errorf("%d rows", n)
	}
	if f := s.Stats(); f.Commits == 0 || f.Commits >= f.Writes || f.Writes != writers-41 || f.Failed != 41 {
		t.Errorf("figures %+v: want fewer commits than writes", f)
	}
}

func TestOrderOfWrites(t *testing.T) {
	s := open(t)
	var order []int
	var writes []func(*gorm.DB) error
	for n := range 20 {
		writes = append(writes, func(tx *gorm.DB) error { order = append(order, n); return insert(n)(tx) })
	}
	if err := errors.Join(together(t, s, writes...)...); err != nil {
		t.Fatal(err)
	}
	for n := range order {
		if order[n] != n {
			t.Fatalf("writes ran in the order %v", order)
		}
	}
	if f := s.Stats(); f.Commits != 1 || f.Writes != 21 {
		t.Errorf("figures %+v: want one commit for all that waited", f)
	}
}

func TestLostTransaction(t *testing.T) {
	tests := map[string]func(tx *gorm.DB) error{
		"rolled back by SQLite": func(tx *gorm.DB) error {
			return tx.Exec("INSERT OR ROLLBACK INTO rows (n, who) VALUES (1, '')").Error
		},
		"rolled back by SQLite, and hidden": func(tx *gorm.DB) error {
			_ = tx.Exec("INSERT OR ROLLBACK INTO rows (n, who) VALUES (1, '')")
			return nil
		},
		"ended by the write": func(tx *gorm.DB) error { return tx.Exec("ROLLBACK").Error },
	}
	if storetest.Postgres() {
		tests = map[string]func(tx *gorm.DB) error{
			"ended by the write":        tests["ended by the write"],
			"ended with its connection": func(tx *gorm.DB) error { return tx.Exec("SELECT pg_terminate_backend(pg_backend_pid())").Error },
		}
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			results := together(t, s, insert(10), spoil, insert(11))
			for n, at := range map[int]int{10: 0, 11: 2} {
				if seen := count(t, s, "n = ?", n) == 1; seen != (results[at] == nil) {
					t.Errorf("row %d: answered %v, seen %v", n, results[at], seen)
				}
			}
			if results[0] == nil || results[1] == nil {
				t.Errorf("answers %v: want errors for what was lost", results)
			}
			if err := s.Write(t.Context(), insert(12)); err != nil || count(t, s, "n = 12") != 1 {
				t.Errorf("the next write: %v", err)
			}
		})
	}
}

// together runs writes in one batch, in order.
func together(t *testing.T, s *store.Store, writes ...func(*gorm.DB) error) []error {
	t.Helper()
	return behind(t, s, nil, writes...)
}

// behind runs writes in the batch of a first one that writes nothing and has this outcome.
func behind(t *testing.T, s *store.Store, first error, writes ...func(*gorm.DB) error) []error {
	t.Helper()
	hold, held := make(chan struct{}), make(chan struct{})
	results := make([]error, len(writes))
	var group sync.WaitGroup
	group.Go(func() { _ = s.Write(t.Context(), func(*gorm.DB) error { close(held); <-hold; return first }) })
	<-held
	for i, w := range writes {
		group.Go(func() { results[i] = s.Write(t.Context(), w) })
		for store.Queued(s) < i+1 {
			runtime.Gosched()
		}
	}
	close(hold)
	group.Wait()
	return results
}

func TestContextOfWrite(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	hold, held := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := s.Write(ctx, func(tx *gorm.DB) error { close(held); <-hold; return insert(1)(tx) })
		if err != nil {
			t.Errorf("it was started before its context ended: %v", err)
		}
	})
	<-held
	group.Go(func() {
		err := s.Write(ctx, func(*gorm.DB) error { t.Error("it was started after its context ended"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v", err)
		}
	})
	for store.Queued(s) < 1 {
		runtime.Gosched()
	}
	cancel()
	close(hold)
	group.Wait()
	if count(t, s, "n = 1") != 1 {
		t.Error("the first write is not there")
	}
}

func TestClose(t *testing.T) {
	datastore := storetest.Datastore(t, "test")
	s, err := openAt(t, datastore, history())
	if err != nil {
		t.Fatal(err)
	}
	var taken, refused atomic.Int64
	var group sync.WaitGroup
	begun := make(chan struct{}, 64)
	for w := range 64 {
		group.Go(func() {
			for i := 0; ; i++ {
				err := s.Write(context.Background(), insert(w*1_000_000+i))
				if i == 0 {
					begun <- struct{}{}
				}
				if err == nil {
					taken.Add(1)
					continue
				}
				if !errors.Is(err, store.ErrClosed) {
					t.Errorf("write: %v", err)
				}
				refused.Add(1)
				return
			}
		})
	}
	for range 64 {
		<-begun
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
	again, err := openAt(t, datastore, history())
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, again, "true"); int64(n) != taken.Load() || refused.Load() != 64 {
		t.Fatalf("%d rows of %d that were answered, %d refused", n, taken.Load(), refused.Load())
	}
}

func TestFences(t *testing.T) {
	storetest.SQLiteOnly(t, "it is about files")
	s := open(t)
	other := filepath.Join(t.TempDir(), "other.db")
	statements := []string{"ATTACH '" + other + "' AS other", "VACUUM INTO '" + other + "'", "DETACH main"}
	for _, sql := range statements {
		if err := s.Read(t.Context()).Exec(sql).Error; err == nil {
			t.Errorf("a reader may %s", sql)
		}
	}
	err := s.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(statements[0]).Error })
	if err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("a writer attached another file: %v", err)
	}
	if err := s.Read(t.Context()).Exec("INSERT INTO rows (n, who) VALUES (1, 'reader')").Error; err == nil {
		t.Error("a reader wrote")
	}
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the other file was made")
	}
}

func TestMigrate(t *testing.T) {
	datastore := storetest.Datastore(t, "test")
	options := func(m fs.FS) store.Options { return store.Options{Datastore: datastore, Migrations: m} }
	status := func(migrations fs.FS) (applied string) {
		t.Helper()
		list, err := store.Migrations(t.Context(), options(migrations))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			applied += fmt.Sprintf("%d:%v ", m.Version, m.Applied)
		}
		return strings.TrimSpace(applied)
	}
	if got := status(history(2)); got != "1:false 2:false" {
		t.Errorf("before: %s", got)
	}
	if _, err := os.Stat(datastore); !errors.Is(err, fs.ErrNotExist) {
		t.Error("looking at the history made the file")
	}
	for range 2 {
		if err := store.Migrate(t.Context(), options(history())); err != nil {
			t.Fatal(err)
		}
	}
	if got := status(history(3)); got != "1:true 3:false" {
		t.Errorf("half-way: %s", got)
	}
	if err := store.Migrate(t.Context(), options(history(3))); err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context(), options(history())); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("an older binary: %v", err)
	}
	if _, err := openAt(t, datastore, history()); err == nil {
		t.Error("an older binary opened the file")
	}
	if err := store.Migrate(t.Context(), options(history(2, 3))); err == nil || !strings.Contains(err.Error(), "2") {
		t.Errorf("a step that was slipped in before an applied one: %v", err)
	}
	broken := history(3)
	for _, dialect := range []string{"sqlite", "postgres"} {
		broken[dialect+"/0004_broken.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE half (n BIGINT);\nCREATE TABLE rows (n BIGINT);\n")}
	}
	if err := store.Migrate(t.Context(), options(broken)); err == nil || !strings.Contains(err.Error(), "migrate "+where(datastore)) {
		t.Errorf("a broken step: %v", err)
	}
	s, err := openAt(t, datastore, history(3))
	if err != nil {
		t.Fatalf("after a broken step: %v", err)
	}
	if err := s.Read(t.Context()).Exec("SELECT n FROM half").Error; err == nil {
		t.Error("half of a broken step stayed")
	}
}

// where is the beginning of a datastore's name in errors.
func where(datastore string) string {
	if storetest.Postgres() {
		return "postgres://cutpoint@"
	}
	return datastore
}

func TestClaims(t *testing.T) {
	s := open(t)
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	key := idempotency.Key{Caller: "key_1", Value: "abc", Digest: "d1"}
	write := func(fn func(tx *gorm.DB) error) error { t.Helper(); return s.Write(t.Context(), fn) }
	find := func(k idempotency.Key, at time.Time) (*store.Claim, error) {
		return store.FindClaim(s.Read(t.Context()), k, at)
	}
	save := func(k idempotency.Key, answer any, at time.Time) error {
		return write(func(tx *gorm.DB) error { return store.SaveClaim(tx, k, "ord_"+k.Value, answer, at) })
	}
	type answer struct{ Total int }
	var got answer

	if c, err := find(key, now); c != nil || err != nil {
		t.Fatalf("a new key: %v %v", c, err)
	}
	if err := save(key, nil, now); err != nil {
		t.Fatal(err)
	}
	c, err := find(key, now)
	if err != nil || c == nil || c.Subject != "ord_abc" {
		t.Fatalf("claimed: %+v %v", c, err)
	}
	if answered, err := c.Answered(&got); answered || err != nil {
		t.Fatalf("not answered yet: %v %v", answered, err)
	}
	if err := save(key, nil, now); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Errorf("claimed twice: %v", err)
	}
	for _, total := range []int{7, 8} { // the first answer stays
		if err := write(func(tx *gorm.DB) error { return store.AnswerClaim(tx, key, answer{total}) }); err != nil {
			t.Fatal(err)
		}
	}
	c, _ = find(key, now)
	if answered, err := c.Answered(&got); !answered || err != nil || got.Total != 7 {
		t.Errorf("answer %+v %v %v", got, answered, err)
	}

	other := key
	other.Digest = "d2"
	if _, err := find(other, now); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("the key with another request: %v", err)
	}
	other.Caller = "key_2"
	if c, err := find(other, now); c != nil || err != nil {
		t.Errorf("another caller's key: %v %v", c, err)
	}

	end := now.Add(idempotency.Retention)
	if c, _ := find(key, end.Add(-time.Microsecond)); c == nil {
		t.Error("forgotten before its time")
	}
	if c, err := find(key, end); c != nil || err != nil {
		t.Errorf("remembered after its time: %v %v", c, err)
	}
	if err := save(key, answer{9}, end); err != nil {
		t.Errorf("claimed again after its time: %v", err)
	}
	if c, _ := find(key, end); c == nil {
		t.Error("the new claim is not there")
	}

	zero := idempotency.Key{}
	for range 2 {
		if err := save(zero, answer{1}, now); err != nil {
			t.Errorf("a zero key is not claimed: %v", err)
		}
	}
	if c, err := find(zero, now); c != nil || err != nil {
		t.Errorf("a zero key: %v %v", c, err)
	}
	if err := write(func(tx *gorm.DB) error {
		return errors.Join(store.SaveClaim(tx, idempotency.Key{Caller: "a", Value: "b"}, "s", nil, now), errors.New("the effect failed"))
	}); err == nil {
		t.Fatal("no error")
	}
	if c, _ := find(idempotency.Key{Caller: "a", Value: "b"}, now); c != nil {
		t.Error("a claim outlived its effect")
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.FixedZone("", 3600))
	if got := store.Time(store.Micros(at)); !got.Equal(at.Truncate(time.Microsecond)) || got.Location() != time.UTC {
		t.Errorf("%v became %v", at, got)
	}
	if !store.Time(store.Micros(time.Time{})).IsZero() {
		t.Error("no time became one")
	}
}
