package shop

import (
	"testing"
	"time"

	"cutpoint/platform/rpc"
)

// BenchmarkCount is what each call between modules pays to be counted, beside one more look at the clock.
func BenchmarkCount(b *testing.B) {
	observe := (&Shop{}).count(nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		observe(rpc.Observation{From: "orders", Operation: "inventory.reserve", Took: time.Duration(i)})
	}
}
