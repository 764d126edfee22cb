package channeltest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cutpoint/platform/channel"
	"cutpoint/platform/fault"
)

// name is the channel of most cases.
const name = "stock.request"

// stage is where a case plays: a driver, and the time that it lives in. Its methods fail the case by themselves, so that a case
// tells what happens and no more.
type stage struct {
	testing.TB
	driver  Driver
	bubble  bool
	unit    time.Duration // what cases count time in; long against everything but waiting
	instant time.Duration // what may pass while nothing waits
	patient time.Duration // after which a wait will never end
}

// virtual returns the stage of a case in a bubble, where no time passes unless everybody waits.
func virtual(t testing.TB, d Driver) *stage {
	return &stage{TB: t, driver: d, bubble: true, unit: time.Minute, instant: 0, patient: time.Hour}
}

// actual returns the stage of a case in real time.
func actual(t testing.TB, d Driver) *stage {
	return &stage{TB: t, driver: d, unit: 500 * time.Millisecond, instant: 500 * time.Millisecond, patient: 10 * time.Second}
}

// rounds is how often something that needs luck, or shows in numbers alone, is tried.
func (t *stage) rounds(n int) int {
	if t.bubble {
		return n
	}
	return max(n/100, 10)
}

// settle returns when everybody waits for something, or most probably so in real time.
func (t *stage) settle() {
	if t.bubble {
		synctest.Wait()
		return
	}
	time.Sleep(t.unit / 20)
}

// pass lets time go by.
func (t *stage) pass(d time.Duration) {
	time.Sleep(d)
	t.settle()
}

// open returns a layer of its own process.
func (t *stage) open(o channel.Options) channel.Layer {
	t.Helper()
	l := t.driver.New(t.TB, o)
	t.Cleanup(l.Close)
	return l
}

func (t *stage) listen(l channel.Layer, names ...string) channel.Listener {
	t.Helper()
	r, err := l.Listen(names...)
	if err != nil {
		t.Fatalf("listen to %q: %v", names, err)
	}
	return r
}

// fresh returns a local channel.
func (t *stage) fresh(l channel.Layer, prefix string) string {
	t.Helper()
	name, err := l.NewChannel(prefix)
	if err != nil {
		t.Fatalf("a new channel: %v", err)
	}
	return name
}

func (t *stage) slot(l channel.Layer) channel.ReplySlot {
	t.Helper()
	s, err := l.OpenReply()
	if err != nil {
		t.Fatalf("open a reply slot: %v", err)
	}
	return s
}

// text is a message with a body that every layer takes.
func text(s string) channel.Message { return channel.Message{Body: []byte(s)} }

func numbered(i int) channel.Message { return text(strconv.Itoa(i)) }

// in gives a message a lane.
func in(lane, s string) channel.Message {
	m := text(s)
	m.Header.Lane = lane
	return m
}

// until gives a message a deadline.
func until(deadline time.Time, s string) channel.Message {
	m := text(s)
	m.Header.Deadline = deadline
	return m
}

// said is the body of a message made by text.
func said(m channel.Message) string {
	b, _ := m.Body.([]byte)
	return string(b)
}

func number(m channel.Message) int {
	n, err := strconv.Atoi(said(m))
	if err != nil {
		return -1
	}
	return n
}

// send sends messages that must be accepted.
func (t *stage) send(l channel.Layer, to string, messages ...channel.Message) {
	t.Helper()
	for _, m := range messages {
		if err := l.Send(to, m); err != nil {
			t.Fatalf("send %.20q to %s: %v", said(m), to, err)
		}
	}
}

// group sends to a group and compares the counts.
func (t *stage) group(l channel.Layer, group, s string, delivered, dropped int) {
	t.Helper()
	d, lost, err := l.GroupSend(group, text(s))
	if err != nil {
		t.Fatalf("send %q to group %s: %v", s, group, err)
	}
	if d != delivered || lost != dropped {
		t.Errorf("group %s: %d delivered, %d dropped; want %d and %d", group, d, lost, delivered, dropped)
	}
}

func (t *stage) join(l channel.Layer, group string, channels ...string) {
	t.Helper()
	for _, c := range channels {
		if err := l.GroupAdd(group, c); err != nil {
			t.Fatalf("add %s to group %s: %v", c, group, err)
		}
	}
}

// refused fails unless err is the fault that was wanted and says that nothing was sent.
func (t *stage) refused(what string, err error, want *fault.Error) {
	t.Helper()
	var f *fault.Error
	switch {
	case !errors.Is(err, want):
		t.Errorf("%s: %v, want %v", what, err, want)
	case !errors.As(err, &f) || f.Outcome != fault.NotExecuted:
		t.Errorf("%s: %v does not say that nothing was sent", what, err)
	}
}

