package channel

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// queue is one channel of a memory layer: a bounded ring of messages, and the readers who wait for one. Either may be
// non-empty, never both. Messages of a lane that is being handled stand aside, in the lane.
type queue struct {
	layer    *Memory
	name     string
	capacity int
	share    *share    // nil: not local
	waiters  sync.Pool // of *waiter; not shared by layers, so that a layer may live in a synctest bubble

	mu        sync.Mutex
	gone      bool // taken out of the layer; look the name up again
	ring      []entry
	head, n   int
	next      []entry          // freed by their lane: read before the ring
	lanes     map[string]*lane // those with a message that was received and is not handled yet; the ring has none of theirs
	inRing    map[string]int   // messages in the ring, by lane
	depth     int              // messages in ring, next and lanes
	waiting   []*waiter        // longest first
	listeners int
	janitor   *time.Timer // drops what expires while nobody reads
	tidy      time.Time   // when it comes, not after anything expires; zero: it does not
	drained   chan struct{}
	figures   Stats
}

type entry struct {
	message Message
	since   time.Time
	expires time.Time
}

// waiter is a reader who waits, on one queue or on several. Whoever claims it, by handing over a message or by giving up, is the
// only one to do so; who hands over sets message or err and signals ready once.
type waiter struct {
	listener *listener
	claimed  atomic.Bool
	ready    chan struct{}
	message  Message
	err      error
}

// errGone says that a queue was taken out of its layer in the meantime.
var errGone = errors.New("gone")

func newQueue(m *Memory, name string) *queue {
	q := &queue{layer: m, name: name, capacity: m.options.CapacityOf(name)}
	q.waiters.New = func() any { return &waiter{ready: make(chan struct{}, 1)} }
	return q
}

// passed reads the monotonic clock alone, which costs half of time.Now.
func passed(t time.Time) bool { return time.Until(t) <= 0 }

func (q *queue) put(m *Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone:
		return errGone
	case q.layer.refuses.Load(): // looked at again under the lock, so that Drain and Close miss nothing
		return ErrClosed
	case q.listeners == 0 && !m.Header.ReplyTo.IsZero():
		return ErrNoReceiver
	}
	if (m.Header.Lane == "" || q.lanes[m.Header.Lane] == nil) && q.handOver(m) {
		q.figures.Sent++
		return nil
	}
	if q.depth >= q.capacity && passed(q.tidy) {
		q.dropExpired(time.Now())
	}
	if q.depth >= q.capacity || !q.reserve() {
		q.figures.Full++
		return ErrFull
	}
	now := time.Now()
	e := entry{*m, now, now.Add(q.layer.options.Expiry)}
	if d := m.Header.Deadline; !d.IsZero() && d.Before(e.expires) {
		e.expires = d
	}
	q.depth++
	q.figures.Sent++
	if behind := q.lanes[m.Header.Lane]; m.Header.Lane != "" && behind != nil { // looked up now: what expired may have freed it
		behind.waiting = append(behind.waiting, e)
	} else {
		q.push(e)
	}
	if q.tidy.IsZero() || e.expires.Before(q.tidy) {
		q.tidyAt(e.expires)
	}
	return nil
}

// lost counts a copy that was refused as one that was accepted and dropped: to a group nobody says no.
func (q *queue) lost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.figures.Full == 0 {
		return // it is another queue of that name by now
	}
	q.figures.Full--
	q.figures.Sent++
	q.figures.Dropped++
}

// reserve takes a place in the capacity that local channels share.
func (q *queue) reserve() bool {
	if q.share == nil {
		return true
	}
	if q.share.used.Add(1) > int64(q.capacity) {
		q.share.used.Add(-1)
		return false
	}
	return true
}

// handOver gives a message to the reader who has waited longest, if anybody waits. It looks at the deadline when it wakes.
func (q *queue) handOver(m *Message) bool {
	for len(q.waiting) > 0 {
		w := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:] // moving the others up would cost more than a new array now and then
		if !w.claimed.CompareAndSwap(false, true) {
			continue // another of its channels was faster, or it gave up
		}
		q.occupy(m)
		w.message = *m
		w.ready <- struct{}{}
		q.figures.Received++
		return true
	}
	return false
}

