// Package audit is what a module says when it is asked whether its data hold together.
//
// Every module checks its own data, a page at a time, so that an audit of millions of rows takes bounded memory and can run beside
// the work. With Repair it sets right what it can derive from what it owns (a figure from the rows that it sums up), never what it
// would have to guess. What only two modules together can tell is compared by whoever sees both contracts.
package audit

// Invariant numbers what must hold at all times; docs/invariants.md lists all ten.
type Invariant int

// The invariants.
const (
	RefundsWithinCaptured Invariant = iota + 1 // captured less refunded is nothing, the order's total, or an allowed part of it
	ChargedOnce                                // an order has at most one successful charge
	PaidAndConsumed                            // completed <=> captured or authorised <=> stock consumed
	StockLevels                                // on hand >= reserved >= 0, reserved is the sum of live holds, on hand that of movements
	HoldsHaveOrders                            // no hold outlives its order
	CouponUses                                 // uses of a coupon are the orders that hold or used it, and within its limit
	TotalsAddUp                                // lines + tax + shipping - discounts = total
	SagasGoOn                                  // an unfinished order has a next attempt, and a free lease or a live runner
	EventsInSequence                           // an order's events have no gap
	ProviderAgrees                             // each object of the payment provider belongs to one operation, and the reverse
)

// Request asks for the check of one page.
type Request struct {
	After  string `json:"after"` // Next of the page before; "" for the first
	Limit  int    `json:"limit"` // rows to check; 0: the module's choice
	Repair bool   `json:"repair"`
}

// Page is what was found on it.
type Page struct {
	Checked  int64     `json:"checked"` // rows
	Findings []Finding `json:"findings"`
	Next     string    `json:"next"` // "": this was the last page
}

// Finding is an invariant that does not hold.
type Finding struct {
	Invariant Invariant `json:"invariant"`
	Subject   string    `json:"subject"` // id of the row, or the SKU
	Problem   string    `json:"problem"` // with the figures
	Repaired  bool      `json:"repaired"`
}
