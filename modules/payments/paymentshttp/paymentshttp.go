// Package paymentshttp is the HTTP face of the payments module. It sees the contract alone, so it runs beside the module or
// far away from it. It moves no money: that is done by placing and cancelling orders, and what payment providers tell is not a
// command but a fact.
package paymentshttp

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

type getInput struct {
	web.Conditional
	ID string `path:"id" maxLength:"64" example:"pay_06arlpbqe1ss30hf79mn3c5kvo"`
}

type getOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   payments.Payment
}

// listInput asks for a page, of one order or of all.
type listInput struct {
	web.PageQuery
	Order string `query:"order" maxLength:"64" doc:"Only what belongs to this order"`
}

type listOutput struct {
	Body web.Page[payments.Payment]
}

// maxWebhook bounds the body of a provider's webhook, in bytes.
const maxWebhook = 256 << 10

// WebhookPath names a provider. It is exported because huma passes over the fields of an embedded type that is not.
type WebhookPath struct {
	Provider string `path:"provider" maxLength:"64" example:"test-gateway"`
}

type webhookOutput struct {
	Body payments.WebhookReceipt
}

type reportsInput struct {
	web.PageQuery
}

type reportsOutput struct {
	Body web.Page[payments.Reconciliation]
}

type entriesOutput struct {
	Body web.Page[payments.Entry]
}

type accountsOutput struct {
	Body payments.AccountList
}

// ReconcileInput says how far back the books are compared.
type ReconcileInput struct {
	Since time.Time `json:"since,omitempty" doc:"A day ago, if left out; a time that is long past takes long" example:"2026-11-24T00:00:00Z"`
}

type reconcileOutput struct {
	Body payments.Reconciliation
}

// Register lays the routes of payments.
func Register(a *web.API, s payments.Service) {
	const tag = "Payments"
	f := face{s}
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments/{id}", ID: "get-payment", Tag: tag,
		Summary: "Read a payment with its operations",
		Scopes:  []string{auth.PaymentsRead}, Statuses: []int{http.StatusNotModified},
	}, f.payment)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments", ID: "list-payments", Tag: tag,
		Summary: "List payments, newest first",
		Scopes:  []string{auth.PaymentsRead},
	}, f.payments)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/payments/reconciliations", ID: "reconcile-payments", Tag: tag,
		Summary: "Compare the payment provider's books with ours",
		Description: "Settles operations that had no answer yet, and reports what only one side knows or both know differently, at most 1,000. " +
			"The same runs by itself every few minutes.",
		Scopes: []string{auth.PaymentsManage}, Example: ReconcileInput{Since: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)},
	}, f.reconcile)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments/reconciliations", ID: "list-reconciliations", Tag: tag,
		Summary:     "List the reports of the latest comparisons, newest first",
		Description: "At most 20 a page; the latest 100 are kept.",
		Scopes:      []string{auth.PaymentsRead},
	}, f.reports)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments/ledger", ID: "list-payment-entries", Tag: tag,
		Summary:     "List the ledger, oldest first",
		Description: "Each entry takes an amount from one account (credit) and gives it to another (debit). Entries are never changed.",
		Scopes:      []string{auth.PaymentsRead},
	}, f.entries)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments/accounts", ID: "list-payment-accounts", Tag: tag,
		Summary:     "Read what each account of the ledger holds",
		Description: "All accounts of a currency add up to 0. Adds up the whole ledger.",
		Scopes:      []string{auth.PaymentsRead},
	}, f.accounts)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/payment-webhooks/{provider}", ID: "receive-payment-webhook", Tag: tag, BodyLimit: maxWebhook,
		Summary: "Take a webhook of a payment provider",
		Description: "Needs no key: the signature opens it. Answers once the message is stored, before anything is done about it; " +
			"a repetition changes nothing.",
	}, f.webhook)
}

type face struct{ service payments.Service }

func (f face) payment(ctx context.Context, in *getInput) (*getOutput, error) {
	p, err := f.service.Payment(ctx, payments.PaymentRequest{ID: in.ID})
	if err != nil {
		return nil, err
	}
	out := &getOutput{Status: http.StatusOK, ETag: web.ETag(p.Version), Body: p}
	if in.Unchanged(out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

func (f face) payments(ctx context.Context, in *listInput) (*listOutput, error) {
	before, err := in.After("payments", in.Order)
	if err != nil {
		return nil, err
	}
	r := payments.PaymentsRequest{Before: before, Limit: in.Limit}
	if in.Order != "" {
		r.OrderIDs = []string{in.Order}
	}
	page, err := f.service.Payments(ctx, r)
	if err != nil {
		return nil, err
	}
	id := func(p payments.Payment) string { return p.ID }
	return &listOutput{Body: web.NewPage(page.Payments, page.More, id, "payments", in.Order)}, nil
}

func (f face) reconcile(ctx context.Context, in *struct{ Body ReconcileInput }) (*reconcileOutput, error) {
	found, err := f.service.Reconcile(ctx, payments.ReconcileRequest{Since: in.Body.Since})
	if err != nil {
		return nil, err
	}
	return &reconcileOutput{Body: found}, nil
}

func (f face) reports(ctx context.Context, in *reportsInput) (*reportsOutput, error) {
	before, err := in.After("reconciliations", "")
	if err != nil {
		return nil, err
	}
	page, err := f.service.Reconciliations(ctx, payments.ReconciliationsRequest{Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	id := func(r payments.Reconciliation) string { return r.ID }
	return &reportsOutput{Body: web.NewPage(page.Reconciliations, page.More, id, "reconciliations", "")}, nil
}

func (f face) entries(ctx context.Context, in *listInput) (*entriesOutput, error) {
	after, err := in.After("payment-entries", in.Order)
	if err != nil {
		return nil, err
	}
	r := payments.EntriesRequest{OrderID: in.Order, Limit: in.Limit}
	if after != "" {
		if r.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, web.ErrCursor
		}
	}
	page, err := f.service.Entries(ctx, r)
	if err != nil {
		return nil, err
	}
	sequence := func(e payments.Entry) string { return strconv.FormatInt(e.Sequence, 10) }
	return &entriesOutput{Body: web.NewPage(page.Entries, page.More, sequence, "payment-entries", in.Order)}, nil
}

func (f face) accounts(ctx context.Context, _ *struct{}) (*accountsOutput, error) {
	list, err := f.service.Accounts(ctx, payments.AccountsRequest{})
	if err != nil {
		return nil, err
	}
	return &accountsOutput{Body: list}, nil
}

func (f face) webhook(ctx context.Context, in *struct {
	WebhookPath
	web.Raw
}) (*webhookOutput, error) {
	receipt, err := f.service.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: in.Provider, Header: in.Headers, Body: in.RawBody})
	if err != nil {
		return nil, err
	}
	return &webhookOutput{Body: receipt}, nil
}
