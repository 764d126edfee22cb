package stock

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/platform/audit"
	"cutpoint/platform/channel"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

// spoil changes rows behind the module's back, also to what the schema refuses.
func (b *bench) spoil(t testing.TB, statements ...string) {
	t.Helper()
	err := b.store.Write(context.Background(), func(tx *gorm.DB) error {
		unchecked := store.On(tx, "PRAGMA ignore_check_constraints = on",
			"ALTER TABLE levels DROP CONSTRAINT IF EXISTS levels_check, DROP CONSTRAINT IF EXISTS levels_reserved_check")
		for _, sql := range append([]string{unchecked}, statements...) {
			if err := tx.Exec(sql).Error; err != nil {
				return err
			}
		}
		if storetest.Postgres() {
			return nil
		}
		return tx.Exec("PRAGMA ignore_check_constraints = off").Error
	})
	if err != nil {
		t.Fatal(err)
	}
}

// findings audits all pages and describes what was found.
func (b *bench) findings(t testing.TB, repair bool) (found []string) {
	t.Helper()
	r := audit.Request{Limit: 2, Repair: repair}
	for checked := int64(0); ; {
		page := must[audit.Page](t)(b.Audit(channel.WithHeader(context.Background(), channel.Header{Actor: "auditor"}), r))
		for _, f := range page.Findings {
			if f.Invariant != audit.StockLevels {
				t.Fatalf("%+v", f)
			}
			found = append(found, fmt.Sprintf("%s: %s (%v)", f.Subject, f.Problem, f.Repaired))
		}
		if checked += page.Checked; page.Next == "" {
			if checked != 5 {
				t.Fatalf("%d items were checked", checked)
			}
			return found
		}
		r.After = page.Next
	}
}

// newAudited is a stock of five items with every kind of hold and movement.
func newAudited(t *testing.T) *bench {
	b, ctx := newBench(t, storetest.Datastore(t, "inventory")), context.Background()
	for _, sku := range []string{"CUP", "MUG", "POT"} {
		b.stocked(t, sku, false, "ams", 4, "ber", 5)
	}
	b.stocked(t, "PRINT", true, "ber", 1)
	b.stocked(t, "VASE", false)
	must[inventory.Reservation](t)(b.Reserve(ctx, order("held", "MUG", 2, "PRINT", 3)))
	must[inventory.CartHold](t)(b.Hold(ctx, cart("c1", time.Hour, "MUG", 1, "CUP", 1, "PRINT", 1)))
	must[inventory.Reservation](t)(b.Reserve(ctx, order("consumed", "MUG", 2)))
	must[inventory.Reservation](t)(b.Finalise(ctx, finalise("consumed")))
	must[inventory.Reservation](t)(b.Reserve(ctx, order("back", "MUG", 1)))
	must[inventory.Reservation](t)(b.Finalise(ctx, finalise("back")))
	must[inventory.Reservation](t)(b.Release(ctx, release("back")))
	return b
}

func TestAudit(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil []string
		want  []string // found; repaired, if it says true
		after string   // figures of MUG after the repair
	}{
		{"a stock that adds up", nil, nil, "7/3: ams 3/3, ber 4/0"},
		{"reserved above the holds", []string{"UPDATE levels SET reserved = 4 WHERE sku = 'MUG' AND location = 'ber'"},
			[]string{"MUG: at ber: reserved is 4, holds sum up to 0 (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"reserved below the holds", []string{"UPDATE levels SET reserved = 1 WHERE sku = 'MUG' AND location = 'ams'", "UPDATE levels SET reserved = 0 WHERE sku = 'CUP'"},
			[]string{"CUP: at ams: reserved is 0, holds sum up to 1 (true)", "MUG: at ams: reserved is 1, holds sum up to 3 (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"on hand beside the ledger", []string{"UPDATE levels SET on_hand = 9 WHERE sku = 'MUG' AND location = 'ber'"},
			[]string{"MUG: at ber: on hand is 9, movements sum up to 4 (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"figures that can't be", []string{"UPDATE levels SET on_hand = 0, reserved = 6 WHERE sku = 'MUG' AND location = 'ams'"},
			[]string{"MUG: at ams: reserved is 6, holds sum up to 3 (true)", "MUG: at ams: on hand is 0, movements sum up to 3 (true)",
				"MUG: at ams: 0 are on hand and 6 reserved (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"a level that is gone", []string{"DELETE FROM levels WHERE sku = 'MUG' AND location = 'ams'"},
			[]string{"MUG: at ams: reserved is 0, holds sum up to 3 (true)", "MUG: at ams: on hand is 0, movements sum up to 3 (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"a ledger that does not cover the holds: on hand is left as it is", []string{
			"INSERT INTO movements (id, sku, location, kind, delta, on_hand, reason, reference, actor, correlation_id, at) VALUES ('m', 'MUG', 'ams', 'adjusted', -2, 1, '', '', '', '', 0)",
			"UPDATE levels SET reserved = 0 WHERE sku = 'MUG' AND location = 'ams'",
		}, []string{"MUG: at ams: reserved is 0, holds sum up to 3 (true)", "MUG: at ams: on hand is 3, movements sum up to 1 (false)"}, "7/3: ams 3/3, ber 4/0"},
		{"more promised than the lines say", []string{"UPDATE items SET backordered = 9 WHERE sku = 'PRINT'"},
			[]string{"PRINT: backordered is 9, promises sum up to 3 (true)"}, "7/3: ams 3/3, ber 4/0"},
		{"more held than there is: somebody must count", []string{
			"INSERT INTO hold_lines (hold_id, sku, location, quantity) VALUES ('c1', 'MUG', 'ber', 5)",
		}, []string{"MUG: at ber: reserved is 0, holds sum up to 5 (false)"}, "7/3: ams 3/3, ber 4/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newAudited(t)
			b.spoil(t, tt.spoil...)
			var unrepaired, left []string
			for _, w := range tt.want {
				problem := w[:len(w)-len(" (true)")]
				if w[len(w)-len("(true)"):] != "(true)" {
					problem = w[:len(w)-len(" (false)")]
					left = append(left, w)
				}
				unrepaired = append(unrepaired, problem+" (false)")
			}
			if got := b.findings(t, false); !reflect.DeepEqual(got, unrepaired) {
				t.Fatalf("found %q, want %q", got, unrepaired)
			}
			if got := b.findings(t, true); !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("repaired %q, want %q", got, tt.want)
			}
			if got := b.findings(t, false); !reflect.DeepEqual(got, left) {
				t.Fatalf("still found %q, want %q", got, left)
			}
			b.wantFigures(t, "MUG", tt.after)
		})
	}
}

func TestAudit_tells(t *testing.T) {
	b := newAudited(t)
	ledger := b.ledger(t, "MUG")
	b.spoil(t, "UPDATE levels SET on_hand = 9, reserved = 2 WHERE sku = 'MUG' AND location = 'ber'")
	b.findings(t, true)
	b.findings(t, true)
	var told string
	err := b.store.Read(t.Context()).Raw("SELECT string_agg(sku || ' ' || problem || ' -> ' || on_hand || '/' || reserved || ' by ' || actor, ',') FROM repairs").Row().Scan(&told)
	if err != nil {
		t.Fatal(err)
	}
	if want := "MUG at ber: reserved is 2, holds sum up to 0; at ber: on hand is 9, movements sum up to 4 -> 4/0 by auditor"; told != want {
		t.Errorf("a repair is written down once: %q, want %q", told, want)
	}
	if after := b.ledger(t, "MUG"); after != ledger {
		t.Errorf("the ledger was %q and is %q", ledger, after)
	}
}
