package stock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"cutpoint/modules/inventory"
	"cutpoint/platform/fault"
)

// want is what a request asks of one item, its lines added up.
type want struct {
	sku   string
	units int64
	line  int // the first that names the item: faults point there
}

// shelf is what an item has to give.
type shelf struct {
	backorder bool
	places    []place // that have free units, by code
}

type place struct {
	location  string
	available int64
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
		o.unless(l.Quantity > 0 && l.Quantity <= inventory.MaxQuantity, lineMember(i, "quantity"), "must be from 1 to 1000000000")
		wants = append(wants, want{l.SKU, l.Quantity, i})
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(wants, func(a, b want) int { return cmp.Compare(a.sku, b.sku) })
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

// allocate spreads wants over shelves, each item over its locations in order. What an item can't give is backordered if it may
// be. Errors, with a detail for each item concerned: inventory.ErrUnknownSKU, inventory.ErrOutOfStock.
func allocate(wants []want, shelves map[string]shelf) ([]inventory.ReservedLine, error) {
	unknown, short := inventory.ErrUnknownSKU, inventory.ErrOutOfStock
	lines := make([]inventory.ReservedLine, 0, len(wants))
	for _, w := range wants {
		item, ok := shelves[w.sku]
		if !ok {
			unknown = unknown.At(lineMember(w.line, "sku"), unknown.Code, fmt.Sprintf("there is no item %.80q", w.sku))
			continue
		}
		left := w.units
		for _, p := range item.places {
			if take := min(left, p.available); take > 0 {
				lines = append(lines, inventory.ReservedLine{SKU: w.sku, Location: p.location, Quantity: take})
				left -= take
			}
		}
		switch {
		case left > 0 && item.backorder:
			lines = append(lines, inventory.ReservedLine{SKU: w.sku, Quantity: left, Backordered: true})
		case left > 0:
			short = short.At(lineMember(w.line, "quantity"), short.Code,
				fmt.Sprintf("%s: %d wanted, %d available", w.sku, w.units, w.units-left))
		}
	}
	for _, f := range []*fault.Error{unknown, short} {
		if len(f.Details) > 0 {
			return nil, f
		}
	}
	return lines, nil
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
