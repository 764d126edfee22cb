package outgoing

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/store"
	"cutpoint/platform/webhook"
)

// attempt is one try to deliver something.
type attempt struct {
	deliveryID string
	endpointID string
	number     int64 // of all attempts of this delivery: whoever claims it next has another one
	tries      int64 // of these since it became pending, this one included
	due        int64 // when it was to be made
	started    time.Time

	eventID     string
	correlation string
	payload     []byte
	url         string
	secrets     secrets
}

// Dispatch makes one attempt of one delivery that is due, and reports whether there was one. An attempt that ctx cuts off is not
// counted, and made again at once by whoever dispatches next.
//
//	claim    in a transaction: this attempt is under way until its claim runs out
//	         <- a crash: the delivery is due again when the claim has run out
//	Post     no transaction is open
//	         <- a crash: the same, so the receiver sees the event twice, with one id
//	record   in a transaction: the outcome, and the next event of the order gets its turn
func (o *Outgoing) Dispatch(ctx context.Context) (found bool, err error) {
	a, err := o.claim(ctx)
	if a == nil || err != nil {
		return false, err
	}
	o.nudge() // there may be more, for another worker
	answer, failure, err := o.send(ctx, a)
	switch {
	case errors.Is(err, errNotWanted):
		return true, o.release(ctx, a)
	case err != nil:
		return true, errors.Join(err, o.release(ctx, a))
	case failure != nil && ctx.Err() != nil:
		return true, o.release(ctx, a)
	}
	return true, o.record(ctx, a, answer, failure)
}

// claim takes the delivery that has been due longest at the endpoint with the fewest attempts under way, or returns nil where
// nothing is due. Most looks find nothing, and cost no commit.
func (o *Outgoing) claim(ctx context.Context) (*attempt, error) {
	if at, err := o.choose(o.Store.Read(ctx)); at == "" || err != nil {
		return nil, err
	}
	return write(ctx, o, func(tx *gorm.DB) (*attempt, error) {
		at, err := o.choose(tx)
		if at == "" || err != nil {
			return nil, err
		}
		a := &attempt{endpointID: at, started: o.clock()}
		now := store.Micros(a.started)
		if err := tx.Raw(`SELECT id, attempts + 1, tries + 1, due_at FROM deliveries WHERE endpoint_id = ? AND turn = 1 AND due_at <= ?
			ORDER BY due_at, id LIMIT 1`, at, now).Row().Scan(&a.deliveryID, &a.number, &a.tries, &a.due); err != nil {
			return nil, err
		}
		if err := tx.Exec("UPDATE deliveries SET sending = 1, attempts = ?, tries = ?, due_at = ? WHERE id = ?",
			a.number, a.tries, store.Micros(a.started.Add(o.policy.claim())), a.deliveryID).Error; err != nil {
			return nil, err
		}
		return a, nil
	})
}

// choose returns the endpoint to send to next, "" for none. It is two looks at indexes for each endpoint. Attempts of all instances
// count, until their claims run out.
func (o *Outgoing) choose(db *gorm.DB) (string, error) {
	var chosen string
	now := store.Micros(o.Now())
	err := db.Raw(`SELECT id FROM (SELECT id,
			(SELECT due_at FROM deliveries WHERE endpoint_id = endpoints.id AND turn = 1 ORDER BY due_at LIMIT 1) AS due,
			(SELECT COUNT(*) FROM deliveries WHERE endpoint_id = endpoints.id AND sending = 1 AND due_at > ?) AS under_way
		FROM endpoints WHERE enabled = 1 AND deleted_at = 0) AS waiting
		WHERE due <= ? AND under_way < ? ORDER BY under_way, due, id LIMIT 1`, now, now, o.policy.PerEndpoint).Row().Scan(&chosen)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return chosen, err
}

// send posts what was claimed. failure is the receiver's or the network's; err is ours, and says that nothing was sent.
func (o *Outgoing) send(ctx context.Context, a *attempt) (answer Answer, failure, err error) {
	if err := o.load(ctx, a); err != nil {
		return Answer{}, nil, err
	}
	signature, err := a.secrets.sign(a.eventID, a.started, a.payload)
	if err != nil {
		return Answer{}, nil, err
	}
	header := map[string]string{
		"Content-Type":          "application/json",
		webhook.HeaderID:        a.eventID,
		webhook.HeaderTimestamp: webhook.Timestamp(a.started),
		webhook.HeaderSignature: signature,
	}
	if a.correlation != "" {
		header["X-Correlation-ID"] = a.correlation
	}
	ctx, cancel := context.WithTimeout(ctx, o.policy.Timeout)
	defer cancel()
	answer, failure = o.Post(ctx, Request{URL: a.url, Header: header, Body: a.payload})
	return answer, failure, nil
}

// errNotWanted says that the endpoint was disabled or deleted after its delivery was claimed.
var errNotWanted = errors.New("the endpoint takes no deliveries any more")

// load reads what is sent, and where to. It is read outside the claim, since the writer has better things to do.
func (o *Outgoing) load(ctx context.Context, a *attempt) error {
	err := o.Store.Read(ctx).Raw(`SELECT v.id, v.correlation_id, v.payload, e.url, e.secrets FROM deliveries d
		JOIN events v ON v.id = d.event_id JOIN endpoints e ON e.id = d.endpoint_id
		WHERE d.id = ? AND e.enabled = 1 AND e.deleted_at = 0`, a.deliveryID).Row().
		Scan(&a.eventID, &a.correlation, &a.payload, &a.url, document{&a.secrets})
	if errors.Is(err, sql.ErrNoRows) {
		return errNotWanted
	}
	return err
}

// release gives back a claim of which nothing became.
func (o *Outgoing) release(ctx context.Context, a *attempt) error {
	return o.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		return tx.Exec("UPDATE deliveries SET sending = 0, tries = tries - 1, due_at = ? WHERE id = ? AND attempts = ? AND state = ?",
			a.due, a.deliveryID, a.number, webhooks.StatePending).Error
	})
}
