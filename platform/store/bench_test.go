package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// step is what a durable step of an order does: one select, one update, two inserts.
func step(n int64) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		var who string
		if err := store.Row(tx, "SELECT who FROM rows WHERE n = ?", n%64).Scan(&who); err != nil {
			return err
		}
		if _, err := store.Exec(tx, "UPDATE rows SET who = ? WHERE n = ?", who, n%64); err != nil {
			return err
		}
		for i := range int64(2) {
			if _, err := store.Exec(tx, "INSERT INTO rows (n, who) VALUES (?, 'step')", 1000+2*n+i); err != nil {
				return err
			}
		}
		return nil
	}
}

// BenchmarkWrite measures durable steps a second, by how many callers, through one store or two processes' worth of them; and beside it,
// on PostgreSQL, the same steps by as many connections in transactions of their own, which conflict with nobody.
func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		for _, stores := range []int{1, 2} {
			b.Run(fmt.Sprintf("callers=%d/stores=%d", callers, stores), func(b *testing.B) { benchStores(b, callers, stores) })
		}
		if storetest.Postgres() {
			b.Run(fmt.Sprintf("callers=%d/plain", callers), func(b *testing.B) { benchPlain(b, callers) })
		}
	}
}

func prepared(b *testing.B) (string, *store.Store) {
	b.Helper()
	datastore := storetest.Datastore(b, "bench")
	s := mustOpen(b, datastore)
	err := s.Write(b.Context(), func(tx *gorm.DB) error {
		for n := range 64 {
			if err := insert(n)(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return datastore, s
}

func benchStores(b *testing.B, callers, stores int) {
	datastore, first := prepared(b)
	all := []*store.Store{first}
	for len(all) < stores {
		all = append(all, mustOpen(b, datastore))
	}
	steps(b, callers, func(caller int, n int64) error { return all[caller%stores].Write(b.Context(), step(n)) })
}

// benchPlain gives each caller a row of its own, so that what SKIP LOCKED would skip is never locked.
func benchPlain(b *testing.B, callers int) {
	datastore, _ := prepared(b)
	db := store.Plain(b, datastore, callers)
	steps(b, callers, func(caller int, n int64) error {
		return db.Transaction(func(tx *gorm.DB) error {
			var who string
			if err := store.Row(tx, "SELECT who FROM rows WHERE n = ? FOR UPDATE SKIP LOCKED", caller).Scan(&who); err != nil {
				return err
			}
			if _, err := store.Exec(tx, "UPDATE rows SET who = ? WHERE n = ?", who, caller); err != nil {
				return err
			}
			for i := range int64(2) {
				if _, err := store.Exec(tx, "INSERT INTO rows (n, who) VALUES (?, 'step')", 1000+2*n+i); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// steps shares b.N steps out to callers.
func steps(b *testing.B, callers int, do func(caller int, n int64) error) {
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for caller := range callers {
		group.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := do(caller, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}
