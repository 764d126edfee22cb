package stock

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
)

func TestAddUp(t *testing.T) {
	most := int64(inventory.MaxQuantity)
	tests := []struct {
		name  string
		lines []inventory.Line
		want  []want
		wrong []string // where
	}{
		{name: "sorts by SKU", lines: []inventory.Line{{SKU: "b", Quantity: 1}, {SKU: "a", Quantity: 2}}, want: []want{{"a", 2, 1}, {"b", 1, 0}}},
		{
			name:  "adds up the lines of an item and remembers the first",
			lines: []inventory.Line{{SKU: "x", Quantity: 1}, {SKU: "b", Quantity: 2}, {SKU: "a", Quantity: 1}, {SKU: "b", Quantity: 3}},
			want:  []want{{"a", 1, 2}, {"b", 5, 1}, {"x", 1, 0}},
		},
		{name: "takes the largest quantity", lines: []inventory.Line{{SKU: "a", Quantity: most}}, want: []want{{"a", most, 0}}},
		{name: "refuses no lines", wrong: []string{"/lines"}},
		{name: "refuses too many lines", lines: make([]inventory.Line, maxLines+1), wrong: []string{"/lines"}},
		{
			name:  "refuses quantities out of bounds, all at once",
			lines: []inventory.Line{{SKU: "a"}, {SKU: "b", Quantity: -1}, {SKU: "c", Quantity: 1}, {SKU: "d", Quantity: most + 1}},
			wrong: []string{"/lines/0/quantity", "/lines/1/quantity", "/lines/3/quantity"},
		},
		{
			name:  "refuses lines that add up to more than a quantity can be",
			lines: []inventory.Line{{SKU: "b", Quantity: 1}, {SKU: "a", Quantity: most}, {SKU: "a", Quantity: 1}},
			wrong: []string{"/lines/1/quantity"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := addUp(tt.lines)
			if tt.wrong != nil {
				mustPoint(t, err, fault.ErrInvalid, tt.wrong...)
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Fatalf("addUp = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestAllocate(t *testing.T) {
	shelves := map[string]shelf{
		"mug":   {places: []place{{"ams", 0, 3}, {"ber", 0, 5}}},
		"print": {backorder: true, places: []place{{"ber", 0, 2}}},
		"none":  {backorder: true, places: nil},
		"gone":  {places: nil},
	}
	tests := []struct {
		name  string
		wants []want
		lines []inventory.ReservedLine
		err   *fault.Error
		wrong []string
	}{
		{name: "takes from the first location by code", wants: []want{{"mug", 3, 0}}, lines: []inventory.ReservedLine{{SKU: "mug", Location: "ams", Quantity: 3}}},
		{
			name: "splits over locations", wants: []want{{"mug", 4, 0}},
			lines: []inventory.ReservedLine{{SKU: "mug", Location: "ams", Quantity: 3}, {SKU: "mug", Location: "ber", Quantity: 1}},
		},
		{
			name: "backorders what the shelves can't give", wants: []want{{"none", 1, 0}, {"print", 5, 1}},
			lines: []inventory.ReservedLine{
				{SKU: "none", Quantity: 1, Backordered: true},
				{SKU: "print", Location: "ber", Quantity: 2}, {SKU: "print", Quantity: 3, Backordered: true},
			},
		},
		{
			name: "names every short item", wants: []want{{"gone", 1, 2}, {"mug", 9, 0}, {"print", 9, 1}},
			err: inventory.ErrOutOfStock, wrong: []string{"/lines/2/quantity", "/lines/0/quantity"},
		},
		{
			name: "names every unknown item before any short one", wants: []want{{"gone", 1, 0}, {"what", 1, 1}, {"why", 1, 2}},
			err: inventory.ErrUnknownSKU, wrong: []string{"/lines/1/sku", "/lines/2/sku"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, err := allocate(tt.wants, shelves, inventory.SourcingSplit)
			if tt.err != nil {
				mustPoint(t, err, tt.err, tt.wrong...)
				return
			}
			if err != nil || !slices.Equal(lines, tt.lines) {
				t.Fatalf("allocate = %v, %v; want %v", lines, err, tt.lines)
			}
		})
	}
	t.Run("a short item is told with what is wanted and available", func(t *testing.T) {
		_, err := allocate([]want{{"mug", 9, 0}}, shelves, inventory.SourcingSplit)
		if got := fault.From(err).Details[0].Detail; got != "mug: 9 wanted, 8 available" {
			t.Fatal(got)
		}
	})
}

// TestAllocateGivesWhatIsThere holds allocate to its promise for any demand: it gives exactly what is wanted, or says that
// something is short, which it is.
func TestAllocateGivesWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shelves, available := map[string]shelf{}, map[string]int64{}
		var wants []want
		for i := range rapid.IntRange(1, 4).Draw(t, "items") {
			sku := fmt.Sprintf("s%d", i)
			s := shelf{backorder: rapid.Bool().Draw(t, "backorder")}
			for j, n := range rapid.SliceOfN(rapid.Int64Range(0, 5), 0, 4).Draw(t, "available") {
				s.places = append(s.places, place{fmt.Sprintf("l%d", j), 0, n})
				available[sku] += n
			}
			shelves[sku] = s
			wants = append(wants, want{sku, rapid.Int64Range(1, 12).Draw(t, "wanted"), i})
		}
		lines, err := allocate(wants, shelves, inventory.SourcingSplit)
		if !slices.IsSortedFunc(lines, asAllocated) {
			t.Fatalf("%v is not in order", lines)
		}
		given, promised := map[string]int64{}, map[string]int64{}
		for _, l := range lines {
			if l.Backordered {
				promised[l.SKU] += l.Quantity
				continue
			}
			given[l.SKU] += l.Quantity
			if p := shelves[l.SKU].places; !slices.ContainsFunc(p, func(p place) bool { return p.location == l.Location && p.available >= l.Quantity }) {
				t.Fatalf("%v is more than lies there: %v", l, p)
			}
		}
		short := false
		for _, w := range wants {
			missing := max(0, w.units-available[w.sku])
			short = short || missing > 0 && !shelves[w.sku].backorder
			if err == nil && (given[w.sku] != w.units-missing || promised[w.sku] != missing) {
				t.Fatalf("%s: %d wanted, %d available, %d given, %d promised", w.sku, w.units, available[w.sku], given[w.sku], promised[w.sku])
			}
		}
		if short != errors.Is(err, inventory.ErrOutOfStock) {
			t.Fatalf("short: %v, and the answer is %v", short, err)
		}
	})
}

// mustPoint fails unless err is the fault and its details are at these places.
func mustPoint(t testing.TB, err error, is *fault.Error, pointers ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Fatalf("error %v, want %v", err, is)
	}
	var got []string
	for _, d := range fault.From(err).Details {
		got = append(got, d.Pointer)
	}
	if !slices.Equal(got, pointers) {
		t.Fatalf("details at %q, want %q", got, pointers)
	}
}