// atOnce fails unless do returns without waiting for anything. do runs in a goroutine, so it must not call FailNow.
func (t *stage) atOnce(what string, do func()) {
	t.Helper()
	start, over := time.Now(), make(chan struct{})
	go func() {
		defer close(over)
		do()
	}()
	await(t, over, what)
	if took := time.Since(start); took > t.instant {
		t.Errorf("%s took %v", what, took)
	}
}

// await returns what comes from c.
func await[T any](t *stage, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(t.patient):
		t.Fatalf("%s: still waiting after %v", what, t.patient)
		panic("unreachable")
	}
}

// receive returns what a reader gets next, or why it gets nothing.
func receive(r channel.Listener, done <-chan struct{}) (m channel.Message, err error) {
	err = r.Receive(done, &m)
	return m, err
}

// receive returns what a reader gets next.
func (t *stage) receive(r channel.Listener) channel.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), t.patient)
	defer cancel()
	m, err := receive(r, ctx.Done())
	if err != nil {
		t.Fatalf("nothing to read: %v", err)
	}
	return m
}

// reads fails unless a reader gets these messages in this order.
func (t *stage) reads(r channel.Listener, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := said(t.receive(r)); got != w {
			t.Fatalf("read %q, want %q", got, w)
		}
	}
}

// empty fails if a reader finds a message.
func (t *stage) empty(r channel.Listener) {
	t.Helper()
	t.settle()
	if m, ok := r.Poll(); ok {
		t.Fatalf("read %q, want nothing", said(m))
	}
}

// rest returns what a reader finds without waiting.
func (t *stage) rest(r channel.Listener) (found []string) {
	t.settle()
	for {
		m, ok := r.Poll()
		if !ok {
			return found
		}
		found = append(found, said(m))
	}
}

// waiter is a reader who waits in Receive.
type waiter struct {
	*stage
	done   chan struct{}
	leave  func() // closes done; may be called twice
	result chan received
}

type received struct {
	message channel.Message
	err     error
}

// wait lets a new reader wait. It leaves when the case ends, if not before.
func (t *stage) wait(r channel.Listener) *waiter {
	done := make(chan struct{})
	w := &waiter{t, done, sync.OnceFunc(func() { close(done) }), make(chan received, 1)}
	t.Cleanup(w.leave)
	go func() {
		m, err := receive(r, w.done)
		w.result <- received{m, err}
	}()
	t.settle()
	return w
}

// gets fails unless the waiter receives this message.
func (w *waiter) gets(want string) {
	w.Helper()
	if r := await(w.stage, w.result, "a reader"); r.err != nil || said(r.message) != want {
		w.Fatalf("a reader got %q, %v; want %q", said(r.message), r.err, want)
	}
}

// ends fails unless the waiter wakes with this error.
func (w *waiter) ends(want error) {
	w.Helper()
	if r := await(w.stage, w.result, "a reader"); !errors.Is(r.err, want) {
		w.Fatalf("a reader got %q, %v; want %v", said(r.message), r.err, want)
	}
}

// waits fails if the waiter got anything.
func (w *waiter) waits() {
	w.Helper()
	w.settle()
	select {
	case r := <-w.result:
		w.Fatalf("a reader who should wait got %q, %v", said(r.message), r.err)
	default:
	}
}

// figures returns the figures of a channel, or zero ones if there is no such channel.
func figures(l channel.Layer, name string) channel.Stats {
	for _, s := range l.Stats() {
		if s.Name == name {
			return s
		}
	}
	return channel.Stats{}
}

// answersOf returns the figures of the reply slots.
func answersOf(l channel.Layer) channel.Stats { return figures(l, "response."+l.Info().Process) }

// channels returns the names of the channels that there are.
func channels(l channel.Layer) (names []string) {
	for _, s := range l.Stats() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// addsUp fails unless each message of a channel is accounted for.
func (t *stage) addsUp(s channel.Stats) {
	t.Helper()
	if s.Sent != s.Received+s.Expired+s.Dropped+uint64(s.Depth) {
		t.Errorf("%s: the figures don't add up: %+v", s.Name, s)
	}
}

// leavesNothing does something n times over and fails unless channels, goroutines and heap are what they were before. It is
// tried a few times first: what only grows as large as the crowd, in the layer or in the runtime, is there by then.
func (t *stage) leavesNothing(l channel.Layer, n int, do func(n int)) {
	t.Helper()
	do(n / 10)
	t.settle()
	names, goroutines, before := channels(l), runtime.NumGoroutine(), heap()
	do(n)
	t.settle()
	// The heap first: looking at the figures must not be what cleans up.
	if grown := int64(heap()) - int64(before); grown > 1<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	if n := runtime.NumGoroutine(); n > goroutines+10 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if left := channels(l); !slices.Equal(left, names) {
		t.Errorf("%d channels, %d before: %.200s", len(left), len(names), strings.Join(left, " "))
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool held goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
