package stripe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v86"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/money"
)

// errUnread is an answer that says nothing: a proxy's, perhaps.
var errUnread = errors.New("stripe: an answer that can't be read")

// answer is what became of an instruction, by the intent that Stripe answered with.
func (a *Adapter) answer(ctx context.Context, request string, i *stripe.PaymentIntent, err error, read func(*stripe.PaymentIntent) till.Result) (till.Result, error) {
	if request == "retrieve" && err != nil {
		return a.unanswered(ctx, request, err)
	}
	var e *stripe.Error
	if errors.As(err, &e) && e.HTTPStatusCode == http.StatusBadRequest && e.Code == stripe.ErrorCodePaymentIntentUnexpectedState && e.PaymentIntent != nil {
		if r := read(e.PaymentIntent); r.State != till.NotFound { // it is what it is already
			return r, nil
		}
	}
	if err != nil {
		return a.failure(ctx, request, err)
	}
	r := read(i)
	if r.State == till.NotFound && request != "retrieve" { // done, and yet not done
		r = till.Result{Reference: r.Reference, Cause: errUnread}
	}
	return r, nil
}

// confirmed is what an intent says of the charge or authorisation that it was made for. One that was never confirmed is not
// found, and that is certain: an intent by its id is seen as it is.
func confirmed(kind string, i *stripe.PaymentIntent) till.Result {
	r := till.Result{Reference: i.ID}
	charged := i.LatestCharge != nil && i.LatestCharge.Status == stripe.ChargeStatusSucceeded
	manual := kind == payments.OperationAuthorise
	switch i.Status {
	case stripe.PaymentIntentStatusSucceeded:
		r.State, r.Amount = till.Succeeded, fromStripe(i.AmountReceived, i.Currency)
	case stripe.PaymentIntentStatusRequiresCapture:
		r.State = till.Authorised
	case stripe.PaymentIntentStatusCanceled:
		r.State = till.Cancelled
		if charged && manual {
			r.State = till.Authorised // and voided, which is another operation
		}
	case stripe.PaymentIntentStatusProcessing:
		r.State = till.Pending
	case stripe.PaymentIntentStatusRequiresAction:
		r.State, r.Action = till.RequiresAction, actionOf(i)
	case stripe.PaymentIntentStatusRequiresPaymentMethod, stripe.PaymentIntentStatusRequiresConfirmation:
		r.State, r.Certain = till.NotFound, true
		if i.LastPaymentError != nil {
			r.State, r.Certain, r.Failure = till.Declined, false, declined(i.LastPaymentError)
		}
	default:
		return till.Result{Cause: errUnread}
	}
	if manual && (r.State == till.Succeeded || r.State == till.Authorised) {
		r.State, r.Amount = till.Authorised, fromStripe(i.Amount, i.Currency)
		r.Until, r.Multicapture = terms(i)
	}
	return readable(r)
}

// terms are until when an authorisation can be captured, and whether more than once.
func terms(i *stripe.PaymentIntent) (until time.Time, multicapture bool) {
	if i.LatestCharge == nil || i.LatestCharge.PaymentMethodDetails == nil || i.LatestCharge.PaymentMethodDetails.Card == nil {
		return time.Time{}, false
	}
	card := i.LatestCharge.PaymentMethodDetails.Card
	if card.CaptureBefore > 0 {
		until = time.Unix(card.CaptureBefore, 0).UTC()
	}
	return until, card.Multicapture != nil && card.Multicapture.Status == stripe.ChargePaymentMethodDetailsCardMulticaptureStatusAvailable
}

func actionOf(i *stripe.PaymentIntent) payments.Action {
	if i.NextAction == nil || i.NextAction.RedirectToURL == nil {
		return payments.Action{Type: "provider"} // nothing that a shop could show; it ends when it is sealed
	}
	return payments.Action{Type: "redirect", URL: i.NextAction.RedirectToURL.URL}
}

// captured is what an intent says of one of its captures. A capture that nobody else's key stands for, made by hand perhaps, is
// taken for this one.
func captured(key string, i *stripe.PaymentIntent) till.Result {
	if own, known := i.Metadata[metaCapture+key]; known {
		amount, err := strconv.ParseInt(own, 10, 64)
		if err != nil {
			return till.Result{Cause: errUnread}
		}
		return readable(till.Result{State: till.Succeeded, Reference: i.ID, Amount: fromStripe(amount, i.Currency)})
	}
	switch i.Status {
	case stripe.PaymentIntentStatusRequiresCapture:
		return till.Result{State: till.NotFound, Certain: true}
	case stripe.PaymentIntentStatusSucceeded:
		if left := i.AmountReceived - byKeys(i); left > 0 {
			return readable(till.Result{State: till.Succeeded, Reference: i.ID, Amount: fromStripe(left, i.Currency)})
		}
		return till.Result{State: till.Declined, Reference: i.ID, Failure: payments.Failure{Code: "nothing_to_capture", Message: "The rest was given free before."}}
	case stripe.PaymentIntentStatusCanceled:
		return till.Result{State: till.Declined, Reference: i.ID, Failure: payments.Failure{Code: "authorisation_ended", Message: "The authorisation has expired or was voided."}}
	}
	return till.Result{Cause: errUnread}
}

// byKeys adds up what captures of ours took.
func byKeys(i *stripe.PaymentIntent) (sum int64) {
	for name, value := range i.Metadata {
		if amount, err := strconv.ParseInt(value, 10, 64); err == nil && strings.HasPrefix(name, metaCapture) {
			sum += amount
		}
	}
	return sum
}

