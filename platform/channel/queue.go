package channel

import (
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
	share    *share // nil: not local

	mu        sync.Mutex
	gone      bool // taken out of the layer; look the name up again
	ring      ring[entry]
	next      []entry          // freed by their lane: read before the ring
	lanes     map[string]*lane // those with a message that was received and is not handled yet; the ring has none of theirs
	inRing    map[string]int   // messages in the ring, by lane
	depth     int              // messages in ring, next and lanes
	waiting   ring[*waiter]    // longest first
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
// only one to do so; who hands over writes the message to where the reader wants it, or sets err, and signals ready once.
type waiter struct {
	listener *listener
	claimed  atomic.Bool
	ready    chan struct{}
	message  *Message
	err      error
}

func newQueue(m *Memory, name string) *queue {
	return &queue{layer: m, name: name, capacity: m.options.CapacityOf(name)}
}

// passed reads the monotonic clock alone, which costs half of time.Now.
func passed(t time.Time) bool { return time.Until(t) <= 0 }

// put sends a message on this channel, or reports that the queue was taken out of its layer: then its name is to be looked up
// again. Who waits is woken without the lock, since waking costs more than all the rest, and wakes to take the lock.
func (q *queue) put(m *Message) (gone bool, err error) {
	q.mu.Lock()
	if q.gone {
		q.mu.Unlock()
		return true, nil
	}
	w, err := q.accept(m)
	q.mu.Unlock()
	if w != nil {
		w.ready <- struct{}{}
	}
	return false, err
}

// accept hands a message over to a reader, who is then to be woken, or puts it in line.
func (q *queue) accept(m *Message) (*waiter, error) {
	switch {
	case q.layer.refuses.Load(): // looked at again under the lock, so that Drain and Close miss nothing
		return nil, ErrClosed
	case q.listeners == 0 && !m.Header.ReplyTo.IsZero():
		return nil, ErrNoReceiver
	}
	if m.Header.Lane == "" || q.lanes[m.Header.Lane] == nil {
		if w := q.handOver(m); w != nil {
			q.figures.Sent++
			return w, nil
		}
	}
	if q.depth >= q.capacity && passed(q.tidy) {
		q.dropExpired(time.Now())
	}
	if q.depth >= q.capacity || !q.reserve() {
		q.figures.Full++
		return nil, ErrFull
	}
	q.enqueue(m)
	return nil, nil
}

// enqueue puts a message in line; there is room for it.
func (q *queue) enqueue(m *Message) {
	now := time.Now()
	e := entry{*m, now, now.Add(q.layer.options.Expiry)}
	if d := m.Header.Deadline; !d.IsZero() && d.Before(e.expires) {
		e.expires = d
	}
	q.depth++
	q.figures.Sent++
	name := m.Header.Lane
	switch behind := q.lanes[name]; { // looked up now: what expired may have freed it
	case name == "":
		q.ring.push(e)
	case behind != nil:
		behind.waiting = append(behind.waiting, e)
	default:
		q.ring.push(e)
		q.countRing(name, 1)
	}
	if q.tidy.IsZero() || e.expires.Before(q.tidy) {
		q.tidyAt(e.expires)
	}
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

// handOver gives a message to the reader who has waited longest, if anybody waits, and returns whom: the caller wakes it. It looks
// at the deadline when it wakes.
func (q *queue) handOver(m *Message) *waiter {
	for q.waiting.n > 0 {
		w := q.waiting.pop()
		if !w.claimed.CompareAndSwap(false, true) {
			continue // another of its channels was faster, or it gave up
		}
		q.occupy(m)
		*w.message = *m
		q.figures.Received++
		return w
	}
	return nil
}

// first is the message to be read next, or nil.
func (q *queue) first() *entry {
	switch {
	case len(q.next) > 0:
		return &q.next[0]
	case q.ring.n > 0:
		return q.ring.at(0)
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
	e := q.ring.pop()
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
func (q *queue) keep(which func(*entry) bool) {
	q.ring.keep(func(e *entry) bool {
		if which(e) {
			return true
		}
		if name := e.message.Header.Lane; name != "" {
			q.countRing(name, -1)
		}
		return false
	})
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
	e.message.Waited = now.Sub(e.since)
	q.figures.Waited += e.message.Waited
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
	q.waiting.keep(func(w **waiter) bool {
		if !whom(*w) {
			return true
		}
		if (*w).claimed.CompareAndSwap(false, true) {
			(*w).err = ErrClosed
			(*w).ready <- struct{}{}
		}
		return false
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
	if q.ring.n > 0 {
		older(*q.ring.at(0))
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
func (q *queue) join() (gone bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone:
		return true, nil
	case q.layer.closed.Load():
		return false, ErrClosed
	}
	q.listeners++
	q.layer.desk(q.name).Store(q)
	return false, nil
}

// remove takes a waiter off the list.
func (q *queue) remove(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting.keep(func(other **waiter) bool { return *other != w })
}
