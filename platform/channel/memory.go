package channel

import (
	"crypto/rand"
	"encoding/binary"
	"maps"
	"path"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of a memory layer.
const (
	DefaultCapacity = 100
	DefaultExpiry   = 60 * time.Second
	DefaultReplies  = 100_000
)

// MemoryOptions are the settings of a memory layer. The zero value takes the defaults.
type MemoryOptions struct {
	Capacity   int              // messages a channel holds, unless a pattern says otherwise
	Capacities []CapacityOption // ordered; the first pattern that matches counts
	Expiry     time.Duration    // how long a message waits for a reader
	Replies    int              // reply slots that may be open at once
	Strict     bool             // ask for encoded bodies, as a layer between processes does
}

// CapacityOption is the capacity of the channels that match a pattern of path.Match.
type CapacityOption struct {
	Pattern  string
	Capacity int
}

// Memory is a layer inside one process.
type Memory struct {
	options MemoryOptions
	process uint64

	mu     sync.Mutex
	queues atomic.Pointer[map[string]*queue] // replaced when a channel is new, never changed in place
	closed bool

	replies replyTable
}

var _ Layer = (*Memory)(nil)

// NewMemory returns a layer without any goroutine of its own.
func NewMemory(o MemoryOptions) *Memory {
	if o.Capacity <= 0 {
		o.Capacity = DefaultCapacity
	}
	if o.Expiry <= 0 {
		o.Expiry = DefaultExpiry
	}
	if o.Replies <= 0 {
		o.Replies = DefaultReplies
	}
	m := &Memory{options: o, process: NewProcess()}
	m.queues.Store(&map[string]*queue{})
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

// Encodes implements Layer.
func (m *Memory) Encodes() bool { return m.options.Strict }

// Send implements Layer.
func (m *Memory) Send(to string, msg Message) error {
	q, err := m.queue(to)
	if err != nil {
		return err
	}
	return q.put(&msg)
}

// Listen implements Layer.
func (m *Memory) Listen(name string) (Listener, error) {
	q, err := m.queue(name)
	if err != nil {
		return nil, err
	}
	return q.listen()
}

// queue finds or makes the queue of a name. A queue stays for the life of the layer; see Close.
func (m *Memory) queue(name string) (*queue, error) {
	if q := (*m.queues.Load())[name]; q != nil {
		return q, nil
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	old := *m.queues.Load()
	q := old[name]
	if q == nil {
		q = newQueue(name, m.capacity(name), m.options.Expiry)
		queues := maps.Clone(old)
		queues[name] = q
		m.queues.Store(&queues)
	}
	return q, nil
}

func (m *Memory) capacity(name string) int {
	for _, c := range m.options.Capacities {
		if ok, err := path.Match(c.Pattern, name); ok && err == nil {
			return c.Capacity
		}
	}
	return m.options.Capacity
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
func (m *Memory) Reply(to ReplyTo, msg Message) { m.replies.deliver(to, &msg) }

// Stats implements Layer. The reply slots of the process stand there as one channel.
func (m *Memory) Stats() []Stats {
	queues := *m.queues.Load()
	stats := make([]Stats, 0, len(queues)+1)
	for _, q := range queues {
		stats = append(stats, q.stats())
	}
	stats = append(stats, m.replies.stats())
	sort.Slice(stats, func(i, j int) bool { return stats[i].Name < stats[j].Name })
	return stats
}

// Close implements Layer.
func (m *Memory) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, q := range *m.queues.Load() {
		q.close()
	}
	m.replies.close()
}
