// Package natslayer is the channel layer between processes: the promises of package channel, kept over a NATS server.
//
// # How a message travels
//
// A channel is a subject below the layer's prefix: "cutpoint.inventory.request". A process that listens to it subscribes, in one
// queue group with the others that do, so that a message reaches one of them. What arrives there is admitted, or refused at once,
// into a bounded queue of the receiving process, and workers take it from there; NATS itself knows no capacity. A message that wants
// an answer names the sender's reply slot as its NATS reply subject, so that the server's "no responders", a refusal and the answer
// all come back to the slot. Any other message is acknowledged when it was admitted.
//
// What a message says of itself is one header line (Cutpoint; see wire.go), beside W3C Trace Context.
//
// A channel "x.request" is an endpoint of a NATS micro service named x: `nats micro ls`, `info` and `stats` show the modules.
//
// # What differs from one process
//
// Send returns as soon as a message that wants an answer is written: that nobody listens, or that the channel is full, is the answer
// then, a *fault.Error that Wait returns. Send waits for the acknowledgement of any other message, for Options.Patience at most;
// without it nobody knows whether the message was admitted, and the outcome of the error says so.
//
// A capacity is that of one receiving process: three replicas admit three times as many. A message that wants no answer and that
// nobody listens to waits in its sender's process. Memberships of groups are known to all processes a moment after they are made.
// Flush, Drain and Stats are about this process.
//
// A remaining time travels, not a deadline, so that clocks may differ; the way itself is not taken off it.
//
// # When the server is away
//
// Everything that would have to cross is refused with channel.ErrUnreachable, NotExecuted. Nothing is kept to be sent later: a
// call that its caller has given up must not come back to life. Only what the network had taken already may still arrive when it
// heals; commands carry keys for such repetitions. The connection is made again by itself, for as long as it takes.
package natslayer
