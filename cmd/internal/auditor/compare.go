package auditor

import (
	"context"
	"errors"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
)

// errStandstill says that a module answers with the same page again: an audit must not run for ever.
var errStandstill = errors.New("the pages do not go on")

// pages asks for page after page. page is told the key of the last row of the one before, and returns that of its own last row.
func pages(page func(after string) (last string, more bool, err error)) error {
	for after := ""; ; {
		last, more, err := page(after)
		if err != nil || !more {
			return err
		}
		if last == "" || last == after {
			return errStandstill
		}
		after = last
	}
}

// compareOrders holds every order against what its neighbours have of it, newest first.
func (a *auditor) compareOrders(ctx context.Context) error {
	return pages(func(before string) (last string, more bool, err error) {
		page, err := a.Orders.Orders(ctx, orders.OrdersRequest{Before: before, Limit: pageSize})
		if err != nil {
			return "", false, err
		}
		stories, err := a.stories(ctx, page.Orders)
		if err != nil {
			return "", false, err
		}
		for _, s := range stories {
			for _, p := range s.problems() {
				a.found(ctx, p)
			}
			last = s.order.ID
		}
		a.report.Orders += int64(len(stories))
		a.options.Progress(len(stories))
		return last, page.More, nil
	})
}

// stories returns orders with all that their neighbours know about them.
func (a *auditor) stories(ctx context.Context, list []orders.Order) ([]*story, error) {
	if len(list) == 0 {
		return nil, nil
	}
	stories, ids, at := make([]*story, len(list)), make([]string, len(list)), make(map[string]*story, len(list))
	for i, o := range list {
		stories[i], ids[i] = &story{order: o}, o.ID
		at[o.ID] = stories[i]
	}
	return stories, errors.Join(a.addPayments(ctx, ids, at), a.addReservations(ctx, ids, at), a.addUses(ctx, ids, at))
}

func (a *auditor) addPayments(ctx context.Context, ids []string, at map[string]*story) error {
	return pages(func(before string) (last string, more bool, err error) {
		page, err := a.Payments.Payments(ctx, payments.PaymentsRequest{OrderIDs: ids, Before: before, Limit: pageSize})
		for _, p := range page.Payments {
			if s := at[p.OrderID]; s != nil {
				s.payments = append(s.payments, p)
			}
			last = p.ID
		}
		return last, page.More, err
	})
}

func (a *auditor) addReservations(ctx context.Context, ids []string, at map[string]*story) error {
	return pages(func(after string) (last string, more bool, err error) {
		page, err := a.Inventory.Reservations(ctx, inventory.ReservationsRequest{OrderIDs: ids, After: after})
		for _, r := range page.Reservations {
			if s := at[r.OrderID]; s != nil {
				s.reservation = &r
			}
			last = r.OrderID
		}
		return last, page.More, err
	})
}

func (a *auditor) addUses(ctx context.Context, ids []string, at map[string]*story) error {
	return pages(func(after string) (last string, more bool, err error) {
		page, err := a.Pricing.CouponUses(ctx, pricing.CouponUsesRequest{OrderIDs: ids, After: after})
		for _, u := range page.Uses {
			if s := at[u.OrderID]; s != nil {
				s.use = &u
			}
			last = u.OrderID
		}
		return last, page.More, err
	})
}

// sweepHolds looks for stock that is held for orders that do not exist. Those of orders that do were compared already.
func (a *auditor) sweepHolds(ctx context.Context) error {
	orphan := problem{invariant: audit.HoldsHaveOrders, text: "stock is held, and there is no such order", remedy: releaseStock}
	return pages(func(after string) (last string, more bool, err error) {
		page, err := a.Inventory.Reservations(ctx, inventory.ReservationsRequest{After: after, Limit: pageSize})
		if err != nil {
			return "", false, err
		}
		ids := make([]string, len(page.Reservations))
		for i, r := range page.Reservations {
			ids[i], last = r.OrderID, r.OrderID
		}
		return last, page.More, a.orphans(ctx, ids, orphan)
	})
}

// sweepUses looks for coupon uses of orders that do not exist.
func (a *auditor) sweepUses(ctx context.Context) error {
	orphan := problem{invariant: audit.CouponUses, text: "a coupon is used, and there is no such order", remedy: releaseCoupon}
	return pages(func(after string) (last string, more bool, err error) {
		page, err := a.Pricing.CouponUses(ctx, pricing.CouponUsesRequest{After: after, Limit: pageSize})
		if err != nil {
			return "", false, err
		}
		ids := make([]string, len(page.Uses))
		for i, u := range page.Uses {
			ids[i], last = u.OrderID, u.OrderID
		}
		return last, page.More, a.orphans(ctx, ids, orphan)
	})
}

// sweepPayments looks for payments of orders that do not exist.
func (a *auditor) sweepPayments(ctx context.Context) error {
	orphan := problem{invariant: audit.PaidAndConsumed, text: "there is a payment, and no such order"}
	return pages(func(before string) (last string, more bool, err error) {
		page, err := a.Payments.Payments(ctx, payments.PaymentsRequest{Before: before, Limit: pageSize})
		if err != nil {
			return "", false, err
		}
		ids := make([]string, len(page.Payments))
		for i, p := range page.Payments {
			ids[i], last = p.OrderID, p.ID
		}
		a.report.Payments += int64(len(ids))
		return last, page.More, a.orphans(ctx, ids, orphan)
	})
}

// orphans reports a problem for each of some ids of which orders knows nothing.
func (a *auditor) orphans(ctx context.Context, ids []string, p problem) error {
	if len(ids) == 0 {
		return nil
	}
	page, err := a.Orders.Orders(ctx, orders.OrdersRequest{IDs: ids, Limit: pageSize})
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(page.Orders))
	for _, o := range page.Orders {
		known[o.ID] = true
	}
	for _, p.order = range ids {
		if !known[p.order] {
			a.found(ctx, p)
		}
	}
	return nil
}
