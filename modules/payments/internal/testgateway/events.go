package testgateway

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/store"
	"cutpoint/platform/webhook"
)

// How a webhook is delivered: again and again after growing pauses, until it is taken, or for three days.
const (
	firstPause     = time.Second
	longestPause   = time.Hour
	deliverWithin  = 3 * 24 * time.Hour
	deliverTimeout = 10 * time.Second
	reorderDelay   = time.Second                    // of the older message behind the newer one
	firstGrace     = time.Second                    // in which the one who took a request delivers its webhook himself
	claimedFor     = deliverTimeout + 5*time.Second // by which a delivery has ended and is written down, or whoever made it is dead
)

// payload is the body of a webhook.
type payload struct {
	Type      string        `json:"type"` // "charge.succeeded"
	Timestamp time.Time     `json:"timestamp"`
	Data      till.Fact     `json:"data"`
	Dispute   *till.Dispute `json:"dispute,omitempty"`
}

// announce leaves a webhook about a request as it is now.
func (g *Gateway) announce(tx *gorm.DB, r *request, copies int, deliverAt time.Time) error {
	body, err := json.Marshal(payload{Type: r.kind + "." + string(r.state), Timestamp: r.changed.UTC(), Data: g.fact(r)})
	if err != nil {
		return err
	}
	return tx.Exec("INSERT INTO events (id, key, body, copies, created_at, deliver_at) VALUES (?, ?, ?, ?, ?, ?)",
		g.newID("whm"), r.key, string(body), copies, store.Micros(g.now()), store.Micros(deliverAt)).Error
}

// announceCharge leaves the webhooks that a token asks for.
func (g *Gateway) announceCharge(tx *gorm.DB, r *request, t token) error {
	copies, at := 1, r.at
	switch t.webhooks {
	case usual, lost:
		return nil
	case first:
		at = at.Add(firstGrace)
	case copied:
		if copies = min(t.n, maxCopies); copies == 0 {
			return nil
		}
	}
	if err := g.announce(tx, r, copies, at); err != nil || t.webhooks != reorder {
		return err
	}
	older := request{kind: r.kind, key: r.key, orderID: r.orderID, reference: r.reference, state: till.Pending, changed: r.at.Add(-reorderDelay)}
	return g.announce(tx, &older, 1, r.at.Add(reorderDelay))
}

// Run settles what is due and delivers webhooks, until ctx is done. It looks for that when it is woken, and every so often.
func (g *Gateway) Run(ctx context.Context, idle time.Duration) {
	till.Loop(ctx, g.due, idle, g.Pump, func(err error) { g.log.WarnContext(ctx, "the test gateway's store failed", "error", err) })
}

func (g *Gateway) wake() {
	select {
	case g.due <- struct{}{}:
	default: // it is awake
	}
}

// Pump settles one charge that is due, or delivers one webhook, and reports whether there was one.
func (g *Gateway) Pump(ctx context.Context) (worked bool, err error) {
	now := g.now()
	r, err := findRequest(g.store.Read(ctx), "settle_at > 0 AND settle_at <= ? ORDER BY settle_at", store.Micros(now))
	if err != nil {
		return false, err
	}
	if r != nil {
		return true, g.settle(ctx, r.key)
	}
	if g.deliver == nil {
		return false, nil
	}
	e, err := findEvent(g.store.Read(ctx), "deliver_at <= ? ORDER BY deliver_at, sequence", store.Micros(now))
	if e == nil || err != nil {
		return false, err
	}
	return true, g.send(ctx, e)
}

// settle decides a pending charge as its token says, and tells of it.
func (g *Gateway) settle(ctx context.Context, key string) error {
	return g.store.Write(ctx, func(tx *gorm.DB) error {
		r, err := findRequest(tx, "key = ? AND state = 'pending'", key)
		if r == nil || err != nil {
			return err
		}
		t := g.token(r.token)
		if t.async == asyncFails {
			r.decline(payments.Failure{Code: "generic_decline", Message: "The bank of the customer refused in the end."})
		} else {
			r.succeed(t)
		}
		if err := g.update(tx, r); err != nil || t.webhooks == lost {
			return err
		}
		return g.announce(tx, r, 1, g.now())
	})
}

