package id_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/platform/id"
)

func TestSource(t *testing.T) {
	t.Run("ids sort in the order in which they were made", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			now := time.Date(2026, 5, 4, 3, 2, 1, 999_900_000, time.UTC)
			source := id.NewSource(func() time.Time { return now }, rand.Reader)
			var last string
			for _, step := range rapid.SliceOf(rapid.Int64Range(-2_000_000, 2_000_000)).Draw(t, "nanoseconds between two") {
				now = now.Add(time.Duration(step))
				made := source("ord")
				if made <= last || !id.Valid("ord", made) {
					t.Fatalf("%s after %s", made, last)
				}
				last = made
			}
		})
	})
	t.Run("clock and random bits decide alone", func(t *testing.T) {
		at := time.Date(2026, 5, 4, 3, 2, 1, 123_456_789, time.UTC)
		source := func() id.Source {
			return id.NewSource(func() time.Time { return at }, bytes.NewReader(bytes.Repeat([]byte{0xff}, 64)))
		}
		a, b := source(), source()
		for range 3 {
			if x, y := a("ord"), b("ord"); x != y {
				t.Fatalf("%s and %s", x, y)
			}
		}
	})
	t.Run("is a UUID of version 7", func(t *testing.T) {
		at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
		made := id.NewSource(func() time.Time { return at }, bytes.NewReader(bytes.Repeat([]byte{0xff}, 8)))("ord")
		u, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimPrefix(made, "ord_")))
		if err != nil || u[6]>>4 != 7 || u[8]>>6 != 2 {
			t.Fatalf("%x %v", u, err)
		}
		var ms int64
		for _, b := range u[:6] {
			ms = ms<<8 | int64(b)
		}
		if ms != at.UnixMilli() {
			t.Errorf("made at %v", time.UnixMilli(ms))
		}
	})
	t.Run("never twice, by many at once", func(t *testing.T) {
		source := id.NewSource(time.Now, rand.Reader)
		made := make([]string, 10_000)
		var group sync.WaitGroup
		for g := range 10 {
			group.Go(func() {
				for i := range 1000 {
					made[g*1000+i] = source("x")
				}
			})
		}
		group.Wait()
		slices.Sort(made)
		if len(slices.Compact(made)) != 10_000 {
			t.Error("an id came twice")
		}
	})
	t.Run("no id without random bits", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("it made one")
			}
		}()
		id.NewSource(time.Now, bytes.NewReader(nil))("ord")
	})
}

func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "at"))
		before := at.Add(-time.Duration(rapid.Int64Range(1000, 1e12).Draw(t, "earlier")))
		floor := id.Floor("ord", at)
		if made := id.NewSource(func() time.Time { return at }, rand.Reader)("ord"); made < floor {
			t.Fatalf("%s is below %s", made, floor)
		}
		if made := id.NewSource(func() time.Time { return before }, rand.Reader)("ord"); before.UnixNano() > 0 && made >= floor {
			t.Fatalf("%s, made before, is not below %s", made, floor)
		}
	})
}

func TestValid(t *testing.T) {
	made := id.NewSource(time.Now, rand.Reader)("ord")
	for s, want := range map[string]bool{
		made: true, id.Floor("ord", time.Now()): true, "": false, "ord_": false, made[:len(made)-1]: false, made + "0": false,
		strings.ToUpper(made): false, "pay" + made[3:]: false, made[:len(made)-1] + "z": false,
	} {
		if id.Valid("ord", s) != want {
			t.Errorf("Valid(%q) is not %v", s, want)
		}
	}
}
