package payments

import (
	"context"

	"cutpoint/platform/rpc"
)

// Module is the name under which payments listens on the channel layer.
const Module = "payments"

// What changes the payment of one order is done in its order: a Refund can't overtake the Charge before it.
var (
	charge   = rpc.Define[ChargeRequest, Payment](Module, "charge").ByLane(func(r ChargeRequest) string { return r.OrderID })
	refund   = rpc.Define[RefundRequest, Payment](Module, "refund").ByLane(func(r RefundRequest) string { return r.OrderID })
	payment  = rpc.Define[PaymentRequest, Payment](Module, "payment")
	payments = rpc.Define[PaymentsRequest, PaymentPage](Module, "payments")
	ledger   = rpc.Define[LedgerRequest, LedgerPage](Module, "test_gateway_ledger")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, charge, body.Charge)
	rpc.Handle(s, refund, body.Refund)
	rpc.Handle(s, payment, body.Payment)
	rpc.Handle(s, payments, body.Payments)
}

// ServeTestGateway answers the calls of TestGateway.
func ServeTestGateway(s *rpc.Server, body TestGateway) {
	rpc.Handle(s, ledger, body.Ledger)
}

// Client is the contract spoken over a channel layer. It implements both Service and TestGateway; without a test gateway
// behind it, the latter's methods return rpc.ErrUnknownOperation.
type Client struct{ caller *rpc.Caller }

var (
	_ Service     = Client{}
	_ TestGateway = Client{}
)

// NewClient returns the contract as the caller's module sees it.
func NewClient(c *rpc.Caller) Client { return Client{c} }

// Charge implements Service.
func (c Client) Charge(ctx context.Context, r ChargeRequest) (Payment, error) {
	return charge.Call(ctx, c.caller, r)
}

// Refund implements Service.
func (c Client) Refund(ctx context.Context, r RefundRequest) (Payment, error) {
	return refund.Call(ctx, c.caller, r)
}

// Payment implements Service.
func (c Client) Payment(ctx context.Context, r PaymentRequest) (Payment, error) {
	return payment.Call(ctx, c.caller, r)
}

// Payments implements Service.
func (c Client) Payments(ctx context.Context, r PaymentsRequest) (PaymentPage, error) {
	return payments.Call(ctx, c.caller, r)
}

// Ledger implements TestGateway.
func (c Client) Ledger(ctx context.Context, r LedgerRequest) (LedgerPage, error) {
	return ledger.Call(ctx, c.caller, r)
}
