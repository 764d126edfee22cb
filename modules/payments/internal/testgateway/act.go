package testgateway

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Act implements payments.TestGateway.
func (g *Gateway) Act(ctx context.Context, r payments.ActRequest) (payments.Acted, error) {
	act := g.authenticate
	switch r.Outcome {
	case payments.ActConfirm, payments.ActFail:
	case payments.ActVoid:
		act = g.voidByHand
	case payments.ActReturnRefund:
		act = g.returnRefund
	default:
		return payments.Acted{}, fault.ErrInvalid.At("/outcome", "invalid", "confirm, fail, void or return_refund")
	}
	var acted *request
	err := g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		acted, err = act(tx, r)
		return err
	})
	if err != nil {
		return payments.Acted{}, err
	}
	g.wake()
	return payments.Acted{OrderID: r.OrderID, Reference: acted.reference, Status: string(acted.state)}, nil
}

// authenticate is what a customer was asked to do.
func (g *Gateway) authenticate(tx *gorm.DB, r payments.ActRequest) (*request, error) {
	acted, err := findRequest(tx, "order_id = ? AND action_url <> '' ORDER BY at DESC", r.OrderID)
	if err != nil {
		return nil, err
	}
	if acted == nil {
		return nil, noAction(tx, r.OrderID)
	}
	switch acted.state {
	case till.RequiresAction:
	case till.Cancelled:
		return nil, payments.ErrNoAction.About(r.OrderID)
	default:
		return acted, nil // done before
	}
	if r.Outcome == payments.ActConfirm {
		acted.succeed(g.token(acted.token))
	} else {
		acted.decline(payments.Failure{Code: "authentication_failed", Message: "The customer did not authenticate the payment."})
	}
	if err := g.update(tx, acted); err != nil {
		return nil, err
	}
	return acted, g.announce(tx, acted, 1, g.now())
}

// voidByHand gives free what is left of an authorisation, as somebody in a dashboard does: under no key of the till's.
func (g *Gateway) voidByHand(tx *gorm.DB, r payments.ActRequest) (*request, error) {
	charge, err := findRequest(tx, "order_id = ? AND kind = 'authorise' AND state = 'authorised'", r.OrderID)
	if err != nil {
		return nil, err
	}
	if charge == nil {
		return nil, noAction(tx, r.OrderID)
	}
	before, err := findRequest(tx, "charge = ? AND kind = 'void' AND state = 'succeeded'", charge.reference)
	if before != nil || err != nil {
		return before, err
	}
	p, _, err := positionOf(tx, charge.reference)
	if err != nil {
		return nil, err
	}
	if p.left() == 0 {
		return nil, payments.ErrNoAction.About(r.OrderID)
	}
	void := &request{
		key: g.newID("hand"), kind: payments.OperationVoid, orderID: r.OrderID, charge: charge.reference, asked: money.Of(p.left(), p.currency),
		reference: g.newID("void"), state: till.Succeeded, at: g.now(), changed: g.now(),
	}
	void.moved = void.asked
	if err := void.insert(tx); err != nil {
		return nil, err
	}
	if err := g.book(tx, void); err != nil {
		return nil, err
	}
	return void, g.announce(tx, void, 1, g.now())
}

// refundFailed is how the ledger calls the money of a refund that came back.
const refundFailed = "refund_failed"

// returnRefund is what a customer's bank does that does not take a refund after all: the latest that succeeded.
func (g *Gateway) returnRefund(tx *gorm.DB, r payments.ActRequest) (*request, error) {
	refund, err := findRequest(tx, "order_id = ? AND kind = 'refund' ORDER BY (state = 'succeeded') DESC, at DESC, key DESC", r.OrderID)
	if err != nil {
		return nil, err
	}
	if refund == nil || refund.failure.Code != "" && refund.failure != returned() {
		return nil, noAction(tx, r.OrderID)
	}
	if refund.state != till.Succeeded {
		return refund, nil // done before
	}
	back := refund.moved
	refund.decline(returned())
	if err := g.update(tx, refund); err != nil {
		return nil, err
	}
	err = tx.Exec("INSERT INTO ledger (id, operation, order_id, amount, currency, key, reference, charge, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		g.newID("led"), refundFailed, refund.orderID, back.Amount, back.Currency, refund.key, refund.reference, refund.charge, store.Micros(refund.changed)).Error
	if err != nil {
		return nil, err
	}
	return refund, g.announce(tx, refund, 1, g.now())
}

func returned() payments.Failure {
	return payments.Failure{Code: "lost_or_stolen_card", Message: "The bank of the card sent the refund back."}
}

// noAction says why an order's customer has nothing to do.
func noAction(tx *gorm.DB, orderID string) error {
	var moved int
	if err := tx.Raw("SELECT COUNT(*) FROM ledger WHERE order_id = ?", orderID).Row().Scan(&moved); err != nil {
		return err
	}
	if moved == 0 {
		return payments.ErrNotCharged.About(orderID)
	}
	return payments.ErrNoAction.About(orderID)
}
