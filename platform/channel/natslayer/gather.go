package natslayer

import (
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// gatherer dials connections that gather what is written. nats.go writes to the socket as soon as a first message is there, and
// with many goroutines that send one message each, each has a system call of its own, which costs more than all else in a call.
// Here a goroutine of the connection writes, after it has let all others run that are ready to: what they send goes out with it.
type gatherer struct{ dialer net.Dialer }

var _ nats.CustomDialer = (*gatherer)(nil)

// Dial implements nats.CustomDialer.
func (g *gatherer) Dial(network, address string) (net.Conn, error) {
	c, err := g.dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return gather(c), nil
}

const (
	// gatherLimit bounds what waits to be written, in bytes; who would exceed it waits.
	gatherLimit = 1 << 20

	// writeTimeout is how long the server may take nothing before the connection is given up.
	writeTimeout = time.Minute
)

// gathering is a connection that writes later. What it was given is written in order, or the connection is closed: then the reader
// learns of it, and so does the next who writes.
type gathering struct {
	net.Conn
	gone chan struct{} // closed when the writer has left

	mu      sync.Mutex
	changed sync.Cond // something waits, or was written, or the connection is closing
	waits   []byte
	closing bool
	err     error
}

func gather(c net.Conn) *gathering {
	g := &gathering{Conn: c, gone: make(chan struct{})}
	g.changed.L = &g.mu
	go g.run()
	return g
}

// Write implements net.Conn.
func (g *gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waits) > 0 && len(g.waits)+len(p) > gatherLimit && g.refusal() == nil {
		g.changed.Wait()
	}
	if err := g.refusal(); err != nil {
		return 0, err
	}
	g.waits = append(g.waits, p...)
	g.changed.Broadcast()
	return len(p), nil
}

// refusal is why no more is taken, or nil; the caller holds the lock.
func (g *gathering) refusal() error {
	if g.err == nil && g.closing {
		return net.ErrClosed
	}
	return g.err
}

// SetWriteDeadline does nothing: a write does not wait for the network. What does has writeTimeout.
func (g *gathering) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the one for reading.
func (g *gathering) SetDeadline(t time.Time) error { return g.SetReadDeadline(t) }

// run writes what waits until the connection is closed and nothing waits any more, or it breaks.
func (g *gathering) run() {
	defer close(g.gone)
	var batch []byte
	for {
		batch = g.next(batch[:0])
		if len(batch) == 0 {
			return
		}
		err := g.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = g.Conn.Write(batch)
		}
		if err != nil {
			g.fail(err)
			return
		}
	}
}

// next waits until there is something to write, and takes it all; nothing means that the connection is closed. It leaves an empty
// buffer for those who write meanwhile.
func (g *gathering) next(empty []byte) []byte {
	g.mu.Lock()
	for len(g.waits) == 0 && !g.closing {
		g.changed.Wait()
	}
	g.mu.Unlock()
	runtime.Gosched() // to let others write, too
	g.mu.Lock()
	defer g.mu.Unlock()
	batch := g.waits
	g.waits = empty
	g.changed.Broadcast()
	return batch
}

func (g *gathering) fail(err error) {
	g.mu.Lock()
	g.err = err
	g.waits = nil
	g.changed.Broadcast()
	g.mu.Unlock()
	_ = g.Conn.Close() // which wakes the reader
}

// closePatience is how long Close waits for what was given before.
const closePatience = time.Second

// Close implements net.Conn. What was given before is written first, if the network takes it.
func (g *gathering) Close() error {
	g.mu.Lock()
	g.closing = true
	g.changed.Broadcast()
	g.mu.Unlock()
	select {
	case <-g.gone:
	case <-time.After(closePatience):
	}
	return g.Conn.Close()
}
