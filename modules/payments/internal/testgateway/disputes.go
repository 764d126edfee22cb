package testgateway

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Dispute implements payments.TestGateway: the customer demands what was captured and not given back, or his bank decides.
func (g *Gateway) Dispute(ctx context.Context, r payments.DisputeRequest) (payments.Dispute, error) {
	switch r.Status {
	case payments.DisputeOpen, payments.DisputeWon, payments.DisputeLost:
	default:
		return payments.Dispute{}, fault.ErrInvalid.At("/status", "invalid", "open, won or lost")
	}
	var d till.Dispute
	err := g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		charge, err := findRequest(tx, "order_id = ? AND kind IN ('charge', 'authorise') AND state IN ('succeeded', 'authorised')", r.OrderID)
		if err != nil {
			return err
		}
		if charge == nil {
			return payments.ErrNotCharged.About(r.OrderID)
		}
		d = till.Dispute{Charge: charge.reference, Reason: "fraudulent"}
		err = tx.Raw("SELECT reference, status, amount, currency FROM disputes WHERE charge = ?", charge.reference).Row().
			Scan(&d.Reference, &d.Status, &d.Amount.Amount, &d.Amount.Currency)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return g.openDispute(tx, &d, r)
		case err != nil:
			return err
		case d.Status != payments.DisputeOpen || r.Status == payments.DisputeOpen: // it is repeated
			return nil
		}
		d.Status = r.Status
		if err := tx.Exec("UPDATE disputes SET status = ? WHERE reference = ?", d.Status, d.Reference).Error; err != nil {
			return err
		}
		return g.announceDispute(tx, &d)
	})
	if err != nil {
		return payments.Dispute{}, err
	}
	g.wake()
	return payments.Dispute{Reference: d.Reference, Status: d.Status, Amount: d.Amount, Reason: d.Reason}, nil
}

// openDispute opens a dispute about all that the customer has not got back.
func (g *Gateway) openDispute(tx *gorm.DB, d *till.Dispute, r payments.DisputeRequest) error {
	p, _, err := positionOf(tx, d.Charge)
	if err != nil {
		return err
	}
	left := p.captured - p.refunded
	if left <= 0 || r.Status != payments.DisputeOpen {
		return payments.ErrNotCharged.Saying("there is nothing to dispute, or no dispute to decide").About(r.OrderID)
	}
	d.Reference, d.Status, d.Amount = g.newID("dp"), payments.DisputeOpen, money.Of(left, p.currency)
	err = tx.Exec("INSERT INTO disputes (reference, charge, status, amount, currency) VALUES (?, ?, ?, ?, ?)",
		d.Reference, d.Charge, d.Status, d.Amount.Amount, d.Amount.Currency).Error
	if err != nil {
		return err
	}
	return g.announceDispute(tx, d)
}

// announceDispute leaves a webhook about a dispute as it is now.
func (g *Gateway) announceDispute(tx *gorm.DB, d *till.Dispute) error {
	body, err := json.Marshal(payload{Type: "dispute." + d.Status, Timestamp: g.now().UTC(), Dispute: d})
	if err != nil {
		return err
	}
	return tx.Exec("INSERT INTO events (id, key, body, copies, created_at, deliver_at) VALUES (?, ?, ?, 1, ?, ?)",
		g.newID("whm"), d.Reference, string(body), store.Micros(g.now()), store.Micros(g.now())).Error
}
