package ordersmod_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

func (m *module) placeManual(t testing.TB) orders.Order {
	t.Helper()
	r := request("manual")
	r.Draft.Payment.Capture = payments.CaptureManual
	o := m.place(t, r)
	if o.Status != orders.StatusCompleted || o.State != "awaiting_capture" || o.Payment.Status != payments.StatusAuthorised {
		t.Fatalf("the order is %s (%s), its payment %s", o.Status, o.State, o.Payment.Status)
	}
	m.calls()
	return o
}

func TestCapture(t *testing.T) {
	capture := func(t *testing.T, m *module, o orders.Order, k string) (orders.Placement, error) {
		return m.Capture(t.Context(), orders.CaptureRequest{Key: key(k), ID: o.ID})
	}
	t.Run("takes the money once", func(t *testing.T) {
		m := startNew(t)
		o := m.placeManual(t)
		for i, k := range []string{"c1", "c1"} {
			p, err := capture(t, m, o, k)
			if err != nil || p.Order.State != "completed" || p.Order.Payment.Captured.Amount != 2580 || p.Replayed != (i == 1) {
				t.Fatalf("got %+v (%v)", p, err)
			}
		}
		wantCalls(t, m.neighbours, "payments.capture")
		if _, err := capture(t, m, o, "c2"); !errors.Is(err, orders.ErrNotCapturable) {
			t.Errorf("a second capture is answered %v", err)
		}
	})
	t.Run("that the provider refuses is an operator's, who can try again", func(t *testing.T) {
		m := startNew(t)
		o := m.placeManual(t)
		m.decline = &payments.Failure{Code: "expired", Message: "The authorisation has expired."}
		if p, err := capture(t, m, o, "c1"); err != nil || p.Order.State != "needs_review" || p.Order.Failure.Code != "payments.capture_declined" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		m.decline = nil
		p, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("r"), ID: o.ID, Action: orders.ResolveRetry})
		if err != nil || p.Order.State != "completed" {
			t.Errorf("got %+v (%v)", p.Order, err)
		}
	})
	part := func(m *module, o orders.Order, k string, amount int64, final bool) (orders.Placement, error) {
		return m.Capture(t.Context(), orders.CaptureRequest{Key: key(k), ID: o.ID, Amount: &money.Money{Amount: amount, Currency: "EUR"}, Final: final})
	}
	t.Run("takes parts, until one is final", func(t *testing.T) {
		m := startNew(t)
		m.multi = true
		o := m.placeManual(t)
		for _, step := range []struct {
			key             string
			amount          int64
			final, replayed bool
			state           string
			captured        int64
		}{
			{"c1", 1000, false, false, "awaiting_capture", 1000}, {"c1", 1000, false, true, "awaiting_capture", 1000},
			{"c2", 500, false, false, "awaiting_capture", 1500}, {"c3", 80, true, false, "completed", 1580},
		} {
			p, err := part(m, o, step.key, step.amount, step.final)
			if err != nil || p.Order.State != step.state || p.Order.Payment.Captured.Amount != step.captured || p.Replayed != step.replayed {
				t.Fatalf("%+v is answered %s, %+v, replayed %v (%v)", step, p.Order.State, p.Order.Payment, p.Replayed, err)
			}
			if _, err := part(m, o, "much", 2000, true); !errors.Is(err, orders.ErrCaptureAmount) && !errors.Is(err, orders.ErrNotCapturable) {
				t.Errorf("more than is left is answered %v", err)
			}
		}
		if want := []string{"1000 false", "500 false", "80 true"}; !slices.Equal(m.captures, want) {
			t.Errorf("asked for %q, want %q", m.captures, want)
		}
		if _, err := part(m, o, "c4", 1, true); !errors.Is(err, orders.ErrNotCapturable) {
			t.Errorf("one after the final is answered %v", err)
		}
		want := []string{orders.EventReceived, orders.EventCompleted, orders.EventCaptured, orders.EventCaptured, orders.EventCaptured}
		if got := m.told(t, o.ID); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
	t.Run("of all that is left completes the order", func(t *testing.T) {
		m := startNew(t)
		m.multi = true
		o := m.placeManual(t)
		if _, err := part(m, o, "c1", 1000, false); err != nil {
			t.Fatal(err)
		}
		if p, err := part(m, o, "c2", 1580, false); err != nil || p.Order.State != "completed" || p.Order.Payment.Captured.Amount != 2580 {
			t.Errorf("got %+v (%v)", p.Order, err)
		}
	})
	t.Run("where there can be one only, a part must be final", func(t *testing.T) {
		m := startNew(t)
		o := m.placeManual(t)
		if _, err := part(m, o, "c1", 1000, false); !errors.Is(err, orders.ErrOneCapture) || fault.From(err).Subject != o.ID {
			t.Errorf("got %v", err)
		}
		wantCalls(t, m.neighbours)
		if p, err := part(m, o, "c1", 1000, true); err != nil || p.Order.State != "completed" || p.Order.Payment.Captured.Amount != 1000 {
			t.Errorf("got %+v (%v)", p.Order, err)
		}
	})
	t.Run("is the same capture until it is answered, and another one once it was refused", func(t *testing.T) {
		m := startNew(t)
		m.multi = true
		o := m.placeManual(t)
		m.answer("payments.capture", failsOnce(payments.ErrNotSent))
		if _, err := part(m, o, "c1", 1000, false); err != nil {
			t.Fatal(err)
		}
		m.decline = &payments.Failure{Code: "limit"}
		if p, err := part(m, o, "c2", 500, false); err != nil || p.Order.State != "needs_review" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		m.decline = nil
		p, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("r"), ID: o.ID, Action: orders.ResolveRetry})
		if err != nil || p.Order.State != "awaiting_capture" || p.Order.Payment.Captured.Amount != 1500 {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		if k := m.keys; len(k) != 4 || k[0] != k[1] || k[1] == k[2] || k[2] == k[3] {
			t.Errorf("keys %q", k)
		}
	})
	t.Run("of nothing, or in another currency, is refused", func(t *testing.T) {
		m := startNew(t)
		o := m.placeManual(t)
		for _, amount := range []money.Money{{Amount: 0, Currency: "EUR"}, {Amount: 1, Currency: "USD"}} {
			if _, err := m.Capture(t.Context(), orders.CaptureRequest{Key: key("c"), ID: o.ID, Amount: &amount}); !errors.Is(err, fault.ErrInvalid) {
				t.Errorf("%v is answered %v", amount, err)
			}
		}
	})
	t.Run("need not come: a cancellation voids", func(t *testing.T) {
		m := startNew(t)
		o := m.placeManual(t)
		p, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID})
		if err != nil || p.Order.Status != orders.StatusCancelled {
			t.Errorf("got %+v (%v)", p.Order, err)
		}
		wantCalls(t, m.neighbours, "payments.refund", "inventory.release")
	})
}

