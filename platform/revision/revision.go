// Package revision is optimistic concurrency for things that are put whole: each has a version that grows with every change,
// a writer names the version that it read, and a writer who read an older one is told so instead of overwriting.
// At the HTTP edge a version is an ETag and the writer names it in If-Match (RFC 9110, sections 8.8.3 and 13.1.1).
package revision

import "cutpoint/platform/fault"

// What a writer may say besides a version number.
const (
	None int64 = 0  // it knows of no version: the write may only create
	Any  int64 = -1 // whatever version is there (If-Match: *)
)

// Faults of a conditional write.
var (
	ErrRequired = fault.New(fault.Unconditional, "precondition_required", "it exists already: read it and send its ETag in If-Match")
	ErrStale    = fault.New(fault.Stale, "precondition_failed", "it has changed since you read it: read it again")
)

// Check compares the version that a writer named with the one that is there; have is None where nothing is there.
func Check(have, named int64) error {
	switch {
	case have == None && named == None, have != None && named == Any, have == named:
		return nil
	case named == None:
		return ErrRequired
	default:
		return ErrStale
	}
}
