package channel

import (
	"slices"
	"time"
)

// Lanes: a message of a lane is read only when the one before it was handled. While one is, the others of its lane stand aside,
// so that the ring never holds what must not be read; as soon as it is handled, the next comes before the ring.

// lane holds the messages that wait for the one before them to be handled.
type lane struct{ waiting []entry }

// occupy marks the lane of a message that goes to a reader.
func (q *queue) occupy(m *Message) {
	if m.Header.Lane == "" {
		return
	}
	if q.lanes == nil {
		q.lanes = map[string]*lane{}
	}
	if q.lanes[m.Header.Lane] == nil {
		q.lanes[m.Header.Lane] = &lane{}
	}
}

// countRing keeps count of the messages of a lane that are in the ring.
func (q *queue) countRing(name string, n int) {
	if q.inRing == nil {
		q.inRing = map[string]int{}
	}
	if q.inRing[name] += n; q.inRing[name] == 0 {
		delete(q.inRing, name)
	}
}

// setAside moves the messages of a lane that is now occupied from the ring into the lane.
func (q *queue) setAside(name string) {
	l := q.lanes[name]
	q.keep(func(e *entry) bool {
		if e.message.Header.Lane != name {
			return true
		}
		l.waiting = append(l.waiting, *e)
		return false
	})
}

// handled lets the next message of a lane be read.
func (q *queue) handled(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free(name)
	q.retire()
}

func (q *queue) free(name string) {
	l := q.lanes[name]
	if l == nil {
		return
	}
	if len(l.waiting) == 0 {
		delete(q.lanes, name)
		return
	}
	e := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	e.message.Waited = time.Since(e.since)
	if w := q.handOver(&e.message); w != nil {
		w.ready <- struct{}{}
		q.left(1)
		q.figures.Waited += e.message.Waited
		return
	}
	q.next = append(q.next, e)
}
