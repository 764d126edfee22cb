package checkout

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

// eventOf is the event of the state that was entered just now, or "" for one that is nobody else's business.
func (r *record) eventOf(from string) string {
	switch r.order.State {
	case awaitingAction:
		if r.order.Payment.Action != nil {
			return orders.EventRequiresAction
		}
	case completed:
		switch from {
		case capturing:
			return orders.EventCaptured
		case refundingPart:
			return orders.EventRefunded
		case restocking:
			return ""
		}
		return orders.EventCompleted
	case restocking:
		if from == refundingPart {
			return orders.EventRefunded
		}
	case awaitingCapture:
		if from == capturing {
			return orders.EventCaptured
		}
		return orders.EventCompleted
	case releasing:
		if from == refunding && r.order.Payment.Refunded.Amount > 0 {
			return orders.EventRefunded
		}
	case rejected:
		return orders.EventRejected
	case declined:
		return orders.EventDeclined
	case cancelled:
		return orders.EventCancelled
	case needsReview:
		return orders.EventReview
	}
	return ""
}

// appendEvents inserts what happened since the record was stored: the outbox, in the transaction that makes it true.
func (c *Checkout) appendEvents(tx *gorm.DB, r *record) error {
	if len(r.happened) == 0 {
		return nil
	}
	o := &r.order
	body, at := text(o), store.Micros(o.UpdatedAt)
	args := make([]any, 0, 8*len(r.happened))
	for i, event := range r.happened {
		args = append(args, c.NewID("evt"), event, o.ID, r.events+int64(i)+1, at, o.CorrelationID, r.subject, body)
	}
	rows := strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?)", len(r.happened))[2:]
	_, err := store.Exec(tx, "INSERT INTO events (id, type, order_id, sequence, at, correlation_id, subject, body) VALUES "+rows, args...)
	if err == nil {
		r.events += int64(len(r.happened))
		r.happened, r.subject = nil, ""
	}
	return err
}

// Events implements orders.Service. There is one writer, so positions are committed in their order.
func (c *Checkout) Events(ctx context.Context, req orders.EventsRequest) (orders.EventPage, error) {
	limit := pageSize(req.Limit)
	body := "body"
	if req.Brief {
		body = "'{}'"
	}
	rows, err := c.Store.Read(ctx).Raw("SELECT position, id, type, order_id, sequence, at, correlation_id, subject, "+body+
		" FROM events WHERE position > ? ORDER BY position LIMIT ?", req.After, limit+1).Rows()
	if err != nil {
		return orders.EventPage{}, err
	}
	defer rows.Close()
	page := orders.EventPage{Events: []orders.Event{}}
	for rows.Next() {
		var e orders.Event
		var at int64
		if err := rows.Scan(&e.Position, &e.ID, &e.Type, &e.OrderID, &e.Sequence, &at, &e.CorrelationID, &e.Subject, document{&e.Order}); err != nil {
			return orders.EventPage{}, err
		}
		e.At = store.Time(at)
		if e.Order.FulfilmentStatus == "" && !req.Brief { // written before there were any
			e.Order.FulfilmentStatus = orders.Unfulfilled
		}
		page.Events = append(page.Events, e)
	}
	if len(page.Events) > limit {
		page.Events, page.More = page.Events[:limit], true
	}
	if err := rows.Err(); err != nil {
		return orders.EventPage{}, err
	}
	// Events are deleted from the beginning: a page that goes on where its reader was has missed none. It was read before the mark is,
	// so that none is deleted unseen between the two.
	if len(page.Events) == 0 || page.Events[0].Position != req.After+1 {
		if err := missed(c.Store.Read(ctx), req.After); err != nil {
			return orders.EventPage{}, err
		}
	}
	return page, nil
}
