package channel

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of a layer.
const (
	DefaultCapacity    = 100
	DefaultExpiry      = 60 * time.Second
	DefaultGroupExpiry = 24 * time.Hour
	DefaultReplies     = 100_000
)

// Options are the settings of a layer. The zero value takes the defaults.
type Options struct {
	Capacity    int              // messages a channel holds, unless a pattern says otherwise
	Capacities  []CapacityOption // ordered; the first pattern that matches counts
	Expiry      time.Duration    // how long a message waits for a reader
	GroupExpiry time.Duration    // how long a membership lasts
	Replies     int              // reply slots that may be open at once
	Strict      bool             // memory only: ask for encoded bodies, as a layer between processes does
}

// CapacityOption is the capacity of the channels that match a pattern of path.Match.
type CapacityOption struct {
	Pattern  string
	Capacity int
}

// Check returns what is wrong with the options.
func (o Options) Check() error {
	for _, c := range o.Capacities {
		if _, err := path.Match(c.Pattern, ""); err != nil {
			return fmt.Errorf("capacity pattern %q: %w", c.Pattern, err)
		}
		if c.Capacity < 1 {
			return fmt.Errorf("capacity of %q: at least 1 is needed, not %d", c.Pattern, c.Capacity)
		}
	}
	return nil
}

// CapacityOf is the capacity of a channel.
func (o Options) CapacityOf(name string) int {
	for _, c := range o.Capacities {
		if ok, err := path.Match(c.Pattern, name); ok && err == nil {
			return c.Capacity
		}
	}
	return o.Capacity
}

// Memory is a layer inside one process.
type Memory struct {
	options Options
	process uint64
	name    string // process, as it stands in names
	closed  atomic.Bool
	refuses atomic.Bool // closed, or draining
	fresh   atomic.Uint64

	queues  sync.Map // of *queue by name; those that are idle and unread are taken out
	desks   [64]atomic.Pointer[queue]
	mu      sync.Mutex
	shares  map[string]*share // of local channels, by what stands before their local part
	groups  *Memberships
	replies replyTable
}

var _ Layer = (*Memory)(nil)

// NewMemory returns a layer without any goroutine of its own. Options that Check refuses behave as if they were not there.
func NewMemory(o Options) *Memory {
	if o.Capacity <= 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Expiry <= 0 {
		o.Expiry = DefaultExpiry
	}
	if o.Replies <= 0 {
		o.Replies = DefaultReplies
	}
	m := &Memory{options: o, process: NewProcess(), shares: map[string]*share{}, groups: NewMemberships(o.GroupExpiry)}
	m.name = hexadecimal(m.process)
	m.replies.process = m.process
	m.replies.limit = o.Replies
	return m
}

// NewProcess names this process among all others. crypto/rand never fails (it ends the program instead).
func NewProcess() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Info implements Layer.
func (m *Memory) Info() Info {
	return Info{Driver: "memory", Process: m.name}
}

// Encodes implements Layer.
func (m *Memory) Encodes(string) bool { return m.options.Strict }

// Send implements Layer.
func (m *Memory) Send(to string, msg Message) error {
	if b, ok := msg.Body.([]byte); ok {
		if len(b) > MaxBody {
			return TooLarge(len(b))
		}
		msg.Body = bytes.Clone(b)
	} else if m.options.Strict {
		return ErrBody
	}
	if m.refuses.Load() {
		return ErrClosed
	}
	msg.Channel, msg.Waited = to, 0
	for {
		q, err := m.queue(to, msg.Header.ReplyTo.IsZero())
		if err != nil {
			return err
		}
		if gone, err := q.put(&msg); !gone {
			return err
		}
	}
}

// TooLarge is ErrTooLarge with the number of bytes that a message has.
func TooLarge(n int) error {
	return ErrTooLarge.Saying("the message has %d bytes; modules may send %d", n, MaxBody)
}

