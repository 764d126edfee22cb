package testgateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/modules/payments"
	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store/storetest"
)

// hasty charges with the patience of a till, in virtual time.
func (b bank) hasty(t *testing.T, in till.Instruction) till.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	return must(t)(b.Charge(ctx, in))
}

// pump does all that is due, and returns how much that was.
func (b bank) pump(t *testing.T) (n int) {
	t.Helper()
	for {
		worked, err := b.Pump(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !worked {
			return n
		}
		n++
	}
}

// events parses what was delivered.
func (b bank) events(t *testing.T) (events []till.Event) {
	t.Helper()
	for i := range b.post.bodies {
		e, err := b.ParseWebhook(b.post.headers[i], b.post.bodies[i])
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func (b bank) look(t *testing.T, key string) till.Result {
	t.Helper()
	return must(t)(b.Lookup(t.Context(), till.Query{Key: key}))
}

// TestTokens is the table of checkout.md: what the caller is answered, what a look-up then says, what the ledger has, and which
// webhooks come once time has passed.
func TestTokens(t *testing.T) {
	const unknown = "" // an answer
	for _, c := range []struct {
		token    string
		answer   till.State
		found    till.State // at once
		settled  till.State // later
		moved    int64
		webhooks string // states of the events that came
	}{
		{"pm_card_visa", till.Succeeded, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_card_visa_chargeDeclined", till.Declined, till.Declined, till.Declined, 0, ""},
		{"pm_card_authenticationRequired", till.RequiresAction, till.RequiresAction, till.RequiresAction, 0, ""},
		{"pm_sim_timeoutCharged", unknown, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_timeoutNotCharged", unknown, till.NotFound, till.NotFound, 0, ""},
		{"pm_sim_500Charged", unknown, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_resetCharged", unknown, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_asyncSucceed_30", till.Pending, till.Pending, till.Succeeded, 2580, "succeeded"},
		{"pm_sim_asyncFail_30", till.Pending, till.Pending, till.Declined, 0, "declined"},
		{"pm_sim_webhookFirst", till.Succeeded, till.Succeeded, till.Succeeded, 2580, "succeeded"},
		{"pm_sim_webhookDup_3", till.Succeeded, till.Succeeded, till.Succeeded, 2580, "succeeded succeeded succeeded"},
		{"pm_sim_webhookDup_0", till.Succeeded, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_webhookReorder", till.Succeeded, till.Succeeded, till.Succeeded, 2580, "succeeded pending"},
		{"pm_sim_webhookLost", till.Pending, till.Pending, till.Succeeded, 2580, ""},
		{"pm_sim_lookupDown_2", unknown, unknown, unknown, 2580, ""},
		{"pm_sim_lookupDown_1", unknown, unknown, till.Succeeded, 2580, ""},
		{"pm_sim_refundUnknown", till.Succeeded, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_refundFail", till.Succeeded, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_captureUnknown", till.Succeeded, till.Succeeded, till.Succeeded, 2580, ""},
		{"pm_sim_wrongAmount", till.Succeeded, till.Succeeded, till.Succeeded, 2581, ""},
		{"pm_sim_asyncSucceed", till.Declined, till.Declined, till.Declined, 0, ""},
		{"pm_sim_asyncSucceed_x", till.Declined, till.Declined, till.Declined, 0, ""},
	} {
		storetest.SQLiteOnly(t, "its time is virtual")
		synctest.Test(t, func(t *testing.T) {
			b := fresh(t)
			in := charge("op_1")
			in.Token = c.token
			r := b.hasty(t, in)
			if r.State != c.answer || c.answer == unknown && r.Cause == nil {
				t.Errorf("%s answered %+v", c.token, r)
			}
			if found := b.look(t, "op_1"); found.State != c.found {
				t.Errorf("%s found %+v", c.token, found)
			}
			for range 40 {
				b.pump(t)
				b.clock.pass(time.Second)
			}
			if settled := b.look(t, "op_1"); settled.State != c.settled {
				t.Errorf("%s settled %+v", c.token, settled)
			}
			moved := int64(0)
			for _, e := range ledger(t, b, payments.LedgerRequest{}).Entries {
				moved += e.Amount
			}
			b.clock.pass(-40 * time.Second) // webhooks are believed for a while
			var states []string
			for _, e := range b.events(t) {
				if e.Key != "op_1" || e.OrderID != "ord_1" || e.Kind != payments.OperationCharge || e.Type != "charge."+string(e.Result.State) {
					t.Errorf("%+v", e)
				}
				states = append(states, string(e.Result.State))
			}
			if got := strings.Join(states, " "); moved != c.moved || got != c.webhooks {
				t.Errorf("%s moved %d, webhooks %q", c.token, moved, got)
			}
		})
	}
}

func TestTokens_repeated(t *testing.T) {
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // what hung and moved nothing succeeds the second time
		b := fresh(t)
		in := charge("op_1")
		in.Token = "pm_sim_timeoutNotCharged"
		if r := b.hasty(t, in); r.State != till.Unknown {
			t.Errorf("%+v", r)
		}
		for range 2 {
			if r := must(t)(b.Charge(t.Context(), in)); r.State != till.Succeeded {
				t.Errorf("%+v", r)
			}
		}
		if n := len(ledger(t, b, payments.LedgerRequest{}).Entries); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // what was taken before the line failed is answered the second time
		for _, token := range []string{"pm_sim_timeoutCharged", "pm_sim_500Charged", "pm_sim_resetCharged"} {
			b := fresh(t)
			in := charge("op_1")
			in.Token = token
			b.hasty(t, in)
			if r := must(t)(b.Charge(t.Context(), in)); r.State != till.Succeeded || len(ledger(t, b, payments.LedgerRequest{}).Entries) != 1 {
				t.Errorf("%s: %+v", token, r)
			}
		}
	})
	storetest.SQLiteOnly(t, "its time is virtual")
	synctest.Test(t, func(t *testing.T) { // the first look-ups fail, also across a restart
		path := storetest.Datastore(t, "testgateway")
		b := open(t, path)
		in := charge("op_1")
		in.Token = "pm_sim_lookupDown_2"
		b.hasty(t, in)
		first, second, third := b.look(t, "op_1"), open(t, path).look(t, "op_1"), b.look(t, "op_1")
		if first.State != till.Unknown || second.State != till.Unknown || third.State != till.Succeeded {
			t.Errorf("%+v, %+v, %+v", first, second, third)
		}
	})
}

func TestLater(t *testing.T) {
	authorise := func(t *testing.T, token string) (bank, till.Result) {
		b := fresh(t)
		in := charge("op_1")
		in.Token = token
		r := must(t)(b.Authorise(t.Context(), in))
		if r.State != till.Authorised {
			t.Fatalf("%+v", r)
		}
		return b, r
	}
	later := func(key, charge string, amount int64) till.Instruction {
		return till.Instruction{Key: key, OrderID: "ord_1", Amount: money.Of(amount, "EUR"), Charge: charge}
	}
	operations := func(t *testing.T, b bank) string {
		var all []string
		for _, e := range ledger(t, b, payments.LedgerRequest{}).Entries {
			all = append(all, fmt.Sprint(e.Operation, " ", e.Amount))
		}
		return strings.Join(all, ", ")
	}
	t.Run("captured once, then refunded", func(t *testing.T) {
		b, r := authorise(t, "pm_card_visa")
		for _, c := range []struct {
			do   func(context.Context, till.Instruction) (till.Result, error)
			in   till.Instruction
			code string
		}{
			{b.Refund, later("op_2", r.Reference, 1), "amount_too_large"},
			{b.Capture, later("op_3", r.Reference, 2581), "amount_too_large"},
			{b.Capture, later("op_4", r.Reference, 2580), ""},
			{b.Capture, later("op_4", r.Reference, 2580), ""},
			{b.Capture, later("op_5", r.Reference, 2580), "nothing_to_capture"},
			{b.Void, later("op_6", r.Reference, 2580), "nothing_to_void"},
			{b.Refund, later("op_7", r.Reference, 2580), ""},
			{b.Void, later("op_8", "ch_none", 2580), "unknown_charge"},
		} {
			if got := must(t)(c.do(t.Context(), c.in)); got.Failure.Code != c.code {
				t.Errorf("%+v: %+v", c.in, got)
			}
		}
		if got := operations(t, b); got != "authorise 2580, capture 2580, refund 2580" {
			t.Error(got)
		}
	})
	t.Run("voided, then not captured", func(t *testing.T) {
		b, r := authorise(t, "pm_card_visa")
		if got := must(t)(b.Void(t.Context(), later("op_2", r.Reference, 2580))); got.State != till.Succeeded {
			t.Errorf("%+v", got)
		}
		if got := must(t)(b.Capture(t.Context(), later("op_3", r.Reference, 2580))); got.State != till.Declined {
			t.Errorf("%+v", got)
		}
		if got := operations(t, b); got != "authorise 2580, void 2580" {
			t.Error(got)
		}
	})
	t.Run("a capture without an answer was made", func(t *testing.T) {
		b, r := authorise(t, "pm_sim_captureUnknown")
		if got := must(t)(b.Capture(t.Context(), later("op_2", r.Reference, 2580))); got.State != till.Unknown {
			t.Errorf("%+v", got)
		}
		if b.look(t, "op_2").State != till.Succeeded || operations(t, b) != "authorise 2580, capture 2580" {
			t.Error(operations(t, b))
		}
	})
	t.Run("refunds that misbehave", func(t *testing.T) {
		b := fresh(t)
		in := charge("op_1")
		in.Token = "pm_sim_refundUnknown"
		r := must(t)(b.Charge(t.Context(), in))
		if got := must(t)(b.Refund(t.Context(), later("op_2", r.Reference, 580))); got.State != till.Unknown || b.look(t, "op_2").State != till.Succeeded {
			t.Errorf("%+v", got)
		}
		in = charge("op_3")
		in.Token = "pm_sim_refundFail"
		r = must(t)(b.Charge(t.Context(), in))
		if got := must(t)(b.Refund(t.Context(), later("op_4", r.Reference, 580))); got.Failure.Code != "refund_failed" {
			t.Errorf("%+v", got)
		}
	})
}

func TestAct(t *testing.T) {
	begin := func(t *testing.T) bank {
		b := fresh(t)
		in := charge("op_1")
		in.Token = "pm_card_authenticationRequired"
		if r := must(t)(b.Charge(t.Context(), in)); r.Action.Type != "redirect" || !strings.HasSuffix(r.Action.URL, r.Reference) {
			t.Fatalf("%+v", r)
		}
		return b
	}
	for outcome, status := range map[string]string{payments.ActConfirm: "succeeded", payments.ActFail: "declined"} {
		t.Run(outcome, func(t *testing.T) {
			b := begin(t)
			for range 2 {
				acted, err := b.Act(t.Context(), payments.ActRequest{OrderID: "ord_1", Outcome: outcome})
				if err != nil || acted.Status != status {
					t.Errorf("%+v, %v", acted, err)
				}
			}
			b.pump(t)
			if events := b.events(t); len(events) != 1 || string(events[0].Result.State) != status || b.look(t, "op_1").State != events[0].Result.State {
				t.Errorf("%+v", events)
			}
		})
	}
	t.Run("needs an order that waits for it", func(t *testing.T) {
		b := fresh(t)
		act := func() error {
			_, err := b.Act(t.Context(), payments.ActRequest{OrderID: "ord_1", Outcome: payments.ActConfirm})
			return err
		}
		if err := act(); !errors.Is(err, payments.ErrNotCharged) {
			t.Error(err)
		}
		must(t)(b.Charge(t.Context(), charge("op_1")))
		if err := act(); !errors.Is(err, payments.ErrNoAction) {
			t.Error(err)
		}
		b = begin(t)
		must(t)(b.Seal(t.Context(), charge("op_1")))
		if err := act(); !errors.Is(err, payments.ErrNoAction) {
			t.Error(err)
		}
		if _, err := b.Act(t.Context(), payments.ActRequest{OrderID: "ord_1", Outcome: "maybe"}); err == nil {
			t.Error("it did something")
		}
	})
}

func TestSeal(t *testing.T) {
	t.Run("before it arrives, for good", func(t *testing.T) {
		b := fresh(t)
		if r := must(t)(b.Seal(t.Context(), charge("op_1"))); r.State != till.Cancelled {
			t.Errorf("%+v", r)
		}
		if r := must(t)(b.Charge(t.Context(), charge("op_1"))); r.State != till.Cancelled || len(ledger(t, b, payments.LedgerRequest{}).Entries) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("while it is pending, it never settles", func(t *testing.T) {
		b := fresh(t)
		in := charge("op_1")
		in.Token = "pm_sim_asyncSucceed_5"
		must(t)(b.Charge(t.Context(), in))
		must(t)(b.Seal(t.Context(), in))
		b.clock.pass(time.Minute)
		if n := b.pump(t); n != 0 || b.look(t, "op_1").State != till.Cancelled || len(ledger(t, b, payments.LedgerRequest{}).Entries) != 0 {
			t.Errorf("%d, %+v", n, b.look(t, "op_1"))
		}
	})
	t.Run("what succeeded is answered so", func(t *testing.T) {
		b := fresh(t)
		must(t)(b.Charge(t.Context(), charge("op_1")))
		if r := must(t)(b.Seal(t.Context(), charge("op_1"))); r.State != till.Succeeded {
			t.Errorf("%+v", r)
		}
	})
}

func TestWebhooks(t *testing.T) {
	in := charge("op_1")
	in.Token = "pm_sim_asyncSucceed_0"
	t.Run("are repeated after growing pauses until they are taken", func(t *testing.T) {
		b := fresh(t)
		must(t)(b.Charge(t.Context(), in))
		b.post.refuse = errors.New("not at home")
		attempts := 0
		for range 3600 {
			attempts += b.pump(t)
			b.clock.pass(time.Second)
		}
		if attempts < 10 || attempts > 15 {
			t.Errorf("%d attempts in an hour", attempts)
		}
		b.post.refuse = nil
		b.clock.pass(time.Hour)
		if b.pump(t) != 1 || len(b.events(t)) != 1 || b.pump(t) != 0 {
			t.Errorf("%+v", b.events(t))
		}
	})
	t.Run("are given up after three days", func(t *testing.T) {
		b := fresh(t)
		must(t)(b.Charge(t.Context(), in))
		b.post.refuse = errors.New("moved away")
		for range 80 {
			b.pump(t)
			b.clock.pass(time.Hour)
		}
		if e, err := findEvent(b.store.Read(t.Context()), "true"); e != nil || err != nil {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("come before the call returns", func(t *testing.T) {
		b := fresh(t)
		in := charge("op_1")
		in.Token = "pm_sim_webhookFirst"
		must(t)(b.Charge(t.Context(), in))
		if len(b.post.bodies) != 1 || b.pump(t) != 0 {
			t.Errorf("%d came", len(b.post.bodies))
		}
	})
	t.Run("are refused when forged, changed or old", func(t *testing.T) {
		b, other := fresh(t), fresh(t)
		must(t)(b.Charge(t.Context(), in))
		b.pump(t)
		header, body := b.post.headers[0], b.post.bodies[0]
		if _, err := other.ParseWebhook(header, body); err == nil {
			t.Error("another gateway's secret opened it")
		}
		if _, err := b.ParseWebhook(header, append([]byte(" "), body...)); err == nil {
			t.Error("a changed body was taken")
		}
		for _, late := range []time.Duration{301 * time.Second, -602 * time.Second} {
			b.clock.pass(late)
			if _, err := b.ParseWebhook(header, body); err == nil {
				t.Errorf("taken %v later", late)
			}
		}
	})
	t.Run("have one secret for the life of the books", func(t *testing.T) {
		path := storetest.Datastore(t, "testgateway")
		first, second := open(t, path), open(t, path)
		if string(first.secret) != string(second.secret) || len(first.secret) < 24 {
			t.Error("two secrets")
		}
	})
}

func TestList(t *testing.T) {
	b := fresh(t)
	for i := range listed + 5 {
		must(t)(b.Charge(t.Context(), charge(fmt.Sprintf("op_%03d", i))))
	}
	since := b.clock.now()
	first, err := b.List(t.Context(), since, "")
	if err != nil || len(first.Facts) != listed || first.Next == "" || first.Facts[0].Key != "op_000" {
		t.Fatalf("%d, %q, %v", len(first.Facts), first.Next, err)
	}
	rest, err := b.List(t.Context(), since, first.Next)
	if err != nil || len(rest.Facts) != 5 || rest.Next != "" || rest.Facts[0].Key != "op_200" || rest.Facts[0].Result.State != till.Succeeded {
		t.Errorf("%+v, %v", rest, err)
	}
	if late, err := b.List(t.Context(), since.Add(time.Second), ""); err != nil || len(late.Facts) != 0 {
		t.Errorf("%+v, %v", late, err)
	}
	if _, err := b.List(t.Context(), since, "x"); err == nil {
		t.Error("a foreign cursor was taken")
	}
}

// TestCaptures authorises, and then captures in parts.
func TestCaptures(t *testing.T) {
	for _, c := range []struct {
		token  string
		pass   time.Duration
		finals []bool // of captures of 1000 each
		want   string
	}{
		{"pm_card_visa", 0, []bool{false, false, false}, "succeeded succeeded amount_too_large"},
		{"pm_card_visa", 0, []bool{true, false}, "succeeded nothing_to_capture"},
		{"pm_card_visa", 8 * 24 * time.Hour, []bool{true}, "authorisation_expired"},
		{"pm_sim_captureOnce", 0, []bool{false, true, true}, "multicapture_not_supported succeeded nothing_to_capture"},
		{"pm_sim_authorisedFor_60", time.Minute, []bool{true}, "authorisation_expired"},
		{"pm_sim_authorisedFor_60", time.Second, []bool{true}, "succeeded"},
	} {
		b := fresh(t)
		in := charge("op_1")
		in.Kind, in.Token = payments.OperationAuthorise, c.token
		began := b.clock.now()
		r := must(t)(b.Authorise(t.Context(), in))
		if r.Multicapture != (c.token != "pm_sim_captureOnce") || !r.Until.After(began) {
			t.Errorf("%s: %+v", c.token, r)
		}
		b.clock.pass(c.pass)
		var got []string
		for i, final := range c.finals {
			take := till.Instruction{Kind: payments.OperationCapture, Key: fmt.Sprint("op_take_", i), OrderID: in.OrderID, Amount: money.Of(1000, "EUR"), Charge: r.Reference, Final: final}
			answer := must(t)(b.Capture(t.Context(), take))
			if again := must(t)(b.Capture(t.Context(), take)); again.State != answer.State {
				t.Errorf("%s again: %+v", c.token, again)
			}
			if got = append(got, string(answer.State)); answer.State == till.Declined {
				got[i] = answer.Failure.Code
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.token, got, c.want)
		}
	}
}

func TestDispute(t *testing.T) {
	b := fresh(t)
	say := func(status string, want error) payments.Dispute {
		t.Helper()
		d, err := b.Dispute(t.Context(), payments.DisputeRequest{OrderID: "ord_1", Status: status})
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", status, err, want)
		}
		return d
	}
	say(payments.DisputeOpen, payments.ErrNotCharged)
	r := must(t)(b.Charge(t.Context(), charge("op_1")))
	say(payments.DisputeWon, payments.ErrNotCharged)
	for range 2 {
		say(payments.DisputeOpen, nil)
	}
	say(payments.DisputeLost, nil)
	if d := say(payments.DisputeWon, nil); d.Status != payments.DisputeLost || d.Amount != money.Of(2580, "EUR") {
		t.Errorf("%+v", d)
	}
	b.pump(t)
	events := b.events(t)
	if len(events) != 2 || events[0].Dispute.Status != payments.DisputeOpen || events[1].Dispute.Status != payments.DisputeLost || events[1].Dispute.Charge != r.Reference {
		t.Errorf("%+v", events)
	}
}

// TestAfterwards is what happens to a payment without being asked for.
func TestAfterwards(t *testing.T) {
	b := fresh(t)
	act := func(outcome string, want error) payments.Acted {
		t.Helper()
		acted, err := b.Act(t.Context(), payments.ActRequest{OrderID: "ord_1", Outcome: outcome})
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", outcome, err, want)
		}
		return acted
	}
	act(payments.ActVoid, payments.ErrNotCharged)
	act(payments.ActReturnRefund, payments.ErrNotCharged)
	act("explode", fault.ErrInvalid)
	in := charge("op_1")
	in.Kind = payments.OperationAuthorise
	held := must(t)(b.Authorise(t.Context(), in))
	follow := func(kind, key string, amount int64) till.Instruction {
		return till.Instruction{Kind: kind, Key: key, OrderID: "ord_1", Amount: money.Of(amount, "EUR"), Charge: held.Reference}
	}
	must(t)(b.Capture(t.Context(), follow(payments.OperationCapture, "op_2", 1000)))
	free := act(payments.ActVoid, nil)
	if again := act(payments.ActVoid, nil); again != free {
		t.Errorf("%+v, then %+v", free, again)
	}
	for _, late := range []till.Instruction{follow(payments.OperationCapture, "op_3", 1), follow(payments.OperationVoid, "op_4", 1580)} {
		do := b.Capture
		if late.Kind == payments.OperationVoid {
			do = b.Void
		}
		if r := must(t)(do(t.Context(), late)); r.State != till.Declined {
			t.Errorf("%s: %+v", late.Kind, r)
		}
	}
	must(t)(b.Refund(t.Context(), follow(payments.OperationRefund, "op_5", 600)))
	for range 2 {
		act(payments.ActReturnRefund, nil)
	}
	if r := must(t)(b.Lookup(t.Context(), till.Query{Kind: payments.OperationRefund, Key: "op_5"})); r.State != till.Declined || r.Failure != returned() {
		t.Errorf("%+v", r)
	}
	if r := must(t)(b.Refund(t.Context(), follow(payments.OperationRefund, "op_6", 1000))); r.State != till.Succeeded {
		t.Errorf("what came back can be given back: %+v", r)
	}
	var moved []string
	for _, e := range ledger(t, b, payments.LedgerRequest{OrderID: "ord_1"}).Entries {
		moved = append(moved, fmt.Sprint(e.Operation, " ", e.Amount))
	}
	if want := []string{"authorise 2580", "capture 1000", "void 1580", "refund 600", "refund_failed 600", "refund 1000"}; !slices.Equal(moved, want) {
		t.Errorf("%q", moved)
	}
	b.pump(t)
	events := b.events(t)
	if len(events) != 2 || events[0].Key != "" || events[0].Charge != held.Reference || events[0].Result.Reference != free.Reference || events[1].Result.State != till.Declined {
		t.Errorf("%+v", events)
	}
}
