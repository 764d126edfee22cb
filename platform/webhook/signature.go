package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The headers of a message.
const (
	HeaderID        = "webhook-id"        // the same in every attempt to deliver a message
	HeaderTimestamp = "webhook-timestamp" // seconds since 1970 in which this attempt was made
	HeaderSignature = "webhook-signature" // one or more, between spaces
)

// DefaultTolerance is how far a message's time may be from the receiver's.
const DefaultTolerance = 5 * time.Minute

// maxSignatures bounds the work that a stranger can cause. Rotation needs two.
const maxSignatures = 16

// version is the scheme of signatures by HMAC-SHA256.
const version = "v1,"

// What is wrong with a message that Verify refuses.
var (
	ErrUnsigned = errors.New("the message lacks a webhook-id, webhook-timestamp or webhook-signature that can be read")
	ErrTime     = errors.New("the message was signed too long ago, or in the future")
	ErrForged   = errors.New("no signature of the message was made with this secret")
)

// Sign returns the signature of a message that is sent at a time: "v1," and the base64 of HMAC-SHA256(secret, id.seconds.body).
// Signatures of several secrets are joined by spaces in HeaderSignature. id must not contain a full stop: it would let two
// messages have one signature.
func Sign(secret []byte, id string, at time.Time, body []byte) string {
	return version + base64.StdEncoding.EncodeToString(sum(secret, id, Timestamp(at), body))
}

// Timestamp is how a time stands in HeaderTimestamp.
func Timestamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// Verify reports whether a message was signed with the secret, at most tolerance before or after now. header returns a header by
// its name, "" if it is not there; body is what came, byte for byte. How long the comparison takes tells nothing of the right
// signature. Verify does not see repetitions: the receiver must remember ids. Errors: ErrUnsigned, ErrTime, ErrForged.
func Verify(secret []byte, header func(string) string, body []byte, now time.Time, tolerance time.Duration) error {
	id, timestamp, signatures := header(HeaderID), header(HeaderTimestamp), header(HeaderSignature)
	if id == "" || signatures == "" {
		return ErrUnsigned
	}
	if len(secret) == 0 { // a secret that was never configured is one that everybody knows
		return ErrForged
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return ErrUnsigned
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-tolerance)) || at.After(now.Add(tolerance)) {
		return ErrTime
	}
	want, tried := sum(secret, id, timestamp, body), 0
	for one := range strings.SplitSeq(signatures, " ") {
		digits, ok := strings.CutPrefix(one, version)
		if !ok {
			continue
		}
		if tried++; tried > maxSignatures {
			break
		}
		if have, err := base64.StdEncoding.DecodeString(digits); err == nil && hmac.Equal(have, want) {
			return nil
		}
	}
	return ErrForged
}

// sum signs the timestamp as it stands in the header, so that two ways to write a number are two messages.
func sum(secret []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}
