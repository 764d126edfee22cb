package stock

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/idempotency"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

func TestForgetKeys(t *testing.T) {
	b := newBench(t, storetest.Datastore(t, "inventory"))
	claim := func(first, keys int) {
		t.Helper()
		err := b.store.Write(t.Context(), func(tx *gorm.DB) error {
			for i := range keys {
				k := idempotency.Key{Caller: "key_1", Value: fmt.Sprint(first + i), Digest: "d"}
				if err := store.SaveClaim(tx, k, "mov_1", nil, b.clock); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (n int) {
		t.Helper()
		if err := b.store.Read(t.Context()).Raw("SELECT count(*) FROM idempotency_keys").Row().Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	claim(0, keyBatch+1)
	b.clock = b.clock.Add(idempotency.Retention - time.Second)
	claim(1000, 3)
	commits := b.store.Stats().Commits
	if more := must[bool](t)(b.ForgetKeys(t.Context())); more || b.store.Stats().Commits != commits {
		t.Errorf("it committed %d times for nothing", b.store.Stats().Commits-commits)
	}
	b.clock = b.clock.Add(2 * time.Second)
	for i, want := range []struct {
		more bool
		kept int
	}{{true, 4}, {false, 3}, {false, 3}} {
		if more := must[bool](t)(b.ForgetKeys(t.Context())); more != want.more || kept() != want.kept {
			t.Errorf("batch %d: more %v, %d are kept, want %+v", i, more, kept(), want)
		}
	}
	if storetest.Postgres() {
		return // whose plans depend on how much there is
	}
	var plan string
	err := b.store.Read(t.Context()).Raw("EXPLAIN QUERY PLAN SELECT caller, value FROM idempotency_keys WHERE created_at <= 1 ORDER BY created_at LIMIT 1").
		Row().Scan(new(int), new(int), new(int), &plan)
	if err != nil || plan != "SEARCH idempotency_keys USING COVERING INDEX idempotency_keys_by_age (created_at<?)" {
		t.Errorf("the oldest are found by %q (%v)", plan, err)
	}
}
