package payments

import (
	"context"

	"cutpoint/platform/audit"
	"cutpoint/platform/rpc"
)

// Module is the name under which payments listens on the channel layer.
const Module = "payments"

// What changes the payment of one order is done in its order: a Refund can't overtake the Charge before it.
var (
	charge    = rpc.Define[ChargeRequest, Payment](Module, "charge").ByLane(func(r ChargeRequest) string { return r.OrderID })
	capture   = rpc.Define[CaptureRequest, Payment](Module, "capture").ByLane(func(r CaptureRequest) string { return r.OrderID })
	seal      = rpc.Define[SealRequest, Payment](Module, "seal").ByLane(func(r SealRequest) string { return r.OrderID })
	refund    = rpc.Define[RefundRequest, Payment](Module, "refund").ByLane(func(r RefundRequest) string { return r.OrderID })
	void      = rpc.Define[VoidRequest, Payment](Module, "void").ByLane(func(r VoidRequest) string { return r.OrderID })
	markPaid  = rpc.Define[MarkPaidRequest, Payment](Module, "mark_paid").ByLane(func(r MarkPaidRequest) string { return r.OrderID })
	payment   = rpc.Define[PaymentRequest, Payment](Module, "payment")
	payments  = rpc.Define[PaymentsRequest, PaymentPage](Module, "payments")
	changes   = rpc.Define[ChangesRequest, ChangePage](Module, "changes")
	forget    = rpc.Define[EraseReasonsRequest, ReasonsErased](Module, "erase_reasons")
	receive   = rpc.Define[WebhookRequest, WebhookReceipt](Module, "receive_webhook")
	reconcile = rpc.Define[ReconcileRequest, Reconciliation](Module, "reconcile")
	reports   = rpc.Define[ReconciliationsRequest, ReconciliationPage](Module, "reconciliations")
	entries   = rpc.Define[EntriesRequest, EntryPage](Module, "entries")
	accounts  = rpc.Define[AccountsRequest, AccountList](Module, "accounts")
	auditing  = rpc.Define[audit.Request, audit.Page](Module, "audit")
	ledger    = rpc.Define[LedgerRequest, LedgerPage](Module, "test_gateway_ledger")
	act       = rpc.Define[ActRequest, Acted](Module, "test_gateway_act")
	dispute   = rpc.Define[DisputeRequest, Dispute](Module, "test_gateway_dispute")
)

// Serve answers calls from the channel layer with a body of this contract.
func Serve(s *rpc.Server, body Service) {
	rpc.Handle(s, charge, body.Charge)
	rpc.Handle(s, capture, body.Capture)
	rpc.Handle(s, seal, body.Seal)
	rpc.Handle(s, refund, body.Refund)
	rpc.Handle(s, void, body.Void)
	rpc.Handle(s, markPaid, body.MarkPaid)
	rpc.Handle(s, payment, body.Payment)
	rpc.Handle(s, payments, body.Payments)
	rpc.Handle(s, changes, body.Changes)
	rpc.Handle(s, forget, body.EraseReasons)
	rpc.Handle(s, receive, body.ReceiveWebhook)
	rpc.Handle(s, reconcile, body.Reconcile)
	rpc.Handle(s, reports, body.Reconciliations)
	rpc.Handle(s, entries, body.Entries)
	rpc.Handle(s, accounts, body.Accounts)
	rpc.Handle(s, auditing, body.Audit)
}

// ServeTestGateway answers the calls of TestGateway.
func ServeTestGateway(s *rpc.Server, body TestGateway) {
	rpc.Handle(s, ledger, body.Ledger)
	rpc.Handle(s, act, body.Act)
	rpc.Handle(s, dispute, body.Dispute)
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

// Capture implements Service.
func (c Client) Capture(ctx context.Context, r CaptureRequest) (Payment, error) {
	return capture.Call(ctx, c.caller, r)
}

// Seal implements Service.
func (c Client) Seal(ctx context.Context, r SealRequest) (Payment, error) {
	return seal.Call(ctx, c.caller, r)
}

// Refund implements Service.
func (c Client) Refund(ctx context.Context, r RefundRequest) (Payment, error) {
	return refund.Call(ctx, c.caller, r)
}

// Void implements Service.
func (c Client) Void(ctx context.Context, r VoidRequest) (Payment, error) {
	return void.Call(ctx, c.caller, r)
}

// MarkPaid implements Service.
func (c Client) MarkPaid(ctx context.Context, r MarkPaidRequest) (Payment, error) {
	return markPaid.Call(ctx, c.caller, r)
}

// Payment implements Service.
func (c Client) Payment(ctx context.Context, r PaymentRequest) (Payment, error) {
	return payment.Call(ctx, c.caller, r)
}

// Payments implements Service.
func (c Client) Payments(ctx context.Context, r PaymentsRequest) (PaymentPage, error) {
	return payments.Call(ctx, c.caller, r)
}

// Changes implements Service.
func (c Client) Changes(ctx context.Context, r ChangesRequest) (ChangePage, error) {
	return changes.Call(ctx, c.caller, r)
}

// EraseReasons implements Service.
func (c Client) EraseReasons(ctx context.Context, r EraseReasonsRequest) (ReasonsErased, error) {
	return forget.Call(ctx, c.caller, r)
}

// ReceiveWebhook implements Service.
func (c Client) ReceiveWebhook(ctx context.Context, r WebhookRequest) (WebhookReceipt, error) {
	return receive.Call(ctx, c.caller, r)
}

// Reconcile implements Service.
func (c Client) Reconcile(ctx context.Context, r ReconcileRequest) (Reconciliation, error) {
	return reconcile.Call(ctx, c.caller, r)
}

// Reconciliations implements Service.
func (c Client) Reconciliations(ctx context.Context, r ReconciliationsRequest) (ReconciliationPage, error) {
	return reports.Call(ctx, c.caller, r)
}

// Entries implements Service.
func (c Client) Entries(ctx context.Context, r EntriesRequest) (EntryPage, error) {
	return entries.Call(ctx, c.caller, r)
}

// Accounts implements Service.
func (c Client) Accounts(ctx context.Context, r AccountsRequest) (AccountList, error) {
	return accounts.Call(ctx, c.caller, r)
}

// Audit implements Service.
func (c Client) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	return auditing.Call(ctx, c.caller, r)
}

// Ledger implements TestGateway.
func (c Client) Ledger(ctx context.Context, r LedgerRequest) (LedgerPage, error) {
	return ledger.Call(ctx, c.caller, r)
}

// Act implements TestGateway.
func (c Client) Act(ctx context.Context, r ActRequest) (Acted, error) {
	return act.Call(ctx, c.caller, r)
}

// Dispute implements TestGateway.
func (c Client) Dispute(ctx context.Context, r DisputeRequest) (Dispute, error) {
	return dispute.Call(ctx, c.caller, r)
}
