package ordersmod_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"cutpoint/modules/orders"
	"cutpoint/modules/orders/ordersmod"
	"cutpoint/modules/payments"
)

// TestCommandsOnStates asks each command of an order in each state in which one can be found: every cell has one answer, a state that
// the order has at the end, or a fault that leaves it as it was.
func TestCommandsOnStates(t *testing.T) {
	place := func(prepare func(*module)) func(*testing.T, *module) orders.Order {
		return func(t *testing.T, m *module) orders.Order {
			prepare(m)
			return m.place(t, request("k"))
		}
	}
	sent := func(t *testing.T, m *module) orders.Order {
		o := m.place(t, request("k"))
		m.fulfil(t, o, orders.FulfilmentShipped, units(1, 1))
		return o
	}
	const unchanged = ""
	for _, row := range []struct {
		state                   string
		reach                   func(*testing.T, *module) orders.Order
		cancel, refund, capture any // the state that follows, or the fault
	}{
		{"charge_unknown", place(func(m *module) { m.answer("payments.charge", fails(payments.ErrUnknownOutcome)) }),
			"cancelled", orders.ErrBusy, orders.ErrBusy}, // the charge is sealed first
		{"awaiting_action", place(func(m *module) { m.becomes(payments.StatusRequiresAction) }), "cancelled", orders.ErrBusy, orders.ErrBusy},
		{"finalising_stock", place(func(m *module) { m.answer("inventory.finalise", fails(unreachable)) }), unchanged, orders.ErrBusy, orders.ErrBusy},
		{"completed", place(func(*module) {}), "cancelled", "completed", orders.ErrNotCapturable},
		{"awaiting_capture", func(t *testing.T, m *module) orders.Order { return m.placeManual(t) }, "cancelled", orders.ErrNotRefundable, "completed"},
		{"completed", sent, orders.ErrShipped, "completed", orders.ErrNotCapturable},
		{"awaiting_capture", func(t *testing.T, m *module) orders.Order {
			o := m.placeManual(t)
			m.fulfil(t, o, orders.FulfilmentShipped, nil)
			return o
		}, orders.ErrShipped, orders.ErrNotRefundable, "completed"},
		{"completed", func(t *testing.T, m *module) orders.Order { // packed, but still here
			o := m.place(t, request("k"))
			m.fulfil(t, o, "", nil)
			return o
		}, "cancelled", "completed", orders.ErrNotCapturable},
		{"refunding_part", func(t *testing.T, m *module) orders.Order {
			o := m.place(t, request("k"))
			m.answer("payments.refund", fails(payments.ErrUnknownOutcome))
			_, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("first"), ID: o.ID, Lines: units(1, 1)})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}, unchanged, orders.ErrBusy, orders.ErrBusy},
		{"completed", func(t *testing.T, m *module) orders.Order { // all of it refunded
			o := m.place(t, request("k"))
			if _, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("all"), ID: o.ID}); err != nil {
				t.Fatal(err)
			}
			return o
		}, "cancelled", orders.ErrNotRefundable, orders.ErrNotCapturable},
		{"rejected", place(func(m *module) { m.answer("inventory.reserve", fails(errNoStock)) }), orders.ErrNotCancelable, orders.ErrNotRefundable, orders.ErrNotCapturable},
		{"declined", place(func(m *module) { m.becomes(payments.StatusDeclined) }), orders.ErrNotCancelable, orders.ErrNotRefundable, orders.ErrNotCapturable},
		{"cancelled", func(t *testing.T, m *module) orders.Order {
			o := m.place(t, request("k"))
			if _, err := m.Cancel(t.Context(), orders.CancelRequest{Key: key("first"), ID: o.ID}); err != nil {
				t.Fatal(err)
			}
			return o
		}, "cancelled", orders.ErrNotRefundable, orders.ErrNotCapturable},
		{"needs_review", place(func(m *module) { m.answer("payments.charge", fails(payments.ErrWrongAmount)) }),
			orders.ErrNotCancelable, orders.ErrNotRefundable, orders.ErrNotCapturable},
	} {
		for command, want := range map[string]any{"cancel": row.cancel, "refund": row.refund, "capture": row.capture} {
			inBubble(t, command+" on "+row.state, ordersmod.Policy{}, func(t *testing.T, m *module) {
				o := row.reach(t, m)
				before := m.wantState(t, o.ID, row.state)
				var err error
				switch command {
				case "cancel":
					_, err = m.Cancel(t.Context(), orders.CancelRequest{Key: key("do"), ID: o.ID})
				case "refund":
					_, err = m.Refund(t.Context(), orders.RefundRequest{Key: key("do"), ID: o.ID})
				case "capture":
					_, err = m.Capture(t.Context(), orders.CaptureRequest{Key: key("do"), ID: o.ID})
				}
				synctest.Wait()
				switch want := want.(type) {
				case error:
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
					if after := m.read(t, o.ID); after.Version != before.Version {
						t.Errorf("the order was refused and changed: %+v", after)
					}
				case string:
					after := m.read(t, o.ID)
					if err != nil || want != unchanged && after.State != want || want == unchanged && after.Status != orders.StatusProcessing {
						t.Errorf("the order is %s (%v), want %s", after.State, err, want)
					}
				}
				m.wantSound(t)
			})
		}
	}
}
