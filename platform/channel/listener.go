package channel

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// listener is a declared reader of one channel or several.
type listener struct {
	queues []*queue
	idle   sync.Pool    // of *waiter; not shared by layers, so that a layer may live in a synctest bubble
	turn   atomic.Int64 // where the next look begins: after the channel that was read last, so that each has its turn
	closed atomic.Bool
}

func newListener() *listener {
	l := &listener{}
	l.idle.New = func() any { return &waiter{listener: l, ready: make(chan struct{}, 1)} }
	return l
}

func (l *listener) Receive(done <-chan struct{}, m *Message) error {
	var before *queue // where the place in line is to be taken up again
	for {
		select {
		case <-done:
			return context.Canceled
		default:
		}
		if err := l.next(done, before, m); err != nil {
			return err
		}
		if d := m.Header.Deadline; d.IsZero() || !passed(d) {
			return nil
		}
		before = l.queues[l.indexOf(m)]
		before.tooLate(m)
	}
}

// tooLate takes a message back that was handed over after its deadline: it was never received.
func (q *queue) tooLate(m *Message) {
	q.mu.Lock()
	q.figures.Received--
	q.figures.Expired++
	q.free(m.Header.Lane)
	q.mu.Unlock()
}

// indexOf finds the channel that a message was read from.
func (l *listener) indexOf(m *Message) int {
	for i, q := range l.queues {
		if q.name == m.Channel {
			return i
		}
	}
	return 0
}

// took gives the turn to the channel after the i-th.
func (l *listener) took(i int) {
	if n := len(l.queues); n > 1 {
		l.turn.Store(int64(l.after(i, 1)))
	}
}

// after is the index of the channel that is n places after the i-th.
func (l *listener) after(i, n int) int {
	if i += n; i >= len(l.queues) {
		i -= len(l.queues)
	}
	return i
}

// next takes the first message that is there, or waits for one. While it looks it is on the list of every channel that it has
// looked at, so that no message slips through in between; at the head of the list of the channel where it was before, if any.
func (l *listener) next(done <-chan struct{}, before *queue, m *Message) error {
	w := l.idle.Get().(*waiter)
	w.message = m
	offset := int(l.turn.Load())
	listed := 0
	for i := range l.queues {
		at := l.after(offset, i)
		found, err := l.look(l.queues[at], w, l.queues[at] == before, m)
		if found {
			l.took(at)
		}
		if err != nil || found {
			l.unlist(w, offset, listed)
			l.recycle(w)
			return err
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
	if err == nil {
		err = w.err
	}
	if len(l.queues) > 1 && err == nil {
		l.took(l.indexOf(m))
	}
	l.recycle(w)
	return err
}

// look takes a message off one channel, or puts the waiter on its list.
func (l *listener) look(q *queue, w *waiter, atHead bool, m *Message) (found bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.closed.Load() || q.layer.closed.Load() {
		if w.claimed.CompareAndSwap(false, true) {
			return false, ErrClosed
		}
		return false, nil // a message was handed over before
	}
	if q.depth > 0 {
		if now := time.Now(); q.readable(now) {
			if w.claimed.CompareAndSwap(false, true) {
				*m = q.take(now)
				return true, nil
			}
			return false, nil // a message was handed over before; this one stays
		}
	}
	if atHead {
		q.waiting.pushFront(w)
	} else {
		q.waiting.push(w)
	}
	return false, nil
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
		l.queues[l.after(offset, i)].remove(w)
	}
}

func (l *listener) recycle(w *waiter) {
	w.message, w.err = nil, nil
	w.claimed.Store(false)
	l.idle.Put(w)
}

func (l *listener) Poll() (Message, bool) {
	offset := int(l.turn.Load())
	for i := range l.queues {
		at := l.after(offset, i)
		q := l.queues[at]
		q.mu.Lock()
		if l.closed.Load() && q.listeners > 0 {
			q.mu.Unlock()
			continue
		}
		now := time.Now()
		if q.readable(now) {
			m := q.take(now)
			q.mu.Unlock()
			l.took(at)
			return m, true
		}
		q.retire()
		q.mu.Unlock()
	}
	return Message{}, false
}

func (l *listener) Handled(m *Message) {
	if m.Header.Lane != "" {
		l.queues[l.indexOf(m)].handled(m.Header.Lane)
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
