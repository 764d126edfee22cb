package crash

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"testing"

	"cutpoint/cmd/internal/client"
)

var (
	full  = flag.Bool("full", false, "run every scenario of the matrix, not only the first")
	kills = flag.Int("kills", 5, "how many deaths the storm has")
)

// maxPoints bounds how many points a scenario is looked for: more than any passes.
const maxPoints = 100

// step is a command of a client, under a key of its own.
type step struct {
	path string // %s is the order
	body any
}

// scenario is what a client does, one step after the other, and what must be true in the end.
type scenario struct {
	name   string
	steps  []step
	status string
	net    func(order) int64 // what the provider's ledger says is left of what was taken
}

func body(token, capture string) map[string]any {
	payment := map[string]any{"token": token}
	if capture != "" {
		payment["capture"] = capture
	}
	return map[string]any{
		"currency": "EUR", "customer": map[string]any{"email": "ada@example.com"}, "lines": []map[string]any{{"sku": "MUG-1", "quantity": 2}}, "payment": payment,
	}
}

func scenarios() []scenario {
	all := func(o order) int64 { return o.Totals.Total.Amount }
	none := func(order) int64 { return 0 }
	cancel, capture := step{path: "/v1/orders/%s/cancel"}, step{path: "/v1/orders/%s/capture"}
	part := step{"/v1/orders/%s/refunds", map[string]any{"amount": map[string]any{"amount": 500, "currency": "EUR"}}}
	return []scenario{
		{"an order", []step{{"/v1/orders", body("pm_card_visa", "")}}, "completed", all},
		{"a declined one", []step{{"/v1/orders", body("pm_card_visa_chargeDeclined", "")}}, "declined", none},
		{"one that is cancelled", []step{{"/v1/orders", body("pm_card_visa", "")}, cancel}, "cancelled", none},
		{"one that is captured later", []step{{"/v1/orders", body("pm_card_visa", "manual")}, capture}, "completed", all},
		{"one that is authorised and cancelled", []step{{"/v1/orders", body("pm_card_visa", "manual")}, cancel}, "cancelled", none},
		{"one that is partly refunded, then cancelled", []step{{"/v1/orders", body("pm_card_visa", "")}, part, cancel}, "cancelled", none},
		{"one whose provider breaks off", []step{{"/v1/orders", body("pm_sim_resetCharged", "")}}, "completed", all},
		{"one that is settled by a webhook", []step{{"/v1/orders", body("pm_sim_asyncSucceed_1", "")}}, "completed", all},
		{"one of another amount", []step{{"/v1/orders", body("pm_sim_wrongAmount", "")}}, "review", func(o order) int64 { return o.Totals.Total.Amount + 1 }},
	}
}

// TestMatrix kills the process at each point that a scenario passes.
func TestMatrix(t *testing.T) {
	deaths := 0
	for i, s := range scenarios() {
		if i > 0 && !*full {
			break
		}
		t.Run(s.name, func(t *testing.T) {
			for at := 1; at <= maxPoints; at++ {
				died, survived := s.dieAt(t, at)
				if survived {
					return
				}
				deaths++
				t.Logf("point %d: %s", at, died)
				if t.Failed() {
					return
				}
			}
			t.Errorf("it still dies at point %d", maxPoints)
		})
	}
	t.Logf("%d deaths", deaths)
}

// dieAt plays a scenario once, dying at a point, and reports what died, or that nothing did.
func (s scenario) dieAt(t *testing.T, at int) (died string, survived bool) {
	data := seeded(t)
	p := start(t, data, at)
	id := ""
	if p.dead() { // before it was ready
		died = p.died()
		p = start(t, data, 0)
	}
	for i, step := range s.steps {
		again := func() error { return p.command(step, &id, fmt.Sprint("step-", i)) }
		err := again()
		if id != "" && err == nil && !p.dead() { // what is settled in the background
			_ = p.settle(id)
		}
		if p.dead() && died == "" {
			died = p.died()
			p = start(t, data, 0)
		}
		if err = again(); err != nil {
			t.Fatalf("%s: step %d: %v", died, i, err)
		}
		p.await(t, id)
	}
	o := p.await(t, id)
	times, net := p.charged(t, id)
	if o.Status != s.status || net != s.net(o) || times > 1 {
		t.Errorf("%s: the order is %s (%+v), charged %d times, of which %d is left", died, o.Status, o.Failure, times, net)
	}
	p.stop(t)
	audit(t, data)
	return died, died == ""
}

// command sends a step until it is answered; its key makes that safe. A death is no answer.
func (p *process) command(s step, id *string, key string) error {
	path := s.path
	if *id != "" && path != "/v1/orders" {
		path = fmt.Sprintf(path, *id)
	}
	var o order
	_, err := p.Do(context.Background(), http.MethodPost, path, s.body, &o, "Idempotency-Key", key)
	var problem *client.Problem
	switch {
	case err == nil:
		*id = o.ID
	case errors.As(err, &problem) && problem.OrderID != "" && problem.Status < 500:
		*id, err = problem.OrderID, nil
	}
	return err
}

// settle waits until an order is at rest or the process is dead.
func (p *process) settle(id string) (o order) {
	for range 100 {
		if _, err := p.Do(context.Background(), http.MethodGet, "/v1/orders/"+id, nil, &o); err != nil || o.atRest() || p.dead() {
			break
		}
	}
	return o
}
