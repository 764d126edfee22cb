package revision_test

import (
	"errors"
	"testing"

	"cutpoint/platform/revision"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name        string
		have, named int64
		want        error
	}{
		{"creating what is not there", revision.None, revision.None, nil},
		{"creating what is there", 3, revision.None, revision.ErrRequired},
		{"changing the version that was read", 3, 3, nil},
		{"changing an older one", 3, 2, revision.ErrStale},
		{"changing one that never was", 3, 4, revision.ErrStale},
		{"changing what is gone", revision.None, 3, revision.ErrStale},
		{"changing whatever is there", 3, revision.Any, nil},
		{"changing whatever is there, and nothing is", revision.None, revision.Any, revision.ErrStale},
	}
	for _, test := range tests {
		if err := revision.Check(test.have, test.named); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}
