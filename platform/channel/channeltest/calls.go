package channeltest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// Request and reply.

// wanting is a message that wants an answer in a slot.
func wanting(s channel.ReplySlot) channel.Message {
	m := text("wanting")
	m.Header.ReplyTo = s.Address()
	return m
}

// answered fails unless the answer in a slot is this one.
func (t *stage) answered(s channel.ReplySlot, want string) {
	t.Helper()
	body, ok := s.Wait(nil, time.Now().Add(t.patient))
	if b, _ := body.([]byte); !ok || string(b) != want {
		t.Errorf("answer %q, %v; want %q", b, ok, want)
	}
}

// unanswered fails if a slot gets an answer before the deadline.
func (t *stage) unanswered(s channel.ReplySlot, limit time.Duration) {
	t.Helper()
	if body, ok := s.Wait(nil, time.Now().Add(limit)); ok {
		t.Errorf("an answer from nowhere: %s", body)
	}
}

func answers(t *stage) {
	l := t.open(channel.Options{})
	for range 3 { // also when a slot is used again
		s := t.slot(l)
		l.Reply(s.Address(), []byte("before"))
		l.Reply(s.Address(), []byte("twice"))
		t.answered(s, "before")
		s.Release()

		s = t.slot(l)
		address := s.Address()
		go func() {
			time.Sleep(t.unit / 10)
			l.Reply(address, []byte("during"))
			l.Reply(address, []byte("twice"))
		}()
		t.answered(s, "during")
		t.settle()
		s.Release()
	}
	if s := answersOf(l); s.Late != 6 || s.Depth != 0 || s.GaveUp != 0 {
		t.Errorf("figures %+v", s)
	}
}

func lateAnswers(t *stage) {
	l := t.open(channel.Options{Replies: 1}) // so that the next call gets the same slot
	seen := map[channel.ReplyTo]bool{}
	var old channel.ReplyTo
	for round := range 50 {
		s := t.slot(l)
		if seen[s.Address()] {
			t.Fatalf("address %s came again", s.Address())
		}
		seen[s.Address()] = true
		if round > 0 {
			l.Reply(old, []byte("late, before the wait"))
		}
		if round%2 == 0 {
			l.Reply(s.Address(), []byte("answer"))
			t.answered(s, "answer")
		} else {
			stale := old
			go func() {
				time.Sleep(t.unit / 20)
				l.Reply(stale, []byte("late, during the wait"))
			}()
			t.unanswered(s, t.unit/10)
		}
		old = s.Address()
		if round%3 == 0 {
			l.Reply(old, []byte("late, before the release"))
		}
		s.Release()
		l.Reply(old, []byte("late, after the release"))
	}
	s := t.slot(l)
	defer s.Release()
	t.settle()
	before := answersOf(l).Late
	for _, nowhere := range []channel.ReplyTo{
		{}, {Process: old.Process, Slot: 99}, {Process: old.Process + 1, Slot: s.Address().Slot}, {Process: old.Process, Slot: 1 << 63},
	} {
		l.Reply(nowhere, []byte("for nobody"))
	}
	l.Reply(s.Address(), []byte("answer"))
	t.answered(s, "answer")
	if late := answersOf(l).Late; late < before { // what another process counts is not seen here
		t.Errorf("%d late answers, %d before", late, before)
	}
	if want := uint64(49 + 25 + 17 + 50); before != want { // before and during the wait, before and after the release
		t.Errorf("%d late answers are counted, want %d", before, want)
	}
}

func racingAnswers(t *stage) {
	const callers = 16
	l := t.open(channel.Options{})
	var calling, answering sync.WaitGroup
	for c := range callers {
		random := rand.New(rand.NewPCG(1, uint64(c)))
		calling.Go(func() {
			for i := range t.rounds(500) {
				s, err := l.OpenReply()
				if err != nil {
					t.Errorf("open a reply slot: %v", err)
					return
				}
				address, call := s.Address(), fmt.Sprintf("%d of %d", i, c)
				done := make(chan struct{})
				delay := time.Duration(random.IntN(3)) * t.unit / 1000
				answering.Go(func() {
					time.Sleep(delay)
					l.Reply(address, []byte(call))
				})
				if random.IntN(2) == 0 {
					answering.Go(func() { close(done) })
				}
				body, ok := s.Wait(done, time.Now().Add(t.unit/1000))
				if b, _ := body.([]byte); ok && string(b) != call {
					t.Errorf("call %s got the answer for %s", call, b)
				}
				s.Release()
			}
		})
	}
	calling.Wait()
	answering.Wait()
	if s := answersOf(l); s.Depth != 0 {
		t.Errorf("figures %+v", s)
	}
}

