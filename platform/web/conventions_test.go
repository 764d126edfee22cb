package web_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/platform/auth"
	"cutpoint/platform/fault"
	"cutpoint/platform/revision"
	"cutpoint/platform/web"
)

func TestIdempotencyKey(t *testing.T) {
	ctx := auth.WithPrincipal(t.Context(), auth.Principal{KeyID: "key_1"})
	tests := []struct {
		sent, value string
		err         error
	}{
		{sent: "abc", value: "abc"}, {sent: `"abc"`, value: "abc"}, {sent: `"`, value: `"`}, {sent: "a b", value: "a b"},
		{sent: strings.Repeat("k", 255), value: strings.Repeat("k", 255)},
		{sent: `"` + strings.Repeat("k", 255) + `"`, value: strings.Repeat("k", 255)},
		{sent: "", err: web.ErrKeyMissing}, {sent: `""`, err: web.ErrKeyMissing},
		{sent: strings.Repeat("k", 256), err: web.ErrKeyInvalid}, {sent: "é", err: web.ErrKeyInvalid}, {sent: "a\tb", err: web.ErrKeyInvalid},
	}
	for _, test := range tests {
		k, err := web.Keyed{IdempotencyKey: test.sent}.Key(ctx, "POST orders", "body")
		if !errors.Is(err, test.err) || k.Value != test.value || err == nil && k.Caller != "key_1" {
			t.Errorf("%q: %+v %v", test.sent, k, err)
		}
	}
	digest := func(operation string, request any) string {
		k, _ := web.Keyed{IdempotencyKey: "k"}.Key(ctx, operation, request)
		return k.Digest
	}
	first, repeat := digest("a", "x"), digest("a", "x")
	if first != repeat || first == digest("b", "x") || first == digest("a", "y") {
		t.Error("the digest is not of operation and request")
	}
}

func TestTags(t *testing.T) {
	if tag := web.ETag(7, 3, 0); tag != `"7.3.0"` {
		t.Errorf("tag %s", tag)
	}
	for sent, want := range map[string]int64{
		"": revision.None, "*": revision.Any, " * ": revision.Any, `"7"`: 7, ` "7.3" `: 7,
		`7`: 0, `W/"7"`: 0, `"7`: 0, `""7""`: 0, `"+7"`: 0, `"07"`: 0, `"0"`: 0, `"-1"`: 0, `"7.x"`: 0, `"7", "8"`: 0, `"7.1", "8"`: 0, `"`: 0,
		`"99999999999999999999"`: 0,
	} {
		got, err := web.Matched{IfMatch: sent}.IfVersion()
		known := want != 0 || sent == ""
		if got != want || known != (err == nil) || !known && !errors.Is(err, revision.ErrStale) {
			t.Errorf("If-Match %s: %d %v, want %d", sent, got, err, want)
		}
	}
	for sent, want := range map[string]bool{"": false, "*": true, `"7"`: true, `W/"7"`: true, `"6", "7"`: true, `"6"`: false, "7": false, `"77"`: false} {
		if got := (web.Conditional{IfNoneMatch: sent}).Unchanged(web.ETag(7)); got != want {
			t.Errorf("If-None-Match %s: %v", sent, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int64Min(1).Draw(t, "version")
		beside := rapid.SliceOf(rapid.Int64()).Draw(t, "beside")
		got, err := web.Matched{IfMatch: web.ETag(version, beside...)}.IfVersion()
		if got != version || err != nil {
			t.Fatalf("%d %v", got, err)
		}
	})
}

func TestCursors(t *testing.T) {
	self := func(s string) string { return s }
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Filter(func(s string) bool { return s != "" }).Draw(t, "key")
		list := rapid.SliceOf(rapid.String()).Draw(t, "list")
		other := rapid.SliceOf(rapid.String()).Draw(t, "other")
		asAny := func(list []string) (a []any) {
			for _, s := range list {
				a = append(a, s)
			}
			return a
		}
		p := web.NewPage([]string{"first", key}, true, self, asAny(list)...)
		got, err := web.PageQuery{Cursor: p.NextCursor}.After(asAny(list)...)
		if got != key || err != nil {
			t.Fatalf("round trip: %q %v", got, err)
		}
		_, err = web.PageQuery{Cursor: p.NextCursor}.After(asAny(other)...)
		if same := strings.Join(quoted(list), ",") == strings.Join(quoted(other), ","); same != (err == nil) {
			t.Fatalf("a cursor of list %q in list %q: %v", list, other, err)
		}
		at := rapid.IntRange(0, len(p.NextCursor)-1).Draw(t, "at")
		damaged := p.NextCursor[:at] + string(rapid.RuneFrom([]rune("Aa0-_=\n")).Draw(t, "damage")) + p.NextCursor[at+1:]
		if _, err := (web.PageQuery{Cursor: damaged}).After(asAny(list)...); damaged != p.NextCursor && !errors.Is(err, web.ErrCursor) {
			t.Fatalf("damaged %q: %v", damaged, err)
		}
	})
	if _, err := (web.PageQuery{Cursor: web.NewPage([]string{"k"}, true, self, "items", "a b").NextCursor}).After("items", "a", "b"); err == nil {
		t.Error("a cursor of one filter is taken for another's")
	}
	if p := web.NewPage[string](nil, false, self); p.Data == nil || p.NextCursor != "" || p.HasMore {
		t.Errorf("an empty page: %+v", p)
	}
	if after, err := (web.PageQuery{}).After("items"); after != "" || err != nil {
		t.Errorf("no cursor: %q %v", after, err)
	}
}

