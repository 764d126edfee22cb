package auditor

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
)

func run(t testing.TB, s *shop, repair bool) *Report {
	t.Helper()
	r, err := Run(t.Context(), s.modules(), Options{Repair: repair})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sound is a shop of every kind of sale that holds together.
func sound() []*sale {
	free := newSale("o-free")
	free.order.Totals.Total, free.payment, free.order.Payment = euro(0), payments.Payment{}, orders.Payment{}
	plain := newSale("o-plain")
	plain.order.Coupon, plain.use = "", pricing.CouponUse{}
	manual := newSale("o-manual")
	manual.order.State, manual.payment.Status, manual.payment.Captured = awaitingCapture, payments.StatusAuthorised, euro(0)
	manual.agree()
	plain.order.Lines = append(plain.order.Lines, orders.PricedLine{SKU: "BOTH", Quantity: 2})
	plain.reservation.Kits = []inventory.ReservedKit{{SKU: "BOTH", Quantity: 2, Components: []inventory.Component{{SKU: "LEFT", Quantity: 1}, {SKU: "RIGHT", Quantity: 3}}}}
	plain.reservation.Lines = append(plain.reservation.Lines, inventory.ReservedLine{SKU: "LEFT", Quantity: 2}, inventory.ReservedLine{SKU: "RIGHT", Quantity: 6})
	partly := newSale("o-partly") // captured for the first parcel, the rest was let go
	partly.payment.Captured, partly.payment.Refunded = euro(2000), euro(1000)
	partly.payment.Operations = append(partly.payment.Operations, payments.Operation{
		ID: "op_capture", Kind: payments.OperationCapture, Status: payments.OperationSucceeded, Amount: euro(2000), Key: "k",
	})
	partly.agree()
	wholly := newSale("o-wholly")
	wholly.payment.Status, wholly.payment.Refunded = payments.StatusRefunded, euro(2322)
	wholly.agree()
	early := newDead("o-early", orders.StatusRejected)
	early.payment, early.order.Payment, early.reservation, early.use = payments.Payment{}, orders.Payment{}, inventory.Reservation{}, pricing.CouponUse{}
	cancelling := newSale("o-cancelling")
	cancelling.order.State, cancelling.payment.Status, cancelling.payment.Refunded = "refunding", payments.StatusRefunded, euro(2322)
	return []*sale{
		newSale("o-1"), free, plain, manual, partly, wholly, early, cancelling, newUnderWay("o-2"),
		newDead("o-3", orders.StatusDeclined), newDead("o-4", orders.StatusCancelled),
	}
}

func TestRun_soundShop(t *testing.T) {
	s := newShop(sound()...)
	compared := 0
	r, err := Run(t.Context(), s.modules(), Options{Repair: true, Progress: func(n int) { compared += n }})
	if err != nil || r.Found != 0 || r.String() != "ten invariants hold over 11 orders, 9 payments, 2 items\n" {
		t.Errorf("%v, %v", r, err)
	}
	if compared != 11 || r.Settled != 1 {
		t.Errorf("told of %d orders, %d settled", compared, r.Settled)
	}
	if s.most > pageSize {
		t.Errorf("%d rows were asked for at once", s.most)
	}
	if empty := run(t, newShop(), false); empty.Orders != 0 || empty.Found != 0 {
		t.Errorf("an empty shop: %v", empty)
	}
}

// TestRun_broken breaks each invariant once, in a shop that is sound otherwise: it is found, and nothing else is; what can be
// repaired is, and the rest is found again.
func TestRun_broken(t *testing.T) {
	completed := func(bend func(*sale)) func(*shop) {
		return func(s *shop) {
			x := newSale("o-x")
			bend(x)
			add(s, newShop(x))
		}
	}
	dead := func(bend func(*sale)) func(*shop) {
		return func(s *shop) {
			x := newDead("o-x", orders.StatusCancelled)
			bend(x)
			add(s, newShop(x))
		}
	}
	own := func(module string, i audit.Invariant) func(*shop) {
		return func(s *shop) { s.own[module] = []audit.Finding{{Invariant: i, Subject: "o-x", Problem: "bent"}} }
	}
	for _, tt := range []struct {
		name      string
		invariant audit.Invariant
		bend      func(*shop)
		problem   string
		repaired  bool
	}{
		{"more refunded than captured", 1, completed(func(x *sale) { x.payment.Refunded = euro(2323); x.agree() }), "of 23.22 EUR, 23.22 EUR are captured and 23.23 EUR refunded", false},
		{"another amount captured than the total", 1, completed(func(x *sale) { x.payment.Captured = euro(2000); x.agree() }), "20.00 EUR are captured, the total is 23.22 EUR", false},
		{"an order that does not know of its refund", 1, completed(func(x *sale) { x.payment.Refunded = euro(1) }),
			`the order says payment "pay_o-x" is "succeeded" with 2322 captured and 0 refunded, payments say "pay_o-x" is "succeeded" with 2322 and 1`, false},
		{"two charges", 2, completed(func(x *sale) { x.payment.Operations = append(x.payment.Operations, x.payment.Operations[0]) }), "2 charges succeeded", false},
		{"two payments", 2, func(s *shop) {
			x := newUnderWay("o-x")
			second := x.payment
			second.ID, second.Operations = "pay_second", nil
			add(s, newShop(x))
			s.payments = append(s.payments, second)
		}, "it has 2 payments", false},
		{"completed and not paid", 3, completed(func(x *sale) { x.payment, x.order.Payment = payments.Payment{}, orders.Payment{} }),
			"it is completed, and of 23.22 EUR nothing is captured or authorised", false},
		{"free, and money was taken", 1, completed(func(x *sale) { x.order.Totals.Total = euro(0) }), "23.22 EUR are captured, the total is 0.00 EUR", false},
		{"cancelled and not refunded", 3, dead(func(x *sale) { x.payment.Status, x.payment.Refunded = payments.StatusSucceeded, euro(0); x.agree() }),
			"it is cancelled, and 2322 of its money are kept", false},
		{"cancelled while money may still move", 3, dead(func(x *sale) {
			x.payment.Status, x.payment.Captured, x.payment.Refunded = payments.StatusPending, euro(0), euro(0)
			x.agree()
		}), "it is cancelled, and its payment is pending", false},
		{"completed without stock", 3, completed(func(x *sale) { x.reservation = inventory.Reservation{} }), "it is completed, and its stock is never reserved", false},
		{"completed with its stock given back", 3, completed(func(x *sale) { x.reservation.State = inventory.ReservationReleased }), "it is completed, and its stock is released", false},
		{"more sold than consumed", 3, completed(func(x *sale) { x.reservation.Lines = x.reservation.Lines[1:] }), "of MUG-1, 1 more are sold than consumed", false},
		{"cancelled and consumed", 3, dead(func(x *sale) { x.reservation.State = inventory.ReservationConsumed }), "it is cancelled, and its stock is consumed", false},
		{"a payment without an order", 3, func(s *shop) {
			s.payments = append(s.payments, payments.Payment{ID: "pay_x", OrderID: "o-x"})
		}, "there is a payment, and no such order", false},
		{"a level that has drifted", 4, own(inventory.Module, audit.StockLevels), "bent", true},
		{"a hold of a dead order", 5, dead(func(x *sale) { x.reservation.State = inventory.ReservationHeld }), "it is cancelled, and its stock is held", true},
		{"a hold of a completed order", 5, completed(func(x *sale) { x.reservation.State = inventory.ReservationHeld }), "it is completed, and its stock is still held", true},
		{"a hold without an order", 5, func(s *shop) {
			s.reservations = append(s.reservations, inventory.Reservation{OrderID: "o-x", State: inventory.ReservationHeld})
		}, "stock is held, and there is no such order", true},
		{"a coupon whose count has drifted", 6, own(pricing.Module, audit.CouponUses), "bent", true},
		{"a coupon use of a dead order", 6, dead(func(x *sale) { x.use.State = pricing.CouponHeld }), "it is cancelled, and its use of coupon SPRING counts", true},
		{"a coupon use that is not final", 6, completed(func(x *sale) { x.use.State = pricing.CouponHeld }), "it is completed, and its use of coupon SPRING is held", true},
		{"a coupon that is not counted", 6, completed(func(x *sale) { x.use = pricing.CouponUse{} }), "it is completed with coupon SPRING, and that counts no use of it", false},
		{"the use of another coupon", 6, completed(func(x *sale) { x.use.Code = "OTHER" }), `its coupon is "SPRING", and it uses "OTHER"`, false},
		{"a coupon use without an order", 6, func(s *shop) {
			s.uses = append(s.uses, pricing.CouponUse{OrderID: "o-x", Code: "SPRING", State: pricing.CouponFinal})
		}, "a coupon is used, and there is no such order", true},
		{"totals that do not add up", 7, own(orders.Module, audit.TotalsAddUp), "bent", true},
		{"a saga that stands still", 8, own(orders.Module, audit.SagasGoOn), "bent", true},
		{"a gap in the events", 9, own(orders.Module, audit.EventsInSequence), "bent", true},
		{"an operation that the provider does not know", 10, own(payments.Module, audit.ProviderAgrees), "bent", true},
		{"an object that payments do not know", 10, func(s *shop) {
			s.mismatches = []payments.Mismatch{{Reference: "o-x", Key: "k", Problem: "nobody asked for it"}}
		}, `nobody asked for it (reference "o-x", key "k")`, false},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.invariant, tt.name), func(t *testing.T) {
			s := newShop(sound()...)
			tt.bend(s)
			want := audit.Finding{Invariant: tt.invariant, Subject: "o-x", Problem: tt.problem}
			if got := run(t, s, false).Findings; !has(got, want) {
				t.Fatalf("found %+v, want %+v", got, want)
			}
			want.Repaired = tt.repaired
			if got := run(t, s, true).Findings; !has(got, want) {
				t.Fatalf("repaired %+v, want %+v", got, want)
			}
			if after := run(t, s, true); (after.Left() == 0) != tt.repaired || tt.repaired && after.Found != 0 {
				t.Fatalf("afterwards %v", after)
			}
		})
	}
}

