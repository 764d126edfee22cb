package auditor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
	"cutpoint/platform/money"
)

// shop is a shop of plain data. Its modules answer from it, a few rows at a time, and what they are told to repair they repair.
type shop struct {
	orders       []orders.Order
	payments     []payments.Payment
	reservations []inventory.Reservation
	uses         []pricing.CouponUse
	mismatches   []payments.Mismatch
	own          map[string][]audit.Finding // of a module's own audit; gone once it was asked to repair
	refuse       error                      // of every command
	most         int                        // rows that were asked for at once
}

func (s *shop) modules() Modules {
	return Modules{Inventory: stock{shop: s}, Pricing: prices{shop: s}, Payments: till{shop: s}, Orders: book{shop: s}}
}

// auditOf answers a module's own audit in two pages.
func (s *shop) auditOf(module string, r audit.Request) (audit.Page, error) {
	if r.After == "" {
		return audit.Page{Checked: 1, Next: "second"}, nil
	}
	page := audit.Page{Checked: 1, Findings: slices.Clone(s.own[module])}
	if r.Repair {
		for i := range page.Findings {
			page.Findings[i].Repaired = true
		}
		s.own[module] = nil
	}
	return page, nil
}

const rows = 2 // of a page

// pageOf cuts the rows after a key off a sorted list, downwards if the keys fall.
func pageOf[T any](s *shop, list []T, key func(T) string, after string, falling bool, keep func(T) bool) (page []T, more bool) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int {
		if falling {
			a, b = b, a
		}
		return strings.Compare(key(a), key(b))
	})
	for _, row := range list {
		past := after == "" || !falling && key(row) > after || falling && key(row) < after
		if !past || !keep(row) {
			continue
		}
		if len(page) == rows {
			return page, true
		}
		page = append(page, row)
	}
	return page, false
}

