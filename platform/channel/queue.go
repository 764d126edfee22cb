package channel

import (
	"context"
	"sync"
	"time"
)

// queue is one channel of a memory layer: a bounded ring of messages, and the readers who wait for one. Either may be
// non-empty, never both.
type queue struct {
	name     string
	capacity int
	expiry   time.Duration

	mu        sync.Mutex
	ring      []entry // grows up to capacity as it is needed
	head, n   int
	waiters   []*waiter // longest waiting first
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
	ready   chan struct{}
	message Message
	err     error
}

var waiters = sync.Pool{New: func() any { return &waiter{ready: make(chan struct{}, 1)} }}

func (q *queue) put(m Message) error {
	now := time.Now()
	expires := now.Add(q.expiry)
	if !m.Header.Deadline.IsZero() && m.Header.Deadline.Before(expires) {
		expires = m.Header.Deadline
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.listeners == 0 && !m.Header.ReplyTo.IsZero():
		return ErrNoReceiver
	case len(q.waiters) > 0:
		w := q.waiters[0]
		q.waiters = append(q.waiters[:0], q.waiters[1:]...)
		w.message = m
		w.ready <- struct{}{}
		q.figures.Sent++
		q.figures.Received++
		return nil
	}
	if q.n == q.capacity {
		q.dropExpired(now)
	}
	if q.n >= q.capacity {
		q.figures.Full++
		return ErrFull
	}
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)%len(q.ring)] = entry{m, expires}
	q.n++
	q.figures.Sent++
	return nil
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
func (q *queue) take(now time.Time) (Message, bool) {
	for q.n > 0 {
		e := q.ring[q.head]
		q.ring[q.head] = entry{}
		q.head = (q.head + 1) % len(q.ring)
		q.n--
		if e.expires.After(now) {
			q.figures.Received++
			return e.message, true
		}
		q.figures.Expired++
	}
	return Message{}, false
}

// dropExpired makes room by removing expired messages wherever they stand.
func (q *queue) dropExpired(now time.Time) {
	kept := 0
	for i := range q.n {
		e := q.ring[(q.head+i)%len(q.ring)]
		if e.expires.After(now) {
			q.ring[(q.head+kept)%len(q.ring)] = e
			kept++
		}
	}
	for i := kept; i < q.n; i++ {
		q.ring[(q.head+i)%len(q.ring)] = entry{}
	}
	q.figures.Expired += uint64(q.n - kept)
	q.n = kept
}

func (q *queue) receive(done <-chan struct{}) (Message, error) {
	select {
	case <-done:
		return Message{}, context.Canceled
	default:
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return Message{}, ErrClosed
	}
	if m, ok := q.take(time.Now()); ok {
		q.mu.Unlock()
		return m, nil
	}
	w := waiters.Get().(*waiter)
	q.waiters = append(q.waiters, w)
	q.mu.Unlock()

	select {
	case <-w.ready:
	case <-done:
		if q.abandon(w) {
			waiters.Put(w)
			return Message{}, context.Canceled
		}
		// A message was handed over in the meantime: take it, or it would be lost.
		<-w.ready
	}
	m, err := w.message, w.err
	w.message, w.err = Message{}, nil
	waiters.Put(w)
	return m, err
}

// abandon reports whether w was still waiting.
func (q *queue) abandon(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.waiters {
		if q.waiters[i] == w {
			q.waiters = append(q.waiters[:i], q.waiters[i+1:]...)
			return true
		}
	}
	return false
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
	if q.closed {
		return
	}
	q.closed = true
	q.ring, q.head, q.n = nil, 0, 0
	for _, w := range q.waiters {
		w.err = ErrClosed
		w.ready <- struct{}{}
	}
	q.waiters = nil
}

func (q *queue) listen() Listener {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.listeners++
	return &listener{queue: q}
}

type listener struct {
	queue *queue
	once  sync.Once
}

func (l *listener) Receive(done <-chan struct{}) (Message, error) { return l.queue.receive(done) }

func (l *listener) Poll() (Message, bool) {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return l.queue.take(time.Now())
}

func (l *listener) Close() {
	l.once.Do(func() {
		l.queue.mu.Lock()
		defer l.queue.mu.Unlock()
		l.queue.listeners--
	})
}
