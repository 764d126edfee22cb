package till

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/store"
)

// How long the inbox waits for the operation that a message is about: the message may be faster than our own row. After that no
// operation here is its own, and it is reported by Reconcile.
const (
	firstPause    = time.Second
	longestPause  = 5 * time.Minute
	matchWithin   = time.Hour
	inboxRetained = 30 * 24 * time.Hour // for seeing repetitions; payment services repeat for days
)

// ReceiveWebhook implements payments.Service.
func (t *Till) ReceiveWebhook(ctx context.Context, r payments.WebhookRequest) (payments.WebhookReceipt, error) {
	if r.Provider != t.provider.Name() {
		return payments.WebhookReceipt{}, payments.ErrUnknownProvider
	}
	event, err := t.provider.ParseWebhook(r.Header, r.Body)
	if err == nil && event.ID == "" {
		err = errors.New("an event without an id")
	}
	if err != nil {
		return payments.WebhookReceipt{}, payments.ErrWebhookSignature.Because(err)
	}
	text, err := json.Marshal(event)
	if err != nil {
		return payments.WebhookReceipt{}, err
	}
	receipt := payments.WebhookReceipt{ID: event.ID}
	now := store.Micros(t.now())
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		r := tx.Exec(`INSERT INTO inbox (provider, event_id, event, status, received_at, next_at) VALUES (?, ?, ?, 'waiting', ?, ?)
			ON CONFLICT (provider, event_id) DO NOTHING`, r.Provider, event.ID, string(text), now, now)
		receipt.Duplicate = r.RowsAffected == 0
		return r.Error
	})
	if err != nil {
		return payments.WebhookReceipt{}, err
	}
	select {
	case t.arrived <- struct{}{}:
	default: // it is awake
	}
	return receipt, nil
}

// message is a row of the inbox.
type message struct {
	sequence int64
	event    Event
	attempts int
	received time.Time
}

// WorkInbox does what the oldest message that is due says, and reports whether there was one. It is found in the transaction that does it:
// of several instances each has another one. Most looks find nothing, and cost no commit.
func (t *Till) WorkInbox(ctx context.Context) (worked bool, err error) {
	now := t.clock()
	m, err := dueMessage(t.store.Read(ctx), now)
	if m == nil || err != nil {
		return false, err
	}
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		due, err := dueMessage(tx, now)
		if due == nil || err != nil {
			return err
		}
		m = due
		known, err := t.hear(tx, m.event)
		if err != nil {
			return err
		}
		if !known {
			return m.postpone(tx, now)
		}
		return tx.Exec("UPDATE inbox SET status = 'done' WHERE sequence = ?", m.sequence).Error
	})
	if err != nil { // the ones behind it are not to wait for it
		err = fmt.Errorf("webhook %s: %w", m.event.ID, err)
		err = errors.Join(err, t.store.Write(ctx, func(tx *gorm.DB) error { return m.postpone(tx, now) }))
	}
	return true, err
}

// postpone lets a message wait for its operation, or gives up, unless another instance has done something about it since it was read.
func (m *message) postpone(tx *gorm.DB, now time.Time) error {
	if now.Sub(m.received) >= matchWithin {
		return tx.Exec("UPDATE inbox SET status = 'unmatched', attempts = attempts + 1 WHERE sequence = ? AND status = 'waiting' AND attempts = ?", m.sequence, m.attempts).Error
	}
	pause := min(firstPause<<min(m.attempts, 10), longestPause)
	return tx.Exec("UPDATE inbox SET attempts = attempts + 1, next_at = ? WHERE sequence = ? AND status = 'waiting' AND attempts = ?",
		store.Micros(now.Add(pause)), m.sequence, m.attempts).Error
}

// hear does what a message says, or reports that what it is about is not known here.
func (t *Till) hear(tx *gorm.DB, e Event) (known bool, err error) {
	switch {
	case e.Dispute != nil:
		return t.learnDispute(tx, e.Dispute)
	case e.Result.State == Unknown:
		return true, nil
	}
	if known, _, err = t.learn(tx, e.Fact); known && err == nil && e.Freed != nil {
		known, _, err = t.learnVoid(tx, *e.Freed)
	}
	return known, err
}

// learn applies what a provider tells by itself, if it is about an operation that is known here. The first who needs to hear of
// it reads Changes.
func (t *Till) learn(tx *gorm.DB, f Fact) (known, changed bool, err error) {
	if f.frees() {
		return t.learnVoid(tx, f)
	}
	e, id, err := owner(tx, f)
	if e == nil || err != nil || f.Result.State == Unknown {
		return e != nil, false, err
	}
	if err := obliged("webhook", e.operation(id), f.Result); err != nil {
		return true, false, err
	}
	changed, err = t.advance(tx, e, id, f.Result, true)
	return true, changed, err
}

func dueMessage(db *gorm.DB, now time.Time) (*message, error) {
	var m message
	var text string
	var received int64
	err := db.Raw(`SELECT sequence, event, attempts, received_at FROM inbox WHERE status = 'waiting' AND next_at <= ?
		ORDER BY next_at, sequence LIMIT 1`, store.Micros(now)).Row().Scan(&m.sequence, &text, &m.attempts, &received)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.received = store.Time(received)
	return &m, json.Unmarshal([]byte(text), &m.event)
}

// forget removes messages that are done and too old to be repeated.
func (t *Till) forget(ctx context.Context) error {
	before := store.Micros(t.now().Add(-inboxRetained))
	var old int64
	err := t.store.Read(ctx).Raw("SELECT COUNT(*) FROM inbox WHERE status <> 'waiting' AND received_at < ?", before).Row().Scan(&old)
	if err != nil || old == 0 {
		return err
	}
	return t.store.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("DELETE FROM inbox WHERE status <> 'waiting' AND received_at < ?", before).Error
	})
}
