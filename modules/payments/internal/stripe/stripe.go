// Package stripe is the payment provider Stripe, for cards. It is the only package that knows stripe-go, and an adapter: it opens
// connections to Stripe, keeps nothing, and decides nothing that the till could.
//
//	authorise or charge   create a payment intent (no money moves), the till stores its id, then confirm it
//	capture, void         of the intent; several captures where the card allows it, and a void of what they left
//	refund                a refund of the intent
//	seal                  cancel the intent, unless it has succeeded
//
// An intent succeeds once at most, and only by a confirmation that came after its id was stored here: so a look-up by id says
// for certain what became of a charge, and an intent whose id was never stored can't have taken money.
//
// Stripe tells keys apart by what they are used for, so the requests of one instruction carry its key with a suffix. Objects carry
// the keys of their operations in their metadata, by which webhooks, searches and lists lead back to them. What an answer means
// is said in answers.go, how amounts are written in amounts.go.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v86"
	"github.com/stripe/stripe-go/v86/form"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
)

// Name is Stripe's name as a provider.
const Name = "stripe"

// timeout bounds a request whose context does not: the library's own is 80 s.
const timeout = 10 * time.Second

// Options are what an adapter needs. All but URL and ReturnURL are required.
type Options struct {
	SecretKey     string // never logged
	WebhookSecret string // that Stripe signs webhooks with; never logged
	URL           string // "": Stripe's
	ReturnURL     string // where customers come back from 3-D Secure; "": a card that wants it is declined
	Now           func() time.Time
	Log           *slog.Logger // told of requests that Stripe finds wrong
}

// Adapter implements till.Provider.
type Adapter struct {
	backend stripe.Backend
	key     string
	secret  string
	returns string
	now     func() time.Time
	log     *slog.Logger
}

var _ till.Provider = (*Adapter)(nil)

// New returns an adapter. It opens no connection yet.
func New(o Options) (*Adapter, error) {
	if o.SecretKey == "" || o.WebhookSecret == "" || o.Now == nil || o.Log == nil {
		return nil, errors.New("stripe needs a secret key, a webhook secret, a clock and a log")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	config := &stripe.BackendConfig{
		HTTPClient: &http.Client{
			Timeout: timeout, Transport: transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // an API does not move by itself
		},
		MaxNetworkRetries: stripe.Int64(0), // the till decides what is sent again
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull}, // it would log answers, and with them what unlocks them
	}
	if o.URL != "" {
		config.URL = &o.URL
	}
	return &Adapter{
		backend: stripe.GetBackendWithConfig(stripe.APIBackend, config), key: o.SecretKey,
		secret: o.WebhookSecret, returns: o.ReturnURL, now: o.Now, log: o.Log,
	}, nil
}

// Name implements till.Provider.
func (a *Adapter) Name() string { return Name }

// Capabilities implements till.Provider. Stripe forgets keys after 24 hours at the earliest.
func (a *Adapter) Capabilities() till.Capabilities {
	return till.Capabilities{Prepares: true, KeyLifetime: 24 * time.Hour}
}

// Names in the metadata of Stripe's objects.
const (
	metaKey     = "cutpoint_key"
	metaOrder   = "cutpoint_order"
	metaCapture = "capture_" // and the key of a capture: its amount
	metaVoid    = "void_"    // and the key of a void of what captures had left: its amount
)

// expanded is what an intent is answered with, so that one answer says all.
const expanded = "latest_charge"

// Prepare implements till.Provider: it creates the intent.
func (a *Adapter) Prepare(ctx context.Context, in till.Instruction) (till.Result, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return refused(err), nil
	}
	p := &stripe.PaymentIntentCreateParams{
		Amount: &amount, Currency: stripe.String(strings.ToLower(in.Amount.Currency)), PaymentMethodTypes: []*string{stripe.String("card")},
		Metadata: map[string]string{metaKey: in.Key, metaOrder: in.OrderID},
	}
	if in.Kind == payments.OperationAuthorise {
		p.CaptureMethod = stripe.String(string(stripe.PaymentIntentCaptureMethodManual))
	}
	p.SetIdempotencyKey(in.Key)
	var intent stripe.PaymentIntent
	err = a.call(ctx, http.MethodPost, "/v1/payment_intents", p, &intent)
	switch {
	case err != nil:
		return a.failure(ctx, "create", err)
	case intent.ID == "":
		return till.Result{Cause: errUnread}, nil
	}
	return till.Result{State: till.Pending, Reference: intent.ID}, nil
}

// Charge implements till.Provider: it confirms the intent.
func (a *Adapter) Charge(ctx context.Context, in till.Instruction) (till.Result, error) {
	return a.confirm(ctx, payments.OperationCharge, in)
}

