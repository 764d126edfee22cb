package auditor

import (
	"fmt"
	"maps"
	"slices"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
)

// story is an order with all that its neighbours know about it.
type story struct {
	order       orders.Order
	payments    []payments.Payment     // there should be one, or none
	reservation *inventory.Reservation // nil: it never asked for stock
	use         *pricing.CouponUse     // nil: it uses no coupon now
}

// problem is an invariant that does not hold of an order, and what can be done about it.
type problem struct {
	invariant audit.Invariant
	order     string
	text      string
	remedy    remedy
}

// remedy is what follows from the decision that the order stands for. Where nothing follows, an operator decides.
type remedy string

const (
	none           remedy = ""
	releaseStock   remedy = "release the stock"
	consumeStock   remedy = "consume the stock"
	releaseCoupon  remedy = "release the coupon"
	finaliseCoupon remedy = "finalise the coupon"
)

// awaitingCapture is the state of a completed order whose money is only authorised yet.
const awaitingCapture = "awaiting_capture"

// completed reports whether an order has ended well. One that is just being cancelled or captured is under way again.
func (s *story) completed() bool {
	return s.order.Status == orders.StatusCompleted && (s.order.State == orders.StatusCompleted || s.order.State == awaitingCapture)
}

// dead reports whether an order has ended, and nothing of it may be left.
func (s *story) dead() bool {
	switch s.order.Status {
	case orders.StatusRejected, orders.StatusDeclined, orders.StatusCancelled:
		return s.order.State == s.order.Status
	}
	return false
}

// problems returns what does not hold of an order.
func (s *story) problems() []problem {
	return slices.Concat(s.charges(), s.amounts(), s.outcome(), s.stock(), s.coupon())
}

func (s *story) problem(i audit.Invariant, r remedy, format string, args ...any) problem {
	return problem{i, s.order.ID, fmt.Sprintf(format, args...), r}
}

// charges holds every order, also one under way, to at most one charge.
func (s *story) charges() (list []problem) {
	if n := len(s.payments); n > 1 {
		list = append(list, s.problem(audit.ChargedOnce, none, "it has %d payments", n))
	}
	charges := 0
	for _, p := range s.payments {
		for _, o := range p.Operations {
			if (o.Kind == payments.OperationCharge || o.Kind == payments.OperationAuthorise) && o.Status == payments.OperationSucceeded {
				charges++
			}
		}
	}
	if charges > 1 {
		list = append(list, s.problem(audit.ChargedOnce, none, "%d charges succeeded", charges))
	}
	return list
}

// amounts compares what was captured and refunded with the total, and the order's account of its payment with payments' own.
func (s *story) amounts() (list []problem) {
	for _, p := range s.payments {
		if p.Refunded.Amount < 0 || p.Refunded.Amount > p.Captured.Amount {
			list = append(list, s.problem(audit.RefundsWithinCaptured, none, "of %v, %v are captured and %v refunded", p.Amount, p.Captured, p.Refunded))
		}
		if total := s.order.Totals.Total; s.ended() && p.Captured != p.Refunded && p.Captured != total && !marked(p) && !partly(p) {
			list = append(list, s.problem(audit.RefundsWithinCaptured, none, "%v are captured, the total is %v", p.Captured, total))
		}
	}
	if s.ended() {
		list = append(list, s.agreement()...)
	}
	return list
}

// marked reports whether an operator has accepted what was paid, be it another amount than was asked for.
func marked(p payments.Payment) bool {
	return slices.ContainsFunc(p.Operations, func(op payments.Operation) bool { return op.Kind == payments.OperationMarkPaid })
}

// partly reports whether captures took less than was authorised, as they may.
func partly(p payments.Payment) bool {
	return p.Captured.Amount < p.Amount.Amount && slices.ContainsFunc(p.Operations, func(op payments.Operation) bool {
		return op.Kind == payments.OperationCapture && op.Status == payments.OperationSucceeded
	})
}

func (s *story) ended() bool { return s.completed() || s.dead() }

