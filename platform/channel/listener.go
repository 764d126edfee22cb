package channel

import (
	"context"
	"sync/atomic"
	"time"
)

// listener is a declared reader of one channel or several.
type listener struct {
	queues []*queue
	turn   atomic.Uint64 // where the next look begins, so that each channel has its turn
	closed atomic.Bool
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
		l.tooLate(&m)
	}
}

// tooLate takes a message back that was handed over after its deadline: it was never received.
func (l *listener) tooLate(m *Message) {
	q := l.queueOf(m)
	q.mu.Lock()
	q.figures.Received--
	q.figures.Expired++
	q.free(m.Header.Lane)
	q.mu.Unlock()
}

func (l *listener) queueOf(m *Message) *queue {
	for _, q := range l.queues {
		if q.name == m.Channel {
			return q
		}
	}
	return l.queues[0]
}

// next takes the first message that is there, or waits for one. While it looks it is on the list of every channel that it has
// looked at, so that no message slips through in between.
func (l *listener) next(done <-chan struct{}) (Message, error) {
	first := l.queues[0]
	w := first.waiters.Get().(*waiter)
	w.listener = l
	offset := 0
	if len(l.queues) > 1 {
		offset = int(l.turn.Add(1) % uint64(len(l.queues)))
	}
	listed := 0
	for i := range l.queues {
		m, found, err := l.look(l.queues[(offset+i)%len(l.queues)], w)
		if err != nil || found {
			l.unlist(w, offset, listed)
			l.recycle(w)
			return m, err
		}
		listed++
		if w.claimed.Load() {
			break // a message was handed over on a channel that was looked at before
		}
	}
	err := wait(w, done)
	if listed > 1 || err != nil {
		l.unlist(w, offset, listed)
	}
	m := w.message
	if err == nil {
		err = w.err
	}
	l.recycle(w)
	return m, err
}

// look takes a message off one channel, or puts the waiter on its list.
func (l *listener) look(q *queue, w *waiter) (m Message, found bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.closed.Load() || q.layer.closed.Load() {
		if w.claimed.CompareAndSwap(false, true) {
			return Message{}, false, ErrClosed
		}
		return Message{}, false, nil // a message was handed over before
	}
	if q.depth > 0 {
		if now := time.Now(); q.readable(now) {
			if w.claimed.CompareAndSwap(false, true) {
				return q.take(now), true, nil
			}
			return Message{}, false, nil // a message was handed over before; this one stays
		}
	}
	q.waiting = append(q.waiting, w)
	return Message{}, false, nil
}

// wait returns when a message was handed over, or gives up when done is closed and nobody was faster.
func wait(w *waiter, done <-chan struct{}) error {
	if done == nil {
		<-w.ready // at half the cost of a select
		return nil
	}
	select {
	case <-w.ready:
	case <-done:
		if w.claimed.CompareAndSwap(false, true) {
			return context.Canceled
		}
		<-w.ready // a message was handed over in the meantime: take it, or it would be lost
	}
	return nil
}

func (l *listener) unlist(w *waiter, offset, listed int) {
	for i := range listed {
		l.queues[(offset+i)%len(l.queues)].remove(w)
	}
}

func (l *listener) recycle(w *waiter) {
	w.listener, w.message, w.err = nil, Message{}, nil
	w.claimed.Store(false)
	l.queues[0].waiters.Put(w)
}

func (l *listener) Poll() (Message, bool) {
	for _, q := range l.queues {
		q.mu.Lock()
		if l.closed.Load() && q.listeners > 0 {
			q.mu.Unlock()
			continue
		}
		now := time.Now()
		if q.readable(now) {
			m := q.take(now)
			q.mu.Unlock()
			return m, true
		}
		q.retire()
		q.mu.Unlock()
	}
	return Message{}, false
}

func (l *listener) Handled(m *Message) {
	if m.Header.Lane != "" {
		l.queueOf(m).handled(m.Header.Lane)
	}
}

func (l *listener) Close() {
	if !l.closed.CompareAndSwap(false, true) {
		return
	}
	for _, q := range l.queues {
		q.mu.Lock()
		q.listeners--
		q.wake(func(w *waiter) bool { return w.listener == l })
		q.retire()
		q.mu.Unlock()
	}
}
