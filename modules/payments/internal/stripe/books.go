package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v86"
	"github.com/stripe/stripe-go/v86/webhook"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
)

// pageSize is the most objects that Stripe lists at once.
const pageSize = 100

// List implements till.Provider: the intents and then the refunds that were made since a time, newest first. A cursor is the kind
// and the object after which the next page begins.
func (a *Adapter) List(ctx context.Context, since time.Time, cursor string) (till.Listing, error) {
	kind, after, _ := strings.Cut(cursor, "/")
	page := stripe.ListParams{Limit: stripe.Int64(pageSize)}
	if after != "" {
		page.StartingAfter = &after
	}
	created := &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}
	if kind == "refunds" {
		return a.listRefunds(ctx, &stripe.RefundListParams{ListParams: page, CreatedRange: created})
	}
	p := &stripe.PaymentIntentListParams{ListParams: page, CreatedRange: created}
	p.AddExpand("data." + expanded)
	var found stripe.PaymentIntentList
	if err := a.call(ctx, http.MethodGet, "/v1/payment_intents", p, &found); err != nil {
		return till.Listing{}, a.listing(ctx, "list intents", err)
	}
	listing := till.Listing{Next: "refunds/"}
	for _, i := range found.Data {
		listing.Facts = append(listing.Facts, facts(i)...)
		if found.HasMore {
			listing.Next = "intents/" + i.ID
		}
	}
	return listing, nil
}

func (a *Adapter) listRefunds(ctx context.Context, p *stripe.RefundListParams) (till.Listing, error) {
	var found stripe.RefundList
	if err := a.call(ctx, http.MethodGet, "/v1/refunds", p, &found); err != nil {
		return till.Listing{}, a.listing(ctx, "list refunds", err)
	}
	var listing till.Listing
	for _, r := range found.Data {
		listing.Facts = append(listing.Facts, refundFact(r))
		if found.HasMore {
			listing.Next = "refunds/" + r.ID
		}
	}
	return listing, nil
}

// listing is why a page can't be had.
func (a *Adapter) listing(ctx context.Context, request string, err error) error {
	r, failed := a.failure(ctx, request, err)
	if failed != nil {
		return failed
	}
	return r.Cause
}

// facts are what an intent says of the operations that it stands for. That what was left of it is free is told without a key:
// somebody in the dashboard may have done it, or the time. An intent without our key was made by somebody else, and is told as a charge of theirs if it took money.
func facts(i *stripe.PaymentIntent) []till.Fact {
	kind := payments.OperationCharge
	if i.CaptureMethod == stripe.PaymentIntentCaptureMethodManual {
		kind = payments.OperationAuthorise
	}
	key, order := i.Metadata[metaKey], i.Metadata[metaOrder]
	r := confirmed(kind, i)
	if r.State == till.NotFound || r.State == till.Unknown {
		r = till.Result{State: till.Pending, Reference: i.ID}
	}
	list := []till.Fact{{Kind: kind, Key: key, OrderID: order, Result: r}}
	for name := range i.Metadata {
		if capture, is := strings.CutPrefix(name, metaCapture); is {
			list = append(list, till.Fact{Kind: payments.OperationCapture, Key: capture, OrderID: order, Result: captured(capture, i)})
		}
	}
	if free := fromStripe(i.Amount-i.AmountReceived, i.Currency); kind == payments.OperationAuthorise && ended(i) && free.Amount > 0 {
		list = append(list, till.Fact{
			Kind: payments.OperationVoid, OrderID: order, Charge: i.ID, Result: till.Result{State: till.Succeeded, Reference: i.ID, Amount: free},
		})
	}
	return list
}

// ended reports whether an authorisation has ended. An event has no more of the charge than its id, which a failed one has as well.
func ended(i *stripe.PaymentIntent) bool {
	if i.LatestCharge == nil || i.LatestCharge.Status == stripe.ChargeStatusFailed || i.LastPaymentError != nil {
		return false
	}
	return i.Status == stripe.PaymentIntentStatusCanceled || i.Status == stripe.PaymentIntentStatusSucceeded
}

