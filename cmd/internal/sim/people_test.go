package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cutpoint/cmd/internal/shop"
	"cutpoint/modules/inventory"
	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/money"
)

// model is what people know: what they wished for, and what they were told.
type model struct {
	wishes []*wish
	orders map[string]*wish // those that were acknowledged
	stock  map[string]int64 // units that were put on the shelves
	keys   int
}

// wish is an order that a customer wants, under one key.
type wish struct {
	request orders.PlaceRequest
	orderID string // as the customer was told; "": no answer yet
	refused bool   // definitely, before it was stored
	unsure  bool   // an answer is missing: what was sent may still be on its way
}

func newModel() model { return model{orders: map[string]*wish{}, stock: shelves()} }

// shelves are the units that are there in the beginning.
func shelves() map[string]int64 { return map[string]int64{"MUG-1": 500, "CAP-1": 12, "PIN-1": 2} }

const coupon = "FEW"

// stockUp fills the shelves and the price list of a new shop.
func stockUp(ctx context.Context, c shop.Contracts) error {
	var errs []error
	for _, location := range []string{"A", "B"} {
		_, err := c.Inventory.PutLocation(ctx, inventory.PutLocationRequest{Code: location, Name: location})
		errs = append(errs, err)
	}
	for sku, quantity := range shelves() {
		_, err := c.Inventory.PutItem(ctx, inventory.PutItemRequest{SKU: sku, Name: sku})
		errs = append(errs, err)
		for _, location := range []string{"A", "B"} {
			key := idempotency.Key{Caller: "key_owner", Value: sku + location, Digest: "d"}
			_, err = c.Inventory.Adjust(ctx, inventory.AdjustRequest{Key: key, SKU: sku, Location: location, Quantity: quantity / 2, Reason: "delivery"})
			errs = append(errs, err)
		}
		_, err = c.Pricing.PutPrices(ctx, pricing.PutPricesRequest{SKU: sku, Prices: []pricing.Price{{Currency: "EUR", Amount: 1290, MinQuantity: 1}}})
		errs = append(errs, err)
	}
	_, err := c.Pricing.PutPromotion(ctx, pricing.PutPromotionRequest{
		Code: coupon, Discount: pricing.Discount{Kind: pricing.PromotionPercentage, BasisPoints: 1250, Limit: 2, Active: true},
	})
	return errors.Join(append(errs, err)...)
}

func (w *world) key() idempotency.Key {
	w.keys++
	return idempotency.Key{Caller: "key_sim", Value: fmt.Sprint(w.keys), Digest: "d"}
}

// tokens are the cards that customers have: mostly good ones, and each of the test gateway's moods.
func (w *world) card() string {
	odd := []string{
		"pm_card_visa_chargeDeclined", "pm_card_authenticationRequired", "pm_sim_timeoutCharged", "pm_sim_timeoutNotCharged", "pm_sim_500Charged",
		"pm_sim_resetCharged", "pm_sim_asyncSucceed_20", "pm_sim_asyncFail_20", "pm_sim_asyncSucceed_900", "pm_sim_webhookFirst", "pm_sim_webhookDup_3",
		"pm_sim_webhookReorder", "pm_sim_webhookLost", "pm_sim_lookupDown_3", "pm_sim_refundUnknown", "pm_sim_refundFail", "pm_sim_captureUnknown",
		"pm_sim_wrongAmount",
	}
	if w.dice.IntN(3) == 0 {
		return "pm_card_visa"
	}
	return odd[w.dice.IntN(len(odd))]
}

// act lets somebody do something.
func (w *world) act() {
	switch n := w.dice.IntN(20); {
	case n < 8:
		w.place(w.newWish())
	case n < 10:
		if len(w.wishes) > 0 {
			w.place(w.wishes[w.dice.IntN(len(w.wishes))])
		}
	case n < 12:
		w.command("cancel", func(id string) (orders.Placement, error) {
			return w.Orders.Cancel(w.life, orders.CancelRequest{Key: w.key(), ID: id, Reason: "sim"})
		})
	case n < 13:
		w.command("capture", func(id string) (orders.Placement, error) {
			r := orders.CaptureRequest{Key: w.key(), ID: id, Final: w.dice.IntN(2) == 0}
			if w.dice.IntN(2) == 0 {
				r.Amount = &money.Money{Amount: 1 + w.dice.Int64N(1500), Currency: "EUR"}
			}
			return w.Orders.Capture(w.life, r)
		})
	case n < 15:
		w.command("refund", func(id string) (orders.Placement, error) {
			r := orders.RefundRequest{Key: w.key(), ID: id}
			if w.dice.IntN(2) == 0 {
				r.Amount = &money.Money{Amount: 1 + w.dice.Int64N(1500), Currency: "EUR"}
			}
			return w.Orders.Refund(w.life, r)
		})
	case n < 16:
		w.command("act", func(id string) (orders.Placement, error) {
			outcome := []string{payments.ActConfirm, payments.ActFail}[w.dice.IntN(2)]
			_, err := w.Payments.Act(w.life, payments.ActRequest{OrderID: id, Outcome: outcome})
			return orders.Placement{}, err
		})
	case n < 17:
		w.command("resolve", w.resolve)
	case n < 18:
		w.wait(15 * time.Minute)
	default:
		w.wait(20 * time.Second)
	}
}

