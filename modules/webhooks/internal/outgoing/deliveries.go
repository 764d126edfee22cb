package outgoing

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// maxPage is how many bytes of logs a page holds, so that it fits into a message.
const maxPage = 256 << 10

// states are those that a list can be held to.
var states = []string{webhooks.StatePending, webhooks.StateDelivered, webhooks.StateFailed}

// Deliveries implements webhooks.Service.
func (o *Outgoing) Deliveries(ctx context.Context, r webhooks.DeliveriesRequest) (webhooks.DeliveryPage, error) {
	db := o.Store.Read(ctx)
	if _, err := findEndpoint(db, r.EndpointID); err != nil {
		return webhooks.DeliveryPage{}, err
	}
	where, args := "d.endpoint_id = ?", []any{r.EndpointID}
	if r.State != "" {
		if !slices.Contains(states, r.State) {
			return webhooks.DeliveryPage{}, fault.ErrInvalid.At("/state", fault.ErrInvalid.Code, "is not a state of deliveries")
		}
		where += " AND d.state = '" + r.State + "'" // written out, so that the index of this state is used
	}
	if r.Before != "" {
		where, args = where+" AND d.id < ?", append(args, r.Before)
	}
	limit := limited(r.Limit)
	found, more, err := queryDeliveries(db, limit, where+" ORDER BY d.id DESC LIMIT ?", append(args, limit+1)...)
	return webhooks.DeliveryPage{Deliveries: found, More: more}, err
}

// Delivery implements webhooks.Service.
func (o *Outgoing) Delivery(ctx context.Context, r webhooks.DeliveryRequest) (webhooks.Delivery, error) {
	return findDelivery(o.Store.Read(ctx), r.ID)
}

// Redeliver implements webhooks.Service. What is under way is left alone: it is being sent already.
func (o *Outgoing) Redeliver(ctx context.Context, r webhooks.DeliveryRequest) (webhooks.Delivery, error) {
	d, err := write(ctx, o, func(tx *gorm.DB) (webhooks.Delivery, error) {
		d, err := findDelivery(tx, r.ID)
		if err != nil {
			return d, err
		}
		e, err := findEndpoint(tx, d.EndpointID)
		if err != nil {
			return d, webhooks.ErrDeliveryNotFound // it goes with its endpoint
		}
		if !e.Enabled {
			return d, webhooks.ErrEndpointDisabled
		}
		now := store.Micros(o.Now())
		if err := tx.Exec(`UPDATE deliveries SET state = 'pending', sending = 0, due_at = ?, tries = 0, ended_at = 0
			WHERE id = ? AND (sending = 0 OR due_at <= ?)`, now, d.ID, now).Error; err != nil {
			return d, err
		}
		if err := giveTurn(tx, d.EndpointID, d.OrderID); err != nil {
			return d, err
		}
		return findDelivery(tx, r.ID)
	})
	if err == nil {
		o.nudge()
	}
	return d, err
}

// findDelivery returns one delivery. Errors: webhooks.ErrDeliveryNotFound.
func findDelivery(db *gorm.DB, deliveryID string) (webhooks.Delivery, error) {
	found, _, err := queryDeliveries(db, 1, "d.id = ? AND EXISTS (SELECT 1 FROM endpoints WHERE id = d.endpoint_id AND deleted_at = 0)", deliveryID)
	if err == nil && len(found) == 0 {
		err = webhooks.ErrDeliveryNotFound
	}
	if err != nil {
		return webhooks.Delivery{}, err
	}
	return found[0], nil
}

// queryDeliveries returns the deliveries of which a condition holds, as many as a page takes, and whether there are more.
func queryDeliveries(db *gorm.DB, limit int, where string, args ...any) (page []webhooks.Delivery, more bool, err error) {
	rows, err := db.Raw(`SELECT d.id, d.endpoint_id, d.event_id, v.type, d.order_id, d.sequence, v.correlation_id, d.state, d.attempts, d.log,
		CASE WHEN d.turn = 1 AND d.sending = 0 THEN d.due_at ELSE 0 END, d.created_at, d.ended_at, LENGTH(d.log)
		FROM deliveries d JOIN events v ON v.id = d.event_id WHERE `+where, args...).Rows()
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	page = []webhooks.Delivery{}
	for room := maxPage; rows.Next(); {
		var d webhooks.Delivery
		var next, created, ended int64
		var size int
		if err := rows.Scan(&d.ID, &d.EndpointID, &d.EventID, &d.Type, &d.OrderID, &d.Sequence, &d.CorrelationID, &d.State, &d.AttemptCount,
			document{&d.Attempts}, &next, &created, &ended, &size); err != nil {
			return nil, false, err
		}
		if room -= size; len(page) == limit || room < 0 && len(page) > 0 {
			return page, true, nil
		}
		d.NextAttempt, d.CreatedAt, d.EndedAt = timeOrNone(next), store.Time(created), timeOrNone(ended)
		page = append(page, d)
	}
	return page, false, rows.Err()
}

func timeOrNone(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := store.Time(micros)
	return &t
}