func TestRefund(t *testing.T) {
	refund := func(t *testing.T, m *module, o orders.Order, k string, amount int64) (orders.Placement, error) {
		r := orders.RefundRequest{Key: key(k), ID: o.ID}
		if amount > 0 {
			of := money.Of(amount, "EUR")
			r.Amount = &of
		}
		return m.Refund(t.Context(), r)
	}
	t.Run("gives back parts, each under a key of its own, and leaves the stock sold", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		m.calls()
		for i, amount := range []int64{500, 80, 0} {
			p, err := refund(t, m, o, string(rune('a'+i)), amount)
			if err != nil || p.Order.State != "completed" || p.Order.Payment.Refunded.Amount != []int64{500, 580, 2580}[i] {
				t.Fatalf("refund %d: got %+v (%v)", i, p.Order, err)
			}
		}
		wantCalls(t, m.neighbours, "payments.refund", "payments.refund", "payments.refund")
		if slices.Sort(m.refunds); len(slices.Compact(m.refunds)) != 3 {
			t.Errorf("the keys were %v", m.refunds)
		}
		if _, err := refund(t, m, o, "d", 1); !errors.Is(err, orders.ErrNotRefundable) {
			t.Errorf("a fourth is answered %v", err)
		}
	})
	t.Run("is never more than what is left", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		m.calls()
		if _, err := refund(t, m, o, "a", 2581); !errors.Is(err, orders.ErrRefundAmount) {
			t.Errorf("got %v", err)
		}
		wantCalls(t, m.neighbours)
	})
	t.Run("of an order that was not paid is refused", func(t *testing.T) {
		m := startNew(t)
		m.becomes(payments.StatusDeclined)
		o := m.place(t, request("k"))
		if _, err := refund(t, m, o, "a", 0); !errors.Is(err, orders.ErrNotRefundable) {
			t.Errorf("got %v", err)
		}
	})
	inBubble(t, "without an answer is repeated under the same key, and others wait for it", ordersmod.Policy{}, func(t *testing.T, m *module) {
		o := m.place(t, request("k"))
		m.answer("payments.refund", fails(payments.ErrUnknownOutcome))
		p, err := refund(t, m, o, "a", 500)
		if err != nil || p.Order.Status != orders.StatusProcessing {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		if _, err := refund(t, m, o, "b", 500); !errors.Is(err, orders.ErrBusy) {
			t.Errorf("a second is answered %v", err)
		}
		m.answer("payments.refund", nil)
		time.Sleep(time.Minute)
		if o := m.wantState(t, o.ID, "completed"); o.Payment.Refunded.Amount != 500 || len(m.refunds) != 1 {
			t.Errorf("refunded is %v under %v", o.Payment.Refunded, m.refunds)
		}
	})
}

