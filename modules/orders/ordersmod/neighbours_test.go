package ordersmod_test

import (
	"context"
	"errors"
	"sync"

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
	answers map[string]func() error
	price   int64 // minor units of one unit
	decline *payments.Failure
}

func newNeighbours() *neighbours {
	return &neighbours{answers: map[string]func() error{}, price: 1290}
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
	none := money.Of(0, r.Currency)
	c := pricing.Calculation{Subtotal: none, Discount: none, Shipping: none, Tax: none, Total: none}
	for _, l := range r.Lines {
		total := money.Of(p.price*l.Quantity, r.Currency)
		c.Lines = append(c.Lines, pricing.PricedLine{
			SKU: l.SKU, Quantity: l.Quantity, UnitPrice: money.Of(p.price, r.Currency), Discount: none, Tax: none, Total: total,
		})
		c.Subtotal.Amount += total.Amount
	}
	c.Total = c.Subtotal
	return c, nil
}

type till struct {
	payments.Service
	*neighbours
}

func (t till) Charge(_ context.Context, r payments.ChargeRequest) (payments.Payment, error) {
	if err := t.ask("payments.charge"); err != nil {
		return payments.Payment{}, err
	}
	p := payments.Payment{
		ID: "pay_1", OrderID: r.OrderID, Status: payments.StatusSucceeded, Amount: r.Amount, Captured: r.Amount,
		Refunded: money.Of(0, r.Amount.Currency),
	}
	if t.decline != nil {
		p.Status, p.Failure, p.Captured.Amount = payments.StatusDeclined, t.decline, 0
	}
	return p, nil
}

func (t till) Refund(_ context.Context, r payments.RefundRequest) (payments.Payment, error) {
	if err := t.ask("payments.refund"); err != nil {
		return payments.Payment{}, err
	}
	if t.decline != nil {
		return payments.Payment{ID: "pay_1", OrderID: r.OrderID, Status: payments.StatusSucceeded, Captured: money.Of(2580, "EUR"), Failure: t.decline}, nil
	}
	return payments.Payment{
		ID: "pay_1", OrderID: r.OrderID, Status: payments.StatusRefunded, Captured: money.Of(2580, "EUR"), Refunded: money.Of(2580, "EUR"),
	}, nil
}

// unreachable is the failure of a call that met nobody.
var unreachable = fault.New(fault.Unavailable, "test_unreachable", "nobody there").WithOutcome(fault.NotExecuted)
