package till

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Bounds of one reconciliation.
const (
	usualWindow   = 24 * time.Hour
	maxCompared   = 100_000 // objects of the provider; ask with a later time for the rest
	maxMismatches = 1_000
	reverseBatch  = 500 // operations read at once
	keptReports   = 100
	maxReports    = 20 // on a page
)

// comparison is a reconciliation under way.
type comparison struct {
	payments.Reconciliation
	till  *Till
	since time.Time
	seen  map[string]bool // keys on the provider's books
}

// Reconcile implements payments.Service.
func (t *Till) Reconcile(ctx context.Context, r payments.ReconcileRequest) (payments.Reconciliation, error) {
	c := comparison{
		Reconciliation: payments.Reconciliation{ID: t.newID("rec"), At: t.clock(), Since: r.Since, Mismatches: []payments.Mismatch{}},
		till:           t, since: r.Since, seen: map[string]bool{},
	}
	if c.since.IsZero() {
		c.since = c.At.Add(-usualWindow)
		c.Since = c.since
	}
	whole, err := c.theirs(ctx)
	if err == nil && whole {
		err = c.ours(ctx)
	}
	if err == nil {
		err = c.unmatched(ctx)
	}
	if err == nil {
		err = c.keep(ctx)
	}
	return c.Reconciliation, err
}

// keep stores the report, beside the latest others.
func (c *comparison) keep(ctx context.Context) error {
	text, err := json.Marshal(c.Reconciliation)
	if err != nil {
		return err
	}
	return c.till.store.Write(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("INSERT INTO reconciliations (id, report) VALUES (?, ?)", c.ID, string(text)).Error; err != nil {
			return err
		}
		return tx.Exec("DELETE FROM reconciliations WHERE id NOT IN (SELECT id FROM reconciliations ORDER BY id DESC LIMIT ?)", keptReports).Error
	})
}

// Reconciliations implements payments.Service.
func (t *Till) Reconciliations(ctx context.Context, r payments.ReconciliationsRequest) (payments.ReconciliationPage, error) {
	limit := min(pageOf(r.Limit), maxReports)
	where, args := "1 = 1", []any(nil)
	if r.Before != "" {
		where, args = "id < ?", []any{r.Before}
	}
	rows, err := t.store.Read(ctx).Raw("SELECT report FROM reconciliations WHERE "+where+" ORDER BY id DESC LIMIT ?", append(args, limit+1)...).Rows()
	if err != nil {
		return payments.ReconciliationPage{}, err
	}
	defer rows.Close()
	page := payments.ReconciliationPage{Reconciliations: []payments.Reconciliation{}}
	for rows.Next() {
		var text string
		var report payments.Reconciliation
		if err := rows.Scan(&text); err != nil {
			return payments.ReconciliationPage{}, err
		}
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			return payments.ReconciliationPage{}, err
		}
		page.Reconciliations = append(page.Reconciliations, report)
	}
	if len(page.Reconciliations) > limit {
		page.Reconciliations, page.More = page.Reconciliations[:limit], true
	}
	return page, rows.Err()
}

func (c *comparison) mismatch(f Fact, problem string, args ...any) {
	if len(c.Mismatches) < maxMismatches {
		c.Mismatches = append(c.Mismatches, payments.Mismatch{
			OrderID: f.OrderID, Reference: f.Result.Reference, Key: f.Key, Problem: fmt.Sprintf(problem, args...),
		})
	}
}

// theirs compares each object of the provider with its operation here, and reports whether that was all of them.
func (c *comparison) theirs(ctx context.Context) (whole bool, err error) {
	for cursor := ""; ; {
		page, err := c.till.list(ctx, c.since, cursor)
		if err != nil {
			return false, err
		}
		for _, f := range page.Facts {
			if c.Compared >= maxCompared {
				c.mismatch(Fact{}, "the provider has more than %d operations since then: reconcile since a later time", maxCompared)
				return false, nil
			}
			c.Compared++
			c.seen[f.Key] = true
			if err := c.their(ctx, f); err != nil {
				return false, err
			}
		}
		if cursor = page.Next; cursor == "" {
			return true, nil
		}
	}
}

