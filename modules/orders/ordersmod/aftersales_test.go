package ordersmod_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
)

// placeTwo places an order of three mugs, 10.00 off, two shirts and shipping for 4.90.
func (m *module) placeTwo(t testing.TB) orders.Order {
	t.Helper()
	m.discount, m.shipping = 1000, 490
	r := request("two")
	r.Draft.Lines = []orders.Line{{SKU: "MUG-1", Quantity: 3}, {SKU: "SHIRT-1", Quantity: 2}}
	o := m.place(t, r)
	m.calls()
	return o
}

func units(line int, quantity int64) []orders.LineQuantity {
	return []orders.LineQuantity{{Line: line, Quantity: quantity}}
}

func (m *module) fulfil(t testing.TB, o orders.Order, status string, lines []orders.LineQuantity) orders.Fulfilment {
	t.Helper()
	a, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID, Status: status, Lines: lines})
	if err != nil {
		t.Fatal(err)
	}
	return a.Fulfilment
}

func (m *module) wantFulfilment(t testing.TB, o orders.Order, want string) {
	t.Helper()
	if o := m.read(t, o.ID); o.FulfilmentStatus != want {
		t.Errorf("the order is %s, want %s", o.FulfilmentStatus, want)
	}
}

// wantSound holds the orders of a shop to themselves.
func (m *module) wantSound(t testing.TB) {
	t.Helper()
	page, err := m.Audit(t.Context(), audit.Request{})
	if err != nil || len(page.Findings) > 0 {
		t.Fatalf("the audit found %+v (%v)", page.Findings, err)
	}
}