func quoted(list []string) (q []string) {
	for _, s := range list {
		q = append(q, strconv.Quote(s))
	}
	return q
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Add(web.NewPage([]string{"k"}, true, func(s string) string { return s }, "items").NextCursor)
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := web.PageQuery{Cursor: cursor}.After("items")
		if err != nil || cursor == "" {
			return
		}
		if again := web.NewPage([]string{key}, true, func(s string) string { return s }, "items").NextCursor; again != cursor {
			t.Fatalf("%q and %q are the same cursor", cursor, again)
		}
	})
}

func FuzzETag(f *testing.F) {
	for _, seed := range []string{`"7"`, `"7.3"`, `W/"7"`, "*", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		version, err := web.Matched{IfMatch: tag}.IfVersion()
		if err == nil && version > 0 && !strings.HasPrefix(strings.TrimSpace(tag), strings.TrimSuffix(web.ETag(version), `"`)) {
			t.Fatalf("%q is version %d", tag, version)
		}
		if err == nil && version < revision.Any || err != nil && fault.From(err).Kind != fault.Stale {
			t.Fatalf("%q: %d %v", tag, version, err)
		}
	})
}

func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6-3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0-", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "",
	} {
		f.Add(seed)
	}
	shape := regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)
	f.Fuzz(func(t *testing.T, s string) {
		m := shape.FindStringSubmatch(s)
		want := m != nil && strings.Trim(m[1], "0") != "" && strings.Trim(m[2], "0") != ""
		if got := web.ValidTraceparent(s); got != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	})
}

// FuzzPointer holds the shape of RFC 6901: a pointer into the body is empty or begins with a slash, and every ~ is an escape.
func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"body", "body.lines[0].quantity", "query.limit", "body.metadata.a/b", "body.a~b", "bodyguard"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		p := web.Pointer(location)
		if regexp.MustCompile(`~([^01]|$)`).MatchString(p) {
			t.Fatalf("%q became %q", location, p)
		}
		inBody := location == "body" || strings.HasPrefix(location, "body.") || strings.HasPrefix(location, "body[")
		if inBody && p != "" && p[0] != '/' {
			t.Fatalf("%q became %q", location, p)
		}
	})
}