func boundedSlots(t *stage) {
	l := t.open(channel.Options{Capacity: 1, Replies: 3})
	for range 3 {
		slots := []channel.ReplySlot{t.slot(l), t.slot(l), t.slot(l)}
		_, err := l.OpenReply()
		t.refused("a fourth slot of three", err, channel.ErrFull)
		if s := answersOf(l); s.Depth != 3 || s.Capacity != 3 {
			t.Errorf("figures %+v", s)
		}
		for _, s := range slots { // a channel would hold only one of them
			l.Reply(s.Address(), []byte(s.Address().String()))
		}
		slots[1].Release()
		slots[1] = t.slot(l)
		l.Reply(slots[1].Address(), []byte(slots[1].Address().String()))
		for _, s := range slots {
			t.answered(s, s.Address().String())
			s.Release()
		}
	}
	if s := answersOf(l); s.Depth != 0 {
		t.Errorf("figures %+v", s)
	}
}

func waitEnds(t *stage) {
	l := t.open(channel.Options{Replies: 1})
	within := func(what string, want time.Duration, do func()) {
		t.Helper()
		start := time.Now()
		do()
		if took := time.Since(start); took < want || took > want+t.instant {
			t.Errorf("%s took %v, want %v", what, took, want)
		}
	}
	for _, units := range []time.Duration{2, 1, 0, -1, 1} { // whatever the slot waited for before
		s := t.slot(l)
		within("a wait", max(units, 0)*t.unit, func() { t.unanswered(s, units*t.unit) })
		s.Release()

		s = t.slot(l) // answered early: its deadline must not disturb the next wait
		l.Reply(s.Address(), []byte("answer"))
		t.answered(s, "answer")
		s.Release()
	}
	for range 2 {
		s := t.slot(l)
		done := make(chan struct{})
		time.AfterFunc(t.unit, func() { close(done) })
		within("a wait that is ended", t.unit, func() {
			if _, ok := s.Wait(done, time.Now().Add(4*t.unit)); ok {
				t.Error("an answer from nowhere")
			}
		})
		s.Release()
	}
	if s := answersOf(l); s.GaveUp != 7 {
		t.Errorf("figures %+v", s)
	}
}

// asks sends a message that wants an answer, and returns why it was refused, by Send or in the slot.
func (t *stage) asks(l channel.Layer, to string, s channel.ReplySlot) error {
	err := l.Send(to, wanting(s))
	if err != nil || !t.driver.LateRefusal {
		return err
	}
	body, _ := s.Wait(nil, time.Now().Add(t.unit))
	if f, refused := body.(*fault.Error); refused {
		return f
	}
	return nil
}

func noReceiver(t *stage) {
	l := t.open(channel.Options{})
	ask := func(to string) error {
		s := t.slot(l)
		defer s.Release()
		return t.asks(l, to, s)
	}
	t.atOnce("a send to nobody", func() { t.refused("nobody ever listened", ask(name), channel.ErrNoReceiver) })
	t.send(l, name, text("1")) // it wants no answer: it may wait
	t.refused("nobody listens to what waits", ask(name), channel.ErrNoReceiver)
	r := t.listen(l, "price.request", name)
	t.accepted(ask(name))
	t.reads(r, "1", "wanting")
	r.Close()
	t.refused("the only listener closed", ask(name), channel.ErrNoReceiver)
	a, b := t.listen(l, name), t.listen(l, name)
	a.Close()
	a.Close()
	t.accepted(ask(name))
	t.reads(b, "wanting")
}

// accepted fails if a message was refused.
func (t *stage) accepted(err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("a message was refused: %v", err)
	}
}
