package deployments

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	during = flag.Duration("turn", 2500*time.Millisecond, "how long a deployment's turn is, about")
	only   = flag.String("only", "", "deployments to measure beside the first, as a regular expression; all if empty")
)

// most is the largest number of customers.
const most = 64

// BenchmarkDeployments prints one table of all deployments. One iteration is a round, in which each has its turn:
//
//	make bench-deployments
func BenchmarkDeployments(b *testing.B) {
	chosen := regexp.MustCompile(*only)
	all := newStage(b).all(b)
	all = append(all[:1], slices.DeleteFunc(all[1:], func(d *deployment) bool { return !chosen.MatchString(d.name) })...)
	rows := []string{
		"| customers | deployment | orders/s | to one process | p50 | p95 | p99 | processor time of an order, us | peak memory, MB |",
		"|---|---|---|---|---|---|---|---|---|",
	}
	for _, customers := range []int{1, 8, most} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			turns := make([][]turn, len(all))
			for _, d := range all {
				d.warmUp(b, customers, *during)
			}
			for round := 0; b.Loop(); round++ {
				for n := range all {
					i := (round + n) % len(all)
					turns[i] = append(turns[i], all[i].take(b, customers, *during))
				}
			}
			for i, d := range all {
				rows = append(rows, d.row(b, customers, turns[i], turns[0]))
				b.ReportMetric(perSecond(turns[i]), strings.NewReplacer(" ", "-", ",", "", ":", "").Replace(d.name)+"-orders/s")
			}
		})
	}
	b.Logf("medians; in brackets the middle half of the rounds\n%s", strings.Join(rows, "\n"))
}

// row is a line of the table.
func (d *deployment) row(b *testing.B, customers int, turns, beside []turn) string {
	b.Helper()
	var ratios []float64
	for i := range turns {
		ratios = append(ratios, turns[i].PerSecond/beside[i].PerSecond)
	}
	slices.Sort(ratios)
	milliseconds := func(of func(turn) time.Duration) string {
		return fmt.Sprintf("%.1f ms", middle(turns, func(t turn) float64 { return of(t).Seconds() * 1000 }))
	}
	return fmt.Sprintf("| %d | %s | %.0f | %.2f (%.2f-%.2f) | %s | %s | %s | %.0f | %d |", customers, d.name, perSecond(turns),
		median(ratios), ratios[len(ratios)/4], ratios[(3*len(ratios)-1)/4],
		milliseconds(func(t turn) time.Duration { return t.P50 }), milliseconds(func(t turn) time.Duration { return t.P95 }),
		milliseconds(func(t turn) time.Duration { return t.P99 }),
		middle(turns, func(t turn) float64 { return t.processor.Seconds() * 1e6 }), d.peakMemory(b)>>20)
}

func perSecond(turns []turn) float64 {
	return middle(turns, func(t turn) float64 { return t.PerSecond })
}

// middle is the median of something of all turns.
func middle(turns []turn, of func(turn) float64) float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, of(t))
	}
	slices.Sort(values)
	return median(values)
}

// median is that of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
