// Package paymentshttp is the HTTP face of the payments module. It sees the contract alone, so it runs beside the module or
// far away from it. It only reads: money is moved by placing and cancelling orders.
package paymentshttp

import (
	"context"
	"net/http"

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

type ledgerOutput struct {
	Body web.Page[payments.LedgerEntry]
}

// Register lays the routes of payments.
func Register(a *web.API, s payments.Service) {
	const tag = "Payments"
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments/{id}", ID: "get-payment", Tag: tag,
		Summary: "Read a payment with its operations",
		Scopes:  []string{auth.PaymentsRead}, Statuses: []int{http.StatusNotModified},
	}, func(ctx context.Context, in *getInput) (*getOutput, error) {
		p, err := s.Payment(ctx, payments.PaymentRequest{ID: in.ID})
		if err != nil {
			return nil, err
		}
		out := &getOutput{Status: http.StatusOK, ETag: web.ETag(p.Version), Body: p}
		if in.Unchanged(out.ETag) {
			out.Status = http.StatusNotModified
		}
		return out, nil
	})

	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/payments", ID: "list-payments", Tag: tag,
		Summary: "List payments, newest first",
		Scopes:  []string{auth.PaymentsRead},
	}, func(ctx context.Context, in *listInput) (*listOutput, error) {
		before, err := in.After("payments", in.Order)
		if err != nil {
			return nil, err
		}
		page, err := s.Payments(ctx, payments.PaymentsRequest{OrderID: in.Order, Before: before, Limit: in.Limit})
		if err != nil {
			return nil, err
		}
		id := func(p payments.Payment) string { return p.ID }
		return &listOutput{Body: web.NewPage(page.Payments, page.More, id, "payments", in.Order)}, nil
	})
}

// RegisterTestGateway lays the route that looks into the books of the built-in test gateway. Register it only where that is
// the provider.
func RegisterTestGateway(a *web.API, g payments.TestGateway) {
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/test-gateway/ledger", ID: "list-test-gateway-ledger", Tag: "Test gateway",
		Summary: "List the money that the test gateway moved, oldest first",
		Scopes:  []string{auth.Ops},
	}, func(ctx context.Context, in *listInput) (*ledgerOutput, error) {
		after, err := in.After("test-gateway-ledger", in.Order)
		if err != nil {
			return nil, err
		}
		page, err := g.Ledger(ctx, payments.LedgerRequest{OrderID: in.Order, After: after, Limit: in.Limit})
		if err != nil {
			return nil, err
		}
		id := func(e payments.LedgerEntry) string { return e.ID }
		return &ledgerOutput{Body: web.NewPage(page.Entries, page.More, id, "test-gateway-ledger", in.Order)}, nil
	})
}