// their compares one object of the provider. What it knows more than we do is taken over.
func (c *comparison) their(ctx context.Context, f Fact) error {
	if f.frees() {
		return c.freed(ctx, f)
	}
	e, operationID, err := owner(c.till.store.Read(ctx), f)
	if err != nil {
		return err
	}
	if e == nil {
		if f.Result.State != Cancelled { // it was sealed, and never sent
			c.mismatch(f, "the provider has a %s that is not known here: %s", f.Kind, f.Result.State)
		}
		return nil
	}
	if e.operation(operationID).learns(f.Result) {
		var changed bool
		err := c.till.store.Write(ctx, func(tx *gorm.DB) (err error) {
			_, changed, err = c.till.learn(tx, f)
			return err
		})
		if err != nil {
			c.mismatch(f, "what the provider says can't be taken over: %s", err)
			return nil
		}
		if changed && f.Result.definite() {
			c.Settled++
		}
		if e, operationID, err = owner(c.till.store.Read(ctx), f); err != nil {
			return err
		}
	}
	if op := e.operation(operationID); op.Status == disputed {
		if !e.decided() {
			c.mismatch(f, "%v were asked for and %v moved", op.Amount, op.moved)
		}
	} else if problem := op.differs(f.Result); problem != "" {
		c.mismatch(f, "%s", problem)
	}
	return nil
}

// freed compares what the provider says that is free of an authorisation.
func (c *comparison) freed(ctx context.Context, f Fact) error {
	e, err := authorisationOf(c.till.store.Read(ctx), f.Charge)
	if err != nil || e == nil || e.held().Amount == 0 { // one that is not known is reported as a charge
		return err
	}
	var changed bool
	err = c.till.store.Write(ctx, func(tx *gorm.DB) (err error) {
		_, changed, err = c.till.learnVoid(tx, f)
		return err
	})
	switch {
	case err != nil:
		return err
	case changed:
		c.Settled++
	default:
		c.mismatch(f, "%v of the authorisation are free at the provider, and %v are held here", f.Result.Amount, e.held())
	}
	return nil
}

// differs says what of an operation is not as the provider says, "" if it is the same.
func (op *operation) differs(r Result) string {
	switch there := op.status(r); {
	case there == disputed:
		return fmt.Sprintf("%v here, and %v at the provider", op.Amount, r.Amount)
	case there == op.Status, there == payments.OperationPending && op.open():
		return ""
	}
	return fmt.Sprintf("%s here, and %s at the provider", op.Status, r.State)
}

// ours looks for operations here that succeeded and are not on the provider's books.
func (c *comparison) ours(ctx context.Context) error {
	for after := id.Floor("op", c.since); ; {
		found, err := find(c.till.store.Read(ctx), `o.id IN (SELECT id FROM operations WHERE id >= ? AND kind <> 'mark_paid'
			AND status = 'succeeded' AND ended_at < ? ORDER BY id LIMIT ?)`, after, store.Micros(c.At), reverseBatch)
		if err != nil {
			return err
		}
		last := ""
		for _, e := range found {
			for i := range e.ops { // those that matched
				op := &e.ops[i]
				last = max(last, op.ID)
				if c.seen[op.Key] {
					continue
				}
				if err := c.our(ctx, e, op); err != nil {
					return err
				}
			}
		}
		if last == "" {
			return nil
		}
		after = last + " " // the next id after it
	}
}

// our asks for one operation that was not in the list: the provider's clock may differ from ours.
func (c *comparison) our(ctx context.Context, e *entry, op *operation) error {
	problem, err := c.till.disagreement(ctx, e, op)
	if problem != "" {
		c.mismatch(Fact{Kind: op.Kind, Key: op.Key, OrderID: e.OrderID, Result: Result{Reference: op.Reference}}, "%s: %s", op.Kind, problem)
	}
	return err
}

// unmatched reports webhooks that were never about an operation of ours.
func (c *comparison) unmatched(ctx context.Context) error {
	rows, err := c.till.store.Read(ctx).Raw("SELECT event FROM inbox WHERE status = 'unmatched' AND received_at >= ? ORDER BY received_at LIMIT ?",
		store.Micros(c.since), maxMismatches).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var event Event
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &event); err != nil {
			return err
		}
		if !c.seen[event.Key] {
			c.mismatch(event.Fact, "the webhook %s is about no operation here", event.ID)
		}
	}
	return rows.Err()
}

// list asks for a page of the provider's books.
func (t *Till) list(ctx context.Context, since time.Time, cursor string) (page Listing, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.policy.ProviderTimeout)
	defer cancel()
	r, err := t.ask(ctx, "list", &operation{}, func(ctx context.Context) (r Result, err error) {
		page, err = t.provider.List(ctx, since, cursor)
		return Result{State: Pending}, err
	})
	if err == nil && r.State != Pending {
		err = payments.ErrNotSent.Because(r.Cause)
	}
	return page, err
}
