package ordersmod_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// neighbours are plain implementations of the contracts that orders calls. They succeed unless a test says otherwise, and
// write down what they were asked.
type neighbours struct {
	mu    sync.Mutex
	asked []string

	// answers change what an operation does: nil is success.
	answers  map[string]func() error
	price    int64             // minor units of one unit
	discount int64             // minor units, of the first line
	shipping int64             // minor units
	amount   int64             // of the payment
	charged  string            // what a charge comes to
	decline  *payments.Failure // of the latest operation
	refunded int64             // minor units
	multi    bool              // captures may take a part
	captured int64             // minor units, by captures
	captures []string          // the captures that were asked for: amount and whether final, and their keys
	keys     []string
	refunds  []string // the keys of the refunds that were asked for
	restocks []string // the ids of the restocks that were done
	changes  []payments.Change
	erasing  []string // the orders of customers whom pricing was to forget
}

func newNeighbours() *neighbours {
	return &neighbours{answers: map[string]func() error{}, price: 1290, amount: 2580, charged: payments.StatusSucceeded}
}

// answer sets what an operation does from now on.
func (n *neighbours) answer(operation string, do func() error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[operation] = do
}

func (n *neighbours) ask(operation string) error {
	n.mu.Lock()
	n.asked = append(n.asked, operation)
	do := n.answers[operation]
	n.mu.Unlock()
	if do == nil {
		return nil
	}
	return do()
}

// calls returns what was asked since the last call of calls.
func (n *neighbours) calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.asked
	n.asked = nil
	return asked
}

// fails is an answer that always fails, failsOnce one that fails the first time.
func fails(err error) func() error { return func() error { return err } }

func failsOnce(err error) func() error {
	var once sync.Once
	return func() (e error) {
		once.Do(func() { e = err })
		return e
	}
}

type stock struct {
	inventory.Service
	*neighbours
}

func (s stock) Check(context.Context, inventory.CheckRequest) (inventory.Checked, error) {
	err := s.ask("inventory.check")
	if errors.Is(err, inventory.ErrUnknownSKU) {
		return inventory.Checked{Unknown: []string{"NOPE"}}, nil
	}
	return inventory.Checked{}, err
}

func (s stock) Reserve(_ context.Context, r inventory.ReserveRequest) (inventory.Reservation, error) {
	return inventory.Reservation{ID: "res_1", OrderID: r.OrderID}, s.ask("inventory.reserve")
}

func (s stock) Finalise(_ context.Context, r inventory.FinaliseRequest) (inventory.Reservation, error) {
	return inventory.Reservation{ID: "res_1", OrderID: r.OrderID}, s.ask("inventory.finalise")
}

func (s stock) Release(_ context.Context, r inventory.ReleaseRequest) (inventory.Reservation, error) {
	return inventory.Reservation{ID: "res_1", OrderID: r.OrderID}, s.ask("inventory.release")
}

type prices struct {
	pricing.Service
	*neighbours
}

func (p prices) Calculate(_ context.Context, r pricing.CalculateRequest) (pricing.Calculation, error) {
	if err := p.ask("pricing.calculate"); err != nil {
		return pricing.Calculation{}, err
	}
	return p.calculate(r), nil
}

func (p prices) Price(_ context.Context, r pricing.PriceRequest) (pricing.Calculation, error) {
	if err := p.ask("pricing.price"); err != nil {
		return pricing.Calculation{}, err
	}
	return p.calculate(r.CalculateRequest), nil
}

func (p prices) Quote(_ context.Context, r pricing.QuoteRequest) (pricing.Quote, error) {
	if err := p.ask("pricing.quote"); err != nil {
		return pricing.Quote{}, err
	}
	return pricing.Quote{ID: "quo_1", ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Calculation: p.calculate(r.CalculateRequest)}, nil
}

func (p prices) FinaliseCoupon(context.Context, pricing.FinaliseCouponRequest) (pricing.CouponUse, error) {
	return pricing.CouponUse{}, p.ask("pricing.finalise_coupon")
}

func (p prices) ReleaseCoupon(context.Context, pricing.ReleaseCouponRequest) (pricing.CouponUse, error) {
	return pricing.CouponUse{}, p.ask("pricing.release_coupon")
}

func (p prices) EraseCustomers(_ context.Context, r pricing.EraseCustomersRequest) (pricing.CustomersErased, error) {
	p.mu.Lock()
	p.erasing = append(p.erasing, r.OrderIDs...)
	p.mu.Unlock()
	return pricing.CustomersErased{}, p.ask("pricing.erase_customers")
}

func (n *neighbours) calculate(r pricing.CalculateRequest) pricing.Calculation {
	none := money.Of(0, r.Currency)
	c := pricing.Calculation{Subtotal: none, Discount: none, Shipping: none, Tax: none, Total: none, Trace: pricing.Trace{Arithmetic: n.price}}
	for _, l := range r.Lines {
		total := money.Of(n.price*l.Quantity, r.Currency)
		c.Lines = append(c.Lines, pricing.PricedLine{
			SKU: l.SKU, Quantity: l.Quantity, UnitPrice: money.Of(n.price, r.Currency), Discount: none, Tax: none, Total: total,
		})
		c.Subtotal.Amount += total.Amount
	}
	c.Discount.Amount, c.Shipping.Amount = n.discount, n.shipping
	c.Lines[0].Discount.Amount = n.discount
	c.Lines[0].Total.Amount -= n.discount
	c.Total.Amount = c.Subtotal.Amount - n.discount + n.shipping
	return c
}