func TestFulfilments(t *testing.T) {
	t.Run("an order is sent in parts", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.wantFulfilment(t, o, orders.Unfulfilled)
		first := m.fulfil(t, o, "", []orders.LineQuantity{{SKU: "MUG-1", Quantity: 2}})
		m.wantFulfilment(t, o, orders.Unfulfilled)
		done, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{
			OrderID: o.ID, ID: first.ID, Status: orders.FulfilmentShipped, Tracking: orders.Tracking{Carrier: "DHL", TrackingURL: "https://dhl.example/1"},
		})
		if err != nil || done.Status != orders.FulfilmentShipped || done.Carrier != "DHL" || done.Lines[0] != (orders.LineQuantity{Line: 1, SKU: "MUG-1", Quantity: 2}) {
			t.Fatalf("got %+v (%v)", done, err)
		}
		m.wantFulfilment(t, o, orders.PartiallyFulfilled)
		second := m.fulfil(t, o, orders.FulfilmentShipped, nil)
		if len(second.Lines) != 2 || second.Lines[0].Quantity != 1 || second.Lines[1].Quantity != 2 {
			t.Errorf("the rest is %+v", second.Lines)
		}
		m.wantFulfilment(t, o, orders.Fulfilled)
		list, err := m.Fulfilments(t.Context(), orders.OrderRequest{ID: o.ID})
		if err != nil || len(list.Fulfilments) != 2 || list.Fulfilments[0].ID != first.ID {
			t.Errorf("listed %+v (%v)", list, err)
		}
		want := []string{
			orders.EventReceived, orders.EventCompleted, orders.EventFulfilmentCreated, orders.EventFulfilmentShipped,
			orders.EventFulfilmentCreated, orders.EventFulfilmentShipped, orders.EventFulfilled,
		}
		if got := m.told(t, o.ID); !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		m.wantSound(t)
	})
	t.Run("a repeat with the same key sends nothing twice", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		for i := range 2 {
			a, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{Key: key("f"), OrderID: o.ID, Lines: units(1, 1)})
			if err != nil || a.Replayed != (i == 1) {
				t.Fatalf("got %+v (%v)", a, err)
			}
		}
		if list, err := m.Fulfilments(t.Context(), orders.OrderRequest{ID: o.ID}); err != nil || len(list.Fulfilments) != 1 {
			t.Errorf("listed %+v (%v)", list, err)
		}
	})
	t.Run("a repeat of a status tells nothing twice", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		f := m.fulfil(t, o, orders.FulfilmentShipped, nil)
		before := m.read(t, o.ID).Version
		if _, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: o.ID, ID: f.ID, Status: orders.FulfilmentShipped}); err != nil {
			t.Fatal(err)
		}
		if after := m.read(t, o.ID).Version; after != before {
			t.Errorf("the version went from %d to %d", before, after)
		}
	})
	t.Run("a cancelled one leaves its units to be sent", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		f := m.fulfil(t, o, "", nil)
		if _, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: o.ID, ID: f.ID, Status: orders.FulfilmentCancelled}); err != nil {
			t.Fatal(err)
		}
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		m.wantFulfilment(t, o, orders.Fulfilled)
	})
	m := startNew(t)
	o := m.placeTwo(t)
	f := m.fulfil(t, o, "", units(1, 2))
	sent := m.fulfil(t, o, orders.FulfilmentShipped, units(2, 2))
	for name, test := range map[string]struct {
		do   func() error
		want error
	}{
		"more than was ordered": {func() error {
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID, Lines: units(1, 2)})
			return err
		}, orders.ErrQuantity},
		"a line twice": {func() error {
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID, Lines: append(units(1, 1), units(1, 1)...)})
			return err
		}, fault.ErrInvalid},
		"a line that is not there": {func() error {
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID, Lines: units(3, 1)})
			return err
		}, fault.ErrInvalid},
		"an address that is none": {func() error {
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID, Tracking: orders.Tracking{TrackingURL: "javascript:alert(1)"}})
			return err
		}, fault.ErrInvalid},
		"what was sent can't be called back": {func() error {
			_, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: o.ID, ID: sent.ID, Status: orders.FulfilmentCancelled})
			return err
		}, orders.ErrFulfilmentStatus},
		"one of another order": {func() error {
			r := request("another")
			_, err := m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: m.place(t, r).ID, ID: f.ID, Status: orders.FulfilmentShipped})
			return err
		}, orders.ErrFulfilmentNotFound},
		"an order that failed": {func() error {
			m.becomes(payments.StatusDeclined)
			defer m.becomes(payments.StatusSucceeded)
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: m.place(t, request("declined")).ID})
			return err
		}, orders.ErrNotFulfillable},
		"an order that is not there": {func() error {
			_, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: "ord_x"})
			return err
		}, orders.ErrOrderNotFound},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if err := test.do(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestRefundByLine(t *testing.T) {
	refund := func(t *testing.T, m *module, r orders.RefundRequest) (orders.Order, error) {
		t.Helper()
		p, err := m.Refund(t.Context(), r)
		return p.Order, err
	}
	t.Run("the parts come to the total of the line, and with the shipping to all that was paid", func(t *testing.T) {
		m := startNew(t) // three mugs for 28.70
		o := m.placeTwo(t)
		for i, want := range []int64{956, 1913, 2870} {
			after, err := refund(t, m, orders.RefundRequest{Key: key(fmt.Sprint(i)), ID: o.ID, Lines: units(1, 1)})
			if err != nil || after.Payment.Refunded.Amount != want || after.State != "completed" {
				t.Fatalf("after %d mugs: %+v (%v), want %d", i+1, after.Payment, err, want)
			}
		}
		after, err := refund(t, m, orders.RefundRequest{Key: key("rest"), ID: o.ID, Lines: units(2, 2), Shipping: true})
		if err != nil || after.Payment.Refunded.Amount != o.Totals.Total.Amount {
			t.Errorf("refunded %+v (%v) of %v", after.Payment, err, o.Totals.Total)
		}
		m.wantSound(t)
	})
	t.Run("a repeat gives nothing back twice", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		for range 2 {
			after, err := refund(t, m, orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(2, 1)})
			if err != nil || after.Payment.Refunded.Amount != 1290 {
				t.Fatalf("got %+v (%v)", after.Payment, err)
			}
		}
		wantCalls(t, m.neighbours, "payments.refund")
	})
	t.Run("what is refunded before it is sent will not be sent", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, units(1, 3))
		if _, err := refund(t, m, orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(2, 2)}); err != nil {
			t.Fatal(err)
		}
		m.wantFulfilment(t, o, orders.Fulfilled)
		if _, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{OrderID: o.ID}); !errors.Is(err, orders.ErrQuantity) {
			t.Errorf("got %v", err)
		}
	})
	m := startNew(t)
	o := m.placeTwo(t)
	five := money.Of(500, "EUR")
	if _, err := refund(t, m, orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(1, 2), Shipping: true}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		request orders.RefundRequest
		want    error
	}{
		"more units than are left":  {orders.RefundRequest{Lines: units(1, 2)}, orders.ErrQuantity},
		"the shipping twice":        {orders.RefundRequest{Shipping: true}, orders.ErrNotRefundable},
		"an amount and lines":       {orders.RefundRequest{Lines: units(1, 1), Amount: &five}, fault.ErrInvalid},
		"a restock of an amount":    {orders.RefundRequest{Restock: true, Amount: &five}, fault.ErrInvalid},
		"a SKU that is not ordered": {orders.RefundRequest{Lines: []orders.LineQuantity{{SKU: "HAT-1", Quantity: 1}}}, fault.ErrInvalid},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			test.request.Key, test.request.ID = key(name), o.ID
			if _, err := refund(t, m, test.request); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	t.Run("more than is left of the money is refused", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		most := money.Of(5900, "EUR")
		if _, err := refund(t, m, orders.RefundRequest{Key: key("a"), ID: o.ID, Amount: &most}); err != nil {
			t.Fatal(err)
		}
		if _, err := refund(t, m, orders.RefundRequest{Key: key("b"), ID: o.ID, Lines: units(1, 1)}); !errors.Is(err, orders.ErrRefundAmount) {
			t.Errorf("got %v", err)
		}
	})
}

