package channel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// replyTable holds the reply slots of a process. A slot is used again and again; its address carries the generation, so
// that an answer to an earlier call can't reach the next one. Nothing here takes a lock but for a new slot and for the end of
// the layer: a slot is passed from hand to hand by the state in it.
type replyTable struct {
	process uint64
	limit   int
	late    atomic.Uint64
	gaveUp  atomic.Uint64
	closed  atomic.Bool

	free  atomic.Uint64                // the first free slot: index + 1, below a number that each push makes larger
	slots atomic.Pointer[[]*replySlot] // by index; replaced when it grows, never changed in place
	mu    sync.Mutex                   // for who makes it grow or closes it
}

// replySlot is one slot. Index and generation make its address: generation << 32 | index + 1.
//
// What becomes of a use is decided by who first changes its state, and the generation in it keeps all others out:
//
//	open -> answering -> answered    by the answer, which puts the body there in between
//	open -> left                     by the owner, at its deadline or when it is told to; by the layer's end
//
// ready says no more than "look at the state": a signal may be one too many, left over from an earlier use or from the alarm,
// but there is always one after a change that the owner waits for.
//
// The alarm is not stopped when the answer comes, since the next call mostly follows soon and has a later deadline: setting a
// timer for each call would cost more than the queue does.
type replySlot struct {
	table *replyTable
	index uint32
	next  atomic.Uint32 // free slot after this one: index + 1
	state atomic.Uint64 // generation << 2 | phase
	ready chan struct{}
	body  any // of who answers until it is answered, then the owner's

	// The owner's alone.
	use   uint64 // the state of this use while it is open
	taken bool   // the answer was

	alarm  *time.Timer // calls ring
	rings  time.Time   // when it will, if it is set
	alarms atomic.Bool // it is set; the owner sets it and the alarm clears it
}

// The phases of a use.
const (
	open uint64 = iota
	answering
	answered
	left

	phases = 4
)

func (t *replyTable) open() (*replySlot, error) {
	if t.closed.Load() {
		return nil, ErrClosed
	}
	s := t.pop()
	if s == nil {
		var err error
		if s, err = t.grow(); err != nil {
			return nil, err
		}
	}
	// Nobody knows the address of this use yet, so nobody else changes its state but the end of the layer.
	s.use = s.state.Load() &^ (phases - 1)
	return s, nil
}

// pop takes a free slot, if there is one. The number in free shows a slot that was taken and pushed again in the meantime.
func (t *replyTable) pop() *replySlot {
	for {
		head := t.free.Load()
		if uint32(head) == 0 {
			return nil
		}
		s := t.all()[uint32(head)-1]
		if t.free.CompareAndSwap(head, head>>32<<32|uint64(s.next.Load())) {
			return s
		}
	}
}

func (t *replyTable) push(s *replySlot) {
	for {
		head := t.free.Load()
		s.next.Store(uint32(head))
		if t.free.CompareAndSwap(head, (head>>32+1)<<32|uint64(s.index+1)) {
			return
		}
	}
}

// grow adds a slot.
func (t *replyTable) grow() (*replySlot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.all()
	if t.closed.Load() {
		return nil, ErrClosed
	}
	if len(old) >= t.limit {
		if s := t.pop(); s != nil { // given back since the caller looked
			return s, nil
		}
		return nil, ErrFull.Saying("%d calls wait for an answer already", t.limit)
	}
	s := &replySlot{table: t, index: uint32(len(old)), ready: make(chan struct{}, 1)}
	s.alarm = time.AfterFunc(time.Hour, s.ring)
	s.alarm.Stop()
	slots := append(old, s) // shares its array with the old slice, whose readers never look past their own length
	t.slots.Store(&slots)
	return s, nil
}

func (t *replyTable) all() []*replySlot {
	if p := t.slots.Load(); p != nil {
		return *p
	}
	return nil
}

