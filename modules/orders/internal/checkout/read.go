package checkout

import (
	"context"
	"strings"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
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
	query := "SELECT " + orderColumns + " FROM orders o JOIN sagas s ON s.order_id = o.id WHERE o.id = ?"
	args := []any{req.ID}
	if req.PlacedBy != "" {
		query += " AND o.placed_by = ?"
		args = append(args, req.PlacedBy)
	}
	return scanOrder(c.Store.Read(ctx).Raw(query, args...).Row())
}

// Orders implements orders.Service.
func (c *Checkout) Orders(ctx context.Context, req orders.OrdersRequest) (orders.OrderPage, error) {
	where, args, err := filters(req)
	if err != nil {
		return orders.OrderPage{}, err
	}
	limit := pageSize(req.Limit)
	rows, err := c.Store.Read(ctx).Raw("SELECT "+orderColumns+" FROM orders o JOIN sagas s ON s.order_id = o.id"+where+
		" ORDER BY o.id DESC LIMIT ?", append(args, limit+1)...).Rows()
	if err != nil {
		return orders.OrderPage{}, err
	}
	defer rows.Close()
	page := orders.OrderPage{Orders: []orders.Order{}}
	for rows.Next() {
		o, err := scanOrder(rows)
		if err != nil {
			return orders.OrderPage{}, err
		}
		page.Orders = append(page.Orders, o)
	}
	if len(page.Orders) > limit {
		page.Orders, page.More = page.Orders[:limit], true
	}
	return page, rows.Err()
}

// filters is the WHERE clause of a list. Since ids sort by time, the dates bound the ids too, and no index on dates is needed.
func filters(req orders.OrdersRequest) (where string, args []any, err error) {
	var conditions []string
	and := func(condition string, values ...any) {
		conditions = append(conditions, condition)
		args = append(args, values...)
	}
	if req.Status != "" {
		switch req.Status {
		case orders.StatusProcessing, orders.StatusRequiresAction, orders.StatusCompleted, orders.StatusRejected, orders.StatusDeclined, orders.StatusCancelled, orders.StatusReview:
		default:
			return "", nil, fault.ErrInvalid.At("query/status", fault.ErrInvalid.Code, "no such status")
		}
		and("o.status = ?", req.Status)
	}
	switch {
	case strings.Contains(req.Customer, "@"):
		and("o.customer_email = ?", req.Customer)
	case req.Customer != "":
		and("o.customer_id = ? AND o.customer_id <> ''", req.Customer)
	}
	if !req.CreatedFrom.IsZero() {
		and("o.created_at >= ? AND o.id >= ?", store.Micros(req.CreatedFrom), id.Floor("ord", req.CreatedFrom.Add(-idSlack)))
	}
	if !req.CreatedTo.IsZero() {
		and("o.created_at < ? AND o.id < ?", store.Micros(req.CreatedTo), id.Floor("ord", req.CreatedTo.Add(idSlack)))
	}
	if req.PlacedBy != "" {
		and("o.placed_by = ?", req.PlacedBy)
	}
	if len(req.IDs) > maxLimit {
		return "", nil, fault.ErrInvalid.At("/ids", fault.ErrInvalid.Code, "at most 200 ids")
	}
	if len(req.IDs) > 0 {
		and("o.id IN ?", req.IDs)
	}
	if req.Before != "" {
		and("o.id < ?", req.Before)
	}
	if len(conditions) > 0 {
		where = " WHERE " + strings.Join(conditions, " AND ")
	}
	return where, args, nil
}

// Sagas implements orders.Service.
func (c *Checkout) Sagas(ctx context.Context, req orders.SagasRequest) (orders.SagaPage, error) {
	where := "s.next_attempt_at > 0 OR s.state = 'needs_review'"
	if req.Stuck {
		where = "(s.next_attempt_at > 0 AND s.attempts >= 3) OR s.state = 'needs_review'"
	}
	limit := pageSize(req.Limit)
	rows, err := c.Store.Read(ctx).Raw(`SELECT s.order_id, s.state, s.attempts, s.last_error, s.lease_owner, s.lease_until, s.next_attempt_at,
		o.created_at, o.updated_at FROM sagas s JOIN orders o ON o.id = s.order_id WHERE `+where+" ORDER BY s.order_id LIMIT ?", limit+1).Rows()
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
