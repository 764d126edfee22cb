package outgoing

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/channel"
	"cutpoint/platform/store"
)

// enabled are the endpoints that are told of new events.
const enabled = "deleted_at = 0 AND enabled = 1 ORDER BY id"

// Collect reads the next page of the feed and stores what endpoints want of it. It reports whether there was anything. A page
// that was read twice is stored once: the cursor is compared in the transaction that moves it.
func (o *Outgoing) Collect(ctx context.Context) (found bool, err error) {
	var cursor int64
	if err := o.Store.Read(ctx).Raw("SELECT position FROM cursor").Row().Scan(&cursor); err != nil {
		return false, err
	}
	wanting, err := queryEndpoints(o.Store.Read(ctx), enabled)
	if err != nil {
		return false, err
	}
	brief := len(wanting) == 0 // nobody will be told: the feed is read to keep the place in it
	page, err := o.read(ctx, cursor, brief)
	if err != nil || len(page.Events) == 0 {
		return false, err
	}
	wanted := 0
	err = o.Store.Write(ctx, func(tx *gorm.DB) error {
		endpoints, err := queryEndpoints(tx, enabled)
		if err != nil || brief && len(endpoints) > 0 { // one was added meanwhile: read the page again
			return err
		}
		moved := tx.Exec("UPDATE cursor SET position = ? WHERE position = ?", page.Events[len(page.Events)-1].Position, cursor)
		if moved.Error != nil || moved.RowsAffected == 0 {
			return moved.Error // somebody else has stored this page
		}
		for _, e := range page.Events {
			if e.Type == orders.EventErased {
				if err := erase(tx, e); err != nil {
					return err
				}
			}
			n, err := o.keep(tx, e, endpoints)
			if err != nil {
				return err
			}
			wanted += n
		}
		return nil
	})
	if err == nil && wanted > 0 {
		o.nudge()
	}
	return err == nil, err
}

// read asks for the events after a position: for fewer, down to one, where a page is larger than a message may be. If events were
// deleted before they were read here, nobody can be told of them: it says so, and goes on with the oldest that is there.
func (o *Outgoing) read(ctx context.Context, after int64, brief bool) (orders.EventPage, error) {
	limit := o.policy.CollectBatch
	for {
		page, err := o.Orders.Events(ctx, orders.EventsRequest{After: after, Limit: limit, Brief: brief})
		if errors.Is(err, orders.ErrEventsPruned) && after > 0 {
			o.Log.ErrorContext(ctx, "events were deleted before webhooks had read them: endpoints are not told of them", "after", after, "error", err)
			after = 0
			continue
		}
		if !errors.Is(err, channel.ErrTooLarge) || limit == 1 {
			return page, err
		}
		limit = max(1, limit/4)
	}
}

// keep stores an event with a delivery for each endpoint that wants it, and returns how many want it. An event that is there already
// is not stored again: the cursor sees to that, and the store's own keys are the second wall.
func (o *Outgoing) keep(tx *gorm.DB, e orders.Event, endpoints []endpoint) (wanted int, err error) {
	for _, to := range endpoints {
		if len(to.EventTypes) > 0 && !slices.Contains(to.EventTypes, e.Type) {
			continue
		}
		if wanted++; wanted == 1 {
			if err := insertEvent(tx, e); err != nil {
				return 0, err
			}
		}
		now := store.Micros(o.Now())
		if err := tx.Exec(`INSERT INTO deliveries (id, endpoint_id, event_id, order_id, sequence, state, turn, sending, due_at, attempts, tries,
			log, created_at, ended_at) SELECT ?, ?, ?, ?, ?, 'pending',
			CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = ? AND order_id = ? AND state = 'pending') THEN 0 ELSE 1 END, 0, ?, 0, 0, '[]', ?, 0
			WHERE TRUE ON CONFLICT (event_id, endpoint_id) DO NOTHING`,
			o.NewID("whd"), to.ID, e.ID, e.OrderID, e.Sequence, to.ID, e.OrderID, now, now).Error; err != nil {
			return 0, err
		}
	}
	return wanted, nil
}

// payload is what a receiver gets, in the members that the specification recommends.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      content   `json:"data"`
}

type content struct {
	EventID       string       `json:"event_id"`
	OrderID       string       `json:"order_id"`
	Sequence      int64        `json:"sequence"` // of this order's events, from 1 and without a gap
	Position      int64        `json:"position"` // in the feed of all orders' events
	CorrelationID string       `json:"correlation_id"`
	Order         orders.Order `json:"order"` // as it was then
}

// insertEvent encodes the event once, so that every attempt sends the same bytes. They are no more than a message of the channel
// layer holds, which brought them.
func insertEvent(tx *gorm.DB, e orders.Event) error {
	body, err := json.Marshal(payload{
		Type: e.Type, Timestamp: e.At.UTC(),
		Data: content{EventID: e.ID, OrderID: e.OrderID, Sequence: e.Sequence, Position: e.Position, CorrelationID: e.CorrelationID, Order: e.Order},
	})
	if err != nil {
		return err
	}
	return tx.Exec("INSERT INTO events (id, position, type, order_id, sequence, correlation_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		e.ID, e.Position, e.Type, e.OrderID, e.Sequence, e.CorrelationID, string(body)).Error
}
