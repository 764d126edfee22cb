package telemetry

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what Calls keeps apart. What comes beyond them is counted under Other.
const (
	MaxOperations = 512
	MaxCodes      = 64
	Other         = "other"
)

// Calls counts calls between modules: by caller and operation how many, how long they took and how they failed. The zero value
// is ready, and all methods are safe for concurrent use. A call that succeeds takes no lock and allocates nothing.
type Calls struct {
	lines atomic.Pointer[map[line]*counted] // never changed, only replaced
	mu    sync.Mutex                        // held to replace it
}

// line is who calls what.
type line struct{ from, operation string }

type counted struct {
	took   Histogram
	mu     sync.Mutex
	failed map[string]uint64 // by code
}

// CallStats are the figures of one operation as one caller saw it. Took holds every call, also those that failed.
type CallStats struct {
	From      string
	Operation string
	Took      *Distribution
	Failed    map[string]uint64 // by code
}

// Record counts a call that ended. The code is that of its fault, "" for success.
func (c *Calls) Record(from, operation string, took time.Duration, code string) {
	k := c.find(line{from, operation})
	k.took.Record(took)
	if code != "" {
		k.fail(code)
	}
}

func (c *Calls) find(l line) *counted {
	if lines := c.lines.Load(); lines != nil {
		if k, ok := (*lines)[l]; ok {
			return k
		}
	}
	return c.add(l)
}

func (c *Calls) add(l line) *counted {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := map[line]*counted{}
	if now := c.lines.Load(); now != nil {
		lines = maps.Clone(*now)
	}
	if len(lines) >= MaxOperations {
		l = line{Other, Other}
	}
	if k, ok := lines[l]; ok {
		return k
	}
	k := &counted{failed: map[string]uint64{}}
	lines[l] = k
	c.lines.Store(&lines)
	return k
}

func (k *counted) fail(code string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.failed[code]; !known && len(k.failed) >= MaxCodes {
		code = Other
	}
	k.failed[code]++
}

// Read returns the figures, sorted by caller and operation.
func (c *Calls) Read() []CallStats {
	lines := c.lines.Load()
	if lines == nil {
		return nil
	}
	var list []CallStats
	for l, k := range *lines {
		k.mu.Lock()
		failed := maps.Clone(k.failed)
		k.mu.Unlock()
		list = append(list, CallStats{l.from, l.operation, k.took.Read(), failed})
	}
	slices.SortFunc(list, func(a, b CallStats) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Operation, b.Operation))
	})
	return list
}
