package channel

import (
	"context"
	"slices"
	"sync"
	"time"
)

// queue is one channel of a memory layer: a bounded ring of messages, and the readers who wait for one. Either may be
// non-empty, never both.
type queue struct {
	name     string
	capacity int
	expiry   time.Duration
	waiters  sync.Pool // of *waiter; not shared by layers, so that a layer may live in a synctest bubble

	mu        sync.Mutex
	ring      []entry // grows up to capacity as it is needed
	head, n   int
	soonest   time.Time // no message in the ring expires before
	waiting   []*waiter // longest first
	listeners int
	closed    bool
	figures   Stats
}

type entry struct {
	message Message
	expires time.Time
}

// waiter is a reader who waits. ready is signalled once, under the queue's lock, when message or err is set.
type waiter struct {
	listener *listener
	ready    chan struct{}
	message  Message
	err      error
}

func newQueue(name string, capacity int, expiry time.Duration) *queue {
	q := &queue{name: name, capacity: capacity, expiry: expiry}
	q.waiters.New = func() any { return &waiter{ready: make(chan struct{}, 1)} }
	return q
}

// passed reads the monotonic clock alone, which costs half of time.Now.
func passed(t time.Time) bool { return time.Until(t) <= 0 }

func (q *queue) put(m *Message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.listeners == 0 && !m.Header.ReplyTo.IsZero():
		return ErrNoReceiver
	case len(q.waiting) > 0: // who looks at the deadline when it wakes
		w := q.waiting[0]
		q.waiting = slices.Delete(q.waiting, 0, 1)
		w.message = *m
		w.ready <- struct{}{}
		q.figures.Sent++
		q.figures.Received++
		return nil
	}
	if q.n >= q.capacity && passed(q.soonest) {
		q.dropExpired()
	}
	if q.n >= q.capacity {
		q.figures.Full++
		return ErrFull
	}
	q.push(m)
	q.figures.Sent++
	return nil
}

func (q *queue) push(m *Message) {
	expires := time.Now().Add(q.expiry)
	if d := m.Header.Deadline; !d.IsZero() && d.Before(expires) {
		expires = d
	}
	if q.n == 0 || expires.Before(q.soonest) {
		q.soonest = expires
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)%len(q.ring)] = entry{*m, expires}
	q.n++
}

// grow doubles the ring, up to the capacity.
func (q *queue) grow() {
	ring := make([]entry, min(max(2*len(q.ring), 8), q.capacity))
	for i := range q.n {
		ring[i] = q.ring[(q.head+i)%len(q.ring)]
	}
	q.ring, q.head = ring, 0
}

// take removes the first message that has not expired.
func (q *queue) take() (Message, bool) {
	for q.n > 0 {
		e := q.ring[q.head]
		q.ring[q.head] = entry{}
		q.head = (q.head + 1) % len(q.ring)
		q.n--
		if !passed(e.expires) {
			q.figures.Received++
			return e.message, true
		}
		q.figures.Expired++
	}
	return Message{}, false
}

// dropExpired makes room by removing expired messages wherever they stand.
func (q *queue) dropExpired() {
	now := time.Now()
	kept := 0
	for i := range q.n {
		e := q.ring[(q.head+i)%len(q.ring)]
		if !e.expires.After(now) {
			continue
		}
		if kept == 0 || e.expires.Before(q.soonest) {
			q.soonest = e.expires
		}
		q.ring[(q.head+kept)%len(q.ring)] = e
		kept++
	}
	for i := kept; i < q.n; i++ {
		q.ring[(q.head+i)%len(q.ring)] = entry{}
	}
	q.figures.Expired += uint64(q.n - kept)
	q.n = kept
}

// abandon reports whether w was still waiting.
func (q *queue) abandon(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// wake ends the wait of those readers whom it is told to.
func (q *queue) wake(whom func(*waiter) bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		if !whom(w) {
			return false
		}
		w.err = ErrClosed
		w.ready <- struct{}{}
		return true
	})
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.figures
	s.Name, s.Depth, s.Capacity = q.name, q.n, q.capacity
	return s
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.figures.Expired += uint64(q.n)
	q.ring, q.head, q.n = nil, 0, 0
	q.wake(func(*waiter) bool { return true })
}

func (q *queue) listen() (*listener, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	q.listeners++
	return &listener{queue: q}, nil
}

// listener is a declared reader.
type listener struct {
	queue  *queue
	closed bool // under the queue's lock
}

func (l *listener) Receive(done <-chan struct{}) (Message, error) {
	for {
		select {
		case <-done:
			return Message{}, context.Canceled
		default:
		}
		m, err := l.next(done)
		if err != nil {
			return Message{}, err
		}
		if d := m.Header.Deadline; d.IsZero() || !passed(d) {
			return m, nil
		}
		// It was handed over too late: it was never received.
		l.queue.mu.Lock()
		l.queue.figures.Received--
		l.queue.figures.Expired++
		l.queue.mu.Unlock()
	}
}

// next takes the first message that is there, or waits for one.
func (l *listener) next(done <-chan struct{}) (Message, error) {
	q := l.queue
	q.mu.Lock()
	if q.closed || l.closed {
		q.mu.Unlock()
		return Message{}, ErrClosed
	}
	if m, ok := q.take(); ok {
		q.mu.Unlock()
		return m, nil
	}
	w := q.waiters.Get().(*waiter)
	w.listener = l
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()

	if done == nil {
		<-w.ready // at half the cost of a select
	} else {
		select {
		case <-w.ready:
		case <-done:
			if q.abandon(w) {
				w.listener = nil
				q.waiters.Put(w)
				return Message{}, context.Canceled
			}
			// A message was handed over in the meantime: take it, or it would be lost.
			<-w.ready
		}
	}
	m, err := w.message, w.err
	w.listener, w.message, w.err = nil, Message{}, nil
	q.waiters.Put(w)
	return m, err
}

func (l *listener) Poll() (Message, bool) {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.closed && q.listeners > 0 {
		return Message{}, false
	}
	return q.take()
}

func (l *listener) Close() {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	q.listeners--
	q.wake(func(w *waiter) bool { return w.listener == l })
}
