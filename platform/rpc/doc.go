// Package rpc makes typed calls between modules over a channel layer.
//
// A contract defines its operations once, as values:
//
//	var reserve = rpc.Define[ReserveRequest, Reservation]("inventory", "reserve")
//
// A body is put behind them with Handle, a stranger calls them with Op.Call. Both sides see plain Go values; neither can tell
// whether the other is in the same process.
//
// # Copying
//
// Nothing is shared over a call. How a value is copied is decided when its operation is defined: a flat value (numbers,
// strings, times, structs of these) by assignment, any other by a walk that copies its slices, maps and pointers. On a layer
// that encodes, values travel as the JSON of package encoding/json: a time may lose its zone and its monotonic reading, a
// string must be UTF-8, a number finite, and an empty slice or map under omitempty becomes nil. A type that can't cross (func,
// channel, interface, unexported field, two members of one name, a pointer that leads back to its own type) is refused:
// Server.Start and Op.Call say why.
//
// # Sizes
//
// A request or an answer that weighs more than channel.MaxBody is refused with channel.ErrTooLarge on every layer: a request before
// it is sent, an answer at once, in place of itself. A layer that encodes counts the bytes of the encoded form. Elsewhere the bytes
// of strings and keys and the elements of slices and maps are counted; the encoded form may be larger, so a layer that encodes may
// refuse somewhat earlier.
//
// # Deadlines
//
// Every call has one: the caller's, or its own Timeout from now, whichever is earlier. It travels in the header. A call whose
// deadline passed while it was queued is never started.
//
// # Lanes
//
// An operation that is defined ByLane has its calls handled in order: those of one lane (an order's id, say), of all operations of
// the module, one at a time and as they were accepted; other lanes go on beside them. A lane is free again when its handler has
// returned or panicked. A handler must not call its own module in its own lane: it would wait for itself until its deadline.
//
// # Waiting
//
// A call that meets a full channel is refused at once, NotExecuted, unless its caller was made with WaitWhenFull: then it is tried
// again after short, growing pauses. Those who wait have no order among them.
//
// # Contexts
//
// The handler's context is fresh: deadline, cancellation of the server, and the header. Values of the caller's context do not
// cross. It is over when the handler returns, and the header with it: what goes on afterwards takes along what it needs
// (channel.WithHeader).
//
// # Errors
//
// Every error of Call is a *fault.Error with an outcome, and comes with a zero answer. NotExecuted: nothing was started. Executed:
// the receiver answered with this fault. Unknown: no answer in time, or the receiver broke half-way; repeat only what is safe to
// repeat.
//
// # Metrics
//
// CallerOptions.Observe is told of every call that ended and ServerOptions.Observe of every message that was answered. Both run in
// the way of the work, the one before its caller goes on, the other before its worker takes the next message: they must be quick,
// never block, and be safe for concurrent use.
//
// # Resilience
//
// channel.Unreliable puts a layer that loses, delays and refuses under callers and servers, by a seed: what a module does when no
// answer comes is tested with it.
package rpc