func (t *replyTable) deliver(to ReplyTo, body any) {
	slots := t.all()
	index := int(uint32(to.Slot)) - 1
	if to.Process != t.process || index < 0 || index >= len(slots) || !slots[index].answer(uint32(to.Slot>>32), body) {
		t.late.Add(1)
	}
}

// stats counts the free slots one by one: those who look are few, and those who call don't have to count.
func (t *replyTable) stats() Stats {
	slots := t.all()
	free := 0
	for next := uint32(t.free.Load()); next != 0 && int(next) <= len(slots) && free < len(slots); next = slots[next-1].next.Load() {
		free++
	}
	return Stats{
		Name: "response." + hexadecimal(t.process), Capacity: t.limit, Depth: len(slots) - free, Late: t.late.Load(), GaveUp: t.gaveUp.Load(),
	}
}

// close ends every wait. A use that is opened at this moment is seen here, or sees that the table is closed when it waits.
func (t *replyTable) close() {
	t.mu.Lock()
	t.closed.Store(true)
	t.mu.Unlock()
	for _, s := range t.all() {
		s.alarm.Stop()
		if state := s.state.Load(); state%phases == open && s.state.CompareAndSwap(state, state+left) {
			s.wake()
		}
	}
}

// answer reports whether the answer came in time.
func (s *replySlot) answer(generation uint32, body any) bool {
	use := uint64(generation) * phases
	if !s.state.CompareAndSwap(use+open, use+answering) {
		return false
	}
	s.body = body
	s.state.Store(use + answered)
	s.wake()
	return true
}

func (s *replySlot) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // the owner will look anyway
	}
}

// ring is called by the alarm, which may have been set for an earlier use.
func (s *replySlot) ring() {
	s.alarms.Store(false)
	s.wake()
}

// wakeAt sees to it that the owner is woken at the deadline, or earlier; it returns false if the deadline has passed.
func (s *replySlot) wakeAt(deadline time.Time) bool {
	if s.alarms.Load() && !deadline.Before(s.rings) {
		return true
	}
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	s.rings = deadline
	s.alarms.Store(true)
	s.alarm.Reset(left)
	return true
}

func (s *replySlot) Address() ReplyTo {
	return ReplyTo{Process: s.table.process, Slot: s.use/phases<<32 | uint64(s.index+1)}
}

// Wait lets others go first, above all the handler, which the question has just woken: one that is quick has answered when it is
// this goroutine's turn again, and then neither has this one to be put to sleep nor that one to wake it, which is a third of a
// call. For a slow one it is a tenth of a microsecond lost.
func (s *replySlot) Wait(done <-chan struct{}, deadline time.Time) (any, bool) {
	if s.state.Load() == s.use+open {
		runtime.Gosched()
	}
	for {
		switch s.state.Load() - s.use {
		case answered:
			s.taken = true
			return s.body, true
		case left:
			s.table.gaveUp.Add(1)
			return nil, false
		case open:
			if s.table.closed.Load() || !s.wakeAt(deadline) {
				s.leave()
				continue
			}
		}
		if done == nil {
			<-s.ready // at half the cost of a select
			continue
		}
		select {
		case <-s.ready:
		case <-done:
			s.leave()
			done = nil // an answer that is there already, or will be in a moment, is taken all the same
		}
	}
}

// leave ends the use, unless an answer was faster.
func (s *replySlot) leave() bool { return s.state.CompareAndSwap(s.use+open, s.use+left) }

func (s *replySlot) Release() {
	for {
		phase := s.state.Load() - s.use
		if phase == answering {
			<-s.ready
			continue
		}
		if phase == open && !s.leave() {
			continue
		}
		if phase == answered && !s.taken { // it came when nobody waited any more
			s.table.late.Add(1)
		}
		break
	}
	s.body, s.taken = nil, false
	s.state.Store(uint64(uint32(s.use/phases)+1) * phases)
	s.table.push(s)
}
