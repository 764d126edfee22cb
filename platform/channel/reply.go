package channel

import (
	"sync"
	"sync/atomic"
	"time"
)

// replyTable holds the reply slots of a process. A slot is used again and again; its address carries the generation, so
// that an answer to an earlier call can't reach the next one.
type replyTable struct {
	process uint64
	limit   int
	late    atomic.Uint64

	mu    sync.Mutex
	slots atomic.Pointer[[]*replySlot] // by index; replaced when it grows, never changed in place
	free  []*replySlot
}

// replySlot is one slot. Index and generation make its address: generation << 32 | index + 1.
type replySlot struct {
	table *replyTable
	index uint32
	ready chan struct{}
	timer *time.Timer

	mu         sync.Mutex
	generation uint32
	open       bool
	message    Message
}

func (t *replyTable) open() (*replySlot, error) {
	t.mu.Lock()
	var s *replySlot
	if n := len(t.free); n > 0 {
		s = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		var err error
		if s, err = t.grow(); err != nil {
			t.mu.Unlock()
			return nil, err
		}
	}
	t.mu.Unlock()
	s.mu.Lock()
	s.generation++
	s.open = true
	s.mu.Unlock()
	return s, nil
}

// grow adds a slot; the caller holds the lock.
func (t *replyTable) grow() (*replySlot, error) {
	var old []*replySlot
	if p := t.slots.Load(); p != nil {
		old = *p
	}
	if len(old) >= t.limit {
		return nil, ErrFull.Saying("%d calls wait for an answer already", t.limit)
	}
	s := &replySlot{table: t, index: uint32(len(old)), ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	slots := append(old, s) // shares its array with the old slice, whose readers never look past their own length
	t.slots.Store(&slots)
	return s, nil
}

func (t *replyTable) deliver(to ReplyTo, m Message) {
	slots := t.slots.Load()
	index := int(uint32(to.Slot)) - 1
	if to.Process != t.process || slots == nil || index < 0 || index >= len(*slots) {
		t.late.Add(1)
		return
	}
	s := (*slots)[index]
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open || s.generation != uint32(to.Slot>>32) {
		t.late.Add(1)
		return
	}
	s.open = false
	s.message = m
	s.ready <- struct{}{}
}

func (t *replyTable) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Name: "response." + hexadecimal(t.process), Capacity: t.limit, Late: t.late.Load()}
	if p := t.slots.Load(); p != nil {
		s.Depth = len(*p) - len(t.free)
	}
	return s
}

func (s *replySlot) Address() ReplyTo {
	return ReplyTo{Process: s.table.process, Slot: uint64(s.generation)<<32 | uint64(s.index+1)}
}

func (s *replySlot) Wait(done <-chan struct{}, deadline time.Time) (Message, bool) {
	s.timer.Reset(time.Until(deadline))
	defer s.timer.Stop()
	select {
	case <-s.ready:
		return s.message, true
	case <-s.timer.C:
	case <-done:
	}
	return Message{}, false
}

func (s *replySlot) Release() {
	s.mu.Lock()
	s.open = false
	s.generation++
	s.message = Message{}
	select {
	case <-s.ready: // an answer came between the deadline and now
		s.table.late.Add(1)
	default:
	}
	s.mu.Unlock()
	s.table.mu.Lock()
	s.table.free = append(s.table.free, s)
	s.table.mu.Unlock()
}
