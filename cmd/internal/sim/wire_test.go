package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"cutpoint/platform/channel"
)

// wire is a layer on which messages and answers are lost, late or refused until the world is calm, and all are lost once the process
// is dead. Each is on its way for a moment of its own, during which all that can run does: so no two things happen at the same instant.
// What befalls a message follows from the seed, what it is and the instant, not from who came first: a seed is one history, however
// many processors there are. Two that are alike at one instant could not be told apart, and fail the test.
type wire struct {
	channel.Layer
	seed             uint64
	weather          func() (dead, calm bool)
	alike            func(what string)
	drop, late, full float64 // how often a message is lost, late, or refused; answers are lost or late as often

	mu     sync.Mutex
	asked  map[channel.ReplyTo]string // operations without an answer yet
	latest time.Time
	sent   map[string]bool // at the latest instant
}

const longestDelay = 3 * time.Second

func newWire(l channel.Layer, luck *rand.Rand, w *world) channel.Layer {
	return &wire{
		Layer: l, seed: luck.Uint64(), weather: w.weather, alike: w.alike, asked: map[channel.ReplyTo]string{}, sent: map[string]bool{},
		drop: 0.05 * luck.Float64(), late: 0.05 * luck.Float64(), full: 0.05 * luck.Float64(),
	}
}

// fate is what befalls a message, and how long it takes.
func (l *wire) fate(what string) (luck float64, delay, travel time.Duration) {
	now := time.Now()
	l.mu.Lock()
	if now != l.latest {
		clear(l.sent)
		l.latest = now
	}
	if l.sent[what] {
		l.alike(what)
	}
	l.sent[what] = true
	l.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, l.seed, what, now.UnixNano())
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
	switch dead, calm := l.weather(); {
	case dead:
		return nil
	case calm:
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
	switch dead, calm := l.weather(); {
	case dead:
		return
	case calm:
	case luck < l.drop:
		return
	case luck < l.drop+l.late:
		time.AfterFunc(delay, func() { l.Layer.Reply(to, body) })
		return
	}
	l.Layer.Reply(to, body)
}