func (q *queue) push(e entry) {
	if q.n == len(q.ring) { // grow
		ring := make([]entry, min(max(2*len(q.ring), 8), q.capacity))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)%len(q.ring)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = e
	q.n++
	if name := e.message.Header.Lane; name != "" {
		if q.inRing == nil {
			q.inRing = map[string]int{}
		}
		q.inRing[name]++
	}
}

// first is the message to be read next, or nil.
func (q *queue) first() *entry {
	switch {
	case len(q.next) > 0:
		return &q.next[0]
	case q.n > 0:
		return &q.ring[q.head]
	default:
		return nil
	}
}

// pop removes the first message. Its lane is left occupied, also when the message is dropped.
func (q *queue) pop() entry {
	if len(q.next) > 0 {
		e := q.next[0]
		q.next = slices.Delete(q.next, 0, 1)
		return e
	}
	e := q.ring[q.head]
	q.ring[q.head] = entry{}
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	if name := e.message.Header.Lane; name != "" {
		q.countRing(name, -1)
		q.occupy(&e.message)
		if q.inRing[name] > 0 {
			q.setAside(name)
		}
	}
	return e
}

// keep removes from the ring what is not to be kept.
func (q *queue) keep(which func(entry) bool) {
	kept := 0
	for i := range q.n {
		e := q.ring[(q.head+i)%len(q.ring)]
		if !which(e) {
			if name := e.message.Header.Lane; name != "" {
				q.countRing(name, -1)
			}
			continue
		}
		q.ring[(q.head+kept)%len(q.ring)] = e
		kept++
	}
	for i := kept; i < q.n; i++ {
		q.ring[(q.head+i)%len(q.ring)] = entry{}
	}
	q.n = kept
}

// readable drops expired messages from the front and reports whether one is left to be read.
func (q *queue) readable(now time.Time) bool {
	for e := q.first(); e != nil; e = q.first() {
		if e.expires.After(now) {
			return true
		}
		dropped := q.pop()
		q.left(1)
		q.figures.Expired++
		q.free(dropped.message.Header.Lane)
	}
	return false
}

// take removes the first message, which is readable.
func (q *queue) take(now time.Time) Message {
	e := q.pop()
	q.left(1)
	q.figures.Received++
	q.figures.Waited += now.Sub(e.since)
	return e.message
}

// left gives back the room of messages that are gone, and tells who waits for the last of them.
func (q *queue) left(n int) {
	q.depth -= n
	if q.share != nil {
		q.share.used.Add(int64(-n))
	}
	if q.depth == 0 && q.drained != nil {
		close(q.drained)
		q.drained = nil
	}
}

// wake ends the wait of those readers whom it is told to.
func (q *queue) wake(whom func(*waiter) bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		if !whom(w) {
			return false
		}
		if w.claimed.CompareAndSwap(false, true) {
			w.err = ErrClosed
			w.ready <- struct{}{}
		}
		return true
	})
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.figures
	s.Name, s.Depth, s.Capacity = q.name, q.depth, q.capacity
	if oldest := q.oldest(); !oldest.IsZero() {
		s.Oldest = time.Since(oldest)
	}
	return s
}

func (q *queue) oldest() (since time.Time) {
	older := func(e entry) {
		if since.IsZero() || e.since.Before(since) {
			since = e.since
		}
	}
	if q.n > 0 {
		older(q.ring[q.head])
	}
	if len(q.next) > 0 {
		older(q.next[0])
	}
	for _, l := range q.lanes {
		if len(l.waiting) > 0 {
			older(l.waiting[0])
		}
	}
	return since
}

// join counts a reader in.
func (q *queue) join() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone:
		return errGone
	case q.layer.closed.Load():
		return ErrClosed
	}
	q.listeners++
	return nil
}

// remove takes a waiter off the list.
func (q *queue) remove(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
}
