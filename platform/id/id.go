// Package id makes the ids of Cutpoint: a type prefix, an underscore and a UUID of version 7 (RFC 9562) in 26 characters of
// lower-case base32hex, so that ids of one type sort by the time when they were made.
package id

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Source makes a new id with a prefix ("ord" gives "ord_..."). A Source is safe for concurrent use.
type Source func(prefix string) string

// The digits sort in ASCII order, which keeps the order of the bytes (RFC 4648, section 7).
var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewSource returns a source that takes the time from now and the random bits from random. Its ids sort in the order in which
// it made them, also within a moment and while the clock stands still or goes back: the time is kept to a quarter of a
// microsecond, and counted up where it would repeat (RFC 9562, section 6.2, method 3). random must not fail: a Source panics if
// it does, since no id is better than a repeated one.
func NewSource(now func() time.Time, random io.Reader) Source {
	var mu sync.Mutex
	var last int64
	return func(prefix string) string {
		var u uuid.UUID
		mu.Lock()
		defer mu.Unlock()
		if _, err := io.ReadFull(random, u[8:]); err != nil {
			panic(fmt.Errorf("an id needs random bits: %w", err))
		}
		last = max(last+1, ticks(now()))
		setTicks(&u, last)
		u[8] = u[8]&0x3f | 0x80 // the variant
		return prefix + "_" + encoding.EncodeToString(u[:])
	}
}

// Floor returns the smallest id that a source can make at t or later, so that a range of times is a range of ids.
func Floor(prefix string, t time.Time) string {
	var u uuid.UUID
	setTicks(&u, ticks(t))
	return prefix + "_" + encoding.EncodeToString(u[:])
}

// ticks counts 4096ths of a millisecond since 1970.
func ticks(t time.Time) int64 {
	return t.UnixMilli()<<12 | int64(t.Nanosecond()%1e6)<<12/1e6
}

// setTicks puts the milliseconds into the first 48 bits, and their fraction behind the version.
func setTicks(u *uuid.UUID, ticks int64) {
	binary.BigEndian.PutUint64(u[:8], uint64(ticks>>12<<16|ticks&0xfff|0x7000))
}

// Valid reports whether s has the shape of an id with the prefix.
func Valid(prefix, s string) bool {
	digits, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(digits) != 26 {
		return false
	}
	_, err := encoding.DecodeString(digits)
	return err == nil
}
