package checkout

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/store"
)

const orderColumns = `o.id, o.status, o.currency, o.customer_email, o.customer_id, o.customer_group, o.quote, o.lines, o.totals, o.payment, o.coupon, o.shipping,
	o.failure, o.metadata, o.correlation_id, o.created_at, o.updated_at, o.fulfilment_status, o.erased_at, s.state, s.version`

const sagaColumns = `, o.placed_by, s.since, s.attempts, s.failures, s.ending, s.review_from, s.cancel_requested, s.reason, s.operation_id,
	s.operation_amount, s.reference, s.hold, s.capture, s.payment_token, s.expected_total, s.key_caller, s.key_value, s.steps, s.events,
	s.lease_until`

// scanOrder reads orderColumns, and then what else is selected.
func scanOrder(row interface{ Scan(...any) error }, more ...any) (orders.Order, error) {
	var o orders.Order
	var created, updated, erased int64
	err := row.Scan(append([]any{
		&o.ID, &o.Status, &o.Currency, &o.Customer.Email, &o.Customer.ID, &o.Customer.Group, &o.Quote, document{&o.Lines}, document{&o.Totals},
		document{&o.Payment}, &o.Coupon, document{&o.Shipping}, document{&o.Failure}, document{&o.Metadata}, &o.CorrelationID, &created, &updated,
		&o.FulfilmentStatus, &erased, &o.State, &o.Version,
	}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return o, orders.ErrOrderNotFound
	}
	o.CreatedAt, o.UpdatedAt, o.ErasedAt = store.Time(created), store.Time(updated), timeOrNil(erased)
	return o, err
}

// load reads an order and its saga. Errors: orders.ErrOrderNotFound.
func (c *Checkout) load(db *gorm.DB, orderID string) (*record, error) {
	r := &record{}
	var since, lease int64
	var err error
	r.order, err = scanOrder(
		store.Row(db, "SELECT "+orderColumns+sagaColumns+" FROM orders o JOIN sagas s ON s.order_id = o.id WHERE o.id = ?", orderID),
		&r.placedBy, &since, &r.attempts, &r.failures, &r.ending, &r.reviewFrom, &r.cancelRequested, &r.reason, &r.operationID,
		&r.operationAmount, &r.reference, &r.hold, &r.capture, &r.token, document{&r.expected}, &r.key.Caller, &r.key.Value, &r.steps, &r.events,
		&lease)
	r.since, r.leaseUntil, r.cancelStored = store.Time(since), store.Time(lease), r.cancelRequested
	return r, err
}

// create inserts a new order with its saga.
func (c *Checkout) create(tx *gorm.DB, r *record) error {
	o := &r.order
	r.repriced = false
	if _, err := store.Exec(tx, `INSERT INTO orders (id, status, currency, customer_email, customer_id, customer_group, quote, price_trace, lines,
		totals, payment, coupon, shipping, failure, metadata, placed_by, correlation_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.ID, o.Status, o.Currency, o.Customer.Email, o.Customer.ID, o.Customer.Group, o.Quote, text(r.trace), text(o.Lines), text(o.Totals), text(o.Payment), o.Coupon, text(o.Shipping),
		text(o.Failure), text(o.Metadata), r.placedBy, o.CorrelationID, store.Micros(o.CreatedAt), store.Micros(o.UpdatedAt)); err != nil {
		return err
	}
	if _, err := store.Exec(tx, `INSERT INTO sagas (order_id, state, since, version, lease_owner, lease_until, next_attempt_at, attempts, failures, last_error,
		ending, review_from, cancel_requested, reason, operation_id, operation_amount, reference, hold, capture, payment_token, expected_total,
		key_caller, key_value, steps, events)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?, '', 0, '', '', 0, '', ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.ID, o.State, store.Micros(r.since), o.Version, c.owner, store.Micros(r.leaseUntil), c.due(r, o.CreatedAt),
		r.ending, r.hold, r.capture, r.token, text(r.expected), r.key.Caller, r.key.Value, len(r.entries), len(r.happened)); err != nil {
		return err
	}
	if err := addTerms(tx, o.ID, termsOf(o)); err != nil {
		return err
	}
	return c.append(tx, r)
}

// update stores a record under the fence of its version, and of the wish to cancel, which is written without a new version. The caller
// holds the lease or takes it with this write.
func (c *Checkout) update(tx *gorm.DB, r *record) error {
	o := &r.order
	o.UpdatedAt = c.Now()
	r.settle()
	fenced, err := store.Exec(tx, `UPDATE sagas SET state = ?, since = ?, version = version + 1, lease_owner = ?, lease_until = ?, next_attempt_at = ?,
		attempts = ?, failures = ?, last_error = ?, ending = ?, review_from = ?, cancel_requested = ?, reason = ?, operation_id = ?,
		operation_amount = ?, reference = ?, payment_token = ?, key_caller = ?, key_value = ?, steps = ?, events = ?
		WHERE order_id = ? AND version = ? AND cancel_requested = ?`,
		o.State, store.Micros(r.since), c.owner, store.Micros(r.leaseUntil), c.due(r, o.UpdatedAt),
		r.attempts, r.failures, r.lastError, r.ending, r.reviewFrom, r.cancelRequested, r.reason, r.operationID,
		r.operationAmount, r.reference, r.token, r.key.Caller, r.key.Value, r.steps+int64(len(r.entries)), r.events+int64(len(r.happened)),
		o.ID, o.Version, r.cancelStored)
	if err != nil {
		return err
	}
	if fenced == 0 {
		return errOvertaken
	}
	o.Version++
	r.cancelStored = r.cancelRequested
	if r.repriced { // since it was quoted, which is rare
		if _, err := store.Exec(tx, "UPDATE orders SET lines = ?, totals = ?, price_trace = ? WHERE id = ?",
			text(o.Lines), text(o.Totals), text(r.trace), o.ID); err != nil {
			return err
		}
		r.repriced = false
	}
	if _, err := store.Exec(tx, "UPDATE orders SET status = ?, payment = ?, failure = ?, updated_at = ? WHERE id = ?",
		o.Status, text(o.Payment), text(o.Failure), store.Micros(o.UpdatedAt), o.ID); err != nil {
		return err
	}
	if o.State == cancelled { // parcels that were not sent stay here
		if _, err := store.Exec(tx, "UPDATE fulfilments SET status = 'cancelled', updated_at = ? WHERE order_id = ? AND status = 'created'",
			store.Micros(o.UpdatedAt), o.ID); err != nil {
			return err
		}
	}
	return c.append(tx, r)
}

// settle makes a record fit its state: an order at an end needs no lease, and no token but where a charge may have to be repeated.
func (r *record) settle() {
	r.order.Status = statusOf(&r.order)
	if resting(r.order.State) {
		r.leaseUntil = time.Time{}
		if r.order.State != needsReview {
			r.token = ""
		}
	}
}

// append inserts the steps and the events that are not stored yet.
func (c *Checkout) append(tx *gorm.DB, r *record) error {
	if err := r.appendTimeline(tx); err != nil {
		return err
	}
	return c.appendEvents(tx, r)
}

// due is the next_attempt_at of a record: never for one that rests, else when the sweeper may take it.
func (c *Checkout) due(r *record, now time.Time) int64 {
	switch {
	case resting(r.order.State):
		return 0
	case r.nextAttempt.IsZero():
		return store.Micros(now)
	default:
		return store.Micros(r.nextAttempt)
	}
}

// appendTimeline inserts the entries that are not stored yet.
func (r *record) appendTimeline(tx *gorm.DB) error {
	if len(r.entries) == 0 {
		return nil
	}
	args := make([]any, 0, 10*len(r.entries))
	for i, e := range r.entries {
		args = append(args, r.order.ID, r.steps+int64(i)+1, e.State, e.Module, e.Attempt, store.Micros(e.StartedAt), store.Micros(e.EndedAt),
			e.Outcome, e.Reference, e.CorrelationID)
	}
	rows := strings.Repeat(", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(r.entries))[2:]
	_, err := store.Exec(tx, `INSERT INTO timeline (order_id, step, state, module, attempt, started_at, ended_at, outcome, reference, correlation_id)
		VALUES `+rows, args...)
	if err == nil {
		r.steps += int64(len(r.entries))
		r.entries = nil
	}
	return err
}

// save makes a record durable and extends its lease; where a saga comes to rest it also answers the key that waits for it. A wish to
// cancel that came in the meantime turns the saga here, so that it can't slip in between the decision and its commit.
func (c *Checkout) save(ctx context.Context, r *record) error {
	return c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		token := r.token
		if !r.cancelRequested { // as nearly always: to look first would cost as much as to write
			err := c.put(tx, r)
			if !errors.Is(err, errOvertaken) {
				return err
			}
		}
		if err := seeCancellation(tx, r); err != nil {
			return err
		}
		r.token = token
		c.divert(r)
		return c.put(tx, r)
	})
}