// has wants one finding, and none beside it.
func has(list []audit.Finding, want audit.Finding) bool {
	return len(list) == 1 && reflect.DeepEqual(list[0], want)
}

// add joins one shop to another.
func add(s, more *shop) {
	s.orders = append(s.orders, more.orders...)
	s.payments = append(s.payments, more.payments...)
	s.reservations = append(s.reservations, more.reservations...)
	s.uses = append(s.uses, more.uses...)
}

func TestRun_underWay(t *testing.T) {
	for name, bend := range map[string]func(*sale){
		"stock is consumed, the order does not know yet": func(x *sale) { x.reservation.State = inventory.ReservationConsumed },
		"in review, with the money unknown":              func(x *sale) { x.order.Status, x.payment.Status = orders.StatusReview, payments.StatusPending },
		"its coupon is not taken yet":                    func(x *sale) { x.use = pricing.CouponUse{} },
		"its refund is under way":                        func(x *sale) { x.order.State, x.payment.Refunded = "refunding", euro(2322) },
	} {
		x := newUnderWay("o-1")
		bend(x)
		if r := run(t, newShop(x), true); r.Found != 0 {
			t.Errorf("%s: %v", name, r)
		}
	}
	x := newUnderWay("o-1")
	x.payment.Refunded = euro(3000)
	if r := run(t, newShop(x), true); r.Invariants[0].Found != 1 {
		t.Errorf("more refunded than captured holds at no time: %v", r)
	}
}

