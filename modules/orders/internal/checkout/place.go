package checkout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// Place implements orders.Service.
func (c *Checkout) Place(ctx context.Context, req orders.PlaceRequest) (orders.Placement, error) {
	if err := check(req.Draft); err != nil {
		return orders.Placement{}, err
	}
	if claim, err := store.FindClaim(c.Store.Read(ctx), req.Key, c.Now()); err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	r, err := c.receive(ctx, req)
	if err != nil {
		return orders.Placement{}, err
	}
	if !req.Wait {
		return c.accept(ctx, r, req.Key)
	}
	r.leaseUntil = r.since.Add(c.policy.Lease)
	if claim, err := c.insert(ctx, r, req.Key, nil); err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	return orders.Placement{Order: c.finish(ctx, r)}, nil
}

// receive makes a record of a draft that may become an order. One that comes with another total than expected, or too late for its
// coupon, is an order too, refused before anything is held.
func (c *Checkout) receive(ctx context.Context, req orders.PlaceRequest) (*record, error) {
	asked := calculateRequest(req.Draft.Basket, req.Draft.Customer.Group)
	calculation, err := c.preflight(ctx, asked)
	exhausted := errors.Is(err, pricing.ErrCouponExhausted)
	if exhausted { // what it would have cost without the coupon, which a quote counts in, stands in the order
		asked.Coupon, asked.Quote = "", ""
		calculation, err = c.preflight(ctx, asked)
	}
	if err != nil {
		return nil, err
	}
	r := newRecord(c.NewID("ord"), req, calculation, channel.CorrelationID(ctx), c.Now())
	f := r.unexpectedTotal()
	if exhausted {
		f = pricing.ErrCouponExhausted
	}
	if f != nil {
		r.order.Failure = &orders.Failure{Code: f.Code, Message: f.Message}
		r.to(rejected, r.since)
	}
	return r, nil
}

// accept stores an order for the sweeper and answers with it as it is.
func (c *Checkout) accept(ctx context.Context, r *record, key idempotency.Key) (orders.Placement, error) {
	r.key = idempotency.Key{} // answered now, not at the end
	r.settle()
	if claim, err := c.insert(ctx, r, key, &r.order); err != nil || claim != nil {
		return c.repeat(ctx, claim, err)
	}
	c.nudge()
	return orders.Placement{Order: r.order}, nil
}

// repeat answers a command whose key is known: with the stored answer, or, if the runner died before there was one, by taking
// its place.
func (c *Checkout) repeat(ctx context.Context, claim *store.Claim, err error) (orders.Placement, error) {
	if err != nil {
		return orders.Placement{}, err
	}
	var answered orders.Order
	if ok, err := claim.Answered(&answered); err != nil || ok {
		return orders.Placement{Order: answered, Replayed: true}, err
	}
	r, err := c.claimLease(ctx, claim.Subject)
	if errors.Is(err, errOvertaken) {
		return orders.Placement{}, idempotency.ErrInUse.About(claim.Subject).WithRetryAfter(time.Second)
	} else if err != nil {
		return orders.Placement{}, err
	}
	return orders.Placement{Order: c.finish(ctx, r), Replayed: true}, nil
}

// finish runs a stored saga for as long as the request is patient, and returns the order as it then is. It has no error: an
// order that was stored is under way, whatever happened to this runner.
func (c *Checkout) finish(ctx context.Context, r *record) orders.Order {
	err := c.run(ctx, r, c.Now().Add(c.policy.Patience))
	if err == nil {
		return r.order
	}
	if !errors.Is(err, errOvertaken) {
		c.Log.ErrorContext(ctx, "the order goes on in the background", "order", r.order.ID, "error", err)
	}
	if current, err := c.load(c.Store.Read(ctx), r.order.ID); err == nil {
		return current.order
	}
	r.order.State, r.order.Status = allocating, orders.StatusProcessing // what was stored first
	return r.order
}

// Quote implements orders.Service.
func (c *Checkout) Quote(ctx context.Context, req orders.QuoteRequest) (orders.Quote, error) {
	if err := faults(checkGroup(checkBasket(fault.ErrInvalid, req.Basket), req.CustomerGroup)); err != nil {
		return orders.Quote{}, err
	}
	asked := calculateRequest(req.Basket, req.CustomerGroup)
	if err := c.checkItems(ctx, asked); err != nil {
		return orders.Quote{}, err
	}
	q, err := c.Pricing.Quote(ctx, pricing.QuoteRequest{CalculateRequest: asked})
	if err != nil {
		return orders.Quote{}, err
	}
	lines, totals := priced(q.Calculation)
	return orders.Quote{ID: q.ID, ValidUntil: q.ExpiresAt, Currency: req.Basket.Currency, Lines: lines, Totals: totals}, nil
}

// preflight asks what can be known before an order is stored: whether there are such items, and what they cost.
func (c *Checkout) preflight(ctx context.Context, asked pricing.CalculateRequest) (pricing.Calculation, error) {
	if err := c.checkItems(ctx, asked); err != nil {
		return pricing.Calculation{}, err
	}
	return c.Pricing.Calculate(ctx, asked)
}