func (w *world) wait(limit time.Duration) {
	d := w.while(limit)
	w.say("nobody does anything for %v", d)
	w.sleep(d)
}

func (w *world) newWish() *wish {
	skus := []string{"MUG-1", "MUG-1", "CAP-1", "PIN-1"}
	d := orders.Draft{
		Basket:   orders.Basket{Currency: "EUR", Lines: []orders.Line{{SKU: skus[w.dice.IntN(4)], Quantity: 1 + w.dice.Int64N(3)}}},
		Customer: orders.Customer{Email: fmt.Sprintf("customer%d@example.com", w.dice.IntN(4))},
		Payment:  orders.Instrument{Token: w.card()},
	}
	if w.dice.IntN(3) == 0 {
		d.Lines = append(d.Lines, orders.Line{SKU: skus[w.dice.IntN(4)], Quantity: 1})
	}
	if w.dice.IntN(4) == 0 {
		d.Coupon = coupon
	}
	if w.dice.IntN(4) == 0 {
		d.Payment.Capture = payments.CaptureManual
	}
	if w.dice.IntN(8) == 0 {
		d.ExpectedTotal = &money.Money{Amount: 1290, Currency: "EUR"}
	}
	n := &wish{request: orders.PlaceRequest{Key: w.key(), Draft: d, Wait: w.dice.IntN(4) > 0}}
	w.wishes = append(w.wishes, n)
	return n
}

// place sends a wish, perhaps not for the first time. What it is answered by a process that has died meanwhile, nobody hears.
func (w *world) place(n *wish) {
	d := n.request.Draft
	w.say("order %s: %v, %s %s %s", n.request.Key.Value, d.Lines, d.Payment.Token, d.Payment.Capture, d.Coupon)
	p, err := w.Orders.Place(w.life, n.request)
	w.heard(p, err)
	if w.lost() {
		n.unsure, n.refused = true, false
		return
	}
	switch f := fault.From(err); {
	case err != nil && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) && !errors.Is(f, idempotency.ErrInUse):
		n.refused = !n.unsure
	case err != nil:
		n.unsure, n.refused = true, false // refused once, it may have been taken now
	case n.orderID != "" && n.orderID != p.Order.ID:
		w.t.Errorf("key %s was answered with %s and now with %s", n.request.Key.Value, n.orderID, p.Order.ID)
	case w.orders[p.Order.ID] != nil && w.orders[p.Order.ID] != n:
		w.t.Errorf("%s was answered for two keys", p.Order.ID)
	default:
		n.orderID, w.orders[p.Order.ID] = p.Order.ID, n
	}
}

// heard tells what a command was answered; what a process that has died meanwhile answers, nobody hears.
func (w *world) heard(p orders.Placement, err error) {
	switch {
	case w.lost():
		return
	case err != nil:
		w.say("  %v", err)
		return
	}
	w.say("  %s %s, captured %d, refunded %d", p.Order.ID, p.Order.State, p.Order.Payment.Captured.Amount, p.Order.Payment.Refunded.Amount)
}

// command does something to an order that somebody knows of.
func (w *world) command(what string, do func(id string) (orders.Placement, error)) {
	var known []string
	for _, n := range w.wishes {
		if n.orderID != "" {
			known = append(known, n.orderID)
		}
	}
	if len(known) == 0 {
		return
	}
	id := known[w.dice.IntN(len(known))]
	w.say("%s %s", what, id)
	p, err := do(id)
	w.heard(p, err)
}

// resolve takes one of the exits of review, which may not be open.
func (w *world) resolve(id string) (orders.Placement, error) {
	exits := []string{orders.ResolveRetry, orders.ResolveMarkPaid, orders.ResolveSeal, orders.ResolveRefund}
	return w.Orders.Resolve(w.life, orders.ResolveRequest{Key: w.key(), ID: id, Action: exits[w.dice.IntN(4)], Reference: "statement 7"})
}
