// Package idempotency is the key that makes a command of a stranger safe to repeat, and the table in which the owner of the
// effect remembers it.
//
// The key travels on the request value, from the HTTP edge (header Idempotency-Key) to the module that owns the effect. The
// owner claims it by a unique insert in the very transaction of the effect, so a key and its effect exist together or not
// at all. A key belongs to a caller (an API key), is compared with a digest of the request, and is kept for Retention.
package idempotency

import (
	"time"

	"cutpoint/platform/fault"
)

// Retention is how long a key is remembered.
const Retention = 7 * 24 * time.Hour

// Faults of a repeated key.
var (
	ErrReused = fault.New(fault.Invalid, "idempotency_key_reused", "this Idempotency-Key was used with another request; take a new key")
	ErrInUse  = fault.New(fault.Conflict, "idempotency_key_in_use", "a request with this Idempotency-Key is still running; repeat it later")
)

// Key names one command of one caller. The zero value means that the command can't be repeated safely by key.
type Key struct {
	Caller string `json:"caller"` // id of the API key
	Value  string `json:"value"`  // what the client sent, 1-255 characters
	Digest string `json:"digest"` // of method, path and body, so that a reuse with another request is seen
}