// TestResolve walks through every exit of review.
func TestResolve(t *testing.T) {
	review := map[string]func(t *testing.T, m *module) orders.Order{
		"charging": func(t *testing.T, m *module) orders.Order {
			m.answer("payments.charge", fails(payments.ErrWrongAmount))
			o := m.place(t, request("k"))
			m.answer("payments.charge", nil)
			return o
		},
		"refunding": func(t *testing.T, m *module) orders.Order {
			o := m.place(t, request("k"))
			m.decline = &payments.Failure{Code: "refund_failed"}
			_, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("c"), ID: o.ID})
			m.decline = nil
			if err != nil {
				t.Fatal(err)
			}
			return o
		},
		"refunding_part": func(t *testing.T, m *module) orders.Order {
			o := m.place(t, request("k"))
			m.decline = &payments.Failure{Code: "refund_failed"}
			amount := money.Of(500, "EUR")
			_, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("c"), ID: o.ID, Amount: &amount})
			m.decline = nil
			if err != nil {
				t.Fatal(err)
			}
			return o
		},
		"finalising_stock": func(t *testing.T, m *module) orders.Order {
			m.answer("inventory.finalise", fails(fault.New(fault.Conflict, "inventory.not_reserved", "gone")))
			o := m.place(t, request("k"))
			m.answer("inventory.finalise", nil)
			return o
		},
	}
	for _, test := range []struct {
		from, action, state string
		calls               []string
	}{
		{"charging", orders.ResolveRetry, "completed", []string{"payments.charge", "inventory.finalise"}},
		{"charging", orders.ResolveMarkPaid, "completed", []string{"payments.mark_paid bank-1", "inventory.finalise"}},
		{"charging", orders.ResolveSeal, "cancelled", []string{"payments.seal", "payments.refund", "inventory.release"}},
		{"charging", orders.ResolveRefund, "cancelled", []string{"payments.refund", "inventory.release"}},
		{"refunding", orders.ResolveRetry, "cancelled", []string{"payments.refund", "inventory.release"}},
		{"refunding", orders.ResolveRefund, "cancelled", []string{"payments.refund", "inventory.release"}},
		{"refunding", orders.ResolveMarkPaid, "completed", []string{"payments.mark_paid bank-1", "inventory.finalise"}},
		{"refunding", orders.ResolveSeal, "", nil},
		{"refunding_part", orders.ResolveRetry, "completed", []string{"payments.refund"}},
		{"refunding_part", orders.ResolveMarkPaid, "completed", nil},
		{"refunding_part", orders.ResolveRefund, "cancelled", []string{"payments.refund", "inventory.release"}},
		{"finalising_stock", orders.ResolveRetry, "completed", []string{"inventory.finalise"}},
		{"finalising_stock", orders.ResolveRefund, "cancelled", []string{"payments.refund", "inventory.release"}},
		{"finalising_stock", orders.ResolveMarkPaid, "", nil},
	} {
		t.Run(test.action+" from "+test.from, func(t *testing.T) {
			m := startNew(t)
			o := review[test.from](t, m)
			m.wantState(t, o.ID, "needs_review")
			m.calls()
			p, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("r"), ID: o.ID, Action: test.action, Reference: "bank-1"})
			if test.state == "" {
				if !errors.Is(err, orders.ErrNoExit) {
					t.Errorf("got %+v (%v)", p.Order, err)
				}
				return
			}
			if err != nil || p.Order.State != test.state {
				t.Fatalf("got %s, failure %+v (%v), want %s", p.Order.State, p.Order.Failure, err, test.state)
			}
			wantCalls(t, m.neighbours, test.calls...)
		})
	}
	t.Run("a declined refund is tried again under a new key", func(t *testing.T) {
		m := startNew(t)
		o := review["refunding"](t, m)
		if _, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("r"), ID: o.ID, Action: orders.ResolveRetry}); err != nil {
			t.Fatal(err)
		}
		if len(m.refunds) != 2 || m.refunds[0] == m.refunds[1] {
			t.Errorf("the keys were %v", m.refunds)
		}
	})
	t.Run("an order that is not in review has no exit", func(t *testing.T) {
		m := startNew(t)
		o := m.place(t, request("k"))
		if _, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("r"), ID: o.ID, Action: orders.ResolveRetry}); !errors.Is(err, orders.ErrNotInReview) {
			t.Errorf("got %v", err)
		}
	})
}
