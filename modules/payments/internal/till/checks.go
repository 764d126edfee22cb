package till

import (
	"unicode/utf8"

	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// Bounds of what a stranger may send.
const (
	maxID        = 64
	maxToken     = 255
	maxReason    = 500
	maxReference = 255
)

func checkOrder(orderID string) error {
	if orderID == "" || len(orderID) > maxID {
		return fault.ErrInvalid.At("/order_id", "invalid", "an order id has 1 to 64 bytes")
	}
	return nil
}

func checkAmount(m money.Money) error {
	switch {
	case m.Amount < 1:
		return fault.ErrInvalid.At("/amount/amount", "invalid", "an amount is at least 1 minor unit")
	case money.Check(m.Currency) != nil:
		return fault.ErrInvalid.At("/amount/currency", "invalid", "not an ISO 4217 currency code")
	}
	return nil
}

func checkCharge(r payments.ChargeRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	if err := checkAmount(r.Amount); err != nil {
		return err
	}
	switch {
	case payments.IsCardNumber(r.Token):
		return payments.ErrCardNumber
	case r.Token == "" || len(r.Token) > maxToken:
		return fault.ErrInvalid.At("/token", "invalid", "a token has 1 to 255 bytes")
	case r.Capture != "" && r.Capture != payments.CaptureAutomatic && r.Capture != payments.CaptureManual:
		return fault.ErrInvalid.At("/capture", "invalid", "automatic or manual")
	}
	return nil
}

func checkCapture(r payments.CaptureRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	switch {
	case len(r.CaptureID) > maxID:
		return fault.ErrInvalid.At("/capture_id", "invalid", "a capture id has at most 64 bytes")
	case r.Amount < 0:
		return fault.ErrInvalid.At("/amount", "invalid", "an amount is at least 1 minor unit, or 0 for all that is left")
	}
	return nil
}

func checkSeal(r payments.SealRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	return checkAmount(r.Amount)
}

func checkRefund(r payments.RefundRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	switch {
	case r.RefundID == "" || len(r.RefundID) > maxID:
		return fault.ErrInvalid.At("/refund_id", "invalid", "a refund id has 1 to 64 bytes")
	case r.Amount < 0:
		return fault.ErrInvalid.At("/amount", "invalid", "an amount is at least 1 minor unit, or 0 for all that is left")
	case utf8.RuneCountInString(r.Reason) > maxReason:
		return fault.ErrInvalid.At("/reason", "invalid", "a reason has at most 500 characters")
	}
	return nil
}

func checkVoid(r payments.VoidRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	switch {
	case r.VoidID == "" || len(r.VoidID) > maxID:
		return fault.ErrInvalid.At("/void_id", "invalid", "a void id has 1 to 64 bytes")
	case utf8.RuneCountInString(r.Reason) > maxReason:
		return fault.ErrInvalid.At("/reason", "invalid", "a reason has at most 500 characters")
	}
	return nil
}

func checkMarkPaid(r payments.MarkPaidRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	if r.Reference == "" || len(r.Reference) > maxReference {
		return fault.ErrInvalid.At("/reference", "invalid", "a reference has 1 to 255 bytes")
	}
	return nil
}
