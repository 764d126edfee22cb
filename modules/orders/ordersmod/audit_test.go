package ordersmod_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"cutpoint/migrations"
	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/platform/audit"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// TestAudit breaks what an order says of itself, one thing at a time.
func TestAudit(t *testing.T) {
	for name, test := range map[string]struct {
		damage    string
		invariant audit.Invariant
		problem   string
		repaired  bool
	}{
		"a line that does not add up": {
			damage:    `UPDATE orders SET lines = replace(lines, '"unit_price":{"amount":1290', '"unit_price":{"amount":1291')`,
			invariant: audit.TotalsAddUp, problem: "1291 x 2",
		},
		"a total that its parts don't give": {
			damage:    `UPDATE orders SET totals = replace(totals, '"total":{"amount":2580', '"total":{"amount":2581')`,
			invariant: audit.TotalsAddUp, problem: "the total is 25.81 EUR",
		},
		"an event that is gone": {
			damage:    "DELETE FROM events WHERE sequence = 1",
			invariant: audit.EventsInSequence, problem: "2 events were written, 1 are there",
		},
		"an unfinished order that nothing takes up": {
			damage:    "UPDATE sagas SET state = 'charging', next_attempt_at = 0",
			invariant: audit.SagasGoOn, problem: "no next attempt", repaired: true,
		},
		"a lease without an end": {
			damage:    "UPDATE sagas SET state = 'charging', next_attempt_at = 1, lease_until = 4102444800000000",
			invariant: audit.SagasGoOn, problem: "leased until 2100", repaired: true,
		},
		"an order at rest with something left to do": {
			damage:    "UPDATE sagas SET next_attempt_at = 4102444800000000",
			invariant: audit.SagasGoOn, problem: "has a next attempt", repaired: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := storetest.Datastore(t, "orders")
			m := startWith(t, path, newNeighbours(), ordersmod.Options{Still: true})
			o := m.place(t, request("k"))
			damage(t, path, test.damage)
			for _, repair := range []bool{false, true} {
				page, err := m.Audit(t.Context(), audit.Request{Repair: repair})
				if err != nil || len(page.Findings) != 1 {
					t.Fatalf("got %+v (%v)", page, err)
				}
				f := page.Findings[0]
				if f.Invariant != test.invariant || f.Subject != o.ID || !strings.Contains(f.Problem, test.problem) || f.Repaired != (repair && test.repaired) {
					t.Errorf("repair %v: got %+v", repair, f)
				}
			}
			page, err := m.Audit(t.Context(), audit.Request{})
			if err != nil || (len(page.Findings) == 0) != test.repaired {
				t.Errorf("after the repair: %+v (%v)", page, err)
			}
		})
	}
}

func TestAudit_pages(t *testing.T) {
	m := startNew(t)
	for _, k := range []string{"a", "b", "c"} {
		m.place(t, request(k))
	}
	checked := int64(0)
	for after := ""; ; {
		page, err := m.Audit(t.Context(), audit.Request{After: after, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		checked += page.Checked
		if after = page.Next; after == "" {
			break
		}
	}
	if checked != 3 {
		t.Errorf("%d of 3 orders were checked", checked)
	}
	if _, err := m.Orders(t.Context(), orders.OrdersRequest{}); err != nil {
		t.Error(err)
	}
}

// damage changes a store behind its module's back.
func damage(t testing.TB, path, statement string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of(orders.Module)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var changed int64
	err = s.Write(t.Context(), func(tx *gorm.DB) error {
		r := tx.Exec(statement)
		changed = r.RowsAffected
		return r.Error
	})
	if err != nil || changed == 0 {
		t.Fatalf("%s changed %d rows (%v)", statement, changed, err)
	}
}

// dump is all that a store tells, its columns one after the other.
func dump(t testing.TB, path string) string {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of(orders.Module)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var tables []string
	if err := s.Read(t.Context()).Raw(store.On(s.Read(t.Context()), "SELECT name FROM sqlite_master WHERE type = 'table'",
		"SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).Scan(&tables).Error; err != nil || len(tables) < 10 {
		t.Fatalf("%d tables (%v)", len(tables), err)
	}
	var all strings.Builder
	for _, table := range tables {
		var rows []map[string]any
		if err := s.Read(t.Context()).Raw("SELECT * FROM " + table).Scan(&rows).Error; err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&all, table, rows)
	}
	return all.String()
}
