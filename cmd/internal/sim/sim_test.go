package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	seeds = flag.Uint64("seeds", 60, "how many seeds the simulation runs")
	first = flag.Uint64("first", 1, "the first of them")
	twice = flag.Uint64("twice", 40, "how many seeds are run twice")
	seed  = flag.Uint64("seed", 0, "run this seed alone, and print its history")
)

// TestMain lets the garbage collector run less often than by default: worlds are many, and small. It removes the template.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	code := m.Run()
	if made != "" {
		_ = os.RemoveAll(made)
	}
	os.Exit(code)
}

// found are seeds that once failed. They run first, always.
func found() []uint64 {
	return []uint64{
		25,       // the process died while it was opened, since leases are inherited; it does so in the crash matrix now
		551, 945, // an order was refused, sent again and stored, its answer was lost, and nobody asked a third time: the simulation's fault
	}
}

// TestSimulation runs many days. In the end of each, every order that a customer was told of is there and at its end, or with an
// operator for a reason that can be named; the ten invariants hold; and the provider's own ledger says the same as the shop.
func TestSimulation(t *testing.T) {
	if *seed != 0 {
		synctest.Test(t, func(t *testing.T) { simulate(t, *seed, true) })
		return
	}
	all := found()
	for n := range *seeds {
		all = append(all, *first+n)
	}
	for _, n := range all {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, n, false) })
		})
	}
}

// TestSimulationReplays runs seeds twice: a seed that fails is of use only if it fails again.
func TestSimulationReplays(t *testing.T) {
	for n := range *twice {
		n += *first
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			t.Parallel()
			var histories [2][]string
			for i := range histories {
				synctest.Test(t, func(t *testing.T) { histories[i] = simulate(t, n, false) })
			}
			sameHistory(t, histories[0], histories[1])
		})
	}
}

// sameHistory compares histories, and shows where they part.
func sameHistory(t *testing.T, a, b []string) {
	t.Helper()
	if slices.Equal(a, b) {
		return
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	around := func(h []string) string { return strings.Join(h[max(0, at-10):min(len(h), at+6)], "\n\t") }
	t.Errorf("two histories of %d and %d lines part at line %d:\n\t%s\nand:\n\t%s", len(a), len(b), at, around(a), around(b))
}

// simulate lives through the day of a seed, and returns its history.
func simulate(t *testing.T, seed uint64, tell bool) []string {
	w := newWorld(t, seed, tell)
	defer func() { w.close(t.Context()) }()
	for range 8 + w.dice.IntN(16) {
		w.act()
		w.breathe()
	}
	w.soothe()
	w.settle()
	w.audit()
	return w.history
}
