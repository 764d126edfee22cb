// Package failpoint lets a test end the world at a chosen instant: before a commit, between a payment provider's doing and our
// knowing it. A shop that serves has none; a simulation makes them fail by a seed, and the crash matrix kills the process there.
package failpoint

// Points is asked at each point that a piece of code passes. An error is what that code then fails with, as if the disk or the
// provider had. A nil Points lets everything pass. It is called by several goroutines at once.
type Points func(point string) error

// Hit passes a point.
func (p Points) Hit(point string) error {
	if p == nil {
		return nil
	}
	return p(point)
}
