package pricebook

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"cutpoint/platform/audit"
	"cutpoint/platform/channel"
	"cutpoint/platform/store"
)

// Bounds of a page of an audit, in promotions.
const (
	defaultAudited = 100
	maxAudited     = 1000
)

// Audit implements pricing.Service. The uses are the source of truth of the count. A coupon that was used more often than it may be
// is told and left: which order's use is one too many is nobody's to guess.
func (b *Book) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	limit := defaultAudited
	if r.Limit > 0 {
		limit = min(r.Limit, maxAudited)
	}
	page := audit.Page{Findings: []audit.Finding{}}
	counts, err := readCounts(b.store.Read(ctx), "WHERE code > ? ORDER BY code LIMIT ?", r.After, limit)
	if err != nil {
		return page, err
	}
	page.Checked = int64(len(counts))
	if len(counts) == limit {
		page.Next = counts[limit-1].code
	}
	for _, c := range counts {
		if r.Repair && c.problem() != "" {
			if c, err = b.repair(ctx, c); err != nil {
				return page, err
			}
		}
		if problem := c.problem(); problem != "" {
			page.Findings = append(page.Findings, audit.Finding{
				Invariant: audit.CouponUses, Subject: c.code, Problem: problem, Repaired: c.repaired,
			})
		}
	}
	return page, nil
}

// count is a promotion's count beside what it counts.
type count struct {
	code               string
	used, uses, limit  int64 // no limit: 0
	repaired, tooOften bool
}

func (c count) problem() string {
	switch {
	case c.tooOften:
		return fmt.Sprintf("orders hold or used it %d times, the limit is %d", c.uses, c.limit)
	case c.used != c.uses:
		return fmt.Sprintf("used is %d, orders hold or used it %d times", c.used, c.uses)
	}
	return ""
}

// readCounts is one statement, so that the count and the uses are of one moment.
func readCounts(db *gorm.DB, which string, args ...any) ([]count, error) {
	rows, err := db.Raw(`SELECT code, used, use_limit, (SELECT COUNT(*) FROM coupon_uses u WHERE u.code = promotions.code AND u.state <> 'released')
		FROM promotions `+which, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var counts []count
	for rows.Next() {
		var c count
		if err := rows.Scan(&c.code, &c.used, &c.limit, &c.uses); err != nil {
			return nil, err
		}
		c.tooOften = c.limit > 0 && c.uses > c.limit
		counts = append(counts, c)
	}
	return counts, rows.Err()
}

// repair counts again, after another look in its own transaction.
func (b *Book) repair(ctx context.Context, c count) (count, error) {
	err := b.store.Write(ctx, func(tx *gorm.DB) error {
		again, err := readCounts(tx, "WHERE code = ?", c.code)
		if err != nil || len(again) == 0 {
			return err
		}
		if c = again[0]; c.problem() == "" || c.tooOften {
			return nil
		}
		if err := tx.Exec("UPDATE promotions SET used = ? WHERE code = ?", c.uses, c.code).Error; err != nil {
			return err
		}
		c.repaired = true
		return tx.Exec("INSERT INTO repairs (code, problem, used, actor, correlation_id, at) VALUES (?, ?, ?, ?, ?, ?)",
			c.code, c.problem(), c.uses, channel.Actor(ctx), channel.CorrelationID(ctx), store.Micros(b.now())).Error
	})
	return c, err
}
