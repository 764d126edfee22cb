// Package channel carries messages between modules.
//
// A module listens on a named channel, "inventory.request" for instance, and anybody may send to it. A message that wants an
// answer carries the address of a reply slot, a channel of the sender's own such as "response.9f2c01d4!7". A group is a set of
// channels that one message is sent to. Nothing else connects modules, so a module can't tell whether its neighbour runs in the
// same process.
//
// # Delivery
//
// At most once. A message reaches one reader or none, never two; one that is dropped is counted (see Stats). Whoever needs more
// repeats the message under a key that makes it safe to repeat.
//
// # Ordering
//
// First in, first out for each channel, by the order of sending. Readers of one channel compete; the one that waited longest is
// served first. A reader of several channels takes from each in turn. Messages of one lane (Header.Lane) are read one at a time,
// each after the one before was handled, while other lanes overtake.
//
// # Deadlines
//
// A message waits for a reader until its expiry or its deadline, whichever is earlier. After that it is dropped, takes no room, and
// its memory is given back, whether or not anybody reads.
//
// # Ownership
//
// Sender, receiver and members of a group never share memory: a []byte body is copied. Any other body is a value that was made for
// this message alone (package rpc does that) and is handed over: the sender must not touch it after Send.
//
// # Errors
//
// Every error is a *fault.Error that says what is known. The errors of Send, Listen, NewChannel, OpenReply and the group methods
// are NotExecuted: nothing was sent.
//
// # Back-pressure
//
// Every channel has a capacity. Send never blocks: at capacity it returns ErrFull at once and the message is gone. The check is
// atomic: with room for five, fifty simultaneous senders get five messages in. Waiting and trying again is the sender's choice
// (package rpc: WaitWhenFull).
//
// # Resilience
//
// Unreliable puts failures on top of any layer, by a seed: messages and answers that are lost or late, and refusals. What must
// survive them is tested with it.
//
// Memory is the layer inside one process, package channeltest the suite that every driver passes, and package rpc builds typed
// calls on a Layer.
package channel

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"cutpoint/platform/fault"
)

// Faults of a layer.
var (
	ErrFull        = fault.New(fault.Unavailable, "channel_full", "the module is at capacity").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrNoReceiver  = fault.New(fault.Unavailable, "channel_no_receiver", "nobody serves this module now").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrClosed      = fault.New(fault.Unavailable, "channel_closed", "the channel layer is shut down").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrName        = fault.New(fault.Internal, "channel_name", "not a channel name").WithOutcome(fault.NotExecuted)
	ErrTooLarge    = fault.New(fault.TooLarge, "channel_too_large", "the message is larger than modules may send").WithOutcome(fault.NotExecuted)
	ErrUnreachable = fault.New(fault.Unavailable, "channel_unreachable", "the module can't be reached at present").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrNotAllowed  = fault.New(fault.Internal, "channel_not_allowed", "this process may not send there").WithOutcome(fault.NotExecuted)
	ErrBody        = fault.New(fault.Internal, "channel_body", "only an encoded body can be sent to a group, or through a layer that encodes").WithOutcome(fault.NotExecuted)
)

// MaxBody is the largest encoded body in bytes: 1 MiB less room for headers.
const MaxBody = 1<<20 - 16<<10

// Layer is a channel layer. All methods are safe for concurrent use.
type Layer interface {
	// Send puts a message on a channel and returns at once. A message with a ReplyTo needs somebody who listens.
	// Errors: ErrFull, ErrNoReceiver, ErrTooLarge, ErrBody, ErrName, ErrClosed, and of a layer between processes ErrUnreachable and
	// ErrNotAllowed. Such a layer may tell ErrFull and ErrNoReceiver later, as the answer in the slot.
	Send(to string, m Message) error

	// Listen declares a reader of one channel or several. A channel that is local to another process can't be read.
	// Errors: ErrName, ErrClosed.
	Listen(names ...string) (Listener, error)

	// NewChannel returns a name that nobody has: prefix, this process and a local part ("prefix.9f2c01d4!7"). Only this process
	// may read it; all such channels of one prefix share one capacity. Errors: ErrName, ErrClosed.
	NewChannel(prefix string) (string, error)

	// OpenReply reserves a slot for one answer, so that the answer never meets a full channel. Errors: ErrFull, ErrClosed.
	OpenReply() (ReplySlot, error)

	// Reply answers a message. An answer that comes after the slot was released, or a second one, is dropped and counted.
	Reply(to ReplyTo, body any)

	// GroupAdd makes a channel a member of a group until the membership expires; adding it again renews it. GroupDiscard ends
	// the membership, if there is one. Errors: ErrName, ErrClosed.
	GroupAdd(group, channel string) error
	GroupDiscard(group, channel string) error

	// GroupSend sends an encoded body to every member. A member that can't take it loses its copy and delays nobody: it is counted
	// as dropped. Errors: ErrName, ErrBody, ErrTooLarge, ErrClosed.
	GroupSend(group string, m Message) (delivered, dropped int, err error)

	// Flush drops every message that waits and every membership. Those who wait in Receive go on waiting.
	Flush()

	// Drain refuses further messages with ErrClosed and returns when those that were accepted have been read, or have expired, or
	// with the context's error when it ends first. Answers still pass.
	Drain(ctx context.Context) error

	// Close refuses further messages, wakes every reader with ErrClosed, ends every wait for an answer and drops what is queued.
	// It may be called twice.
	Close()

	// Encodes tells whether the bodies that are sent to a channel must be []byte: they leave the process, or the layer behaves as if
	// they did. The answer is the same for as long as the layer lives.
	Encodes(to string) bool

	// Info tells what the layer is.
	Info() Info

	// Stats returns the figures of each channel that there is, by name.
	Stats() []Stats
}

