// Package auditor checks the ten invariants of a shop (docs/invariants.md) over the contracts of its modules.
//
// What one module can tell alone it audits itself (package audit); the auditor asks it page by page. What only several can tell
// together is compared here: each order with its payment, its stock and its coupon, and the reverse, that everything of these
// has its order. Everything is read in pages, so the memory needed does not grow with the shop.
//
// The shop must be at rest: the modules are read one after the other, so in a running shop a finding may be a step that was
// just being taken. An order that is under way is held only to what must be true of it at any time.
package auditor

import (
	"context"
	"fmt"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
)

// pageSize is how many rows are compared at a time: as many as the contracts look up at once.
const pageSize = 200

// Modules are the contracts of a shop. All are needed.
type Modules struct {
	Inventory inventory.Service
	Pricing   pricing.Service
	Payments  payments.Service
	Orders    orders.Service
}

// Options are the settings of an audit. The zero value looks and changes nothing; only the reconciliation with the payment provider
// settles, as it always does, what was still open.
type Options struct {
	Repair   bool             // set right what can be derived
	Progress func(orders int) // told after each page how many orders were compared on it; nil: nobody
}

// Run audits a shop. What was found before an error is in the report.
func Run(ctx context.Context, m Modules, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	a := &auditor{Modules: m, options: o, report: &Report{}}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		// The modules first: a figure that has drifted would stand in the way of giving a hold back.
		{"audit inventory", func(ctx context.Context) error { return a.own(ctx, m.Inventory.Audit, &a.report.Items) }},
		{"audit pricing", func(ctx context.Context) error { return a.own(ctx, m.Pricing.Audit, nil) }},
		{"audit payments", func(ctx context.Context) error { return a.own(ctx, m.Payments.Audit, nil) }},
		{"audit orders", func(ctx context.Context) error { return a.own(ctx, m.Orders.Audit, nil) }},
		{"compare orders", a.compareOrders},
		{"look for holds without an order", a.sweepHolds},
		{"look for coupon uses without an order", a.sweepUses},
		{"look for payments without an order", a.sweepPayments},
		// The provider last: it may be out of reach, and the rest is known by then.
		{"reconcile with the payment provider", a.reconcile},
	} {
		if err := part.do(ctx); err != nil {
			return a.report, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return a.report, nil
}

type auditor struct {
	Modules
	options Options
	report  *Report
}

// own lets a module audit itself, and adds what it checked to a count.
func (a *auditor) own(ctx context.Context, auditPage func(context.Context, audit.Request) (audit.Page, error), checked *int64) error {
	return pages(func(after string) (last string, more bool, err error) {
		page, err := auditPage(ctx, audit.Request{After: after, Repair: a.options.Repair})
		if err != nil {
			return "", false, err
		}
		if checked != nil {
			*checked += page.Checked
		}
		for _, f := range page.Findings {
			a.report.add(f)
		}
		return page.Next, page.Next != "", nil
	})
}

// found reports a problem, after its remedy if there is one and it is wanted.
func (a *auditor) found(ctx context.Context, p problem) {
	f := audit.Finding{Invariant: p.invariant, Subject: p.order, Problem: p.text}
	if a.options.Repair && p.remedy != none {
		if err := a.apply(ctx, p); err != nil {
			f.Problem += fmt.Sprintf("; to %s failed: %v", p.remedy, err)
		} else {
			f.Repaired = true
		}
	}
	a.report.add(f)
}

func (a *auditor) apply(ctx context.Context, p problem) (err error) {
	switch p.remedy {
	case releaseStock:
		_, err = a.Inventory.Release(ctx, inventory.ReleaseRequest{OrderID: p.order})
	case consumeStock:
		_, err = a.Inventory.Finalise(ctx, inventory.FinaliseRequest{OrderID: p.order})
	case releaseCoupon:
		_, err = a.Pricing.ReleaseCoupon(ctx, pricing.ReleaseCouponRequest{OrderID: p.order})
	case finaliseCoupon:
		_, err = a.Pricing.FinaliseCoupon(ctx, pricing.FinaliseCouponRequest{OrderID: p.order})
	}
	return err
}

// inReview reports whether an operator has an order already.
func (a *auditor) inReview(ctx context.Context, orderID string) (bool, error) {
	if orderID == "" {
		return false, nil
	}
	page, err := a.Orders.Orders(ctx, orders.OrdersRequest{IDs: []string{orderID}})
	return err == nil && len(page.Orders) == 1 && page.Orders[0].Status == orders.StatusReview, err
}

// reconcile compares the provider's books with the operations of payments.
func (a *auditor) reconcile(ctx context.Context) error {
	r, err := a.Payments.Reconcile(ctx, payments.ReconcileRequest{})
	if err != nil {
		return err
	}
	a.report.Settled = r.Settled
	for _, m := range r.Mismatches {
		if known, err := a.inReview(ctx, m.OrderID); err != nil {
			return err
		} else if known {
			continue
		}
		subject := m.OrderID
		if subject == "" {
			subject = m.Reference
		}
		a.report.add(audit.Finding{
			Invariant: audit.ProviderAgrees, Subject: subject,
			Problem: fmt.Sprintf("%s (reference %q, key %q)", m.Problem, m.Reference, m.Key),
		})
	}
	return nil
}
