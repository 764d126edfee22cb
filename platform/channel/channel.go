// Package channel carries messages between modules.
//
// A module listens on a named channel, "inventory.request" for instance, and anybody may send to it. A message that wants an
// answer carries the address of a reply slot, a channel of the sender's own such as "response.9f2c01d4!7". Nothing else
// connects modules, so a module can't tell whether its neighbour runs in the same process.
//
// # Delivery
//
// At most once. A message reaches one reader or none; one that is dropped is counted (see Stats). Whoever needs more repeats
// the message under a key that makes it safe to repeat.
//
// # Ordering
//
// First in, first out for each channel. Readers of one channel compete; the one that waited longest is served first.
//
// # Back-pressure
//
// Every channel has a capacity. Send never blocks: at capacity it returns ErrFull at once and the message is gone. The check
// is atomic: with room for five, fifty simultaneous senders get five messages in.
//
// # Deadlines
//
// A message whose deadline or expiry has passed is dropped when it would be read, and does not count against the capacity.
//
// # Ownership
//
// A Body is handed over, never shared: the sender must not touch it after Send. Package rpc copies or encodes values so that
// its users need not think of it.
//
// # Errors
//
// Every error is a *fault.Error that says what is known: the errors of Send and Listen are NotExecuted.
//
// Memory is the layer inside one process. Package rpc builds typed calls on a Layer.
package channel

import (
	"encoding/hex"
	"strconv"
	"time"

	"cutpoint/platform/fault"
)

// Faults of a layer.
var (
	ErrFull       = fault.New(fault.Unavailable, "channel_full", "the module is at capacity").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrNoReceiver = fault.New(fault.Unavailable, "channel_no_receiver", "nobody serves this module now").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrClosed     = fault.New(fault.Unavailable, "channel_closed", "the channel layer is shut down").WithOutcome(fault.NotExecuted).WithRetryAfter(time.Second)
	ErrName       = fault.New(fault.Internal, "channel_name", "not a channel name").WithOutcome(fault.NotExecuted)
)

// Layer is a channel layer. All methods are safe for concurrent use.
type Layer interface {
	// Send puts a message on a channel and returns at once. A message with a ReplyTo needs somebody who listens.
	// Errors: ErrFull, ErrNoReceiver, ErrName, ErrClosed.
	Send(to string, m Message) error

	// Listen declares a reader of a channel. Errors: ErrName, ErrClosed.
	Listen(name string) (Listener, error)

	// OpenReply reserves a slot for one answer, so that the answer never meets a full channel. Errors: ErrClosed.
	OpenReply() (ReplySlot, error)

	// Reply answers a message. An answer that comes after the slot was released, or a second one, is dropped and counted.
	Reply(to ReplyTo, m Message)

	// Encodes reports whether bodies must be []byte: the layer crosses a process, or behaves as if it did.
	Encodes() bool

	// Stats returns the figures of each channel, by name.
	Stats() []Stats

	// Close refuses further messages, wakes every reader with ErrClosed, ends every wait for an answer and drops what is queued.
	// It may be called twice.
	Close()
}

// Listener reads a channel.
type Listener interface {
	// Receive waits for the next message whose deadline has not passed. With several callers each message goes to one of them.
	// A done that is closed consumes nothing; a nil one is never closed. Errors: ErrClosed once the listener or its layer is
	// closed, context.Canceled once done is.
	Receive(done <-chan struct{}) (Message, error)

	// Poll returns a message that waits already, or false. It also works after Close, so that the last reader of a channel can
	// finish what was accepted; what others still read is left to them.
	Poll() (Message, bool)

	// Close ends the declaration and wakes those who wait in Receive; messages stay on the channel. It may be called twice.
	Close()
}

// ReplySlot waits for one answer. It belongs to one goroutine.
type ReplySlot interface {
	// Address is what goes into the request's ReplyTo.
	Address() ReplyTo

	// Wait returns the answer, or false once the deadline has passed, or done or the layer is closed. It is called once.
	Wait(done <-chan struct{}, deadline time.Time) (Message, bool)

	// Release gives the slot back. Answers that come later are dropped.
	Release()
}

// Message is what travels.
type Message struct {
	Header Header
	Body   any // []byte on a layer that encodes
}

// Header travels beside the body and says nothing of the business. The zero value of a field means that there is none.
type Header struct {
	ID            ID        // of this message
	Causation     ID        // of the message that was being handled when this one was sent
	CorrelationID string    // of the request at the edge that all of this serves
	Operation     string    // what to do: "inventory.reserve"
	From          string    // the sending module
	Actor         string    // on whose behalf: id of the API key, or the module itself
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
type ReplyTo struct{ Process, Slot uint64 }

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

// Stats are the figures of one channel since the layer was made.
type Stats struct {
	Name     string `json:"name"`
	Depth    int    `json:"depth"`    // messages waiting now
	Capacity int    `json:"capacity"` // of how many at most
	Sent     uint64 `json:"sent"`     // accepted
	Received uint64 `json:"received"` // handed to a reader
	Full     uint64 `json:"full"`     // refused at capacity
	Expired  uint64 `json:"expired"`  // dropped unread, in time or because the layer was closed
	Late     uint64 `json:"late"`     // answers that nobody waited for any more
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
