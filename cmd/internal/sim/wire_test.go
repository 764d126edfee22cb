package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"cutpoint/platform/channel"
)

// wire is a layer on which messages and answers are lost, late or refused until the world is calm. Each is on its way for a moment of
// its own, during which all that can run does: so no two things happen at the same instant. What befalls a message follows from the
// seed, the message and the instant, not from who came first: a seed is one history, however many processors there are.
type wire struct {
	channel.Layer
	seed             uint64
	calm             func() bool
	drop, late, full float64 // how often a message is lost, late, or refused; answers are lost or late as often

	mu     sync.Mutex
	asked  map[channel.ReplyTo]string // operations without an answer yet
	latest time.Time
	alike  map[moment]int // messages that were sent at the latest instant
}

type moment struct {
	what string
	at   time.Time
}

const longestDelay = 3 * time.Second

func newWire(l channel.Layer, life *rand.Rand, calm func() bool) channel.Layer {
	return &wire{
		Layer: l, seed: life.Uint64(), calm: calm, asked: map[channel.ReplyTo]string{}, alike: map[moment]int{},
		drop: 0.05 * life.Float64(), late: 0.05 * life.Float64(), full: 0.05 * life.Float64(),
	}
}

// fate is what befalls a message, and how long it takes.
func (l *wire) fate(what string) (luck float64, delay, travel time.Duration) {
	l.mu.Lock()
	m := moment{what, time.Now()}
	if m.at != l.latest {
		clear(l.alike)
		l.latest = m.at
	}
	l.alike[m]++
	n := l.alike[m]
	l.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, l.seed, what, m.at.UnixNano(), n)
	dice := rand.New(rand.NewPCG(h.Sum64(), l.seed))
	return dice.Float64(), time.Duration(dice.Int64N(int64(longestDelay))), 20*time.Microsecond + time.Duration(dice.IntN(200_000))
}

// Send implements channel.Layer.
func (l *wire) Send(to string, m channel.Message) error {
	luck, delay, travel := l.fate(m.Header.From + " " + m.Header.Operation)
	time.Sleep(travel)
	m.Header.Deadline = m.Header.Deadline.Add(-time.Microsecond) // a handler gives up before its caller, not at the same instant
	l.mu.Lock()
	l.asked[m.Header.ReplyTo] = m.Header.Operation
	l.mu.Unlock()
	switch {
	case l.calm():
	case luck < l.drop:
		return nil
	case luck < l.drop+l.late:
		time.AfterFunc(delay, func() { _ = l.Layer.Send(to, m) }) // if it then meets a full channel or nobody, it is lost
		return nil
	case luck < l.drop+l.late+l.full:
		return channel.ErrFull
	}
	return l.Layer.Send(to, m)
}

// Reply implements channel.Layer.
func (l *wire) Reply(to channel.ReplyTo, body any) {
	l.mu.Lock()
	operation := l.asked[to]
	delete(l.asked, to)
	l.mu.Unlock()
	luck, delay, travel := l.fate("answer " + operation)
	time.Sleep(travel)
	switch {
	case l.calm():
	case luck < l.drop:
		return
	case luck < l.drop+l.late:
		time.AfterFunc(delay, func() { l.Layer.Reply(to, body) })
		return
	}
	l.Layer.Reply(to, body)
}
