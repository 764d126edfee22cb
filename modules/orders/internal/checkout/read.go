package checkout

import (
	"context"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// pageSize is how many rows a page has of which a stranger asked for n.
func pageSize(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// idSlack is more than the time between making an order's id and reading its time of creation.
const idSlack = time.Second

// Order implements orders.Service.
func (c *Checkout) Order(ctx context.Context, req orders.OrderRequest) (orders.Order, error) {
	query := "SELECT " + orderColumns + ", o.price_trace FROM orders o JOIN sagas s ON s.order_id = o.id WHERE o.id = ?"
	args := []any{req.ID}
	if req.PlacedBy != "" {
		query += " AND o.placed_by = ?"
		args = append(args, req.PlacedBy)
	}
	var trace *orders.PriceTrace
	o, err := scanOrder(c.Store.Read(ctx).Raw(query, args...).Row(), document{&trace})
	o.PriceTrace = trace
	return o, err
}

// Sagas implements orders.Service.
func (c *Checkout) Sagas(ctx context.Context, req orders.SagasRequest) (orders.SagaPage, error) {
	live := "next_attempt_at > 0"
	if req.Stuck {
		live += " AND attempts >= 3"
	}
	limit := pageSize(req.Limit)
	// Two conditions joined by OR would use neither's index, and look at every order that there ever was; so would a plain JOIN.
	db := c.Store.Read(ctx)
	rows, err := db.Raw(`SELECT s.order_id, s.state, s.attempts, s.last_error, s.lease_owner, s.lease_until, s.next_attempt_at,
		o.created_at, o.updated_at
		FROM (SELECT order_id FROM sagas WHERE `+live+` UNION SELECT order_id FROM sagas WHERE state = 'needs_review') live
		`+store.On(db, "CROSS JOIN", "JOIN")+` sagas s ON s.order_id = live.order_id JOIN orders o ON o.id = s.order_id ORDER BY s.order_id LIMIT ?`, limit+1).Rows()
	if err != nil {
		return orders.SagaPage{}, err
	}
	defer rows.Close()
	page := orders.SagaPage{Sagas: []orders.Saga{}}
	for rows.Next() {
		var s orders.Saga
		var lease, next, created, updated int64
		if err := rows.Scan(&s.OrderID, &s.State, &s.Attempts, &s.LastError, &s.LeaseOwner, &lease, &next, &created, &updated); err != nil {
			return orders.SagaPage{}, err
		}
		s.LeaseUntil, s.NextAttempt, s.CreatedAt, s.UpdatedAt = timeOrNil(lease), timeOrNil(next), store.Time(created), store.Time(updated)
		page.Sagas = append(page.Sagas, s)
	}
	if len(page.Sagas) > limit {
		page.Sagas, page.More = page.Sagas[:limit], true
	}
	return page, rows.Err()
}

func timeOrNil(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := store.Time(micros)
	return &t
}

// Timeline implements orders.Service.
func (c *Checkout) Timeline(ctx context.Context, req orders.OrderRequest) (orders.Timeline, error) {
	if _, err := c.Order(ctx, req); err != nil {
		return orders.Timeline{}, err
	}
	rows, err := c.Store.Read(ctx).Raw(
		"SELECT state, module, attempt, started_at, ended_at, outcome, reference, correlation_id FROM timeline WHERE order_id = ? ORDER BY step",
		req.ID).Rows()
	if err != nil {
		return orders.Timeline{}, err
	}
	defer rows.Close()
	t := orders.Timeline{Entries: []orders.TimelineEntry{}}
	for rows.Next() {
		var e orders.TimelineEntry
		var started, ended int64
		if err := rows.Scan(&e.State, &e.Module, &e.Attempt, &started, &ended, &e.Outcome, &e.Reference, &e.CorrelationID); err != nil {
			return orders.Timeline{}, err
		}
		e.StartedAt, e.EndedAt = store.Time(started), store.Time(ended)
		t.Entries = append(t.Entries, e)
	}
	return t, rows.Err()
}
