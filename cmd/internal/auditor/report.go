package auditor

import (
	"fmt"
	"strings"

	"cutpoint/platform/audit"
)

// MaxFindings is how many findings a report keeps. More are counted.
const MaxFindings = 1000

// Report is what an audit found. Its zero value is that of an empty shop, in which everything holds.
type Report struct {
	Orders     int64           `json:"orders"` // compared
	Payments   int64           `json:"payments"`
	Items      int64           `json:"items"`
	Settled    int64           `json:"settled"` // operations that the reconciliation brought to an end
	Found      int64           `json:"found"`
	Repaired   int64           `json:"repaired"`
	Invariants [10]Count       `json:"invariants"`
	Findings   []audit.Finding `json:"findings"` // the first MaxFindings
}

// Count is how often one invariant was found broken.
type Count struct {
	Name     string `json:"name"`
	Found    int64  `json:"found"`
	Repaired int64  `json:"repaired"`
}

// Left is how many findings are not repaired.
func (r *Report) Left() int64 { return r.Found - r.Repaired }

func (r *Report) add(f audit.Finding) {
	repaired := int64(0)
	if f.Repaired {
		repaired = 1
	}
	r.Found++
	r.Repaired += repaired
	if i := int(f.Invariant) - 1; i >= 0 && i < len(r.Invariants) {
		r.Invariants[i].Found++
		r.Invariants[i].Repaired += repaired
	}
	if len(r.Findings) < MaxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Named returns the report with the names of the invariants, and with a list of findings also where there are none: as a stranger
// wants to read it.
func (r *Report) Named() Report {
	named := *r
	for i := range named.Invariants {
		named.Invariants[i].Name = Name(audit.Invariant(i + 1))
	}
	if named.Findings == nil {
		named.Findings = []audit.Finding{}
	}
	return named
}

// String is the report for a person: a line for each finding, and one that sums up.
func (r *Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintln(&b, Line(f))
	}
	if more := r.Found - int64(len(r.Findings)); more > 0 {
		fmt.Fprintf(&b, "and %d findings more\n", more)
	}
	over := fmt.Sprintf("over %d orders, %d payments, %d items", r.Orders, r.Payments, r.Items)
	switch {
	case r.Found == 0:
		fmt.Fprintf(&b, "ten invariants hold %s\n", over)
	case r.Left() == 0:
		fmt.Fprintf(&b, "ten invariants hold %s, now that %d findings are repaired\n", over, r.Repaired)
	default:
		fmt.Fprintf(&b, "%d findings %s: %d repaired, %d left\n", r.Found, over, r.Repaired, r.Left())
	}
	return b.String()
}

// Line is a finding for a person: "invariant 4 (stock levels): MUG-1: reserved is 3, holds sum up to 2 [repaired]".
func Line(f audit.Finding) string {
	repaired := ""
	if f.Repaired {
		repaired = " [repaired]"
	}
	return fmt.Sprintf("invariant %d (%s): %s: %s%s", f.Invariant, Name(f.Invariant), f.Subject, f.Problem, repaired)
}

// Name is a short name of an invariant.
func Name(i audit.Invariant) string {
	switch i {
	case audit.RefundsWithinCaptured:
		return "refunds within captured"
	case audit.ChargedOnce:
		return "charged once"
	case audit.PaidAndConsumed:
		return "paid and consumed"
	case audit.StockLevels:
		return "stock levels"
	case audit.HoldsHaveOrders:
		return "holds have orders"
	case audit.CouponUses:
		return "coupon uses"
	case audit.TotalsAddUp:
		return "totals add up"
	case audit.SagasGoOn:
		return "sagas go on"
	case audit.EventsInSequence:
		return "events in sequence"
	case audit.ProviderAgrees:
		return "provider agrees"
	}
	return "unknown"
}