func (s *story) agreement() []problem {
	var paid payments.Payment
	if len(s.payments) > 0 {
		paid = s.payments[0]
	}
	told := s.order.Payment
	if told.ID == paid.ID && told.Status == paid.Status && told.Captured.Amount == paid.Captured.Amount && told.Refunded.Amount == paid.Refunded.Amount {
		return nil
	}
	return []problem{s.problem(audit.RefundsWithinCaptured, none,
		"the order says payment %q is %q with %d captured and %d refunded, payments say %q is %q with %d and %d",
		told.ID, told.Status, told.Captured.Amount, told.Refunded.Amount, paid.ID, paid.Status, paid.Captured.Amount, paid.Refunded.Amount)}
}

// outcome compares how an order ended with its money.
func (s *story) outcome() []problem {
	var kept, captured int64 // minor units
	status := ""
	for _, p := range s.payments {
		kept += p.Captured.Amount - p.Refunded.Amount
		captured += p.Captured.Amount
		status = p.Status
	}
	open := status == payments.StatusPending || status == payments.StatusRequiresAction || status == payments.StatusAuthorised
	total := s.order.Totals.Total
	switch {
	case s.completed() && total.Amount > 0 && captured == 0 && status != payments.StatusAuthorised:
		return []problem{s.problem(audit.PaidAndConsumed, none, "it is completed, and of %v nothing is captured or authorised", total)}
	case s.dead() && kept != 0:
		return []problem{s.problem(audit.PaidAndConsumed, none, "it is %s, and %d of its money are kept", s.order.Status, kept)}
	case s.dead() && open:
		return []problem{s.problem(audit.PaidAndConsumed, none, "it is %s, and its payment is %s", s.order.Status, status)}
	}
	return nil
}

// stock compares how an order ended with its stock. What a dead order consumed may have left the house: that is for an operator.
func (s *story) stock() []problem {
	state := "never reserved"
	if s.reservation != nil {
		state = s.reservation.State
	}
	switch held, consumed := state == inventory.ReservationHeld, state == inventory.ReservationConsumed; {
	case s.dead() && held:
		return []problem{s.problem(audit.HoldsHaveOrders, releaseStock, "it is %s, and its stock is held", s.order.Status)}
	case s.dead() && consumed:
		return []problem{s.problem(audit.PaidAndConsumed, none, "it is %s, and its stock is consumed", s.order.Status)}
	case s.completed() && held:
		return []problem{s.problem(audit.HoldsHaveOrders, consumeStock, "it is completed, and its stock is still held")}
	case s.completed() && !consumed:
		return []problem{s.problem(audit.PaidAndConsumed, none, "it is completed, and its stock is %s", state)}
	case s.completed():
		return s.quantities()
	}
	return nil
}

// quantities compares what was sold with what was consumed: of a kit, the parts that it had when it was ordered.
func (s *story) quantities() (list []problem) {
	missing := map[string]int64{}
	for _, l := range s.order.Lines {
		missing[l.SKU] += l.Quantity
	}
	for _, l := range s.reservation.Lines {
		missing[l.SKU] -= l.Quantity
	}
	for _, k := range s.reservation.Kits {
		missing[k.SKU] -= k.Quantity
		for _, part := range k.Components {
			missing[part.SKU] += k.Quantity * part.Quantity
		}
	}
	for _, sku := range slices.Sorted(maps.Keys(missing)) {
		if missing[sku] != 0 {
			list = append(list, s.problem(audit.PaidAndConsumed, none, "of %s, %d more are sold than consumed", sku, missing[sku]))
		}
	}
	return list
}

// coupon compares an order with its use of a coupon.
func (s *story) coupon() []problem {
	one := func(r remedy, format string, args ...any) []problem {
		return []problem{s.problem(audit.CouponUses, r, format, args...)}
	}
	switch {
	case s.use == nil && s.completed() && s.order.Coupon != "":
		return one(none, "it is completed with coupon %s, and that counts no use of it", s.order.Coupon)
	case s.use == nil:
		return nil
	case s.dead():
		return one(releaseCoupon, "it is %s, and its use of coupon %s counts", s.order.Status, s.use.Code)
	case s.use.Code != s.order.Coupon:
		return one(none, "its coupon is %q, and it uses %q", s.order.Coupon, s.use.Code)
	case s.completed() && s.use.State != pricing.CouponFinal:
		return one(finaliseCoupon, "it is completed, and its use of coupon %s is %s", s.use.Code, s.use.State)
	}
	return nil
}