// till is one payment, as payments would keep it: its status is what the test made of it.
type till struct {
	payments.Service
	*neighbours
}

// payment is the payment of the order that the tests place.
func (n *neighbours) payment(orderID, status string) payments.Payment {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := payments.Payment{
		ID: "pay_1", OrderID: orderID, Status: status, Amount: money.Of(n.amount, "EUR"),
		Captured: money.Of(n.captured, "EUR"), Refunded: money.Of(n.refunded, "EUR"), Failure: n.decline, Multicapture: n.multi,
	}
	switch status {
	case payments.StatusSucceeded, payments.StatusRefunded:
		if n.captured == 0 {
			p.Captured.Amount = p.Amount.Amount
		}
	case payments.StatusRequiresAction:
		p.Action = &payments.Action{Type: "redirect", URL: "https://bank.example/3ds"}
	}
	return p
}

func (t till) Charge(_ context.Context, r payments.ChargeRequest) (payments.Payment, error) {
	if err := t.ask("payments.charge"); err != nil {
		return payments.Payment{}, err
	}
	t.pays(r.Amount.Amount)
	if r.Capture == payments.CaptureManual && t.charged == payments.StatusSucceeded {
		return t.payment(r.OrderID, payments.StatusAuthorised), nil
	}
	return t.payment(r.OrderID, t.state()), nil
}

// state is what a charge comes to: see becomes.
func (n *neighbours) state() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.charged
}

// pays begins a new payment of an amount.
func (n *neighbours) pays(amount int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.amount = amount
}

// becomes decides what a charge comes to from now on.
func (n *neighbours) becomes(status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.charged = status
}

func (t till) Seal(_ context.Context, r payments.SealRequest) (payments.Payment, error) {
	if err := t.ask("payments.seal"); err != nil {
		return payments.Payment{}, err
	}
	if s := t.state(); s != payments.StatusRequiresAction && s != payments.StatusPending {
		return t.payment(r.OrderID, s), nil
	}
	return t.payment(r.OrderID, payments.StatusCancelled), nil
}

func (t till) Capture(_ context.Context, r payments.CaptureRequest) (payments.Payment, error) {
	t.mu.Lock()
	t.captures, t.keys = append(t.captures, fmt.Sprint(r.Amount, r.Final)), append(t.keys, r.CaptureID)
	t.mu.Unlock()
	if err := t.ask("payments.capture"); err != nil {
		return payments.Payment{}, err
	}
	if t.decline != nil {
		status := payments.StatusAuthorised
		if t.captured > 0 {
			status = payments.StatusSucceeded
		}
		return t.payment(r.OrderID, status), nil
	}
	t.captured += r.Amount
	return t.payment(r.OrderID, payments.StatusSucceeded), nil
}

func (t till) MarkPaid(_ context.Context, r payments.MarkPaidRequest) (payments.Payment, error) {
	return t.payment(r.OrderID, payments.StatusSucceeded), t.ask("payments.mark_paid " + r.Reference)
}

func (t till) Void(_ context.Context, r payments.VoidRequest) (payments.Payment, error) {
	return t.payment(r.OrderID, payments.StatusSucceeded), t.ask("payments.void " + r.VoidID)
}

func (t till) Refund(_ context.Context, r payments.RefundRequest) (payments.Payment, error) {
	if err := t.ask("payments.refund"); err != nil {
		return payments.Payment{}, err
	}
	t.mu.Lock()
	t.refunds = append(t.refunds, r.RefundID)
	status := payments.StatusSucceeded
	if t.decline == nil {
		if t.refunded += r.Amount; r.Amount == 0 || t.refunded == t.amount {
			t.refunded, status = t.amount, payments.StatusRefunded
		}
	}
	t.mu.Unlock()
	return t.payment(r.OrderID, status), nil
}

func (t till) EraseReasons(context.Context, payments.EraseReasonsRequest) (payments.ReasonsErased, error) {
	return payments.ReasonsErased{}, t.ask("payments.erase_reasons")
}

func (t till) Changes(_ context.Context, r payments.ChangesRequest) (payments.ChangePage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return payments.ChangePage{Changes: t.changes[min(int(r.After), len(t.changes)):]}, nil
}

// tell puts a change into the feed of payments.
func (n *neighbours) tell(orderID, status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes = append(n.changes, payments.Change{Sequence: int64(len(n.changes) + 1), OrderID: orderID, Status: status})
}

// remark puts a reason to look at a payment into the feed.
func (n *neighbours) remark(orderID, reason string) {
	n.tell(orderID, payments.StatusSucceeded)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes[len(n.changes)-1].Reason = reason
}

// unreachable is the failure of a call that met nobody.
var unreachable = fault.New(fault.Unavailable, "test_unreachable", "nobody there").WithOutcome(fault.NotExecuted)

// declinedRefund is why a provider keeps the money.
var declinedRefund = &payments.Failure{Code: "refund_failed"}

func (s stock) Restock(_ context.Context, r inventory.RestockRequest) (inventory.Restocked, error) {
	call := "inventory.restock"
	for _, l := range r.Lines {
		call += fmt.Sprintf(" %d %s", l.Quantity, l.SKU)
	}
	if r.Location != "" {
		call += " at " + r.Location
	}
	if err := s.ask(call); err != nil {
		return inventory.Restocked{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restocks = append(s.restocks, r.RestockID)
	return inventory.Restocked{OrderID: r.OrderID, RestockID: r.RestockID}, nil
}

var errNoStock = inventory.ErrOutOfStock
