package telemetry

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram divides each power of two into steps of equal width. The middle of a bucket is at most half a step from any
// value in it: 1/32 of the value, 3.2 %.
const (
	stepBits = 4
	steps    = 1 << stepBits
	topBits  = 37 // values from 2^37 ns on, 137 s, are counted as just below it
	buckets  = (topBits - stepBits + 1) * steps
)

// Histogram counts durations in fixed memory, 4.3 kB. The zero value is ready, all methods are safe for concurrent use, and none
// waits or allocates, except for the copy that Read returns.
type Histogram struct{ counts [buckets]atomic.Uint64 }

// Record counts a duration. A negative one counts as zero.
func (h *Histogram) Record(d time.Duration) { h.counts[bucket(d)].Add(1) }

// Read returns what was counted. What is recorded meanwhile may be in it or not.
func (h *Histogram) Read() *Distribution {
	d := &Distribution{}
	for i := range h.counts {
		n := h.counts[i].Load()
		d.counts[i] = n
		d.total += n
	}
	return d
}

// bucket returns where a duration is counted: below two times steps each nanosecond has a bucket of its own.
func bucket(d time.Duration) int {
	v := uint64(min(max(d, 0), 1<<topBits-1))
	shift := max(bits.Len64(v)-stepBits-1, 0)
	return shift*steps + int(v>>shift)
}

// middle is the duration that stands for a bucket.
func middle(bucket int) time.Duration {
	shift := max(bucket/steps-1, 0)
	low := (bucket - shift*steps) << shift
	return time.Duration(low + (1<<shift)/2)
}

// Distribution is what a histogram had counted. The zero value is that of no duration.
type Distribution struct {
	counts [buckets]uint64
	total  uint64
}

// Count is how many durations there are.
func (d *Distribution) Count() uint64 { return d.total }

// Add puts another distribution's durations to these.
func (d *Distribution) Add(other *Distribution) {
	for i, n := range other.counts {
		d.counts[i] += n
	}
	d.total += other.total
}

// Quantile returns a duration that the share q of all, between 0 and 1, does not exceed: 0.5 for the median. It is the nearest
// rank, within 3.2 %, and 0 if nothing was counted.
func (d *Distribution) Quantile(q float64) time.Duration {
	if d.total == 0 {
		return 0
	}
	rank := min(max(uint64(q*float64(d.total-1)), 0), d.total-1) // from 0
	for i, n := range d.counts {
		if rank < n {
			return middle(i)
		}
		rank -= n
	}
	return 0
}
