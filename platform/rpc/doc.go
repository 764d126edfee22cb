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
// that encodes, values travel as JSON: a time may lose its zone and its monotonic reading, a string must be UTF-8, a number
// finite, and an empty slice or map under omitempty becomes nil. A type that can't cross (func, channel, interface, unexported
// field, two members of one name, a pointer that leads back to its own type) is refused: Server.Start and Op.Call say why.
//
// # Deadlines
//
// Every call has one: the caller's, or its own Timeout from now, whichever is earlier. It travels in the header. A call whose
// deadline passed while it was queued is never started.
//
// # Contexts
//
// The handler's context is fresh: deadline, cancellation of the server, and the header. Values of the caller's context do not
// cross.
//
// # Errors
//
// Every error of Call is a *fault.Error with an outcome, and comes with a zero answer. NotExecuted: nothing was started. Executed: the receiver answered with
// this fault. Unknown: no answer in time, or the receiver broke half-way; repeat only what is safe to repeat.
package rpc
