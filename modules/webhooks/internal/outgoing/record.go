package outgoing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/store"
)

// statusGone is how a receiver says that it wants no more (RFC 9110, section 15.5.11).
const statusGone = 410

// maxError bounds what the log keeps of an error, in bytes.
const maxError = 300

// Reasons for which an endpoint is disabled.
const (
	goneReason    = "it answered 410 Gone"
	failingReason = "every delivery has failed since %s"
)

// outcome is what an attempt means for its delivery.
type outcome struct {
	state string        // pending: try again
	wait  time.Duration // before that
	gone  bool          // the endpoint wants nothing any more
	entry webhooks.Attempt
}

// judge turns an answer, or the lack of one, into an outcome. Only 2xx is success: a redirect is a wrong address, since a
// receiver of signed messages has no business sending them elsewhere.
func (o *Outgoing) judge(a *attempt, answer Answer, failure error) outcome {
	r := outcome{state: webhooks.StateDelivered, entry: webhooks.Attempt{
		At: a.started, DurationMS: o.Now().Sub(a.started).Milliseconds(), StatusCode: answer.StatusCode,
		Answer: shorten(string(answer.Body), webhooks.MaxAnswer),
	}}
	switch {
	case failure != nil:
		r.entry.Error = shorten(failure.Error(), maxError)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		r.entry.Error = fmt.Sprintf("answered %d", answer.StatusCode)
	default:
		return r
	}
	r.state = webhooks.StateFailed
	if r.gone = answer.StatusCode == statusGone; r.gone {
		return r
	}
	if wait, ok := o.policy.wait(a.tries, o.Random()); ok {
		r.state, r.wait = webhooks.StatePending, wait
	}
	return r
}

// record stores what came of an attempt. An attempt whose claim had run out, so that another one was begun, writes nothing.
func (o *Outgoing) record(ctx context.Context, a *attempt, answer Answer, failure error) error {
	r := o.judge(a, answer, failure)
	err := o.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		var orderID string
		var erased bool
		var log []webhooks.Attempt
		err := tx.Raw("SELECT order_id, erased, log FROM deliveries WHERE id = ? AND attempts = ? AND state = 'pending'", a.deliveryID, a.number).
			Row().Scan(&orderID, &erased, document{&log})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if erased { // perhaps while this attempt was under way, with what is gone now
			r.entry.Answer = ""
		}
		log = append(log, r.entry)
		log = log[max(0, len(log)-webhooks.MaxAttempts):]
		if err := o.settle(tx, a, r, log); err != nil {
			return err
		}
		if r.state != webhooks.StatePending {
			if err := giveTurn(tx, a.endpointID, orderID); err != nil {
				return err
			}
		}
		return o.grade(tx, a, r)
	})
	if err == nil && r.state != webhooks.StatePending {
		o.nudge() // the order's next event may be waiting
	}
	return err
}

// settle stores the outcome at the delivery.
func (o *Outgoing) settle(tx *gorm.DB, a *attempt, r outcome, log []webhooks.Attempt) error {
	now := o.Now()
	if r.state == webhooks.StatePending {
		return tx.Exec("UPDATE deliveries SET sending = 0, due_at = ?, log = ? WHERE id = ?",
			store.Micros(now.Add(r.wait)), text(log), a.deliveryID).Error
	}
	return tx.Exec("UPDATE deliveries SET state = ?, sending = 0, turn = 0, due_at = 0, log = ?, ended_at = ? WHERE id = ?",
		r.state, text(log), store.Micros(now), a.deliveryID).Error
}

// giveTurn sees to it that of an order's pending events at an endpoint the first alone is sent.
func giveTurn(tx *gorm.DB, endpointID, orderID string) error {
	return tx.Exec(`UPDATE deliveries SET turn = CASE WHEN sequence = (SELECT MIN(sequence) FROM deliveries WHERE endpoint_id = ? AND order_id = ?
		AND state = 'pending') THEN 1 ELSE 0 END WHERE endpoint_id = ? AND order_id = ? AND state = 'pending'`, endpointID, orderID, endpointID, orderID).Error
}

// grade remembers at the endpoint whether it works, and disables one that has failed for too long or is gone. Failures that lie
// far apart, with nothing tried in between, are not one long failure.
func (o *Outgoing) grade(tx *gorm.DB, a *attempt, r outcome) error {
	if r.state == webhooks.StateDelivered {
		return tx.Exec("UPDATE endpoints SET failing_since = 0, failed_at = 0 WHERE id = ? AND failing_since > 0", a.endpointID).Error
	}
	now := o.Now()
	if r.gone {
		return o.disable(tx, a.endpointID, goneReason)
	}
	var since int64
	if err := tx.Raw(`UPDATE endpoints SET failed_at = ?, failing_since = CASE WHEN failing_since = 0 OR failed_at < ? THEN ? ELSE failing_since END
		WHERE id = ? RETURNING failing_since`, store.Micros(now), store.Micros(now.Add(-o.policy.quiet())), store.Micros(now), a.endpointID).
		Row().Scan(&since); err != nil {
		return err
	}
	if since > store.Micros(now.Add(-o.policy.DisableAfter)) {
		return nil
	}
	return o.disable(tx, a.endpointID, fmt.Sprintf(failingReason, store.Time(since).Format(time.RFC3339)))
}

func (o *Outgoing) disable(tx *gorm.DB, endpointID, reason string) error {
	return tx.Exec("UPDATE endpoints SET enabled = 0, disabled_reason = ?, version = version + 1, updated_at = ? WHERE id = ? AND enabled = 1",
		reason, store.Micros(o.Now()), endpointID).Error
}

// shorten cuts a text to a number of bytes, and leaves out what is not UTF-8.
func shorten(s string, bytes int) string {
	return strings.ToValidUTF8(s[:min(len(s), bytes)], "")
}