func TestReturns(t *testing.T) {
	announce := func(t *testing.T, m *module, o orders.Order, terms orders.ReturnTerms) orders.Return {
		t.Helper()
		a, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{OrderID: o.ID, Terms: terms})
		if err != nil {
			t.Fatal(err)
		}
		return a.Return
	}
	receive := func(t *testing.T, m *module, ret orders.Return, k string) (orders.Placement, error) {
		t.Helper()
		return m.ReceiveReturn(t.Context(), orders.ReturnRequest{Key: key(k), OrderID: ret.OrderID, ID: ret.ID})
	}
	status := func(t *testing.T, m *module, ret orders.Return) string {
		t.Helper()
		list, err := m.Returns(t.Context(), orders.OrderRequest{ID: ret.OrderID})
		if err != nil {
			t.Fatal(err)
		}
		return list.Returns[slices.IndexFunc(list.Returns, func(r orders.Return) bool { return r.ID == ret.ID })].Status
	}
	t.Run("what comes back is paid back once it is here", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(2, 1), Reason: "too small", Refund: true})
		if ret.Status != orders.ReturnRequested || ret.Lines[0].SKU != "SHIRT-1" {
			t.Fatalf("got %+v", ret)
		}
		wantCalls(t, m.neighbours)
		for i := range 2 {
			p, err := receive(t, m, ret, "k")
			if err != nil || p.Order.State != "completed" || p.Order.Payment.Refunded.Amount != 1290 || p.Replayed != (i == 1) {
				t.Fatalf("got %+v (%v)", p, err)
			}
		}
		wantCalls(t, m.neighbours, "payments.refund")
		if got := status(t, m, ret); got != orders.ReturnRefunded {
			t.Errorf("the return is %s", got)
		}
		if _, err := receive(t, m, ret, "again"); !errors.Is(err, orders.ErrReturnStatus) {
			t.Errorf("a second receipt is answered %v", err)
		}
		got := m.told(t, o.ID)
		if want := []string{orders.EventReturnRequested, orders.EventReturnReceived, orders.EventRefunded}; !slices.Equal(got[len(got)-3:], want) {
			t.Errorf("told %v", got)
		}
		m.wantSound(t)
	})
	t.Run("an agreed amount goes before the share", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(1, 1), Refund: true, RefundAmount: &money.Money{Amount: 500, Currency: "EUR"}})
		if p, err := receive(t, m, ret, "k"); err != nil || p.Order.Payment.Refunded.Amount != 500 {
			t.Errorf("got %+v (%v)", p.Order.Payment, err)
		}
		m.wantSound(t)
	})
	t.Run("without money and stock it is received, and that is all", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(1, 1)})
		for i := range 2 {
			if p, err := receive(t, m, ret, "k"); err != nil || p.Order.State != "completed" || p.Replayed != (i == 1) {
				t.Errorf("got %+v (%v)", p, err)
			}
		}
		if got := status(t, m, ret); got != orders.ReturnReceived {
			t.Errorf("the return is %s", got)
		}
		wantCalls(t, m.neighbours)
	})
	t.Run("no more comes back than was sent, cancelled returns aside", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, units(1, 2))
		m.fulfil(t, o, "", units(1, 1))
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(1, 2)})
		if _, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{OrderID: o.ID, Terms: orders.ReturnTerms{Lines: units(1, 1)}}); !errors.Is(err, orders.ErrQuantity) {
			t.Errorf("got %v", err)
		}
		for range 2 {
			if done, err := m.CancelReturn(t.Context(), orders.ReturnRequest{OrderID: o.ID, ID: ret.ID}); err != nil || done.Status != orders.ReturnCancelled {
				t.Errorf("got %+v (%v)", done, err)
			}
		}
		announce(t, m, o, orders.ReturnTerms{Lines: units(1, 2)})
		m.wantSound(t)
	})
	t.Run("what was refunded already is not refunded again", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		if _, err := m.Refund(t.Context(), orders.RefundRequest{Key: key("r"), ID: o.ID, Lines: units(2, 2)}); err != nil {
			t.Fatal(err)
		}
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(2, 1), Refund: true})
		if _, err := receive(t, m, ret, "k"); !errors.Is(err, orders.ErrQuantity) {
			t.Errorf("got %v", err)
		}
		if got := status(t, m, ret); got != orders.ReturnRequested {
			t.Errorf("the return is %s", got)
		}
	})
	t.Run("a refund that the provider declines is an operator's, and the return waits for it", func(t *testing.T) {
		m := startNew(t)
		o := m.placeTwo(t)
		m.fulfil(t, o, orders.FulfilmentShipped, nil)
		ret := announce(t, m, o, orders.ReturnTerms{Lines: units(2, 1), Refund: true})
		m.decline = declinedRefund
		if p, err := receive(t, m, ret, "k"); err != nil || p.Order.State != "needs_review" {
			t.Fatalf("got %+v (%v)", p.Order, err)
		}
		m.decline = nil
		if got := status(t, m, ret); got != orders.ReturnReceived {
			t.Errorf("the return is %s", got)
		}
		if _, err := m.Resolve(t.Context(), orders.ResolveRequest{Key: key("retry"), ID: o.ID, Action: orders.ResolveRetry}); err != nil {
			t.Fatal(err)
		}
		if got := status(t, m, ret); got != orders.ReturnRefunded {
			t.Errorf("the return is %s", got)
		}
	})
}