// put stores a record with what goes with its state: the lease, the time of the next attempt, the answer.
func (c *Checkout) put(tx *gorm.DB, r *record) error {
	now := c.Now()
	r.leaseUntil, r.nextAttempt, r.lastError = now.Add(c.policy.Lease), time.Time{}, ""
	if r.order.State == awaitingAction { // nobody need wait with the customer
		r.leaseUntil, r.nextAttempt = time.Time{}, now.Add(c.backoff(awaitingAction, 1))
	}
	if err := c.update(tx, r); err != nil {
		return err
	}
	if !resting(r.order.State) {
		return nil
	}
	return store.AnswerClaim(tx, r.key, r.order)
}

// seeCancellation reads whether the order is to be cancelled, which is written without the lease.
func seeCancellation(tx *gorm.DB, r *record) error {
	err := store.Row(tx, "SELECT cancel_requested, reason FROM sagas WHERE order_id = ?", r.order.ID).Scan(&r.cancelRequested, &r.reason)
	r.cancelStored = r.cancelRequested
	return err
}

// divert turns a saga that is to be cancelled, at a decision that is not stored yet.
func (c *Checkout) divert(r *record) {
	if !r.cancelRequested {
		return
	}
	to := ""
	switch r.order.State {
	case charging:
		r.ending, to = cancelled, releasing
	case completed, awaitingCapture:
		r.startRefund(c.NewID("ref"), cancelled)
		to = refunding
	case awaitingAction:
		to = sealing
	default:
		return
	}
	r.happened = nil // of where the saga would have gone
	r.to(to, c.Now())
}

