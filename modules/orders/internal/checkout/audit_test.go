package checkout

import "testing"

func TestInSequence(t *testing.T) {
	for name, test := range map[string]struct {
		of   counted
		want bool
	}{
		"all of them":                             {counted{saga: 3, rows: 3, first: 1, last: 3}, true},
		"none was written":                        {counted{}, true},
		"the first ones were pruned":              {counted{saga: 5, rows: 2, first: 4, last: 5, pruned: true}, true},
		"all were pruned":                         {counted{saga: 5, pruned: true}, true},
		"the first ones are gone from a young":    {counted{saga: 5, rows: 2, first: 4, last: 5}, false},
		"all are gone from a young one":           {counted{saga: 5}, false},
		"a gap":                                   {counted{saga: 3, rows: 2, first: 1, last: 3}, false},
		"a gap after those that were pruned":      {counted{saga: 5, rows: 2, first: 3, last: 5, pruned: true}, false},
		"the last one is gone, others by pruning": {counted{saga: 5, rows: 2, first: 3, last: 4, pruned: true}, false},
		"one too many":                            {counted{saga: 2, rows: 3, first: 1, last: 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.of.inSequence(); got != test.want {
				t.Errorf("%+v is in sequence: %v", test.of, got)
			}
		})
	}
}