// queue finds the queue of a name, or makes it if it may.
func (m *Memory) queue(name string, create bool) (*queue, error) {
	if q := m.desk(name).Load(); q != nil && q.name == name {
		return q, nil
	}
	if q, ok := m.queues.Load(name); ok {
		return q.(*queue), nil
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if !create {
		return nil, ErrNoReceiver
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuses.Load() {
		return nil, ErrClosed
	}
	if q, ok := m.queues.Load(name); ok { // somebody was faster
		return q.(*queue), nil
	}
	q := newQueue(m, name)
	q.share = m.shareOf(name)
	m.queues.Store(name, q) // complete: whoever finds it uses it at once
	return q, nil
}

// desk is where the queue of a name is found without a search, if it is one that somebody listens to, and the last of those that
// share the place: nearly every message goes to one of a few. What stands there is set and taken away under the queue's lock, so
// that a queue that is gone never does.
func (m *Memory) desk(name string) *atomic.Pointer[queue] {
	n := len(name)
	if n > 0 {
		n += int(name[0])
	}
	return &m.desks[n%len(m.desks)]
}

// share is the capacity that the local channels of one prefix have together.
type share struct {
	channels int // under the layer's lock
	used     atomic.Int64
}

// shareOf counts a channel that is made now; the caller holds the lock. A channel that is not local has none.
func (m *Memory) shareOf(name string) *share {
	prefix, _, local := strings.Cut(name, "!")
	if !local {
		return nil
	}
	s := m.shares[prefix]
	if s == nil {
		s = &share{}
		m.shares[prefix] = s
	}
	s.channels++
	return s
}

// forget takes a queue out that is idle and unread; the caller holds the queue's lock and never touches it again.
func (m *Memory) forget(q *queue) {
	m.queues.CompareAndDelete(q.name, q)
	m.desk(q.name).CompareAndSwap(q, nil)
	if q.share == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.share.channels--; q.share.channels == 0 {
		prefix, _, _ := strings.Cut(q.name, "!")
		delete(m.shares, prefix)
	}
}

// Listen implements Layer.
func (m *Memory) Listen(names ...string) (Listener, error) {
	if len(names) == 0 {
		return nil, ErrName.Saying("a listener needs the name of a channel")
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
		if before, _, local := strings.Cut(name, "!"); local && !strings.HasSuffix("."+before, "."+m.name) {
			return nil, ErrName.Saying("%q is local to another process", name)
		}
	}
	l := newListener()
	for _, name := range names {
		for {
			q, err := m.queue(name, true)
			gone := false
			if err == nil {
				gone, err = q.join()
			}
			if gone {
				continue
			}
			if err != nil {
				l.Close()
				return nil, err
			}
			l.queues = append(l.queues, q)
			break
		}
	}
	return l, nil
}

// NewChannel implements Layer. A number that only grows makes the name unique, whatever happens to random generators.
func (m *Memory) NewChannel(prefix string) (string, error) {
	name := prefix + "." + m.name + "!" + strconv.FormatUint(m.fresh.Add(1), 10)
	if m.refuses.Load() {
		return "", ErrClosed
	}
	return name, CheckName(name)
}

// OpenReply implements Layer.
func (m *Memory) OpenReply() (ReplySlot, error) {
	s, err := m.replies.open()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Reply implements Layer.
func (m *Memory) Reply(to ReplyTo, body any) {
	if b, ok := body.([]byte); ok {
		body = bytes.Clone(b)
	}
	m.replies.deliver(to, body)
}

// Flush implements Layer.
func (m *Memory) Flush() {
	m.groups.Clear()
	m.each((*queue).flush)
}

// Drain implements Layer.
func (m *Memory) Drain(ctx context.Context) error {
	m.refuses.Store(true)
	var err error
	m.each(func(q *queue) {
		select {
		case <-q.emptied():
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}

// Close implements Layer.
func (m *Memory) Close() {
	m.mu.Lock()
	m.refuses.Store(true) // under the lock, so that no queue is made after the next line has passed
	m.closed.Store(true)
	m.mu.Unlock()
	m.each((*queue).close)
	m.groups.Clear()
	m.replies.close()
}

func (m *Memory) each(do func(*queue)) {
	m.queues.Range(func(_, q any) bool { do(q.(*queue)); return true })
}

// Stats implements Layer. The reply slots of the process stand there as one channel.
func (m *Memory) Stats() []Stats {
	stats := []Stats{m.replies.stats()}
	m.each(func(q *queue) { stats = append(stats, q.stats()) })
	sort.Slice(stats, func(i, j int) bool { return stats[i].Name < stats[j].Name })
	return stats
}
