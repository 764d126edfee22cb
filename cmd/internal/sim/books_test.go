package sim

import (
	"slices"
	"time"

	"cutpoint/cmd/internal/auditor"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
)

// settle gives the shop the time that it needs, asks again for what was never answered, and lets an operator look at what waits
// for one.
func (w *world) settle() {
	w.t.Helper()
	for range 3 { // an order whose runner died is in use until its lease is over
		for _, n := range w.wishes {
			if n.orderID == "" && !n.refused {
				w.place(n)
			}
		}
		w.rest()
	}
	for range 3 {
		stuck := w.stuck()
		for _, s := range stuck {
			w.say("resolve %s", s.OrderID)
			w.heard(w.resolve(s.OrderID))
		}
		if len(stuck) > 0 {
			w.rest()
		}
	}
	time.Sleep(reconcileEvery + time.Minute) // and for what the provider's books tell
	w.rest()
}

// rest waits until nothing is left to do by itself. What takes longer than this is stuck.
func (w *world) rest() {
	w.t.Helper()
	var left []orders.Saga
	for range 180 {
		time.Sleep(30*time.Second + w.while(time.Second))
		page, err := w.Orders.Sagas(w.t.Context(), orders.SagasRequest{Limit: 200})
		if err != nil {
			w.t.Fatal(err)
		}
		left = slices.DeleteFunc(page.Sagas, func(s orders.Saga) bool { return s.NextAttempt == nil })
		if len(left) == 0 {
			return
		}
	}
	w.t.Errorf("%d orders are still under way: %+v", len(left), left)
}

func (w *world) stuck() []orders.Saga {
	page, err := w.Orders.Sagas(w.t.Context(), orders.SagasRequest{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Sagas
}

// audit holds the shop against its ten invariants, against what people were told, and against the provider's own books.
func (w *world) audit() {
	w.t.Helper()
	var report *auditor.Report
	for range 4 { // the provider may not be reached at first: pm_sim_lookupDown
		var err error
		report, err = auditor.Run(w.t.Context(), auditor.Modules{
			Inventory: w.Inventory, Pricing: w.Pricing, Payments: w.Payments, Orders: w.Orders,
		}, auditor.Options{})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(report.Findings) == 0 {
			break
		}
	}
	for _, f := range report.Findings {
		w.t.Errorf("invariant %d: %s: %s", f.Invariant, f.Subject, f.Problem)
	}
	left := map[string]int64{}
	for sku, n := range w.stock {
		left[sku] = n
	}
	for _, o := range w.all() {
		w.checkOrder(o)
		if o.Status == orders.StatusCompleted || o.Status == orders.StatusReview && w.consumed(o.ID) {
			for _, l := range o.Lines {
				left[l.SKU] -= l.Quantity
			}
		}
	}
	w.checkStock(left)
}

// all returns every order of the shop, and holds them against the wishes: each acknowledged one is there, and none is there twice.
func (w *world) all() []orders.Order {
	w.t.Helper()
	page, err := w.Orders.Orders(w.t.Context(), orders.OrdersRequest{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, o := range page.Orders {
		there[o.ID] = true
		if w.orders[o.ID] == nil {
			w.t.Errorf("%s belongs to nobody", o.ID)
		}
	}
	for id := range w.orders {
		if !there[id] {
			w.t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	return page.Orders
}

// mayReview are the reasons for which an order may end up with an operator, and stay there until one finds the exit.
func mayReview() []string {
	return []string{
		payments.ErrWrongAmount.Code, payments.ErrRefundDeclined.Code, payments.ErrCaptureDeclined.Code, payments.ErrKeyExpired.Code,
		inventory.ErrReleased.Code,
	}
}

func (w *world) checkOrder(o orders.Order) {
	w.t.Helper()
	page, err := w.Payments.Ledger(w.t.Context(), payments.LedgerRequest{OrderID: o.ID, Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	var taken, returned, authorised, voided int64
	charges := 0
	for _, e := range page.Entries {
		switch e.Operation {
		case payments.OperationCharge:
			taken += e.Amount
			charges++
		case payments.OperationCapture:
			taken += e.Amount
		case payments.OperationRefund:
			returned += e.Amount
		case payments.OperationAuthorise:
			authorised += e.Amount
			charges++
		case payments.OperationVoid:
			voided += e.Amount
		}
	}
	if charges > 1 {
		w.t.Errorf("%s was charged %d times", o.ID, charges)
	}
	if authorised > 0 && taken > authorised {
		w.t.Errorf("%s: %d were authorised and %d taken", o.ID, authorised, taken)
	}
	if returned > taken {
		w.t.Errorf("%s: %d were taken and %d given back", o.ID, taken, returned)
	}
	switch o.Status {
	case orders.StatusCompleted:
		if taken == 0 && authorised == 0 && o.Totals.Total.Amount > 0 && !w.markedPaid(o.ID) {
			w.t.Errorf("%s is completed and nobody paid", o.ID)
		}
	case orders.StatusRejected, orders.StatusDeclined, orders.StatusCancelled:
		if taken != returned || taken == 0 && authorised != voided {
			w.t.Errorf("%s is %s: %d were authorised, %d taken, %d voided, %d given back", o.ID, o.Status, authorised, taken, voided, returned)
		}
	case orders.StatusReview:
		if o.Failure == nil || !slices.Contains(mayReview(), o.Failure.Code) {
			w.t.Errorf("%s is in review for %+v", o.ID, o.Failure)
		}
	default:
		w.t.Errorf("%s is %s (%s)", o.ID, o.Status, o.State)
	}
}

func (w *world) markedPaid(orderID string) bool {
	page, err := w.Payments.Payments(w.t.Context(), payments.PaymentsRequest{OrderIDs: []string{orderID}})
	if err != nil || len(page.Payments) != 1 {
		return false
	}
	return slices.ContainsFunc(page.Payments[0].Operations, func(op payments.Operation) bool { return op.Kind == payments.OperationMarkPaid })
}

// consumed reports whether the stock of an order has left the shelf.
func (w *world) consumed(orderID string) bool {
	page, err := w.Inventory.Reservations(w.t.Context(), inventory.ReservationsRequest{OrderIDs: []string{orderID}})
	return err == nil && len(page.Reservations) == 1 && page.Reservations[0].State == inventory.ReservationConsumed
}

// checkStock counts the shelves.
func (w *world) checkStock(left map[string]int64) {
	w.t.Helper()
	for sku, want := range left {
		item, err := w.Inventory.Item(w.t.Context(), inventory.ItemRequest{SKU: sku})
		if err != nil {
			w.t.Fatal(err)
		}
		if item.OnHand != want {
			w.t.Errorf("%s: %d on hand, and by what was sold %d", sku, item.OnHand, want)
		}
	}
}