func TestRun_failures(t *testing.T) {
	t.Run("a repair that fails is told with its reason, and the audit goes on", func(t *testing.T) {
		x, y := newDead("o-1", orders.StatusCancelled), newDead("o-2", orders.StatusCancelled)
		x.reservation.State, y.use.State = inventory.ReservationHeld, pricing.CouponHeld
		s := newShop(x, y)
		s.refuse = errors.New("not today")
		r := run(t, s, true)
		if r.Found != 2 || r.Left() != 2 || !strings.HasSuffix(r.Findings[1].Problem, "; to release the stock failed: not today") {
			t.Errorf("%v", r)
		}
	})
	t.Run("a module that can't be asked ends it, with what was found until then", func(t *testing.T) {
		s := newShop()
		s.own[inventory.Module] = []audit.Finding{{Invariant: audit.StockLevels, Subject: "MUG-1"}}
		m := s.modules()
		m.Payments = deaf{till: till{shop: s}}
		r, err := Run(t.Context(), m, Options{})
		if err == nil || err.Error() != "reconcile with the payment provider: no answer" || r.Found != 1 {
			t.Errorf("%v, %v", r, err)
		}
	})
	t.Run("pages that do not go on end it", func(t *testing.T) {
		s := newShop(sound()...)
		m := s.modules()
		m.Orders = stuck{book: book{shop: s}}
		if _, err := Run(t.Context(), m, Options{}); !errors.Is(err, errStandstill) {
			t.Errorf("%v", err)
		}
	})
}

func TestReport(t *testing.T) {
	r := &Report{Orders: 3, Payments: 2, Items: 1}
	for range MaxFindings + 5 {
		r.add(audit.Finding{Invariant: audit.StockLevels, Subject: "MUG-1", Problem: "reserved is 3, holds sum up to 2", Repaired: true})
	}
	text := r.String()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(r.Findings) != MaxFindings || len(lines) != MaxFindings+2 ||
		lines[0] != "invariant 4 (stock levels): MUG-1: reserved is 3, holds sum up to 2 [repaired]" ||
		lines[MaxFindings] != "and 5 findings more" ||
		lines[MaxFindings+1] != "ten invariants hold over 3 orders, 2 payments, 1 items, now that 1005 findings are repaired" {
		t.Errorf("%d findings kept; %q ... %q", len(r.Findings), lines[0], lines[MaxFindings:])
	}
	r.add(audit.Finding{Invariant: audit.ChargedOnce, Subject: "o-1"})
	if !strings.HasSuffix(r.String(), "1006 findings over 3 orders, 2 payments, 1 items: 1005 repaired, 1 left\n") {
		t.Errorf("%s", r.String()[len(text)-200:])
	}
	b, err := json.Marshal((&Report{}).Named())
	if err != nil || !strings.Contains(string(b), `"findings":[]`) || !strings.Contains(string(b), `{"name":"provider agrees","found":0,"repaired":0}`) {
		t.Errorf("%s, %v", b, err)
	}
}
