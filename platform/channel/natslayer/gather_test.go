package natslayer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// slowConn takes a write when the test says so, and remembers how many there were.
type slowConn struct {
	net.Conn
	mu     sync.Mutex
	writes int
	all    bytes.Buffer
	begun  chan struct{}
	take   chan error
	closed chan struct{}
	once   sync.Once
}

func newSlowConn() *slowConn {
	return &slowConn{begun: make(chan struct{}, 10), take: make(chan error), closed: make(chan struct{})}
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.begun <- struct{}{}
	select {
	case err := <-c.take:
		if err != nil {
			return 0, err
		}
	case <-c.closed:
		return 0, net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.all.Write(p)
}
func (c *slowConn) SetWriteDeadline(time.Time) error { return nil }
func (c *slowConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }

func TestGathering(t *testing.T) {
	t.Run("what is written meanwhile goes out together, in order, and before it is closed", func(t *testing.T) {
		c := newSlowConn()
		g := gather(c)
		var want string
		write := func(s string) {
			if n, err := io.WriteString(g, s); n != len(s) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			want += s
		}
		write("first;")
		<-c.begun
		for i := range 100 {
			write(fmt.Sprint(i, ";"))
		}
		closed := make(chan error)
		go func() { closed <- g.Close() }()
		for open := true; open; {
			select {
			case c.take <- nil:
			case err := <-closed:
				if err != nil {
					t.Error(err)
				}
				open = false
			}
		}
		if got := c.all.String(); got != want {
			t.Errorf("written %q, want %q", got, want)
		}
		if c.writes != 2 {
			t.Errorf("%d writes, want one for the first and one for all others", c.writes)
		}
		if _, err := g.Write([]byte("late")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
	t.Run("a network that takes nothing stops who writes, at the limit", func(t *testing.T) {
		c := newSlowConn()
		g := gather(c)
		done := make(chan error, 1)
		accepted := -1 // the last one is refused
		go func() {
			var err error
			for ; err == nil; accepted++ {
				_, err = g.Write(make([]byte, gatherLimit))
			}
			done <- err
		}()
		broken := errors.New("broken")
		c.take <- nil // and one or two more wait now
		c.take <- broken
		if err := <-done; !errors.Is(err, broken) {
			t.Errorf("who waited was told %v", err)
		}
		if accepted > 3 { // one was taken, one failed, one waited
			t.Errorf("%d were accepted", accepted)
		}
		<-c.closed // so that the reader learns of it
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}