// Authorise implements till.Provider: it confirms the intent.
func (a *Adapter) Authorise(ctx context.Context, in till.Instruction) (till.Result, error) {
	return a.confirm(ctx, payments.OperationAuthorise, in)
}

func (a *Adapter) confirm(ctx context.Context, kind string, in till.Instruction) (till.Result, error) {
	if in.Reference == "" {
		return till.Result{}, errors.New("a charge that was not prepared")
	}
	p := &stripe.PaymentIntentConfirmParams{PaymentMethod: &in.Token}
	if a.returns == "" {
		p.ErrorOnRequiresAction = stripe.Bool(true)
	} else {
		p.ReturnURL = &a.returns
	}
	if kind == payments.OperationAuthorise {
		p.PaymentMethodOptions = &stripe.PaymentIntentPaymentMethodOptionsParams{
			Card: &stripe.PaymentIntentPaymentMethodOptionsCardParams{RequestMulticapture: stripe.String("if_available")},
		}
	}
	p.AddExpand(expanded)
	p.SetIdempotencyKey(in.Key + "-confirm")
	intent, err := a.intent(ctx, http.MethodPost, stripe.FormatURLPath("/v1/payment_intents/%s/confirm", in.Reference), p)
	return a.answer(ctx, "confirm", intent, err, func(i *stripe.PaymentIntent) till.Result { return confirmed(kind, i) })
}

// Capture implements till.Provider. The amount is written beside its key in the intent's metadata, where look-ups find it.
func (a *Adapter) Capture(ctx context.Context, in till.Instruction) (till.Result, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return refused(err), nil
	}
	p := &stripe.PaymentIntentCaptureParams{AmountToCapture: &amount, Metadata: map[string]string{metaCapture + in.Key: fmt.Sprint(amount)}}
	if !in.Final {
		p.FinalCapture = stripe.Bool(false)
	}
	p.AddExpand(expanded)
	p.SetIdempotencyKey(in.Key)
	intent, err := a.intent(ctx, http.MethodPost, stripe.FormatURLPath("/v1/payment_intents/%s/capture", in.Charge), p)
	return a.answer(ctx, "capture", intent, err, func(i *stripe.PaymentIntent) till.Result { return captured(in.Key, i) })
}

// Void implements till.Provider: it cancels the intent. One of which a part was captured is ended by a final capture of nothing.
func (a *Adapter) Void(ctx context.Context, in till.Instruction) (till.Result, error) {
	read := func(i *stripe.PaymentIntent) till.Result { return voided(i, in.Key, "") }
	if !in.Rest {
		intent, err := a.cancel(ctx, in.Charge, in.Key)
		return a.answer(ctx, "cancel", intent, err, read)
	}
	amount, err := toStripe(in.Amount)
	if err != nil {
		return refused(err), nil
	}
	p := &stripe.PaymentIntentCaptureParams{
		AmountToCapture: stripe.Int64(0), FinalCapture: stripe.Bool(true), Metadata: map[string]string{metaVoid + in.Key: fmt.Sprint(amount)},
	}
	p.AddExpand(expanded)
	p.SetIdempotencyKey(in.Key)
	intent, err := a.intent(ctx, http.MethodPost, stripe.FormatURLPath("/v1/payment_intents/%s/capture", in.Charge), p)
	return a.answer(ctx, "release", intent, err, read)
}

// Refund implements till.Provider.
func (a *Adapter) Refund(ctx context.Context, in till.Instruction) (till.Result, error) {
	amount, err := toStripe(in.Amount)
	if err != nil {
		return refused(err), nil
	}
	p := &stripe.RefundCreateParams{
		Amount: &amount, PaymentIntent: &in.Charge, Metadata: map[string]string{metaKey: in.Key, metaOrder: in.OrderID},
	}
	p.SetIdempotencyKey(in.Key)
	var refund stripe.Refund
	if err := a.call(ctx, http.MethodPost, "/v1/refunds", p, &refund); err != nil {
		return a.failure(ctx, "refund", err)
	}
	return refunded(&refund), nil
}

// Seal implements till.Provider: it cancels the intent, unless that has ended. One whose id is not known is made first: no
// confirmation can have reached it.
func (a *Adapter) Seal(ctx context.Context, in till.Instruction) (till.Result, error) {
	if in.Reference == "" {
		r, err := a.Prepare(ctx, in)
		if err != nil || r.Reference == "" {
			return r, err
		}
		in.Reference = r.Reference
	}
	switch r, err := a.charge(ctx, in.Kind, in.Reference); {
	case err != nil, r.State == till.Unknown:
		return r, err
	case r.State == till.Succeeded, r.State == till.Authorised, r.State == till.Cancelled: // a declined one might be tried again
		return r, nil
	}
	intent, err := a.cancel(ctx, in.Reference, in.Key+"-cancel")
	return a.answer(ctx, "cancel", intent, err, func(i *stripe.PaymentIntent) till.Result { return confirmed(in.Kind, i) })
}

