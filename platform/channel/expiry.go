package channel

import (
	"slices"
	"time"
)

// What ends without being read: messages whose time is over, those that are flushed, and queues that nobody needs.

// dropExpired makes room by removing expired messages wherever they stand, and returns when the next one expires.
func (q *queue) dropExpired(now time.Time) (soonest time.Time) {
	gone := 0
	alive := func(e *entry) bool {
		if !e.expires.After(now) {
			gone++
			return false
		}
		if soonest.IsZero() || e.expires.Before(soonest) {
			soonest = e.expires
		}
		return true
	}
	q.keep(alive)
	for _, l := range q.lanes {
		l.waiting = slices.DeleteFunc(l.waiting, func(e entry) bool { return !alive(&e) })
	}
	var freed []string
	q.next = slices.DeleteFunc(q.next, func(e entry) bool {
		if alive(&e) {
			return false
		}
		freed = append(freed, e.message.Header.Lane)
		return true
	})
	q.figures.Expired += uint64(gone)
	q.left(gone)
	for _, name := range freed {
		q.free(name)
	}
	return soonest
}

// tidyAt lets the janitor come when the next message expires. It is set once for many messages, not for each.
func (q *queue) tidyAt(t time.Time) {
	q.tidy = t
	if q.janitor == nil {
		q.janitor = time.AfterFunc(time.Until(t), q.clean)
		return
	}
	q.janitor.Reset(time.Until(t))
}

func (q *queue) clean() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone || q.layer.closed.Load() {
		return
	}
	q.tidy = time.Time{}
	if soonest := q.dropExpired(time.Now()); !soonest.IsZero() {
		q.tidyAt(soonest)
	}
	q.retire()
}

// retire takes the queue out of its layer if nobody needs it: no message, no reader, no lane.
func (q *queue) retire() {
	if q.gone || q.depth > 0 || q.listeners > 0 || len(q.lanes) > 0 {
		return
	}
	q.gone = true
	if q.janitor != nil {
		q.janitor.Stop()
	}
	q.layer.forget(q)
}

func (q *queue) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop()
	q.retire()
}

// drop removes every message that waits. A lane stays occupied until its message is handled.
func (q *queue) drop() {
	q.figures.Dropped += uint64(q.depth)
	for _, e := range q.next {
		delete(q.lanes, e.message.Header.Lane)
	}
	for _, l := range q.lanes {
		l.waiting = nil
	}
	q.ring, q.next, q.inRing = ring[entry]{}, nil, nil
	q.left(q.depth)
}

// emptied is closed once no message waits.
func (q *queue) emptied() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.depth == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if q.drained == nil {
		q.drained = make(chan struct{})
	}
	return q.drained
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop()
	if q.janitor != nil {
		q.janitor.Stop()
	}
	q.wake(func(*waiter) bool { return true })
}
