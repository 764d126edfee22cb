package telemetry

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQuantiles holds the histogram against the exact quantiles of the same durations.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exact := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			power := rapid.IntRange(0, topBits).Draw(t, "power")
			return time.Duration(rapid.Int64Range(0, 1<<power-1).Draw(t, "ns"))
		}), 1, 300).Draw(t, "durations")
		cut := rapid.IntRange(0, len(exact)).Draw(t, "cut") // counted by two, and added up
		var a, b Histogram
		for i, d := range exact {
			if i < cut {
				a.Record(d)
			} else {
				b.Record(d)
			}
		}
		read := a.Read()
		read.Add(b.Read())
		if read.Count() != uint64(len(exact)) {
			t.Fatalf("counted %d of %d", read.Count(), len(exact))
		}
		slices.Sort(exact)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			want := exact[int(q*float64(len(exact)-1))]
			got := read.Quantile(q)
			if difference := max(got-want, want-got); float64(difference) > 0.05*float64(want) {
				t.Fatalf("quantile %v is %v, want %v within 5 %%", q, got, want)
			}
		}
	})
}

func TestQuantilesAtTheEnds(t *testing.T) {
	var h Histogram
	if got := h.Read().Quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	h.Record(-time.Second)
	if got := h.Read().Quantile(0.5); got != 0 {
		t.Errorf("of a negative duration: %v", got)
	}
	h.Record(24 * time.Hour)
	if got := h.Read().Quantile(1); got < 130*time.Second {
		t.Errorf("of a day: %v, want the longest that can be told", got)
	}
}

func TestCalls(t *testing.T) {
	t.Run("many at once are all counted", func(t *testing.T) {
		var c Calls
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 1000 {
					code := ""
					if n%10 == 0 {
						code = "busy"
					}
					c.Record("orders", fmt.Sprint("op", i%2), time.Millisecond, code)
				}
			})
		}
		all.Wait()
		read := c.Read()
		if len(read) != 2 {
			t.Fatalf("%d lines, want 2", len(read))
		}
		for i, s := range read {
			if s.From != "orders" || s.Operation != fmt.Sprint("op", i) || s.Took.Count() != 4000 || s.Failed["busy"] != 400 || len(s.Failed) != 1 {
				t.Errorf("%s %s: %d calls, failed %v", s.From, s.Operation, s.Took.Count(), s.Failed)
			}
		}
	})
	t.Run("nobody can make it grow without end", func(t *testing.T) {
		var c Calls
		for i := range 2 * MaxOperations {
			c.Record("a", fmt.Sprint(i), 0, "")
		}
		for i := range 2 * MaxCodes {
			c.Record("a", "0", 0, fmt.Sprint(i))
		}
		var calls, codes, failures uint64
		for _, s := range c.Read() {
			calls += s.Took.Count()
			codes = max(codes, uint64(len(s.Failed)))
			for _, n := range s.Failed {
				failures += n
			}
		}
		if n := len(c.Read()); n > MaxOperations+1 || codes > MaxCodes+1 {
			t.Errorf("%d lines, %d codes", n, codes)
		}
		if calls != 2*MaxOperations+2*MaxCodes || failures != 2*MaxCodes {
			t.Errorf("%d calls and %d failures are counted", calls, failures)
		}
	})
	t.Run("a call allocates nothing", func(t *testing.T) {
		var c Calls
		c.Record("orders", "inventory.reserve", 0, "")
		if n := testing.AllocsPerRun(100, func() { c.Record("orders", "inventory.reserve", time.Millisecond, "") }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// BenchmarkRecord is what a call between modules pays to be counted.
func BenchmarkRecord(b *testing.B) {
	c := &Calls{}
	for i := range 40 {
		c.Record("orders", fmt.Sprint("inventory.operation", i), 0, "")
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c.Record("orders", "inventory.operation7", time.Duration(i), "")
		}
	})
	b.Run("by all processors", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				c.Record("orders", "inventory.operation7", time.Duration(i), "")
			}
		})
	})
}
