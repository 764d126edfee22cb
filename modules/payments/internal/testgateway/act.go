package testgateway

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/fault"
)

// Act implements payments.TestGateway.
func (g *Gateway) Act(ctx context.Context, r payments.ActRequest) (payments.Acted, error) {
	if r.Outcome != payments.ActConfirm && r.Outcome != payments.ActFail {
		return payments.Acted{}, fault.ErrInvalid.At("/outcome", "invalid", "confirm or fail")
	}
	var acted *request
	err := g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		if acted, err = findRequest(tx, "order_id = ? AND action_url <> '' ORDER BY at DESC", r.OrderID); err != nil {
			return err
		}
		if acted == nil {
			return noAction(tx, r.OrderID)
		}
		switch acted.state {
		case till.RequiresAction:
		case till.Cancelled:
			return payments.ErrNoAction.About(r.OrderID)
		default:
			return nil // done before
		}
		if r.Outcome == payments.ActConfirm {
			acted.succeed(g.token(acted.token))
		} else {
			acted.decline(payments.Failure{Code: "authentication_failed", Message: "The customer did not authenticate the payment."})
		}
		if err := g.update(tx, acted); err != nil {
			return err
		}
		return g.announce(tx, acted, 1, g.now())
	})
	if err != nil {
		return payments.Acted{}, err
	}
	g.wake()
	return payments.Acted{OrderID: r.OrderID, Reference: acted.reference, Status: string(acted.state)}, nil
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
