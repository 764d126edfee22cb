package natslayer

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"cutpoint/platform/channel"
)

// What one process writes is what another reads, whatever stands in it.
func TestHeadersCross(t *testing.T) {
	l := &Layer{options: Options{Prefix: "shop"}}
	rapid.Check(t, func(t *rapid.T) {
		text := func(of string) string { return rapid.String().Draw(t, of) }
		id := func(of string) channel.ID {
			return channel.ID{Process: rapid.Uint64().Draw(t, of), Number: rapid.Uint64().Draw(t, of)}
		}
		want := channel.Header{
			ID: id("id"), Causation: id("causation"), CorrelationID: text("correlation"), Operation: text("operation"), From: text("from"),
			Actor: text("actor"), Lane: text("lane"), Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			ReplyTo: channel.ReplyTo{Process: rapid.Uint64Min(1).Draw(t, "process"), Slot: rapid.Uint64().Draw(t, "slot")},
		}
		n := line{header: &want, copied: rapid.Bool().Draw(t, "copied"), answerTo: l.address(want.ReplyTo)}
		got, copied := l.decode(&nats.Msg{Header: n.encode()})
		if got != want || copied != n.copied {
			t.Errorf("%+v arrived as %+v, a copy: %v", want, got, copied)
		}
	})
}

// The time that remains travels, and what is already over is still over.
func TestRemainingTimeIsInTheLine(t *testing.T) {
	for _, left := range []time.Duration{time.Minute, -time.Minute} {
		h := channel.Header{Deadline: time.Now().Add(left)}
		if got := time.Until(readLine(line{header: &h}.String()).header.Deadline); got > left || got < left-time.Second {
			t.Errorf("%v was left, %v is", left, got)
		}
	}
}

// A line of a later version may say more at its end; one in another order, or none, says nothing.
func TestLinesOfOtherVersions(t *testing.T) {
	h := channel.Header{Operation: "stock.hold", Lane: "ord_1"}
	s := line{header: &h, answerTo: "a"}.String()
	if n := readLine(s + " more of it"); *n.header != h || n.answerTo != "a" {
		t.Errorf("with more at its end: %+v", n.header)
	}
	for _, other := range []string{"2" + s[1:], "", " ", "1", "1 x y z %zz"} {
		if n := readLine(other); *n.header != (channel.Header{}) {
			t.Errorf("%q was read as %+v", other, n.header)
		}
	}
}

func FuzzReadLine(f *testing.F) {
	f.Add("1 a-1  5 stock.hold orders key_1 cor%201 ord_1 c shop.response.a.1")
	f.Fuzz(func(t *testing.T, s string) {
		n := readLine(s)
		n.header.Deadline = time.Time{} // what remains is less each time
		if again := readLine(n.String()); *again.header != *n.header {
			t.Errorf("%q: %+v, then %+v", s, n.header, again.header)
		}
	})
}
