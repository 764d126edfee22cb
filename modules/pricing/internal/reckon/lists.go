package reckon

import "cutpoint/modules/pricing"

// List is a price list whose entries can be found by their SKU.
type List struct {
	pricing.PriceList
	bySKU map[string][]pricing.PriceListEntry
}

// NewList returns the list. Its entries are those of l, in their order.
func NewList(l pricing.PriceList) List {
	list := List{PriceList: l, bySKU: make(map[string][]pricing.PriceListEntry, len(l.Entries))}
	for _, e := range l.Entries {
		list.bySKU[e.SKU] = append(list.bySKU[e.SKU], e)
	}
	list.Entries = nil // they are in the map
	return list
}

// listsFor returns the lists that are valid for what is asked, none where there are none.
func (r *Rules) listsFor(in Inputs) (lists []List) {
	for _, l := range r.lists {
		if l.Active && l.Currency == in.Request.Currency && meant(l.CustomerGroup, in.Request.CustomerGroup) && valid(l.StartsAt, l.EndsAt, in.At) {
			lists = append(lists, l)
		}
	}
	return lists
}

// unitPrice is what one unit of a SKU costs when so many are bought: the best price of a list, or that of the set. Of several lists
// with a price the one of the highest priority counts, then the lowest price, then the smaller code.
func (s *sheet) unitPrice(lists []List, set *pricing.PriceSet, sku string, units int64) (amount int64, ok bool) {
	amount, ok = tier(set.Prices, s.in.Request.Currency, units)
	var best *List
	var lowest int64
	for i := range lists {
		l := &lists[i]
		price, has := l.price(sku, units, amount, ok)
		if has && (best == nil || l.Priority > best.Priority || l.Priority == best.Priority && (price < lowest || price == lowest && l.Code < best.Code)) {
			best, lowest = l, price
		}
	}
	if best == nil {
		return amount, ok
	}
	s.used(pricing.RulePriceList, best.Code, best.Version)
	return lowest, true
}

// tier finds the price with the largest minimum that the units reach. prices are sorted by currency and minimum, and a set has few
// enough of them that walking is as good as searching.
func tier(prices []pricing.Price, currency string, units int64) (amount int64, ok bool) {
	for i := range prices {
		if p := &prices[i]; p.MinQuantity <= units && p.Currency == currency {
			amount, ok = p.Amount, true
		}
	}
	return amount, ok
}

// price is what a list says that one unit costs. base is the price of the set, if it has one.
func (l *List) price(sku string, units, base int64, hasBase bool) (amount int64, ok bool) {
	entries := l.bySKU[sku]
	if len(entries) == 0 {
		entries = l.bySKU[""]
	}
	var from int64
	for _, e := range entries {
		if e.MinQuantity > units || e.MinQuantity < from {
			continue
		}
		switch {
		case e.Amount != nil:
			amount, from, ok = *e.Amount, e.MinQuantity, true
		case e.BasisPointsOff != nil && hasBase:
			amount, from, ok = share(base, whole-*e.BasisPointsOff, whole), e.MinQuantity, true
		}
	}
	return amount, ok
}