// park stores how far the saga came and gives the lease back until the next attempt is due.
func (c *Checkout) park(ctx context.Context, r *record, wait time.Duration, cause error) error {
	level := slog.LevelWarn
	if r.order.State == awaitingAction {
		level = slog.LevelDebug // customers take their time
	}
	c.Log.Log(ctx, level, "a step of an order must be repeated", "order", r.order.ID, "state", r.order.State, "attempts", r.attempts, "error", cause)
	r.leaseUntil, r.nextAttempt, r.lastError = time.Time{}, c.Now().Add(wait), cause.Error()
	return c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		if err := seeCancellation(tx, r); err != nil {
			return err
		}
		if r.cancelRequested && turnsBack(r.order.State) {
			r.nextAttempt = c.Now()
		}
		return c.update(tx, r)
	})
}

// claimLease makes this runner the one that advances an order, and returns it. An order that rests needs no lease. It returns
// errOvertaken while another runner holds the lease.
func (c *Checkout) claimLease(ctx context.Context, orderID string) (r *record, err error) {
	err = c.Store.Write(ctx, func(tx *gorm.DB) error {
		if r, err = c.load(tx, orderID); err != nil || resting(r.order.State) {
			return err
		}
		return c.lease(tx, r)
	})
	return r, err
}

// lease takes the lease of an order that was read in this transaction, if nobody holds it.
func (c *Checkout) lease(tx *gorm.DB, r *record) error {
	now := c.Now()
	if r.leaseUntil.After(now) {
		return errOvertaken
	}
	r.leaseUntil = now.Add(c.policy.Lease)
	fenced, err := store.Exec(tx, "UPDATE sagas SET lease_owner = ?, lease_until = ?, version = version + 1 WHERE order_id = ? AND version = ?",
		c.owner, store.Micros(r.leaseUntil), r.order.ID, r.order.Version)
	if err == nil && fenced == 0 {
		return errOvertaken
	}
	r.order.Version++
	return err
}

// text is how a value stands in a column of JSON.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the values of a contract always encode
	}
	return string(b)
}

// document reads a column of JSON.
type document struct{ into any }

// Scan implements sql.Scanner.
func (d document) Scan(column any) error {
	switch c := column.(type) {
	case string:
		return json.Unmarshal([]byte(c), d.into)
	case []byte:
		return json.Unmarshal(c, d.into)
	default:
		return errors.New("not a column of JSON")
	}
}

var _ sql.Scanner = document{}
