package natslayer

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// The headers of a message. One that would be empty is left out. The names of W3C Trace Context are in lower case, as it wants them.
const (
	headerID          = "Id"
	headerCausation   = "Causation-Id"
	headerCorrelation = "Correlation-Id"
	headerOperation   = "Operation"
	headerFrom        = "From"
	headerActor       = "Actor"
	headerLane        = "Lane"
	headerRemaining   = "Remaining" // microseconds until its deadline
	headerAnswerTo    = "Answer-To" // where the NATS reply subject is needed for the acknowledgement
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"

	headerCopy    = "Copy"    // one of a group
	headerRefused = "Refused" // the code of the fault in the body
	headerStatus  = "Status"  // set by the server: 503 is "no responders"
)

func encodeHeader(h *channel.Header) nats.Header {
	values := make([]string, 0, 10)
	out := make(nats.Header, 10)
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			out[name] = values[len(values)-1:]
		}
	}
	if !h.ID.IsZero() {
		set(headerID, h.ID.String())
	}
	if !h.Causation.IsZero() {
		set(headerCausation, h.Causation.String())
	}
	if !h.Deadline.IsZero() {
		set(headerRemaining, strconv.FormatInt(time.Until(h.Deadline).Microseconds(), 10))
	}
	set(headerCorrelation, h.CorrelationID)
	set(headerOperation, h.Operation)
	set(headerFrom, h.From)
	set(headerActor, h.Actor)
	set(headerLane, h.Lane)
	set(headerTraceparent, h.Traceparent)
	set(headerTracestate, h.Tracestate)
	return out
}

func (l *Layer) decodeHeader(in *nats.Msg) channel.Header {
	get := func(name string) string {
		if v := in.Header[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	h := channel.Header{
		ID: parseID(get(headerID)), Causation: parseID(get(headerCausation)),
		CorrelationID: get(headerCorrelation), Operation: get(headerOperation), From: get(headerFrom), Actor: get(headerActor),
		Lane: get(headerLane), Traceparent: get(headerTraceparent), Tracestate: get(headerTracestate),
	}
	if us, err := strconv.ParseInt(get(headerRemaining), 10, 64); err == nil {
		h.Deadline = time.Now().Add(time.Duration(us) * time.Microsecond)
	}
	if to, ok := l.slotOf(in.Reply); ok {
		h.ReplyTo = to
	} else if to, ok := l.slotOf(get(headerAnswerTo)); ok {
		h.ReplyTo = to
	}
	return h
}

// parseID reads what channel.ID.String wrote.
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