func (a *Adapter) cancel(ctx context.Context, intent, key string) (*stripe.PaymentIntent, error) {
	p := &stripe.PaymentIntentCancelParams{}
	p.AddExpand(expanded)
	p.SetIdempotencyKey(key)
	return a.intent(ctx, http.MethodPost, stripe.FormatURLPath("/v1/payment_intents/%s/cancel", intent), p)
}

// intent makes a request that is answered with an intent.
func (a *Adapter) intent(ctx context.Context, method, path string, p stripe.ParamsContainer) (*stripe.PaymentIntent, error) {
	intent := &stripe.PaymentIntent{}
	return intent, a.call(ctx, method, path, p, intent)
}

// call makes one request through the library's backend. The library's own client makes the same requests, but has a method for
// each of Stripe's services, and links all of them into the program.
func (a *Adapter) call(ctx context.Context, method, path string, p stripe.ParamsContainer, answer stripe.LastResponseSetter) error {
	values := &form.Values{}
	form.AppendTo(values, p)
	common := p.GetParams()
	common.Context = ctx
	return a.backend.CallRaw(method, path, a.key, []byte(values.Encode()), common, answer)
}

// Lookup implements till.Provider. What follows a charge is looked up at its intent.
func (a *Adapter) Lookup(ctx context.Context, q till.Query) (till.Result, error) {
	switch q.Kind {
	case payments.OperationCharge, payments.OperationAuthorise:
		if q.Reference == "" {
			return a.search(ctx, q)
		}
		return a.charge(ctx, q.Kind, q.Reference)
	case payments.OperationRefund:
		return a.refund(ctx, q)
	}
	intent, err := a.retrieve(ctx, q.Charge)
	return a.answer(ctx, "retrieve", intent, err, func(i *stripe.PaymentIntent) till.Result {
		if q.Kind == payments.OperationVoid {
			return voided(i, q.Key, q.Reference)
		}
		return captured(q.Key, i)
	})
}

// charge looks up an intent, which is seen as it is.
func (a *Adapter) charge(ctx context.Context, kind, reference string) (till.Result, error) {
	intent, err := a.retrieve(ctx, reference)
	return a.answer(ctx, "retrieve", intent, err, func(i *stripe.PaymentIntent) till.Result { return confirmed(kind, i) })
}

func (a *Adapter) retrieve(ctx context.Context, intent string) (*stripe.PaymentIntent, error) {
	p := &stripe.PaymentIntentRetrieveParams{}
	p.AddExpand(expanded)
	return a.intent(ctx, http.MethodGet, stripe.FormatURLPath("/v1/payment_intents/%s", intent), p)
}

// search looks for an intent by key. What is new is found only after a minute, so what is not found is not certain.
func (a *Adapter) search(ctx context.Context, q till.Query) (till.Result, error) {
	p := &stripe.PaymentIntentSearchParams{SearchParams: stripe.SearchParams{
		Query: fmt.Sprintf("metadata['%s']:'%s'", metaKey, q.Key), Limit: stripe.Int64(1),
	}}
	p.AddExpand("data." + expanded)
	var found stripe.PaymentIntentSearchResult
	if err := a.call(ctx, http.MethodGet, "/v1/payment_intents/search", p, &found); err != nil {
		return a.unanswered(ctx, "search", err)
	}
	if len(found.Data) == 0 {
		return till.Result{State: till.NotFound}, nil
	}
	return confirmed(q.Kind, found.Data[0]), nil
}

// refund looks up a refund by id, or among those of its intent by key.
func (a *Adapter) refund(ctx context.Context, q till.Query) (till.Result, error) {
	if q.Reference != "" {
		var refund stripe.Refund
		path := stripe.FormatURLPath("/v1/refunds/%s", q.Reference)
		if err := a.call(ctx, http.MethodGet, path, &stripe.RefundRetrieveParams{}, &refund); err != nil {
			return a.unanswered(ctx, "retrieve refund", err)
		}
		return refunded(&refund), nil
	}
	p := &stripe.RefundListParams{PaymentIntent: &q.Charge}
	p.Limit = stripe.Int64(pageSize)
	var found stripe.RefundList
	if err := a.call(ctx, http.MethodGet, "/v1/refunds", p, &found); err != nil {
		return a.unanswered(ctx, "list refunds", err)
	}
	for _, r := range found.Data {
		if r.Metadata[metaKey] == q.Key {
			return refunded(r), nil
		}
	}
	if found.HasMore { // more than anybody has use for; the till must not send it again on this word
		return till.Result{Cause: errors.New("stripe: more refunds of one payment than a page holds")}, nil
	}
	return till.Result{State: till.NotFound}, nil
}
