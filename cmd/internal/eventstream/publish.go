package eventstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"cutpoint/modules/orders"
	"cutpoint/platform/channel"
)

// The headers of a message, besides Nats-Msg-Id, which is the event's id.
const (
	HeaderPosition    = "Cutpoint-Position"       // in the feed of all orders' events
	HeaderOrder       = "Cutpoint-Order-Id"       //
	HeaderSequence    = "Cutpoint-Sequence"       // of this order's events, from 1 and without a gap
	HeaderCorrelation = "Cutpoint-Correlation-Id" //
	HeaderBrief       = "Cutpoint-Brief"          // true: the order was too large for a message and is left out
)

// read asks for the events behind the place: for fewer, down to one, and at last for that one without its order, where they are
// larger than a message of the channel layer may be. If events were deleted before they were published, it says how many, and goes
// on with the oldest that is there.
func (p *Publisher) read(ctx context.Context) (orders.EventPage, error) {
	r := orders.EventsRequest{After: p.place.position, Limit: p.options.Batch}
	for {
		page, err := p.deps.Orders.Events(ctx, r)
		switch {
		case errors.Is(err, orders.ErrEventsPruned) && r.After > 0:
			r.After = 0
			continue
		case errors.Is(err, channel.ErrTooLarge) && !r.Brief:
			r.Limit, r.Brief = max(1, r.Limit/4), r.Limit == 1
			continue
		}
		if err == nil && r.After != p.place.position && len(page.Events) > 0 {
			p.deps.Log.ErrorContext(ctx, "events were deleted before they were published (--keep-events): readers of the stream miss them",
				"stream", p.options.Stream, "missed", page.Events[0].Position-p.place.position-1, "after", p.place.position)
		}
		return page, err
	}
}

// publish sends events, one behind the other, and then waits for the server's word on each. The first says behind which number it
// belongs, all others behind which event too: if one is refused, so are those behind it. Numbers alone would not do: where somebody
// else has put two messages into the stream, the third of ours is expected to be where it would be, without the two before it.
func (p *Publisher) publish(ctx context.Context, events []orders.Event) error {
	sent := make([]jetstream.PubAckFuture, 0, len(events))
	var failed error
	for i, e := range events {
		m, err := p.message(e)
		if err == nil {
			belongs := []jetstream.PublishOpt{
				jetstream.WithMsgID(e.ID), jetstream.WithExpectStream(p.options.Stream),
				jetstream.WithExpectLastSequence(p.place.sequence + uint64(i)), jetstream.WithRetryAttempts(0),
			}
			if i > 0 {
				belongs = append(belongs, jetstream.WithExpectLastMsgID(events[i-1].ID))
			}
			var f jetstream.PubAckFuture
			f, err = p.js.PublishMsgAsync(m, belongs...)
			sent = append(sent, f)
		}
		if err != nil {
			sent, failed = sent[:i], fmt.Errorf("publish the event %s: %w", e.ID, err)
			break
		}
	}
	if err := p.options.Fail.Hit("events.sent"); err != nil {
		return err
	}
	for i, f := range sent {
		if err := p.confirm(ctx, f, events[i]); err != nil {
			return err
		}
	}
	return failed
}

// confirm waits for the server's word on an event, and moves the place.
func (p *Publisher) confirm(ctx context.Context, f jetstream.PubAckFuture, e orders.Event) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-f.Err():
		if taken(err) {
			p.aside = true
			return errTaken
		}
		return fmt.Errorf("publish the event %s: %w", e.ID, err)
	case ack := <-f.Ok():
		if err := p.options.Fail.Hit("events.acknowledged"); err != nil {
			return err
		}
		// Of an event that the stream had already, and that was deleted since, the number is not the last: the next is refused, and the
		// place looked for.
		p.place.position, p.place.sequence = e.Position, ack.Sequence
		return nil
	}
}

// taken reports whether the server refused a message because it belongs behind another one than the last.
func taken(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant, wrongLastMessage:
		return true
	}
	return false
}

// wrongLastMessage is the server's error code of a message that belongs behind another one by its id (nats-server, errors.json).
const wrongLastMessage jetstream.ErrorCode = 10070

// message is an event as it is published: the body is what GET /v1/events shows of it. One that is too large for the stream goes
// without its order, so that the events behind it need not wait for ever.
func (p *Publisher) message(e orders.Event) (*nats.Msg, error) {
	m := nats.NewMsg(p.options.Prefix + ".events." + e.Type)
	m.Header.Set(HeaderPosition, strconv.FormatInt(e.Position, 10))
	m.Header.Set(HeaderOrder, e.OrderID)
	m.Header.Set(HeaderSequence, strconv.FormatInt(e.Sequence, 10))
	m.Header.Set(HeaderCorrelation, e.CorrelationID)
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if m.Data = body; e.Order.ID != "" && m.Size()+headroom <= p.room {
		return m, nil
	}
	m.Header.Set(HeaderBrief, "true")
	m.Data, err = json.Marshal(brief{
		ID: e.ID, Position: e.Position, Type: e.Type, OrderID: e.OrderID, Sequence: e.Sequence, At: e.At, CorrelationID: e.CorrelationID, Subject: e.Subject,
	})
	return m, err
}

// brief is an event without its order.
type brief struct {
	ID            string    `json:"id"`
	Position      int64     `json:"position"`
	Type          string    `json:"type"`
	OrderID       string    `json:"order_id"`
	Sequence      int64     `json:"sequence"`
	At            time.Time `json:"at"`
	CorrelationID string    `json:"correlation_id"`
	Subject       string    `json:"subject,omitempty"`
}

// headroom is what the headers that the client adds take, at most: id, stream and sequence.
const headroom = 512
