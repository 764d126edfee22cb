package catalogue

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestRejects lets a job die after it has told of a bad row and before it has written down how far it is: the row is told once.
func TestRejects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.csv.rejected.csv")
	write := func(from int64, lines ...int) (bytes int64) {
		t.Helper()
		r, err := openRejects(path, from)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if err := r.add(line, "A", errors.New("is bad, or \"bad\"")); err != nil {
				t.Fatal(err)
			}
		}
		if bytes, err = r.flush(); err == nil {
			err = r.close(false)
		}
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	check := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%v: it is\n%swant\n%s", err, got, want)
		}
	}
	const head, two, three = "line,sku,problem\n", "2,A,\"is bad, or \"\"bad\"\"\"\n", "3,A,\"is bad, or \"\"bad\"\"\"\n"
	written := write(0, 2)
	write(written, 3)
	check(head + two + three)
	write(written, 3)
	check(head + two + three)
	if err := os.Remove(path); err != nil { // somebody looked, and took it away
		t.Fatal(err)
	}
	write(written, 3)
	check(head + three)
	write(0)
	check(head)
}

// TestReadNote tells a note that can't be read from none: beginning anew would do twice what was done.
func TestReadNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.csv.progress")
	if n, err := readNote(path); err != nil || n != (note{}) {
		t.Errorf("without one: %+v, %v", n, err)
	}
	want := note{File: "digest", Target: "data", Run: "r", Batch: 10, Line: 7, Imported: 5, Rejected: 1, RejectedBytes: 40}
	if err := want.write(path, true); err != nil {
		t.Fatal(err)
	}
	if n, err := readNote(path); err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readNote(path); err == nil {
		t.Error("a damaged one was taken for none")
	}
}
