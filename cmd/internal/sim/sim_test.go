package sim

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"testing"
	"testing/synctest"
	"time"
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

// TestSimulationReplays runs seeds twice: a seed that fails is of use only if it fails again. On a busy machine about one history in
// 250 still differs, where two processors meet at one instant; so a third run decides, and two of three must be the same.
func TestSimulationReplays(t *testing.T) {
	for n := uint64(1); n <= *twice; n++ {
		t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
			digests := map[uint64]int{}
			for range 3 {
				synctest.Test(t, func(t *testing.T) {
					if d := simulate(t, n, false); !t.Failed() {
						digests[d]++
					}
				})
				if slices.Contains(slices.Collect(maps.Values(digests)), 2) {
					return
				}
			}
			t.Errorf("no two histories are the same")
		})
	}
}

// simulate lives through the day of a seed, and returns the digest of its history.
func simulate(t *testing.T, seed uint64, tell bool) uint64 {
	w := newWorld(t, seed, tell)
	defer func() { w.close() }()
	for range 8 + w.dice.IntN(16) {
		w.act()
		w.revive()
		time.Sleep(w.while(time.Second)) // and never two things at once
	}
	w.soothe()
	w.settle()
	w.audit()
	return w.trace.Sum64()
}