// checkItems returns inventory.ErrUnknownSKU if there are no such items.
func (c *Checkout) checkItems(ctx context.Context, asked pricing.CalculateRequest) error {
	skus := make([]string, len(asked.Lines))
	for i, l := range asked.Lines {
		skus[i] = l.SKU
	}
	checked, err := c.Inventory.Check(ctx, inventory.CheckRequest{SKUs: skus})
	if err != nil {
		return err
	}
	if len(checked.Unknown) > 0 {
		f := inventory.ErrUnknownSKU.Saying("unknown: %s", strings.Join(checked.Unknown, ", "))
		for i, sku := range skus {
			if slices.Contains(checked.Unknown, sku) {
				f = f.At(fmt.Sprintf("/lines/%d/sku", i), f.Code, "there is no item "+sku)
			}
		}
		return f
	}
	return nil
}

// calculateRequest asks pricing for the price of a basket.
func calculateRequest(b orders.Basket, group string) pricing.CalculateRequest {
	r := record{order: orders.Order{
		Currency: b.Currency, Coupon: b.Coupon, Quote: b.Quote, Shipping: b.Shipping, Customer: orders.Customer{Group: group},
	}}
	for _, l := range b.Lines {
		r.order.Lines = append(r.order.Lines, orders.PricedLine{SKU: l.SKU, Quantity: l.Quantity})
	}
	return r.calculateRequest()
}

// check returns what is wrong with a draft, all at once. The HTTP face has checked most of it; other callers are strangers too.
func check(d orders.Draft) error {
	f := checkGroup(checkBasket(fault.ErrInvalid, d.Basket), d.Customer.Group)
	if !strings.Contains(d.Customer.Email, "@") {
		f = f.At("/customer/email", f.Code, "an email address is required")
	}
	if d.Payment.Token == "" {
		f = f.At("/payment/token", f.Code, "a payment token is required")
	}
	if payments.IsCardNumber(d.Payment.Token) {
		f = f.At("/payment/token", payments.ErrCardNumber.Code, payments.ErrCardNumber.Message)
	}
	switch d.Payment.Capture {
	case "", payments.CaptureAutomatic, payments.CaptureManual:
	default:
		f = f.At("/payment/capture", f.Code, "capture is automatic or manual")
	}
	if len(d.Hold) > orders.MaxHold {
		f = f.At("/hold", f.Code, fmt.Sprintf("a hold's id has at most %d bytes", orders.MaxHold))
	}
	return faults(f)
}

// checkGroup adds to f what is wrong with a customer group.
func checkGroup(f *fault.Error, group string) *fault.Error {
	if len(group) > orders.MaxGroup {
		f = f.At("/customer/group", f.Code, fmt.Sprintf("a customer group has at most %d bytes", orders.MaxGroup))
	}
	return f
}

// checkBasket adds to f what is wrong with a basket.
func checkBasket(f *fault.Error, b orders.Basket) *fault.Error {
	bad := func(detail, pointer string, at ...any) { f = f.At(fmt.Sprintf(pointer, at...), f.Code, detail) }
	if money.Check(b.Currency) != nil {
		bad("not an ISO 4217 currency code", "/currency")
	}
	if len(b.Lines) == 0 || len(b.Lines) > orders.MaxLines {
		bad(fmt.Sprintf("an order has 1 to %d lines", orders.MaxLines), "/lines")
	}
	for i, l := range b.Lines {
		if l.SKU == "" {
			bad("a SKU is required", "/lines/%d/sku", i)
		}
		if l.Quantity < 1 || l.Quantity > orders.MaxQuantity {
			bad(fmt.Sprintf("a quantity is 1 to %d", orders.MaxQuantity), "/lines/%d/quantity", i)
		}
	}
	if b.ExpectedTotal != nil && b.ExpectedTotal.Currency != b.Currency {
		bad("differs from the currency of the order", "/expected_total/currency")
	}
	if len(b.Quote) > orders.MaxHold {
		bad(fmt.Sprintf("a quote's id has at most %d bytes", orders.MaxHold), "/quote")
	}
	return checkMetadata(f, b.Metadata)
}

// checkMetadata adds to f what is wrong with metadata.
func checkMetadata(f *fault.Error, m map[string]string) *fault.Error {
	if len(m) > orders.MaxMetadata {
		f = f.At("/metadata", f.Code, fmt.Sprintf("at most %d entries", orders.MaxMetadata))
	}
	for k, v := range m {
		if len(k) > orders.MaxMetadataKey || len(v) > orders.MaxMetadataValue {
			return f.At("/metadata", f.Code, fmt.Sprintf("keys have at most %d bytes and values %d", orders.MaxMetadataKey, orders.MaxMetadataValue))
		}
	}
	return f
}

// faults returns f as an error if it has details.
func faults(f *fault.Error) error {
	if len(f.Details) == 0 {
		return nil
	}
	return f
}

// insert stores a new order with its saga and claims its key in one commit. If somebody else has the key by now, it stores
// nothing and returns their claim.
func (c *Checkout) insert(ctx context.Context, r *record, key idempotency.Key, answer any) (*store.Claim, error) {
	err := c.Store.Write(ctx, func(tx *gorm.DB) error {
		r.settle()
		if answer == nil && resting(r.order.State) {
			answer = r.order
		}
		if err := store.SaveClaim(tx, key, r.order.ID, answer, r.order.CreatedAt); err != nil {
			return err
		}
		return c.create(tx, r)
	})
	if !errors.Is(err, gorm.ErrDuplicatedKey) {
		return nil, err
	}
	claim, found := store.FindClaim(c.Store.Read(ctx), key, c.Now()) // seldom enough to look it up only now
	if claim == nil && found == nil {
		return nil, err
	}
	return claim, found
}
