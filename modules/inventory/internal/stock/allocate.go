package stock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"cutpoint/modules/inventory"
)

// want is what a request asks of one item, its lines added up.
type want struct {
	sku   string
	units int64
	line  int // the first that names the item, or a kit of it: faults point there
}

// shelf is what an item has to give, beyond which it may be promised, and when its stock is low.
type shelf struct {
	kit       bool
	backorder bool
	promised  int64
	limit     int64 // of what is promised; 0: none
	threshold int64
	places    []place // in the order of sourcing
}

type place struct {
	location  string
	priority  int64
	available int64
}

// mayPromise reports whether so many more units may be backordered.
func (s shelf) mayPromise(units int64) bool {
	return s.backorder && (s.limit == 0 || s.promised+units <= s.limit)
}

// free is what an item has to give in all.
func (s shelf) free() (units int64) {
	for _, p := range s.places {
		units += p.available
	}
	return units
}

// addUp checks lines and adds up those of one item, sorted by SKU: two requests that touch the same levels do so in the same
// order, whatever lies underneath.
func addUp(lines []inventory.Line) ([]want, error) {
	var o objections
	o.unless(len(lines) > 0 && len(lines) <= maxLines, "/lines", "must have 1 to 1000 elements")
	if err := o.err(); err != nil {
		return nil, err
	}
	wants := make([]want, 0, len(lines))
	for i, l := range lines {
		o.unless(l.Quantity > 0 && l.Quantity <= inventory.MaxQuantity, lineMember(i, "quantity"), unitsRule)
		wants = append(wants, want{l.SKU, l.Quantity, i})
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return sum(wants)
}

// sum adds up the wants of one item and sorts them by SKU. It uses their memory.
func sum(wants []want) ([]want, error) {
	slices.SortFunc(wants, func(a, b want) int { return cmp.Or(cmp.Compare(a.sku, b.sku), cmp.Compare(a.line, b.line)) })
	var o objections
	sums := wants[:0]
	for _, w := range wants {
		if n := len(sums); n > 0 && sums[n-1].sku == w.sku {
			sums[n-1].units += w.units
		} else {
			sums = append(sums, w)
		}
	}
	for _, w := range sums {
		o.unless(w.units <= inventory.MaxQuantity, lineMember(w.line, "quantity"), "adds up to more than 1000000000 with other lines")
	}
	return sums, o.err()
}

func lineMember(line int, member string) string { return "/lines/" + strconv.Itoa(line) + "/" + member }

// allocate sources wants from shelves. Errors, with a detail for each item concerned: inventory.ErrUnknownSKU,
// inventory.ErrOutOfStock.
func allocate(wants []want, shelves map[string]shelf, sourcing string) ([]inventory.ReservedLine, error) {
	unknown := inventory.ErrUnknownSKU
	for _, w := range wants {
		if _, ok := shelves[w.sku]; !ok {
			unknown = unknown.At(lineMember(w.line, "sku"), unknown.Code, fmt.Sprintf("there is no item %.80q", w.sku))
		}
	}
	if len(unknown.Details) > 0 {
		return nil, unknown
	}
	if sourcing == inventory.SourcingWhole {
		return allocateWhole(wants, shelves)
	}
	return allocateSplit(wants, shelves)
}

// allocateSplit spreads wants over shelves, each item over its locations in order. What an item can't give is backordered if it may be.
func allocateSplit(wants []want, shelves map[string]shelf) ([]inventory.ReservedLine, error) {
	short := inventory.ErrOutOfStock
	lines := make([]inventory.ReservedLine, 0, len(wants))
	for _, w := range wants {
		item, left := shelves[w.sku], w.units
		for _, p := range item.places {
			if take := min(left, p.available); take > 0 {
				lines = append(lines, inventory.ReservedLine{SKU: w.sku, Location: p.location, Quantity: take})
				left -= take
			}
		}
		switch {
		case left > 0 && item.mayPromise(left):
			lines = append(lines, inventory.ReservedLine{SKU: w.sku, Quantity: left, Backordered: true})
		case left > 0:
			short = short.At(lineMember(w.line, "quantity"), short.Code,
				fmt.Sprintf("%s: %d wanted, %d available", w.sku, w.units, w.units-left))
		}
	}
	if len(short.Details) > 0 {
		return nil, short
	}
	slices.SortFunc(lines, asAllocated)
	return lines, nil
}

// allocateWhole takes all wants from the first location that has all of them; if none has, from the first that has all but what may be
// backordered.
func allocateWhole(wants []want, shelves map[string]shelf) ([]inventory.ReservedLine, error) {
	var promising []inventory.ReservedLine
	for _, location := range locationsOf(wants, shelves) {
		lines, err := allocateSplit(wants, at(location, wants, shelves))
		if err != nil {
			continue
		}
		if !slices.ContainsFunc(lines, func(l inventory.ReservedLine) bool { return l.Backordered }) {
			return lines, nil
		}
		if promising == nil {
			promising = lines
		}
	}
	if promising != nil {
		return promising, nil
	}
	if _, err := allocateSplit(wants, shelves); err != nil {
		return nil, err // also split it can't be had
	}
	return nil, inventory.ErrOutOfStock.At("/lines", inventory.ErrOutOfStock.Code, "no location has all of it, and it may not be split")
}

// locationsOf returns the locations of shelves in the order of sourcing. Where there is none, it is "", which has nothing to give.
func locationsOf(wants []want, shelves map[string]shelf) []string {
	var places []place
	for _, w := range wants {
		places = append(places, shelves[w.sku].places...)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.location, b.location))
	})
	codes := make([]string, 0, len(places)+1)
	for _, p := range places {
		codes = append(codes, p.location)
	}
	return slices.Compact(append(codes, ""))
}

// at is what shelves have to give at one location.
func at(location string, wants []want, shelves map[string]shelf) map[string]shelf {
	here := make(map[string]shelf, len(wants))
	for _, w := range wants {
		s := shelves[w.sku]
		i := slices.IndexFunc(s.places, func(p place) bool { return p.location == location })
		if i < 0 {
			s.places = nil
		} else {
			s.places = s.places[i : i+1]
		}
		here[w.sku] = s
	}
	return here
}

// asAllocated is the order in which allocate gives lines: by item, there by location, and what is backordered last.
func asAllocated(a, b inventory.ReservedLine) int {
	switch {
	case a.SKU != b.SKU:
		return cmp.Compare(a.SKU, b.SKU)
	case a.Backordered != b.Backordered:
		return cmp.Compare(b.Location, a.Location)
	default:
		return cmp.Compare(a.Location, b.Location)
	}
}