// event is a webhook that waits.
type event struct {
	sequence int64
	id, body string
	attempts int
	created  time.Time
	due      int64 // when it was to be delivered
}

func findEvent(db *gorm.DB, where string, args ...any) (*event, error) {
	var e event
	var created int64
	err := db.Raw("SELECT sequence, id, body, attempts, created_at, deliver_at FROM events WHERE "+where+" LIMIT 1", args...).Row().
		Scan(&e.sequence, &e.id, &e.body, &e.attempts, &created, &e.due)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	e.created = store.Time(created)
	return &e, err
}

// send delivers one copy of a webhook, unless another instance does. It is claimed for that; a crash delivers the copy once more when
// the claim has run out, with the same id.
func (g *Gateway) send(ctx context.Context, e *event) error {
	claim := store.Micros(g.now().Add(claimedFor))
	if ours, err := g.claim(ctx, e, claim); err != nil || !ours {
		return err
	}
	within, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	now := g.now()
	failed := g.deliver(within, g.header(e, now), []byte(e.body))
	return g.store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		if failed != nil && now.Sub(e.created) < deliverWithin {
			pause := min(firstPause<<min(e.attempts, 20), longestPause)
			return tx.Exec("UPDATE events SET attempts = attempts + 1, deliver_at = ? WHERE sequence = ? AND deliver_at = ?",
				store.Micros(now.Add(pause)), e.sequence, claim).Error
		}
		r := tx.Exec("UPDATE events SET copies = copies - 1, deliver_at = ? WHERE sequence = ? AND deliver_at = ? AND copies > 1", e.due, e.sequence, claim)
		if r.Error != nil || failed == nil && r.RowsAffected > 0 {
			return r.Error
		}
		return tx.Exec("DELETE FROM events WHERE sequence = ? AND deliver_at = ?", e.sequence, claim).Error
	})
}

// claim puts off a webhook for everybody else, or reports that somebody else did.
func (g *Gateway) claim(ctx context.Context, e *event, until int64) (ours bool, err error) {
	err = g.store.Write(ctx, func(tx *gorm.DB) error {
		changed, err := store.Exec(tx, "UPDATE events SET deliver_at = ? WHERE sequence = ? AND deliver_at = ?", until, e.sequence, e.due)
		ours = changed == 1
		return err
	})
	return ours, err
}

// deliverNow delivers the webhook of a request that was just taken, if its receiver takes it.
func (g *Gateway) deliverNow(ctx context.Context, key string) {
	e, err := findEvent(g.store.Read(ctx), "key = ?", key)
	if e == nil || err != nil || g.deliver == nil {
		return
	}
	_ = g.send(ctx, e) // what was not delivered stays due
}

// header signs a webhook by Standard Webhooks 1.0.
func (g *Gateway) header(e *event, now time.Time) map[string]string {
	return map[string]string{
		"content-type":          "application/json",
		webhook.HeaderID:        e.id,
		webhook.HeaderTimestamp: webhook.Timestamp(now),
		webhook.HeaderSignature: webhook.Sign(g.secret, e.id, now, []byte(e.body)),
	}
}

// ParseWebhook implements till.Provider.
func (g *Gateway) ParseWebhook(header map[string]string, body []byte) (till.Event, error) {
	get := func(name string) string { return header[name] }
	if err := webhook.Verify(g.secret, get, body, g.now(), webhook.DefaultTolerance); err != nil {
		return till.Event{}, err
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return till.Event{}, err
	}
	return till.Event{ID: header[webhook.HeaderID], Type: p.Type, Fact: p.Data, Dispute: p.Dispute}, nil
}
