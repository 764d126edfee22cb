package natslayer

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// The headers of a message. All that we say of it is one line, since each header of NATS costs an allocation or two, and a look-up,
// on either side. W3C Trace Context stands beside it where there is one, for whoever else reads it; its names are in lower case, as
// it wants them.
const (
	headerLine        = "Cutpoint"
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"

	headerRefused = "Refused" // the code of the fault in the body
	headerStatus  = "Status"  // set by the server: 503 is "no responders"
)

// lineVersion begins a line: the fields that it has, in their order. A later version adds fields at the end, and keeps the number;
// another number is another order, which is not read.
const lineVersion = "1"

// line is what one line says, separated by single spaces after the version: id, causation, microseconds that remain, operation,
// sending module, actor, correlation id, lane, "c" for a copy to a group, and where to answer if the NATS reply subject is needed for
// the acknowledgement. A field that is not set is empty. Strings are escaped as in the path of an URL, so that no space is in them.
type line struct {
	header   *channel.Header
	copied   bool   // one of a group
	answerTo string // a subject
}

func (n line) String() string {
	h := n.header
	b := make([]byte, 0, 192)
	b = append(b, lineVersion...)
	b = appendID(append(b, ' '), h.ID)
	b = appendID(append(b, ' '), h.Causation)
	b = append(b, ' ')
	if !h.Deadline.IsZero() {
		b = strconv.AppendInt(b, time.Until(h.Deadline).Microseconds(), 10)
	}
	for _, s := range [...]string{h.Operation, h.From, h.Actor, h.CorrelationID, h.Lane} {
		b = append(append(b, ' '), url.PathEscape(s)...)
	}
	b = append(b, ' ')
	if n.copied {
		b = append(b, 'c')
	}
	return string(append(append(b, ' '), n.answerTo...))
}

// readLine is what a line says; what it does not say, or says in a form that is not known, is left out.
func readLine(s string) line {
	n := line{header: &channel.Header{}}
	next := func() (field string) {
		field, s, _ = strings.Cut(s, " ")
		return field
	}
	text := func() string {
		t, _ := url.PathUnescape(next())
		return t
	}
	if next() != lineVersion {
		return n
	}
	h := n.header
	h.ID, h.Causation = parseID(next()), parseID(next())
	if us, err := strconv.ParseInt(next(), 10, 64); err == nil {
		h.Deadline = time.Now().Add(time.Duration(us) * time.Microsecond)
	}
	h.Operation, h.From, h.Actor, h.CorrelationID, h.Lane = text(), text(), text(), text(), text()
	n.copied = next() == "c"
	n.answerTo = next()
	return n
}

// encode is the headers of a message.
func (n line) encode() nats.Header {
	out := nats.Header{headerLine: {n.String()}}
	if n.header.Traceparent != "" {
		out[headerTraceparent] = []string{n.header.Traceparent}
	}
	if n.header.Tracestate != "" {
		out[headerTracestate] = []string{n.header.Tracestate}
	}
	return out
}

// decode reads the headers of a message, and whether it is a copy to a group.
func (l *Layer) decode(in *nats.Msg) (h channel.Header, copied bool) {
	n := readLine(in.Header.Get(headerLine))
	h = *n.header
	h.Traceparent, h.Tracestate = in.Header.Get(headerTraceparent), in.Header.Get(headerTracestate)
	if to, ok := l.slotOf(in.Reply); ok {
		h.ReplyTo = to
	} else if to, ok := l.slotOf(n.answerTo); ok {
		h.ReplyTo = to
	}
	return h, n.copied
}

// appendID writes an id as two numbers, or nothing.
func appendID(b []byte, id channel.ID) []byte {
	if id.IsZero() {
		return b
	}
	b = strconv.AppendUint(b, id.Process, 16)
	return strconv.AppendUint(append(b, '-'), id.Number, 10)
}

// parseID reads what appendID wrote.
func parseID(s string) (id channel.ID) {
	process, number, ok := strings.Cut(s, "-")
	if !ok {
		return channel.ID{}
	}
	var err1, err2 error
	id.Process, err1 = strconv.ParseUint(process, 16, 64)
	id.Number, err2 = strconv.ParseUint(number, 10, 64)
	if err1 != nil || err2 != nil {
		return channel.ID{}
	}
	return id
}

// slotOf is the reply slot that a subject is the address of.
func (l *Layer) slotOf(subject string) (to channel.ReplyTo, ok bool) {
	rest, ok := strings.CutPrefix(subject, l.options.Prefix+".response.")
	if ok && l.options.User != "" {
		to.User, rest, ok = strings.Cut(rest, ".")
	}
	if !ok {
		return to, false
	}
	process, slot, ok := strings.Cut(rest, ".")
	if !ok {
		return to, false
	}
	var err1, err2 error
	to.Process, err1 = strconv.ParseUint(process, 16, 64)
	to.Slot, err2 = strconv.ParseUint(slot, 10, 64)
	return to, err1 == nil && err2 == nil
}

// refuse makes a message say why another was not admitted.
func refuse(out *nats.Msg, err error) {
	f := fault.From(err).Portable()
	out.Header = nats.Header{headerRefused: {f.Code}}
	out.Data, _ = json.Marshal(f) // a fault always encodes
}

// refusal is the fault that a message says, or nil.
func refusal(in *nats.Msg) *fault.Error {
	switch {
	case in.Header.Get(headerStatus) == "503":
		return channel.ErrNoReceiver
	case in.Header.Get(headerRefused) == "":
		return nil
	}
	var f fault.Error
	if err := json.Unmarshal(in.Data, &f); err != nil {
		return fault.ErrInternal.Because(err)
	}
	return &f
}
