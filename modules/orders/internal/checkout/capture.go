package checkout

import (
	"context"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Capture implements orders.Service. Each capture has a key of its own at payments. What a final one leaves is free; what the others
// leave open ends with the authorisation, also where the order is cancelled after a part was taken.
func (c *Checkout) Capture(ctx context.Context, req orders.CaptureRequest) (orders.Placement, error) {
	return c.command(ctx, req.Key, req.ID, func(_ *gorm.DB, r *record) (bool, error) {
		err := mayCapture(r)
		if err == nil {
			err = r.startCapture(c.NewID("cap"), req.Amount, req.Final)
		}
		if err != nil {
			return false, fault.From(err).About(r.order.ID)
		}
		r.to(capturing, c.Now())
		return true, nil
	})
}

// mayCapture reports why no capture of an order can start now.
func mayCapture(r *record) error {
	switch {
	case r.order.State == awaitingCapture:
		return nil
	case !resting(r.order.State):
		return orders.ErrBusy
	}
	return orders.ErrNotCapturable
}

// startCapture prepares that an amount is taken, or all that is left, and decides where the order goes after it.
func (r *record) startCapture(operationID string, asked *money.Money, final bool) error {
	left := r.order.Totals.Total.Amount - r.order.Payment.Captured.Amount
	r.operationID, r.operationAmount, r.ending = operationID, 0, completed
	switch {
	case asked == nil:
		return nil
	case asked.Currency != r.order.Currency:
		return fault.ErrInvalid.At("/amount/currency", fault.ErrInvalid.Code, "differs from the currency of the order")
	case asked.Amount < 1:
		return fault.ErrInvalid.At("/amount/amount", fault.ErrInvalid.Code, "an amount is at least 1 minor unit")
	case asked.Amount > left:
		return orders.ErrCaptureAmount.Saying("%v is more than the %v that are left of what was authorised", *asked, money.Of(left, asked.Currency))
	}
	r.operationAmount = asked.Amount
	if final || asked.Amount == left {
		return nil
	}
	if !r.order.Payment.Multicapture {
		return orders.ErrOneCapture
	}
	r.ending = awaitingCapture
	return nil
}

// capture takes what was decided. A saga from before there were parts has neither key nor ending: it takes all, and completes.
func (c *Checkout) capture(ctx context.Context, r *record) (move, error) {
	final := r.ending != awaitingCapture
	payment, err := c.Payments.Capture(ctx, payments.CaptureRequest{
		OrderID: r.order.ID, CaptureID: r.operationID, Amount: r.operationAmount, Final: final,
	})
	if err != nil {
		return undecided(err)
	}
	r.setPayment(payment)
	switch {
	case payment.Failure != nil || payment.Status != payments.StatusSucceeded: // it had succeeded if a part was taken before
		return fail(needsReview, because(payments.ErrCaptureDeclined, payment.Failure)), nil
	case final:
		return move{to: completed, reference: payment.ID}, nil
	}
	return move{to: awaitingCapture, reference: payment.ID}, nil
}
