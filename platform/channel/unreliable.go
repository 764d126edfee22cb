package channel

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Unreliability says how often an Unreliable layer fails. The probabilities of what may happen to a message add up to at most 1,
// and those of what may happen to an answer too. The zero value never fails.
type Unreliability struct {
	Seed uint64

	Refuse    float64 // Send returns ErrFull
	DropSend  float64 // Send returns nil, and nobody receives the message
	DelaySend float64 // Send returns nil, and the message is sent later

	DropReply  float64
	DelayReply float64

	MaxDelay time.Duration // delays are shorter than this; zero: everything is sent at once
}

// UnreliableCounts tells what an Unreliable layer has done.
type UnreliableCounts struct {
	Refused        uint64 `json:"refused"`
	DroppedSends   uint64 `json:"dropped_sends"`
	DelayedSends   uint64 `json:"delayed_sends"`
	DroppedReplies uint64 `json:"dropped_replies"`
	DelayedReplies uint64 `json:"delayed_replies"`
	Lost           uint64 `json:"lost"` // of the delayed: met a full channel or nobody, or were still to come at Flush or Close
}

// UnreliableLayer is a layer on which messages and answers get lost or come late, as they may on any layer that crosses a network:
// what works on it does not count on luck. Messages that are delayed are overtaken by others, those of their lane included; no
// message ever arrives twice. Messages to groups, and all else that a layer does, are those of the layer below.
type UnreliableLayer struct {
	Layer
	options Unreliability

	mu      sync.Mutex
	sends   *rand.Rand // two sources, so that what befalls messages does not depend on who answers when
	replies *rand.Rand
	counts  UnreliableCounts
	pending map[*delayed]struct{}
	closed  bool
}

// delayed is what a timer will do. Whoever takes it out of pending is the only one to do it, or to leave it undone.
type delayed struct {
	timer *time.Timer
	do    func() error
}

var _ Layer = (*UnreliableLayer)(nil)

// Unreliable returns a layer that fails now and then, on top of l. What it does to the n-th message and to the n-th answer
// follows from the seed alone. Closing it closes l.
func Unreliable(l Layer, o Unreliability) *UnreliableLayer {
	return &UnreliableLayer{
		Layer: l, options: o, pending: map[*delayed]struct{}{},
		sends: rand.New(rand.NewPCG(o.Seed, 1)), replies: rand.New(rand.NewPCG(o.Seed, 2)),
	}
}

// Counts returns what the layer has done up to now.
func (u *UnreliableLayer) Counts() UnreliableCounts {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.counts
}

// Send implements Layer. What no layer would accept is refused before anything happens to it.
func (u *UnreliableLayer) Send(to string, m Message) error {
	b, encoded := m.Body.([]byte)
	switch err := CheckName(to); {
	case err != nil:
		return err
	case len(b) > MaxBody:
		return TooLarge(len(b))
	case !encoded && u.Encodes(to):
		return ErrBody
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return ErrClosed
	}
	o := u.options
	chance, delay := u.draw(u.sends)
	switch {
	case chance < o.Refuse:
		u.counts.Refused++
		return ErrFull
	case chance < o.Refuse+o.DropSend:
		u.counts.DroppedSends++
		return nil
	case chance < o.Refuse+o.DropSend+o.DelaySend:
		u.counts.DelayedSends++
		if encoded {
			m.Body = bytes.Clone(b) // the sender may go on to use it
		}
		u.later(delay, func() error { return u.Layer.Send(to, m) })
		return nil
	}
	return u.Layer.Send(to, m)
}

// Reply implements Layer.
func (u *UnreliableLayer) Reply(to ReplyTo, body any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	o := u.options
	chance, delay := u.draw(u.replies)
	switch {
	case chance < o.DropReply:
		u.counts.DroppedReplies++
	case chance < o.DropReply+o.DelayReply:
		u.counts.DelayedReplies++
		if b, ok := body.([]byte); ok {
			body = bytes.Clone(b)
		}
		u.later(delay, func() error { u.Layer.Reply(to, body); return nil })
	default:
		u.Layer.Reply(to, body)
	}
}

// draw always takes two numbers, so that one decision does not shift those that follow.
func (u *UnreliableLayer) draw(r *rand.Rand) (chance float64, delay time.Duration) {
	return r.Float64(), time.Duration(r.Float64() * float64(u.options.MaxDelay))
}

// later does something after a delay; the caller holds the lock.
func (u *UnreliableLayer) later(delay time.Duration, do func() error) {
	d := &delayed{do: do}
	u.pending[d] = struct{}{}
	d.timer = time.AfterFunc(delay, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if _, waits := u.pending[d]; waits {
			u.now(d)
		}
	})
}

// now does what is pending; the caller holds the lock.
func (u *UnreliableLayer) now(d *delayed) {
	delete(u.pending, d)
	if d.do() != nil {
		u.counts.Lost++
	}
}

// Flush implements Layer. What is still to come is dropped, too.
func (u *UnreliableLayer) Flush() {
	u.mu.Lock()
	u.lose()
	u.mu.Unlock()
	u.Layer.Flush()
}

// Drain implements Layer. What is still to come was accepted, so it comes now.
func (u *UnreliableLayer) Drain(ctx context.Context) error {
	u.mu.Lock()
	for d := range u.pending {
		d.timer.Stop()
		u.now(d)
	}
	u.mu.Unlock()
	return u.Layer.Drain(ctx)
}

// Close implements Layer.
func (u *UnreliableLayer) Close() {
	u.mu.Lock()
	u.closed = true
	u.lose()
	u.mu.Unlock()
	u.Layer.Close()
}

// lose drops what is pending; the caller holds the lock.
func (u *UnreliableLayer) lose() {
	for d := range u.pending {
		d.timer.Stop()
		u.counts.Lost++
	}
	clear(u.pending)
}