func among(ids []string, id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

type stock struct {
	inventory.Service
	*shop
}

func (s stock) Audit(_ context.Context, r audit.Request) (audit.Page, error) {
	return s.auditOf(inventory.Module, r)
}

func (s stock) Reservations(_ context.Context, r inventory.ReservationsRequest) (inventory.ReservationPage, error) {
	s.most = max(s.most, len(r.OrderIDs), r.Limit)
	page, more := pageOf(s.shop, s.reservations, func(r inventory.Reservation) string { return r.OrderID }, r.After, false,
		func(one inventory.Reservation) bool {
			if len(r.OrderIDs) == 0 {
				return one.State == inventory.ReservationHeld
			}
			return among(r.OrderIDs, one.OrderID)
		})
	return inventory.ReservationPage{Reservations: page, More: more}, nil
}

func (s stock) set(orderID, state string) (inventory.Reservation, error) {
	for i := range s.reservations {
		if s.reservations[i].OrderID == orderID && s.refuse == nil {
			s.reservations[i].State = state
		}
	}
	return inventory.Reservation{}, s.refuse
}

func (s stock) Release(_ context.Context, r inventory.ReleaseRequest) (inventory.Reservation, error) {
	return s.set(r.OrderID, inventory.ReservationReleased)
}

func (s stock) Finalise(_ context.Context, r inventory.FinaliseRequest) (inventory.Reservation, error) {
	return s.set(r.OrderID, inventory.ReservationConsumed)
}

type prices struct {
	pricing.Service
	*shop
}

func (s prices) Audit(_ context.Context, r audit.Request) (audit.Page, error) {
	return s.auditOf(pricing.Module, r)
}

func (s prices) CouponUses(_ context.Context, r pricing.CouponUsesRequest) (pricing.CouponUsePage, error) {
	s.most = max(s.most, len(r.OrderIDs), r.Limit)
	page, more := pageOf(s.shop, s.uses, func(u pricing.CouponUse) string { return u.OrderID }, r.After, false,
		func(u pricing.CouponUse) bool {
			return among(r.OrderIDs, u.OrderID) && u.State != pricing.CouponReleased
		})
	return pricing.CouponUsePage{Uses: page, More: more}, nil
}

func (s prices) set(orderID, state string) (pricing.CouponUse, error) {
	for i := range s.uses {
		if s.uses[i].OrderID == orderID && s.refuse == nil {
			s.uses[i].State = state
		}
	}
	return pricing.CouponUse{}, s.refuse
}

func (s prices) ReleaseCoupon(_ context.Context, r pricing.ReleaseCouponRequest) (pricing.CouponUse, error) {
	return s.set(r.OrderID, pricing.CouponReleased)
}

func (s prices) FinaliseCoupon(_ context.Context, r pricing.FinaliseCouponRequest) (pricing.CouponUse, error) {
	return s.set(r.OrderID, pricing.CouponFinal)
}

type till struct {
	payments.Service
	*shop
}

func (s till) Audit(_ context.Context, r audit.Request) (audit.Page, error) {
	return s.auditOf(payments.Module, r)
}

func (s till) Payments(_ context.Context, r payments.PaymentsRequest) (payments.PaymentPage, error) {
	s.most = max(s.most, len(r.OrderIDs), r.Limit)
	page, more := pageOf(s.shop, s.payments, func(p payments.Payment) string { return p.ID }, r.Before, true,
		func(p payments.Payment) bool { return among(r.OrderIDs, p.OrderID) })
	return payments.PaymentPage{Payments: page, More: more}, nil
}

func (s till) Reconcile(context.Context, payments.ReconcileRequest) (payments.Reconciliation, error) {
	return payments.Reconciliation{Settled: 1, Mismatches: s.mismatches}, nil
}

type book struct {
	orders.Service
	*shop
}

func (s book) Audit(_ context.Context, r audit.Request) (audit.Page, error) {
	return s.auditOf(orders.Module, r)
}

func (s book) Orders(_ context.Context, r orders.OrdersRequest) (orders.OrderPage, error) {
	s.most = max(s.most, len(r.IDs), r.Limit)
	page, more := pageOf(s.shop, s.orders, func(o orders.Order) string { return o.ID }, r.Before, true,
		func(o orders.Order) bool { return among(r.IDs, o.ID) })
	return orders.OrderPage{Orders: page, More: more}, nil
}

func euro(amount int64) money.Money { return money.Of(amount, "EUR") }

// sale is an order of two mugs with what a checkout leaves of it at the neighbours. Every part can be bent.
type sale struct {
	order       orders.Order
	payment     payments.Payment
	reservation inventory.Reservation
	use         pricing.CouponUse
}

// newSale is a completed sale, with a coupon.
func newSale(id string) *sale {
	x := &sale{
		order: orders.Order{
			ID: id, Status: orders.StatusCompleted, State: orders.StatusCompleted, Coupon: "SPRING",
			Lines: []orders.PricedLine{{SKU: "MUG-1", Quantity: 2}}, Totals: orders.Totals{Total: euro(2322)},
		},
		payment: payments.Payment{
			ID: "pay_" + id, OrderID: id, Status: payments.StatusSucceeded, Amount: euro(2322), Captured: euro(2322), Refunded: euro(0),
			Operations: []payments.Operation{{Kind: payments.OperationCharge, Status: payments.OperationSucceeded}},
		},
		reservation: inventory.Reservation{
			OrderID: id, State: inventory.ReservationConsumed,
			Lines: []inventory.ReservedLine{{SKU: "MUG-1", Location: "ber", Quantity: 1}, {SKU: "MUG-1", Quantity: 1, Backordered: true}},
		},
		use: pricing.CouponUse{OrderID: id, Code: "SPRING", State: pricing.CouponFinal},
	}
	return x.agree()
}

// newDead is a sale that was undone.
func newDead(id, status string) *sale {
	x := newSale(id)
	x.order.Status, x.order.State = status, status
	x.reservation.State, x.use.State = inventory.ReservationReleased, pricing.CouponReleased
	x.payment.Status, x.payment.Refunded = payments.StatusRefunded, x.payment.Captured
	if status == orders.StatusDeclined {
		x.payment.Status, x.payment.Captured, x.payment.Refunded = payments.StatusDeclined, euro(0), euro(0)
	}
	return x.agree()
}

// newUnderWay is a sale that stopped after its charge.
func newUnderWay(id string) *sale {
	x := newSale(id)
	x.order.Status, x.order.State = orders.StatusProcessing, "charging"
	x.order.Payment = orders.Payment{}
	x.reservation.State, x.use.State = inventory.ReservationHeld, pricing.CouponHeld
	return x
}

// agree lets the order know of its payment.
func (x *sale) agree() *sale {
	x.order.Payment = orders.Payment{ID: x.payment.ID, Status: x.payment.Status, Captured: x.payment.Captured, Refunded: x.payment.Refunded}
	return x
}

func newShop(sales ...*sale) *shop {
	s := &shop{own: map[string][]audit.Finding{}}
	for _, x := range sales {
		s.orders = append(s.orders, x.order)
		if x.payment.ID != "" {
			s.payments = append(s.payments, x.payment)
		}
		if x.reservation.OrderID != "" {
			s.reservations = append(s.reservations, x.reservation)
		}
		if x.use.OrderID != "" {
			s.uses = append(s.uses, x.use)
		}
	}
	return s
}

// deaf is a payments module whose provider can't be reached.
type deaf struct{ till }

func (deaf) Reconcile(context.Context, payments.ReconcileRequest) (payments.Reconciliation, error) {
	return payments.Reconciliation{}, errors.New("no answer")
}

// stuck is an orders module that answers with its first page again and again.
type stuck struct{ book }

func (s stuck) Orders(ctx context.Context, r orders.OrdersRequest) (orders.OrderPage, error) {
	r.Before = ""
	return s.book.Orders(ctx, r)
}
