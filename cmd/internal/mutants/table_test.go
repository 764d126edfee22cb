package mutants

// Where the guards stand.
const (
	stock    = "modules/inventory/internal/stock/"
	prices   = "modules/pricing/internal/pricebook/"
	reckon   = "modules/pricing/internal/reckon/"
	till     = "modules/payments/internal/till/"
	checkout = "modules/orders/internal/checkout/"
	claims   = "platform/store/claim.go"
)

// mutants is the table: at least one for each of the ten invariants, and then what else keeps an order or a cent.
//
// Two guards are not in it, since the simulation did not turn red without them; tests of their modules do. Money on a dead order goes
// back (changes.go; TestLateSuccess of ordersmod): a provider that keeps its word about a seal never comes to that, and the test gateway
// keeps it. And Reserve refuses an order that was released (reserve.go; TestRelease and TestStockAddsUp of stock): behind it the layer
// starts no call whose deadline is over.
func mutants() []mutant {
	return []mutant{
		{"1 a refund is counted as if it moved nothing", []edit{
			{till + "derive.go", "f.refunded += op.moved.Amount", "f.refunded += 0"},
		}, "invariant 1|amount_too_large"},
		{"1 a cancelled order keeps the money", []edit{
			{checkout + "steps.go", "r.startRefund(c.NewID(\"ref\"), cancelled)\n\t\treturn move{to: refunding, reference: payment.ID}, nil",
				"r.ending = cancelled\n\t\treturn move{to: releasing, reference: payment.ID}, nil"},
		}, "invariant [13]|is cancelled"},
		{"2 a charge that had no answer is made anew under another key", []edit{
			{till + "operate.go", "in := t.instruct(e, op, token)\n\tr, err := t.ask(ctx, op.Kind",
				"in := t.instruct(e, op, token)\n\tif !fresh {\n\t\tin.Key = t.newID(\"op\")\n\t}\n\tr, err := t.ask(ctx, op.Kind"},
			{till + "operate.go", "result, err = t.seek(ctx, e, id)", "result = Result{State: NotFound}"},
		}, "was charged|invariant (2|10)"},
		{"3 a declined order counts as paid", []edit{
			{checkout + "steps.go", "f := payments.ErrDeclined\n",
				"f := payments.ErrDeclined\n\t\tif r.order.Totals.Total.Amount > 0 {\n\t\t\treturn move{to: finalisingStock}, nil\n\t\t}\n"},
		}, "invariant 3|nobody paid"},
		{"3 paid stock is not taken off the shelf", []edit{
			{checkout + "steps.go", "return move{to: finalisingStock, reference: payment.ID}, nil", "return move{to: finalisingOrder, reference: payment.ID}, nil"},
		}, "invariant [35]|on hand"},
		{"3 stock is released while nobody knows whether money moved", []edit{
			{checkout + "saga.go", "next = chargeUnknown\n", "next, r.ending = releasing, cancelled\n"},
		}, "invariant [13]|is cancelled"},
		{"4 reserved is not counted up", []edit{
			{stock + "take.go", "SET reserved = reserved + ?, version = version + 1\n\t\t\tWHERE", "SET reserved = reserved + 0 * ?, version = version + 1\n\t\t\tWHERE"},
		}, "invariant 4"},
		{"4 a release leaves the shelf as it is", []edit{
			{stock + "reserve.go", "inventory.ReservationReleased, perUnit{reserved: -1})", "inventory.ReservationReleased, perUnit{})"},
		}, "invariant 4"},
		{"4 a return does not come back to the shelf", []edit{
			{stock + "reserve.go", "perUnit{onHand: +1, kind: inventory.MovementReturned}", "perUnit{kind: inventory.MovementReturned}"},
		}, "on hand|invariant 4"},
		{"5 a dead order keeps its hold", []edit{
			{checkout + "steps.go", "reservation, err := c.Inventory.Release(ctx, inventory.ReleaseRequest{OrderID: r.order.ID})", "var reservation inventory.Reservation\n\tvar err error"},
		}, "invariant 5"},
		{"6 a coupon has no limit", []edit{
			{prices + "coupons.go", "(use_limit = 0 OR used < use_limit)", "1 = 1"},
			{"migrations/pricing/sqlite/0003_rules.sql", "CHECK (use_limit = 0 OR used <= use_limit)", "CHECK (use_limit >= 0)"},
		}, "invariant 6"},
		{"6 a dead order keeps its coupon", []edit{
			{checkout + "steps.go", "_, err = c.Pricing.ReleaseCoupon(ctx, pricing.ReleaseCouponRequest{OrderID: r.order.ID})", "err = nil"},
		}, "invariant 6"},
		{"6 a use that is given back is not counted down", []edit{
			{prices + "coupons.go", "SET used = used - 1 WHERE", "SET used = used WHERE"},
		}, "invariant 6"},
		{"7 a discount loses what division leaves", []edit{
			{reckon + "arithmetic.go", "for _, i := range order[:left] {", "for _, i := range order[:0] {"},
		}, "invariant 7"},
		{"8 an order is parked without a next attempt", []edit{
			{checkout + "rows.go", "default:\n\t\treturn store.Micros(r.nextAttempt)", "default:\n\t\treturn 0"},
		}, "invariant 8|is processing"},
		{"8 a lease is never over", []edit{
			{checkout + "rows.go", "r.leaseUntil = now.Add(c.policy.Lease)\n\tfenced", "r.leaseUntil = now.Add(1000 * time.Hour)\n\tfenced"},
			{checkout + "rows.go", "now.Add(c.policy.Lease), time.Time{}, \"\"", "now.Add(1000 * time.Hour), time.Time{}, \"\""},
		}, "still under way|invariant 8|is processing"},
		{"9 events that were told are not counted", []edit{
			{checkout + "rows.go", "r.events+int64(len(r.happened)),\n\t\to.ID", "r.events+2*int64(len(r.happened)),\n\t\to.ID"},
		}, "invariant 9"},
		{"9 an event is told after the commit, perhaps", []edit{
			{checkout + "rows.go", "if err := r.appendTimeline(tx); err != nil {\n\t\treturn err\n\t}\n\treturn c.appendEvents(tx, r)",
				"if err := r.appendTimeline(tx); err != nil {\n\t\treturn err\n\t}\n\tlate := *r\n\tgo func() {\n\t\t_ = c.Store.Write(context.Background(), func(tx *gorm.DB) error { return c.appendEvents(tx, &late) })\n\t}()\n\tr.events += int64(len(r.happened))\n\tr.happened = nil\n\treturn nil"},
		}, "invariant 9"},
		{"10 the operation is written after the provider was asked", []edit{
			{till + "charge.go", "err = t.store.Write(ctx, func(tx *gorm.DB) error {\n\t\tif fresh, err = insertPayment(tx, e)",
				"in := t.instruct(e, &e.ops[0], \"pm_card_visa\")\n\tif _, err = t.ask(ctx, e.ops[0].Kind, &e.ops[0], func(ctx context.Context) (Result, error) { return t.carryOut(ctx, in) }); err != nil {\n\t\treturn nil, false, err\n\t}\n\terr = t.store.Write(ctx, func(tx *gorm.DB) error {\n\t\tif fresh, err = insertPayment(tx, e)"},
		}, "invariant (3|10)|was charged"},
		// Behind the fence stands the lease: while everybody keeps to it, nobody is overtaken.
		{"no fence and no lease: two runners write", []edit{
			{checkout + "rows.go", "if r.leaseUntil.After(now) {", "if false {"},
			{checkout + "sweep.go", "AND lease_until <= ? ORDER", "AND ? > 0 ORDER"},
			{checkout + "rows.go", "WHERE order_id = ? AND version = ?\",\n\t\tc.owner", "WHERE order_id = ? AND ? > 0\",\n\t\tc.owner"},
			{checkout + "rows.go", "AND version = ? AND cancel_requested = ?`,\n\t\to.State", "AND ? > 0 AND cancel_requested = ?`,\n\t\to.State"},
		}, "invariant|is processing|UNIQUE|two messages are alike"},
		{"the key of an order is claimed in a commit of its own", []edit{
			{checkout + "place.go", "if err := store.SaveClaim(tx, key, r.order.ID, answer, r.order.CreatedAt); err != nil {\n\t\t\treturn err\n\t\t}\n\t\treturn c.create(tx, r)\n\t})",
				"return c.create(tx, r)\n\t})\n\tif err == nil {\n\t\terr = c.Store.Write(ctx, func(tx *gorm.DB) error {\n\t\t\treturn store.SaveClaim(tx, key, r.order.ID, answer, r.order.CreatedAt)\n\t\t})\n\t}"},
		}, "belongs to nobody"},
		{"a key that was used places another order", []edit{
			{claims, "case digest != k.Digest:", "case c.answer == \"\":\n\t\treturn nil, nil\n\tcase digest != k.Digest:"},
			{claims, "WHERE idempotency_keys.created_at <= ?`", "WHERE idempotency_keys.created_at <= ? OR 1 = 1`"},
		}, "belongs to nobody|was answered"},
		{"a seal leaves no trace where no charge had come", []edit{
			{till + "seal.go", "e, _, err := t.beginPayment(ctx, e)\n\treturn e, err", "return e, nil"},
		}, "invariant|is cancelled|is declined"},
		{"a timeout counts as a refusal", []edit{
			{checkout + "saga.go", "case fault.Internal, fault.Unavailable, fault.Timeout, fault.Limited:\n\t\treturn false", "case fault.Internal:\n\t\treturn false"},
		}, "invariant|in review for|is rejected"},
		{"a charge that was not answered counts as declined", []edit{
			{till + "operate.go", "if r.State == Unknown {\n\t\treturn payments.Payment{}, payments.ErrUnknownOutcome.About(e.OrderID).Because(r.Cause)\n\t}",
				"if r.State == Unknown {\n\t\tr = Result{State: Declined, Failure: payments.Failure{Code: \"no_answer\"}}\n\t}"},
		}, "invariant|is declined|in review for"},
		{"amounts are not compared", []edit{
			{till + "entry.go", "if r.Amount != op.Amount {", "if r.Amount.Currency != op.Amount.Currency {"},
		}, "invariant"},
	}
}