func refundFact(r *stripe.Refund) till.Fact {
	return till.Fact{Kind: payments.OperationRefund, Key: r.Metadata[metaKey], OrderID: r.Metadata[metaOrder], Result: refunded(r)}
}

// ParseWebhook implements till.Provider. The library checks the signature; the age is checked by our clock.
func (a *Adapter) ParseWebhook(header map[string]string, body []byte) (till.Event, error) {
	signature := header["stripe-signature"]
	e, err := webhook.ConstructEventWithOptions(body, signature, a.secret, webhook.ConstructEventOptions{
		IgnoreTolerance:          true,
		IgnoreAPIVersionMismatch: true, // the fields that are read here are the same in all of them
	})
	if err != nil {
		return till.Event{}, err
	}
	if age := a.now().Sub(signedAt(signature)); age > webhook.DefaultTolerance || age < -webhook.DefaultTolerance {
		return till.Event{}, webhook.ErrTooOld
	}
	event := till.Event{ID: e.ID, Type: string(e.Type)}
	if e.Data == nil {
		return event, nil
	}
	switch object, _, _ := strings.Cut(event.Type, "."); {
	case object == "payment_intent":
		var i stripe.PaymentIntent
		err = json.Unmarshal(e.Data.Raw, &i)
		event.Fact, event.Freed = news(event.Type, &i)
	case object == "refund", e.Type == stripe.EventTypeChargeRefundUpdated:
		var r stripe.Refund
		err = json.Unmarshal(e.Data.Raw, &r)
		event.Fact = refundFact(&r)
	case strings.HasPrefix(event.Type, "charge.dispute."):
		var d stripe.Dispute
		err = json.Unmarshal(e.Data.Raw, &d)
		event.Dispute = disputeOf(&d)
	}
	if err != nil {
		return till.Event{}, fmt.Errorf("stripe: webhook %s: %w", e.ID, err)
	}
	return event, nil
}

// news is the one fact of an intent that its event is about, and beside a capture what that left.
func news(event string, i *stripe.PaymentIntent) (fact till.Fact, freed *till.Fact) {
	list := facts(i)
	last := list[len(list)-1]
	switch {
	case event == string(stripe.EventTypePaymentIntentCreated):
		return till.Fact{}, nil
	case event == string(stripe.EventTypePaymentIntentCanceled):
		return last, nil
	case event == string(stripe.EventTypePaymentIntentSucceeded) && captures(i) == 1: // captured, by the one capture there was
		if last.Kind == payments.OperationVoid {
			freed = &last
		}
		return list[1], freed
	case event == string(stripe.EventTypePaymentIntentSucceeded) && captures(i) > 1: // what they left, if they did
		return last, nil
	}
	return list[0], nil
}

// captures counts the captures of ours.
func captures(i *stripe.PaymentIntent) (n int) {
	for name := range i.Metadata {
		if strings.HasPrefix(name, metaCapture) {
			n++
		}
	}
	return n
}

// disputeOf is what Stripe says of a customer who disputes a charge. An inquiry (a "warning") moves no money yet.
func disputeOf(d *stripe.Dispute) *till.Dispute {
	dispute := &till.Dispute{Reference: d.ID, Amount: fromStripe(d.Amount, d.Currency), Reason: string(d.Reason), Status: payments.DisputeOpen}
	if d.PaymentIntent != nil {
		dispute.Charge = d.PaymentIntent.ID
	}
	switch d.Status {
	case stripe.DisputeStatusWon, stripe.DisputeStatusPrevented, stripe.DisputeStatusWarningClosed:
		dispute.Status = payments.DisputeWon
	case stripe.DisputeStatusLost:
		dispute.Status = payments.DisputeLost
	}
	return dispute
}

// signedAt is when a webhook was signed, by its signature, which was checked.
func signedAt(signature string) time.Time {
	for _, part := range strings.Split(signature, ",") {
		if text, is := strings.CutPrefix(part, "t="); is {
			if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
				return time.Unix(seconds, 0)
			}
		}
	}
	return time.Time{}
}
