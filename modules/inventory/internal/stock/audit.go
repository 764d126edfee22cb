package stock

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"cutpoint/platform/audit"
	"cutpoint/platform/channel"
	"cutpoint/platform/store"
)

// Bounds of a page of an audit, in items.
const (
	defaultAudited = 200
	maxAudited     = 1000
)

// beyondCodes sorts after every code.
const beyondCodes = "\x7f"

// Audit implements inventory.Service. The holds and the ledger are the sources of truth: reserved is the sum of what orders and
// carts hold, on hand that of the movements. Repair derives the figures from them, as far as the result is a level that can be.
func (s *Stock) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	limit := defaultAudited
	if r.Limit > 0 {
		limit = min(r.Limit, maxAudited)
	}
	db, page := s.store.Read(ctx), audit.Page{Findings: []audit.Finding{}}
	var skus []string
	if err := db.Raw("SELECT sku FROM items WHERE sku > ? ORDER BY sku LIMIT ?", r.After, limit).Scan(&skus).Error; err != nil {
		return page, err
	}
	page.Checked = int64(len(skus))
	upTo := beyondCodes
	if len(skus) == limit {
		upTo = skus[limit-1]
		page.Next = upTo
	}
	drifted, err := drifts(db, r.After+"\x01", upTo)
	if err != nil {
		return page, err
	}
	for _, d := range drifted {
		if r.Repair {
			if d, err = s.repair(ctx, d); err != nil {
				return page, err
			}
		}
		page.Findings = append(page.Findings, d.findings()...)
	}
	promised, err := s.auditPromises(ctx, r.After+"\x01", upTo, r.Repair)
	page.Findings = append(page.Findings, promised...)
	return page, err
}

// auditPromises compares what items say is backordered with the lines of orders and carts that no shelf has given, and repairs it.
func (s *Stock) auditPromises(ctx context.Context, from, upTo string, repair bool) (found []audit.Finding, err error) {
	wrong, err := wrongPromises(s.store.Read(ctx), from, upTo)
	if err != nil {
		return nil, err
	}
	for _, p := range wrong {
		if repair {
			if err := s.store.Write(ctx, func(tx *gorm.DB) error { return s.repairPromise(ctx, tx, &p) }); err != nil {
				return found, err
			}
		}
		found = append(found, audit.Finding{Invariant: audit.StockLevels, Subject: p.sku, Problem: p.problem(), Repaired: repair})
	}
	return found, nil
}

// promised is the backordered units of an item as it says, and as they add up.
type promised struct {
	sku       string
	says, sum int64
}

func (p promised) problem() string {
	return fmt.Sprintf("backordered is %d, promises sum up to %d", p.says, p.sum)
}

func wrongPromises(db *gorm.DB, from, upTo string) (wrong []promised, err error) {
	rows, err := db.Raw(`SELECT sku, SUM(says), SUM(promised) FROM (
			SELECT sku, backordered AS says, 0 AS promised FROM items WHERE sku >= @from AND sku <= @upto
			UNION ALL SELECT l.sku, 0, l.quantity FROM reservation_lines l JOIN reservations r ON r.order_id = l.order_id
				WHERE l.location = '' AND l.sku >= @from AND l.sku <= @upto AND r.state <> 'released'
			UNION ALL SELECT sku, 0, quantity FROM hold_lines WHERE location = '' AND sku >= @from AND sku <= @upto
		) AS promises GROUP BY sku HAVING SUM(says) <> SUM(promised) ORDER BY sku`, map[string]any{"from": from, "upto": upTo}).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p promised
		if err := rows.Scan(&p.sku, &p.says, &p.sum); err != nil {
			return nil, err
		}
		wrong = append(wrong, p)
	}
	return wrong, rows.Err()
}

// repairPromise makes an item say what its promises add up to, after another look: it may be right by now.
func (s *Stock) repairPromise(ctx context.Context, tx *gorm.DB, p *promised) error {
	again, err := wrongPromises(tx, p.sku, p.sku)
	if err != nil || len(again) == 0 {
		return err
	}
	*p = again[0]
	if err := tx.Exec("UPDATE items SET backordered = ? WHERE sku = ?", p.sum, p.sku).Error; err != nil {
		return err
	}
	return s.insertRepair(ctx, tx, p.sku, "", p.problem(), figures{})
}

// drift is a level beside what it should be by its sources.
type drift struct {
	sku, location string
	figures             // as they stand in the level
	moved, held   int64 // as its movements and its holds add up
	repaired      *figures
}

type figures struct{ onHand, reserved int64 }

