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
	gaveUp  atomic.Uint64

	mu     sync.Mutex
	slots  atomic.Pointer[[]*replySlot] // by index; replaced when it grows, never changed in place
	free   []*replySlot
	closed bool
}

// replySlot is one slot. Index and generation make its address: generation << 32 | index + 1.
//
// ready is signalled at most once a use, under the lock: by the answer, by the deadline or by the layer's end, whichever is
// first. Each of them takes a new generation, so that the others come too late.
//
// The timer is not stopped when the answer comes, since the next call mostly follows soon and has a later deadline: setting a
// timer for each call would cost more than the queue does.
type replySlot struct {
	table   *replyTable
	index   uint32
	address ReplyTo // of this use; the owner's alone
	ready   chan struct{}

	mu         sync.Mutex
	generation uint32
	answered   bool
	body       any
	waiting    bool
	deadline   time.Time   // of the wait
	timer      *time.Timer // calls expire
	fires      time.Time   // not after the deadline; zero: the timer does not run
}

func (t *replyTable) open() (*replySlot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	var s *replySlot
	if n := len(t.free); n > 0 {
		s = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		var err error
		if s, err = t.grow(); err != nil {
			return nil, err
		}
	}
	// Nobody knows the address of the new generation yet, so nobody else changes it.
	s.address = ReplyTo{Process: t.process, Slot: uint64(s.generation)<<32 | uint64(s.index+1)}
	return s, nil
}

// grow adds a slot; the caller holds the lock.
func (t *replyTable) grow() (*replySlot, error) {
	old := t.all()
	if len(old) >= t.limit {
		return nil, ErrFull.Saying("%d calls wait for an answer already", t.limit)
	}
	s := &replySlot{table: t, index: uint32(len(old)), ready: make(chan struct{}, 1)}
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

func (t *replyTable) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Stats{
		Name: "response." + hexadecimal(t.process), Capacity: t.limit, Depth: len(t.all()) - len(t.free), Late: t.late.Load(), GaveUp: t.gaveUp.Load(),
	}
}

// close ends every wait.
func (t *replyTable) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for _, s := range t.all() {
		s.mu.Lock()
		if s.timer != nil {
			s.timer.Stop()
		}
		if s.waiting {
			s.end()
		}
		s.generation++
		s.mu.Unlock()
	}
}

// answer reports whether the answer came in time.
func (s *replySlot) answer(generation uint32, body any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation != generation {
		return false
	}
	s.body, s.answered = body, true
	s.end()
	return true
}

// expire is called by the timer, which may have been set for an earlier wait.
func (s *replySlot) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fires = time.Time{}
	if !s.waiting {
		return
	}
	if left := time.Until(s.deadline); left > 0 {
		s.arm(left)
		return
	}
	s.end()
}

// end closes the use to further answers and wakes the owner.
func (s *replySlot) end() {
	s.generation++
	s.waiting = false
	s.ready <- struct{}{}
}

func (s *replySlot) arm(left time.Duration) {
	s.fires = s.deadline
	if s.timer == nil {
		s.timer = time.AfterFunc(left, s.expire)
		return
	}
	s.timer.Reset(left)
}

func (s *replySlot) Address() ReplyTo { return s.address }

func (s *replySlot) Wait(done <-chan struct{}, deadline time.Time) (any, bool) {
	s.mu.Lock()
	if s.generation == uint32(s.address.Slot>>32) { // not answered yet, and the layer is open
		s.waiting, s.deadline = true, deadline
		if s.fires.IsZero() || deadline.Before(s.fires) {
			s.arm(time.Until(deadline))
		}
	} else if !s.answered {
		s.mu.Unlock()
		s.table.gaveUp.Add(1)
		return nil, false
	}
	s.mu.Unlock()
	if done == nil {
		<-s.ready
	} else {
		select {
		case <-s.ready:
		case <-done:
			s.table.gaveUp.Add(1)
			return nil, false
		}
	}
	if !s.answered {
		s.table.gaveUp.Add(1)
	}
	return s.body, s.answered
}

func (s *replySlot) Release() {
	s.mu.Lock()
	s.generation++
	s.waiting = false
	select {
	case <-s.ready: // an answer came when nobody waited any more
		if s.answered {
			s.table.late.Add(1)
		}
	default:
	}
	s.answered, s.body = false, nil
	s.mu.Unlock()
	s.table.mu.Lock()
	s.table.free = append(s.table.free, s)
	s.table.mu.Unlock()
}