func TestNotes(t *testing.T) {
	m := startNew(t)
	o := m.place(t, request("k"))
	for i := range 2 {
		a, err := m.AddNote(t.Context(), orders.AddNoteRequest{Key: key("n"), OrderID: o.ID, Text: "a gift"})
		if err != nil || a.Note.Text != "a gift" || a.Note.Author != "key_1" || a.Replayed != (i == 1) {
			t.Fatalf("got %+v (%v)", a, err)
		}
	}
	list, err := m.Notes(t.Context(), orders.OrderRequest{ID: o.ID})
	if err != nil || len(list.Notes) != 1 {
		t.Errorf("listed %+v (%v)", list, err)
	}
	if _, err := m.AddNote(t.Context(), orders.AddNoteRequest{OrderID: o.ID, Text: " "}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("an empty one: got %v", err)
	}
	if _, err := m.AddNote(t.Context(), orders.AddNoteRequest{OrderID: "ord_x", Text: "a"}); !errors.Is(err, orders.ErrOrderNotFound) {
		t.Errorf("of no order: got %v", err)
	}
	for range orders.MaxOfOrder - 1 {
		if _, err := m.AddNote(t.Context(), orders.AddNoteRequest{OrderID: o.ID, Text: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.AddNote(t.Context(), orders.AddNoteRequest{OrderID: o.ID, Text: "a"}); !errors.Is(err, orders.ErrTooMany) {
		t.Errorf("one too many: got %v", err)
	}
}

func TestMetadata(t *testing.T) {
	m := startNew(t)
	o := m.place(t, request("k"))
	put := func(version int64, value string) (orders.Order, error) {
		return m.PutMetadata(t.Context(), orders.PutMetadataRequest{OrderID: o.ID, IfVersion: version, Metadata: map[string]string{"cart": value}})
	}
	if _, err := put(revision.None, "a"); !errors.Is(err, revision.ErrRequired) {
		t.Errorf("without a version: got %v", err)
	}
	after, err := put(o.Version, "a")
	if err != nil || after.Metadata["cart"] != "a" || after.Version != o.Version+1 {
		t.Fatalf("got %+v (%v)", after, err)
	}
	if _, err := put(o.Version, "b"); !errors.Is(err, revision.ErrStale) {
		t.Errorf("with an old version: got %v", err)
	}
	if got := m.told(t, o.ID); got[len(got)-1] != orders.EventUpdated {
		t.Errorf("told %v", got)
	}
	for value, want := range map[string]int{"a": 1, "b": 0} {
		page, err := m.Orders(t.Context(), orders.OrdersRequest{Metadata: "cart=" + value})
		if err != nil || len(page.Orders) != want {
			t.Errorf("cart=%s: found %d (%v)", value, len(page.Orders), err)
		}
	}
}

// TestUnits does what comes to mind with an order, in any order, and holds it to its units after each: none is sent, returned or
// refunded that is not there. What is refunded by line in the end comes to what was paid for the lines.
func TestUnits(t *testing.T) {
	m := startNew(t)
	next := 0
	rapid.Check(t, func(r *rapid.T) {
		next++
		m.pays(0)
		m.refunded = 0
		m.price, m.discount, m.shipping = rapid.Int64Range(1, 999).Draw(r, "price"), 0, 0
		req := request(fmt.Sprint("order ", next))
		req.Draft.Lines = nil
		for i := range rapid.IntRange(1, 3).Draw(r, "lines") {
			req.Draft.Lines = append(req.Draft.Lines, orders.Line{SKU: fmt.Sprint("SKU-", i), Quantity: rapid.Int64Range(1, 4).Draw(r, "quantity")})
		}
		m.discount = rapid.Int64Range(0, m.price-1).Draw(r, "discount")
		o := m.place(t, req)
		some := func() []orders.LineQuantity {
			return units(rapid.IntRange(1, len(o.Lines)).Draw(r, "line"), rapid.Int64Range(1, 4).Draw(r, "units"))
		}
		var parcels []orders.Fulfilment
		var coming []orders.Return
		for step := range rapid.IntRange(0, 12).Draw(r, "steps") {
			k := key(fmt.Sprint(next, " ", step))
			switch rapid.IntRange(0, 4).Draw(r, "step") {
			case 0:
				status := rapid.SampledFrom([]string{orders.FulfilmentCreated, orders.FulfilmentShipped}).Draw(r, "status")
				if a, err := m.CreateFulfilment(t.Context(), orders.CreateFulfilmentRequest{Key: k, OrderID: o.ID, Status: status, Lines: some()}); err == nil {
					parcels = append(parcels, a.Fulfilment)
				}
			case 1:
				if len(parcels) > 0 {
					f := rapid.SampledFrom(parcels).Draw(r, "parcel")
					to := rapid.SampledFrom([]string{orders.FulfilmentShipped, orders.FulfilmentDelivered, orders.FulfilmentCancelled}).Draw(r, "to")
					_, _ = m.UpdateFulfilment(t.Context(), orders.UpdateFulfilmentRequest{OrderID: o.ID, ID: f.ID, Status: to})
				}
			case 2:
				_, _ = m.Refund(t.Context(), orders.RefundRequest{Key: k, ID: o.ID, Lines: some()})
			case 3:
				if a, err := m.RequestReturn(t.Context(), orders.RequestReturnRequest{Key: k, OrderID: o.ID, Terms: orders.ReturnTerms{Lines: some(), Refund: true}}); err == nil {
					coming = append(coming, a.Return)
				}
			case 4:
				if len(coming) > 0 {
					ret := rapid.SampledFrom(coming).Draw(r, "return")
					_, _ = m.ReceiveReturn(t.Context(), orders.ReturnRequest{Key: k, OrderID: o.ID, ID: ret.ID})
				}
			}
			m.wantUnits(t, o)
		}
		for i := range o.Lines {
			for q := int64(1); q <= 4; q++ {
				_, _ = m.Refund(t.Context(), orders.RefundRequest{Key: key(fmt.Sprint(next, " rest ", i, q)), ID: o.ID, Lines: units(i+1, 1)})
			}
		}
		if done := m.read(t, o.ID); done.Payment.Refunded != o.Totals.Total {
			r.Fatalf("refunded %v of %v by line", done.Payment.Refunded, o.Totals.Total)
		}
	})
	m.wantSound(t)
}

// wantUnits counts an order's units by hand.
func (m *module) wantUnits(t testing.TB, o orders.Order) {
	t.Helper()
	fulfilments, err := m.Fulfilments(t.Context(), orders.OrderRequest{ID: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	returns, err := m.Returns(t.Context(), orders.OrderRequest{ID: o.ID})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range o.Lines {
		count := func(lines []orders.LineQuantity) (n int64) {
			for _, q := range lines {
				if q.Line == i+1 {
					n += q.Quantity
				}
			}
			return n
		}
		packed, sent, back := int64(0), int64(0), int64(0)
		for _, f := range fulfilments.Fulfilments {
			if f.Status != orders.FulfilmentCancelled {
				packed += count(f.Lines)
			}
			if f.Status == orders.FulfilmentShipped || f.Status == orders.FulfilmentDelivered {
				sent += count(f.Lines)
			}
		}
		for _, ret := range returns.Returns {
			back += count(ret.Lines)
		}
		if packed > l.Quantity || back > sent {
			t.Fatalf("line %d: %d ordered, %d packed, %d sent, %d come back", i+1, l.Quantity, packed, sent, back)
		}
	}
	if now := m.read(t, o.ID); now.Payment.Refunded.Amount > o.Totals.Total.Amount {
		t.Fatalf("%v refunded of %v", now.Payment.Refunded, o.Totals.Total)
	}
}