// drifts returns the levels of the items from one to another that are not what they should be. It is one statement, so
// that level, holds and movements are of one moment, also while orders come in.
func drifts(db *gorm.DB, from, upTo string) ([]drift, error) {
	rows, err := db.Raw(`SELECT sku, location, SUM(on_hand), SUM(reserved), SUM(moved), SUM(held) FROM (
			SELECT sku, location, on_hand, reserved, 0 AS moved, 0 AS held FROM levels WHERE sku >= @from AND sku <= @upto
			UNION ALL SELECT sku, location, 0, 0, SUM(delta), 0 FROM movements WHERE sku >= @from AND sku <= @upto GROUP BY sku, location
			UNION ALL SELECT l.sku, l.location, 0, 0, 0, l.quantity
				FROM reservations r `+store.On(db, "INDEXED BY reservations_held CROSS JOIN", "JOIN")+` reservation_lines l ON l.order_id = r.order_id
				WHERE r.state = 'held' AND l.sku >= @from AND l.sku <= @upto AND l.location <> ''
			UNION ALL SELECT sku, location, 0, 0, 0, quantity FROM hold_lines WHERE sku >= @from AND sku <= @upto AND location <> ''
		) AS figures GROUP BY sku, location
		HAVING SUM(on_hand) <> SUM(moved) OR SUM(reserved) <> SUM(held) OR SUM(on_hand) < SUM(reserved) OR SUM(reserved) < 0
		ORDER BY sku, location`, map[string]any{"from": from, "upto": upTo}).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []drift
	for rows.Next() {
		var d drift
		if err := rows.Scan(&d.sku, &d.location, &d.onHand, &d.reserved, &d.moved, &d.held); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// repair sets one level right, after another look in its own transaction: it may be right by now.
func (s *Stock) repair(ctx context.Context, d drift) (drift, error) {
	return write(ctx, s, func(tx *gorm.DB) (drift, error) {
		again, err := drifts(tx, d.sku, d.sku)
		if err != nil {
			return d, err
		}
		for _, now := range again {
			if now.location == d.location {
				return s.setRight(ctx, tx, now)
			}
		}
		return drift{}, nil
	})
}

// setRight changes a level to what its sources say. The ledger's sum is taken only if it covers what is held; a level that would
// hold more than it has is left alone: somebody must count.
func (s *Stock) setRight(ctx context.Context, tx *gorm.DB, d drift) (drift, error) {
	should := figures{onHand: d.moved, reserved: d.held}
	if should.onHand < should.reserved {
		should.onHand = d.onHand
	}
	if should.onHand < should.reserved || should == d.figures {
		return d, nil
	}
	if err := tx.Exec(`INSERT INTO levels (sku, location, on_hand, reserved, version) VALUES (?, ?, ?, ?, 1)
		ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand, reserved = excluded.reserved, version = levels.version + 1`,
		d.sku, d.location, should.onHand, should.reserved).Error; err != nil {
		return d, fmt.Errorf("repair %s at %s: %w", d.sku, d.location, err)
	}
	d.repaired = &should
	var problems []string
	for _, f := range d.findings() {
		problems = append(problems, f.Problem)
	}
	return d, s.insertRepair(ctx, tx, d.sku, d.location, strings.Join(problems, "; "), should)
}

// insertRepair writes down what was set right, at no location where it is a promise.
func (s *Stock) insertRepair(ctx context.Context, tx *gorm.DB, sku, location, problem string, after figures) error {
	return tx.Exec(`INSERT INTO repairs (sku, location, problem, on_hand, reserved, actor, correlation_id, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		sku, location, problem, after.onHand, after.reserved, channel.Actor(ctx), channel.CorrelationID(ctx), store.Micros(s.now())).Error
}

// findings says what is wrong with a level: with its reserved units, with those on hand, with both together.
func (d drift) findings() []audit.Finding {
	after, list := d.figures, []audit.Finding{}
	if d.repaired != nil {
		after = *d.repaired
	}
	tell := func(holds, holdsNow bool, format string, args ...any) {
		if !holds {
			list = append(list, audit.Finding{
				Invariant: audit.StockLevels, Subject: d.sku, Problem: fmt.Sprintf("at %s: "+format, append([]any{d.location}, args...)...), Repaired: holdsNow,
			})
		}
	}
	tell(d.reserved == d.held, after.reserved == d.held, "reserved is %d, holds sum up to %d", d.reserved, d.held)
	tell(d.onHand == d.moved, after.onHand == d.moved, "on hand is %d, movements sum up to %d", d.onHand, d.moved)
	tell(d.possible(), after.possible(), "%d are on hand and %d reserved", d.onHand, d.reserved)
	return list
}

// possible reports whether a level can be, whatever its sources say.
func (f figures) possible() bool { return f.onHand >= f.reserved && f.reserved >= 0 }
