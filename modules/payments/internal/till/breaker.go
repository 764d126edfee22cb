package till

import (
	"errors"
	"sync"
	"time"
)

// errOpen is why an open breaker sends nothing.
var errOpen = errors.New("the provider did not answer many times in a row; asking again after a pause")

// breaker spares a provider that gives no answers, and those who wait for them. After a number of requests in a row without one
// it lets nothing through for a while; then one request goes out as a probe, and its answer opens the way for the others.
//
// The libraries for this read the clock themselves, so that a simulation could not drive them.
type breaker struct {
	after int           // failures in a row
	pause time.Duration // before each probe
	now   func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time // of the pause
	probing  bool
}

// closed reports whether a request would go out now.
func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures < b.after || !b.probing && !b.now().Before(b.until)
}

// enter asks to send a request. If it may go out, leave must follow.
func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.after {
		return true
	}
	if b.probing || b.now().Before(b.until) {
		return false
	}
	b.probing = true
	return true
}

// leave says whether a request was answered.
func (b *breaker) leave(answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if answered {
		b.failures = 0
		return
	}
	if b.failures++; b.failures >= b.after {
		b.until = b.now().Add(b.pause)
	}
}
