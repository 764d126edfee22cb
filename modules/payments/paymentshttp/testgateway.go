package paymentshttp

import (
	"context"
	"net/http"

	"cutpoint/modules/payments"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

type ledgerOutput struct {
	Body web.Page[payments.LedgerEntry]
}

// ActionInput says what a customer does.
type ActionInput struct {
	Order   string `json:"order" minLength:"1" maxLength:"64" example:"ord_06arlpbqe1ss30hf79mn3c5kvo"`
	Outcome string `json:"outcome" enum:"confirm,fail,void,return_refund"`
}

type actionOutput struct {
	Body payments.Acted
}

// RegisterTestGateway lays the routes that look into the books of the built-in test gateway, and play its customers. Register
// them only where that is the provider.
func RegisterTestGateway(a *web.API, g payments.TestGateway) {
	const tag = "Test gateway"
	b := bank{g}
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/test-gateway/ledger", ID: "list-test-gateway-ledger", Tag: tag,
		Summary: "List the money that the test gateway moved, oldest first",
		Scopes:  []string{auth.Ops},
	}, b.ledger)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/test-gateway/actions", ID: "act-at-test-gateway", Tag: tag,
		Summary: "Do what a customer was asked to do, or fail to, or let happen what nobody here asked for",
		Description: "`confirm` and `fail` are for orders that were paid with `pm_card_authenticationRequired`. `void` gives free what is left of an " +
			"authorisation, as by hand in a dashboard; `return_refund` lets the customer's bank send the latest refund back. " +
			"Payments hears of it by webhook. Repeating it changes nothing.",
		Scopes: []string{auth.Ops}, Example: ActionInput{Order: "ord_06arlpbqe1ss30hf79mn3c5kvo", Outcome: payments.ActConfirm},
	}, b.act)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/test-gateway/disputes", ID: "dispute-at-test-gateway", Tag: tag,
		Summary:     "Let a customer dispute a payment, or decide the dispute",
		Description: "Payments hears of it by webhook. Repeating it changes nothing.",
		Scopes:      []string{auth.Ops}, Example: DisputeInput{Order: "ord_06arlpbqe1ss30hf79mn3c5kvo", Status: payments.DisputeOpen},
	}, b.dispute)
}

// DisputeInput says what becomes of a dispute.
type DisputeInput struct {
	Order  string `json:"order" minLength:"1" maxLength:"64" example:"ord_06arlpbqe1ss30hf79mn3c5kvo"`
	Status string `json:"status" enum:"open,won,lost"`
}

type disputeOutput struct {
	Body payments.Dispute
}

type bank struct{ gateway payments.TestGateway }

func (b bank) ledger(ctx context.Context, in *listInput) (*ledgerOutput, error) {
	after, err := in.After("test-gateway-ledger", in.Order)
	if err != nil {
		return nil, err
	}
	page, err := b.gateway.Ledger(ctx, payments.LedgerRequest{OrderID: in.Order, After: after, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	id := func(e payments.LedgerEntry) string { return e.ID }
	return &ledgerOutput{Body: web.NewPage(page.Entries, page.More, id, "test-gateway-ledger", in.Order)}, nil
}

func (b bank) act(ctx context.Context, in *struct{ Body ActionInput }) (*actionOutput, error) {
	acted, err := b.gateway.Act(ctx, payments.ActRequest{OrderID: in.Body.Order, Outcome: in.Body.Outcome})
	if err != nil {
		return nil, err
	}
	return &actionOutput{Body: acted}, nil
}

func (b bank) dispute(ctx context.Context, in *struct{ Body DisputeInput }) (*disputeOutput, error) {
	d, err := b.gateway.Dispute(ctx, payments.DisputeRequest{OrderID: in.Body.Order, Status: in.Body.Status})
	if err != nil {
		return nil, err
	}
	return &disputeOutput{Body: d}, nil
}
