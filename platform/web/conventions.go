package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"cutpoint/platform/auth"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
)

// Faults of the conventions.
var (
	ErrKeyMissing = fault.New(fault.Malformed, "idempotency_key_missing", "this command moves stock or money: send an Idempotency-Key, a fresh one for each new command")
	ErrKeyInvalid = fault.New(fault.Malformed, "idempotency_key_invalid", "an Idempotency-Key has 1 to 255 characters of printable ASCII")
	ErrCursor     = fault.New(fault.Malformed, "cursor_invalid", "this cursor is not from this list; leave it out to start from the beginning")
)

// Keyed is embedded in the input of a command that moves stock or money.
type Keyed struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Required. 1-255 characters, fresh for each new command; a repeat returns the first answer"`
}

// Key returns the key under which the owner of the effect remembers the command: request is compared when the key is used
// again. Errors: ErrKeyMissing, ErrKeyInvalid.
func (k Keyed) Key(ctx context.Context, operation string, request any) (idempotency.Key, error) {
	value := k.IdempotencyKey
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1] // a structured-field string (RFC 8941), as the draft standard for this header has it
	}
	if value == "" {
		return idempotency.Key{}, ErrKeyMissing
	}
	if len(value) > 255 || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return idempotency.Key{}, ErrKeyInvalid
	}
	canonical, err := json.Marshal(request)
	if err != nil {
		return idempotency.Key{}, err
	}
	digest := sha256.Sum256(append([]byte(operation+"\n"), canonical...))
	return idempotency.Key{Caller: auth.PrincipalOf(ctx).KeyID, Value: value, Digest: hex.EncodeToString(digest[:])}, nil
}

// Repeatable is embedded in the input of a command that makes something, and moves neither stock nor money: a key is not required,
// and honoured where there is one.
type Repeatable struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Optional. 1-255 characters, fresh for each new command; a repeat makes nothing new"`
}

// Key returns the key as Keyed does, and the zero key where there is none. Errors: ErrKeyInvalid.
func (r Repeatable) Key(ctx context.Context, operation string, request any) (idempotency.Key, error) {
	if r.IdempotencyKey == "" {
		return idempotency.Key{}, nil
	}
	return Keyed(r).Key(ctx, operation, request)
}

// ReplayHeader is embedded in the output of such a command.
type ReplayHeader struct {
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the answer to an earlier request with the same key"`
}

// ReplayedIf returns the header's value.
func ReplayedIf(replayed bool) ReplayHeader {
	if replayed {
		return ReplayHeader{"true"}
	}
	return ReplayHeader{}
}

// Conditional is embedded in the input of a read of a single resource.
type Conditional struct {
	IfNoneMatch string `header:"If-None-Match" doc:"Answer 304 if the ETag is still this one"`
}

// Unchanged reports whether the client has the representation with this tag (RFC 9110, section 13.1.2).
func (c Conditional) Unchanged(etag string) bool {
	for tag := range strings.SplitSeq(c.IfNoneMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// Matched is embedded in the input of a PUT.
type Matched struct {
	IfMatch string `header:"If-Match" doc:"The ETag that you read; required unless the resource is new"`
}

// IfVersion returns the version that the writer named: see package revision. A tag that is none of ours matches no version.
// Errors: revision.ErrStale.
func (m Matched) IfVersion() (int64, error) {
	tag := strings.TrimSpace(m.IfMatch)
	switch tag {
	case "":
		return revision.None, nil
	case "*":
		return revision.Any, nil
	}
	parts := ourTag.FindStringSubmatch(tag)
	if parts == nil {
		return 0, revision.ErrStale.Saying("If-Match %.80s is not an ETag of this resource", tag)
	}
	version, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0, revision.ErrStale // more versions than there ever are
	}
	return version, nil
}

// ourTag is what ETag makes. A weak tag is none: If-Match compares strongly (RFC 9110, section 13.1.1).
var ourTag = regexp.MustCompile(`^"([1-9][0-9]*)(\.-?[0-9]+)*"$`)

// ETag names a version of a resource, with the version of what is shown beside it, if that changes on its own: a writer is
// held to the first, a cache to both.
func ETag(version int64, beside ...int64) string {
	tag := strconv.FormatInt(version, 10)
	for _, b := range beside {
		tag += "." + strconv.FormatInt(b, 10)
	}
	return `"` + tag + `"`
}

// PageQuery is embedded in the input of a list.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before"`
}

// After returns the key that the cursor holds, "" without a cursor. list names the list and its filters, so that a cursor of
// another list is seen. Errors: ErrCursor.
func (q PageQuery) After(list ...any) (string, error) {
	if q.Cursor == "" {
		return "", nil
	}
	raw, err := cursorEncoding.DecodeString(q.Cursor)
	if err != nil || len(raw) < cursorSum || strings.ContainsAny(q.Cursor, "\r\n") { // which the decoder passes over
		return "", ErrCursor
	}
	key := string(raw[cursorSum:])
	if string(raw[:cursorSum]) != checksum(list, key) {
		return "", ErrCursor
	}
	return key, nil
}

// Page is the answer of a list.
type Page[T any] struct {
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Send it as cursor to get the next page"`
	HasMore    bool   `json:"has_more"`
}

// NewPage returns a page. key gives the sort key of an element, list is what After was given.
func NewPage[T any](data []T, more bool, key func(T) string, list ...any) Page[T] {
	p := Page[T]{Data: data, HasMore: more}
	if data == nil {
		p.Data = []T{}
	}
	if more && len(data) > 0 {
		k := key(data[len(data)-1])
		p.NextCursor = cursorEncoding.EncodeToString([]byte(checksum(list, k) + k))
	}
	return p
}

const cursorSum = 8 // bytes of checksum before the key

var cursorEncoding = base64.RawURLEncoding.Strict()

// checksum finds damage and mix-ups. It is no secret: a cursor grants nothing that the list does not.
func checksum(list []any, key string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", list, key))
	return string(sum[:cursorSum])
}
