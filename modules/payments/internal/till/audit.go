package till

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"cutpoint/modules/payments"
	"cutpoint/platform/audit"
)

// Payments that an audit checks at once. Each operation of theirs is looked up at the provider.
const (
	defaultAudited = 100
	maxAudited     = 500
)

// Audit implements payments.Service.
func (t *Till) Audit(ctx context.Context, r audit.Request) (audit.Page, error) {
	limit := min(r.Limit, maxAudited)
	if limit <= 0 {
		limit = defaultAudited
	}
	found, err := find(t.store.Read(ctx), "p.id IN (SELECT id FROM payments WHERE id > ? ORDER BY id LIMIT ?)", r.After, limit)
	if err != nil {
		return audit.Page{}, err
	}
	page := audit.Page{Checked: int64(len(found)), Findings: []audit.Finding{}}
	if len(found) == limit {
		page.Next = found[0].ID // the newest comes first
	}
	for _, e := range found {
		findings, err := t.auditPayment(ctx, e, r.Repair)
		if err != nil {
			return audit.Page{}, err
		}
		page.Findings = append(page.Findings, findings...)
	}
	return page, nil
}

// auditPayment compares a payment with its operations, and these with the provider's books.
func (t *Till) auditPayment(ctx context.Context, e *entry, repair bool) (findings []audit.Finding, err error) {
	found := func(i audit.Invariant, problem string, args ...any) {
		findings = append(findings, audit.Finding{Invariant: i, Subject: e.ID, Problem: fmt.Sprintf(problem, args...)})
	}
	if drift := e.drift(); drift != "" {
		found(audit.RefundsWithinCaptured, "%s", drift)
		if repair {
			if findings[0].Repaired, err = t.repair(ctx, e); err != nil {
				return nil, err
			}
		}
	}
	if f := e.figures(e.decided()); f.refunded > f.captured {
		found(audit.RefundsWithinCaptured, "%d was given back and %d captured", f.refunded, f.captured)
	}
	problem, err := t.misposted(ctx, e)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		found(audit.RefundsWithinCaptured, "%s", problem)
	}
	charges := 0
	for i := range e.ops {
		op := &e.ops[i]
		if op.isCharge() && rank(op.Status) == rank(payments.OperationSucceeded) {
			charges++
		}
		problem, err := t.disagreement(ctx, e, op)
		if err != nil {
			return nil, err
		}
		if problem != "" {
			found(audit.ProviderAgrees, "%s %s: %s", op.Kind, op.Key, problem)
		}
	}
	if charges > 1 {
		found(audit.ChargedOnce, "%d charges succeeded", charges)
	}
	return findings, nil
}

// disagreement says how the provider sees an operation that succeeded here, "" if as we do, or if it was another provider's.
func (t *Till) disagreement(ctx context.Context, e *entry, op *operation) (string, error) {
	if op.Status != payments.OperationSucceeded || op.Kind == payments.OperationMarkPaid || e.Provider != t.provider.Name() {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.policy.ProviderTimeout)
	defer cancel()
	r, err := t.lookUp(ctx, e, op)
	switch {
	case err != nil:
		return "", err
	case r.State == NotFound:
		return "it succeeded here, and is not known to the provider", nil
	case r.State == Unknown:
		return fmt.Sprintf("the provider can't be asked: %s", because(r.Cause)), nil
	}
	return op.differs(r), nil
}

// drift says what of a payment is not what its operations say, "" if all is.
func (e *entry) drift() string {
	is := *e
	is.derive()
	if is.Status == e.Status && is.Authorised == e.Authorised && is.Captured == e.Captured && is.Refunded == e.Refunded {
		return ""
	}
	return fmt.Sprintf("%s with %v authorised, %v captured, %v refunded; its operations say %s with %v, %v, %v",
		e.Status, e.Authorised, e.Captured, e.Refunded, is.Status, is.Authorised, is.Captured, is.Refunded)
}

// repair makes a payment what its operations say, and tells whoever reads Changes.
func (t *Till) repair(ctx context.Context, e *entry) (repaired bool, err error) {
	err = t.store.Write(ctx, func(tx *gorm.DB) error {
		if err := reload(tx, e); err != nil {
			return err
		}
		e.derive()
		e.UpdatedAt = t.clock()
		if repaired, err = updatePayment(tx, e); err != nil {
			return err
		}
		return insertChange(tx, e, "")
	})
	return repaired, err
}