// voided is what an intent says of giving its authorisation free, or what captures left of it. A void has a reference once it has
// succeeded, also one of the dashboard, which has no key.
func voided(i *stripe.PaymentIntent, key, reference string) till.Result {
	_, own := i.Metadata[metaVoid+key]
	if own = own || reference != ""; i.Status == stripe.PaymentIntentStatusCanceled || own && i.Status == stripe.PaymentIntentStatusSucceeded {
		return readable(till.Result{State: till.Succeeded, Reference: i.ID, Amount: fromStripe(i.Amount-i.AmountReceived, i.Currency)})
	}
	switch i.Status {
	case stripe.PaymentIntentStatusRequiresCapture:
		return till.Result{State: till.NotFound, Certain: true}
	case stripe.PaymentIntentStatusSucceeded:
		return till.Result{State: till.Declined, Reference: i.ID, Failure: payments.Failure{Code: "nothing_to_void", Message: "The payment was captured before."}}
	}
	return till.Result{Cause: errUnread}
}

func refunded(r *stripe.Refund) till.Result {
	switch r.Status {
	case stripe.RefundStatusSucceeded:
		return readable(till.Result{State: till.Succeeded, Reference: r.ID, Amount: fromStripe(r.Amount, r.Currency)})
	case stripe.RefundStatusPending, stripe.RefundStatusRequiresAction:
		return till.Result{State: till.Pending, Reference: r.ID}
	case stripe.RefundStatusFailed, stripe.RefundStatusCanceled:
		code := string(r.FailureReason)
		if code == "" {
			code = "refund_" + string(r.Status)
		}
		return till.Result{State: till.Declined, Reference: r.ID, Failure: payments.Failure{Code: code, Message: "The refund did not reach the customer."}}
	}
	return till.Result{Cause: errUnread}
}

// readable makes an amount that does not exist in our currency an answer that can't be read.
func readable(r till.Result) till.Result {
	if (r.State == till.Succeeded || r.State == till.Authorised) && r.Amount == (money.Money{}) {
		return till.Result{Reference: r.Reference, Cause: errUnread}
	}
	return r
}

// failure is what an error of Stripe says of what was asked for:
//
//	402                       declined
//	idempotency_error         a fault of ours: the same key with another request
//	400, 401, 403, 404        definite, and a fault of ours: nothing moved, nothing will
//	429                       not executed
//	409                       the same key is at work: look it up
//	5xx, timeout, reset, ...  nobody knows
//	connection refused        never left
//
// The error itself is not passed on: its text contains what Stripe answered, and with it what unlocks an intent.
func (a *Adapter) failure(ctx context.Context, request string, err error) (till.Result, error) {
	var e *stripe.Error
	if !errors.As(err, &e) {
		return unsent(request, err), nil
	}
	cause := fmt.Errorf("stripe: %s: HTTP %d, %s %s, request %s", request, e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
	switch status := e.HTTPStatusCode; {
	case e.Type == stripe.ErrorTypeIdempotency:
		return till.Result{}, cause
	case status == http.StatusPaymentRequired:
		return till.Result{State: till.Declined, Reference: intentOf(e), Failure: declined(e), Cause: cause}, nil
	case status == http.StatusTooManyRequests:
		return till.Result{State: till.NotSent, Cause: cause}, nil
	case status == http.StatusBadRequest, status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		a.log.ErrorContext(ctx, "stripe refuses a request of ours", "request", request, "status", status, "type", e.Type, "code", e.Code, "param", e.Param, "request_id", e.RequestID)
		code := string(e.Code)
		if code == "" {
			code = fmt.Sprintf("http_%d", status)
		}
		return till.Result{State: till.Declined, Failure: payments.Failure{Code: code, Message: "The payment provider did not understand the request."}, Cause: cause}, nil
	}
	return till.Result{Cause: cause}, nil
}

// unanswered is a look-up that failed: it says nothing of what was looked up, unless that there is no such thing.
func (a *Adapter) unanswered(ctx context.Context, request string, err error) (till.Result, error) {
	var e *stripe.Error
	if errors.As(err, &e) && e.HTTPStatusCode == http.StatusNotFound && e.Code == stripe.ErrorCodeResourceMissing {
		return till.Result{State: till.NotFound}, nil
	}
	r, err := a.failure(ctx, request, err)
	return till.Result{Cause: r.Cause}, err
}

// unsent is an error of the line.
func unsent(request string, err error) till.Result {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return till.Result{State: till.NotSent, Cause: fmt.Errorf("stripe: %s: no connection: %w", request, err)}
	}
	if errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return till.Result{Cause: fmt.Errorf("stripe: %s: %w", request, err)}
	}
	return till.Result{Cause: fmt.Errorf("stripe: %s: %w", request, errUnread)} // its text may be a part of the answer
}

// refused is an instruction that was not sent, and never will be.
func refused(why error) till.Result {
	return till.Result{State: till.Declined, Failure: payments.Failure{Code: "amount_not_supported", Message: why.Error()}}
}

// declined is why a card was refused. Stripe's text is meant for customers.
func declined(e *stripe.Error) payments.Failure {
	f := payments.Failure{Code: string(e.DeclineCode), Message: e.Msg}
	if f.Code == "" {
		f.Code = string(e.Code)
	}
	if f.Code == "" {
		f.Code = "generic_decline"
	}
	return f
}

func intentOf(e *stripe.Error) string {
	if e.PaymentIntent == nil {
		return ""
	}
	return e.PaymentIntent.ID
}