// Listener reads channels. Its methods are safe for concurrent use.
type Listener interface {
	// Receive waits for the next message whose deadline has not passed, and writes it to m, which is its caller's own. With several
	// callers each message goes to one of them. A done that is closed consumes nothing; a nil one is never closed. After an error m
	// holds nothing of use. Errors: ErrClosed once the listener or its layer is closed, context.Canceled once done is.
	Receive(done <-chan struct{}, m *Message) error

	// Poll returns a message that waits already, or false. It also works after Close, so that the last reader of a channel can
	// finish what was accepted; what others still read is left to them.
	Poll() (Message, bool)

	// Handled lets the next message of a lane be read. Whoever received a message with a lane owes this call; for others it does
	// nothing.
	Handled(m *Message)

	// Close ends the declaration and wakes those who wait in Receive; messages stay on the channel. It may be called twice.
	Close()
}

// ReplySlot waits for one answer. It belongs to one goroutine.
type ReplySlot interface {
	// Address is what goes into the request's ReplyTo.
	Address() ReplyTo

	// Wait returns the answer, or a *fault.Error if the message was refused after it was sent, or false once the deadline has passed, or done or the layer is closed. It is called once.
	Wait(done <-chan struct{}, deadline time.Time) (body any, ok bool)

	// Release gives the slot back. Answers that come later are dropped.
	Release()
}

// Message is what travels.
type Message struct {
	Channel string // where it was received; Send sets it
	Header  Header
	Body    any           // []byte on a layer that encodes
	Waited  time.Duration // on its channel; the layer that hands it to a reader sets it
}

// Header travels beside the body and says nothing of the business. The zero value of a field means that there is none.
type Header struct {
	ID            ID        // of this message
	Causation     ID        // of the message that was being handled when this one was sent
	CorrelationID string    // of the request at the edge that all of this serves
	Operation     string    // what to do: "inventory.reserve"
	From          string    // the sending module
	Actor         string    // on whose behalf: id of the API key, or the module itself
	Lane          string    // messages of one lane are handled one after the other
	Deadline      time.Time // do not start after; crosses a wire as remaining time, which is immune to clock skew
	ReplyTo       ReplyTo
	Traceparent   string // W3C Trace Context
	Tracestate    string
}

// ID names a message: the process that made it and a number that only grows.
type ID struct{ Process, Number uint64 }

// IsZero reports whether there is no id.
func (i ID) IsZero() bool { return i == ID{} }

func (i ID) String() string {
	return hexadecimal(i.Process) + "-" + strconv.FormatUint(i.Number, 10)
}

// ReplyTo is the address of a reply slot.
type ReplyTo struct {
	Process, Slot uint64

	User string // whom the server between the processes knows that one as; "": it keeps nobody apart, or there is none
}

// IsZero reports whether no answer is wanted.
func (r ReplyTo) IsZero() bool { return r == ReplyTo{} }

// String is the slot's channel name. What follows the exclamation mark is local to the process named before it.
func (r ReplyTo) String() string {
	return "response." + hexadecimal(r.Process) + "!" + strconv.FormatUint(r.Slot, 10)
}

func hexadecimal(n uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(n >> (56 - 8*i))
	}
	return hex.EncodeToString(b[:])
}

// Info tells what a layer is.
type Info struct {
	Driver  string // "memory" or "nats"
	Process string // this process, as it stands in the names of local channels
}

// Stats are the figures of one channel since it was made. A channel that nobody reads is gone when its last message is.
type Stats struct {
	Name     string        `json:"name"`
	Depth    int           `json:"depth"`     // messages waiting now
	Capacity int           `json:"capacity"`  // of how many at most
	Oldest   time.Duration `json:"oldest_ns"` // how long the first of them has waited
	Sent     uint64        `json:"sent"`      // accepted, also a copy that a group's full member could not take
	Received uint64        `json:"received"`  // handed to a reader
	Waited   time.Duration `json:"waited_ns"` // by all that were received together
	Full     uint64        `json:"full"`      // refused at capacity
	Expired  uint64        `json:"expired"`   // dropped unread when their time was over
	Dropped  uint64        `json:"dropped"`   // dropped by Flush, Close, or a group's full member
	Late     uint64        `json:"late"`      // answers that nobody waited for any more
	GaveUp   uint64        `json:"gave_up"`   // waits for an answer that ended without one
}

// MaxName is the longest channel name in bytes.
const MaxName = 100

// CheckName returns ErrName unless name consists of 1 to MaxName ASCII letters, digits, "-", "_" and ".", with no empty part
// between dots and at most one "!", which marks what follows as local to a process.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrName.Saying("%.20q: a channel name has 1 to %d bytes", name, MaxName)
	}
	local := false
	previous := byte('.')
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' && previous != '.' && previous != '!':
		case c == '!' && previous != '.' && !local:
			local = true
		default:
			return ErrName.Saying("%q: byte %d does not belong into a channel name", name, i)
		}
		previous = c
	}
	if previous == '.' || previous == '!' {
		return ErrName.Saying("%q: a channel name does not end in %q", name, previous)
	}
	return nil
}
