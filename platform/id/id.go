// Package id makes the ids of Cutpoint: a type prefix, an underscore and a UUID of version 7 (RFC 9562) in 26 characters of
// lower-case base32hex, so that ids of one type sort by the time when they were made.
package id

import (
	"encoding/base32"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Source makes a new id with a prefix ("ord" gives "ord_..."). A Source is safe for concurrent use.
type Source func(prefix string) string

// The digits sort in ASCII order, which keeps the order of the bytes (RFC 4648, section 7).
var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewSource returns a source that takes the time from now and the random bits from random. random must be safe for
// concurrent use, as crypto/rand.Reader is, and must not fail: a Source panics if it does, since no id is better than a
// repeated one.
func NewSource(now func() time.Time, random io.Reader) Source {
	return func(prefix string) string {
		u := uuid.Must(uuid.NewV7FromReader(random))
		setTime(&u, now())
		return prefix + "_" + encoding.EncodeToString(u[:])
	}
}

// Floor returns the smallest id that a source can make at t or later, so that a range of times is a range of ids.
func Floor(prefix string, t time.Time) string {
	var u uuid.UUID
	setTime(&u, t)
	return prefix + "_" + encoding.EncodeToString(u[:])
}

func setTime(u *uuid.UUID, t time.Time) {
	ms := t.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (8 * (5 - i)))
	}
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
