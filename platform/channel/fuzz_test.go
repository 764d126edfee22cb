package channel_test

import (
	"testing"
	"time"

	"cutpoint/platform/channel"
)

// FuzzHeader: whatever stands in a header, it is received as it was sent, what goes on to the next message is what belongs to the
// request at the edge, and the addresses in it are names of channels.
func FuzzHeader(f *testing.F) {
	f.Add("cor_1", "inventory.reserve", "orders", "key_1", "ord_1", "00-aa-bb-01", "v=1", uint64(1), uint64(2), int64(time.Hour))
	f.Add("", "\x00", "é", "\xff", "a\nb", "", ",", uint64(0), ^uint64(0), int64(-1))
	l, r := layer(f, channel.Options{})
	s := channel.NewHandlings(f.Context())
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, correlation, operation, from, actor, lane, parent, state string, process, number uint64, left int64) {
		h := channel.Header{
			ID: channel.ID{Process: process, Number: number}, Causation: channel.ID{Process: number, Number: process},
			CorrelationID: correlation, Operation: operation, From: from, Actor: actor, Lane: lane,
			Deadline: time.Now().Add(max(time.Duration(left), 0) + time.Minute), // the sum may be too large, and is in the past then
			ReplyTo:  channel.ReplyTo{Process: process, Slot: number}, Traceparent: parent, Tracestate: state,
		}
		send(t, l, channel.Message{Header: h})
		m, ok := r.Poll()
		if past := time.Until(h.Deadline) <= 0; ok == past || ok && (m.Header != h || m.Channel != name) {
			t.Fatalf("sent %+v, received %v: %+v", h, ok, m)
		}
		r.Handled(&m)
		s.Message.Header = h
		ctx := s.Begin()
		defer s.End()
		var next channel.Header
		next.Inherit(ctx)
		want := channel.Header{CorrelationID: correlation, Actor: actor, Traceparent: parent, Tracestate: state, Causation: h.ID}
		if next != want || channel.HeaderOf(ctx) != h {
			t.Fatalf("%+v goes on as %+v", h, next)
		}
		if err := channel.CheckName(h.ReplyTo.String()); err != nil {
			t.Fatal(err)
		}
	})
}
