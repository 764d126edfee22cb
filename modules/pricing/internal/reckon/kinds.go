package reckon

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"cutpoint/modules/pricing"
)

// kinds are the sorts of promotions. A new one is a line here, its two functions below, and a case in kinds_test.go: see
// docs/guides/add-a-promotion.md.
var kinds = map[string]kind{
	pricing.PromotionPercentage:   {takes: []string{"/basis_points"}, check: checkPercentage, give: percentage},
	pricing.PromotionFixed:        {takes: []string{"/amounts"}, check: checkFixed, give: fixed},
	pricing.PromotionFreeShipping: {check: anything, give: freeShipping},
	pricing.PromotionBuyXGetY:     {takes: []string{"/buy_quantity", "/get_quantity", "/basis_points"}, check: checkBuyXGetY, give: buyXGetY},
}

// kind is a sort of promotion.
type kind struct {
	takes []string // pointers of the settings that it has; it refuses all others
	check func(pricing.Discount, objections)
	give  func(basket, pricing.Discount) gift
}

// basket is what a promotion may take something off: the lines that it is for, of which there is one at least, as the promotions before
// it left them.
type basket struct {
	currency string
	lines    []line
	shipped  bool // there is a shipping method that nobody paid for yet
}

// line is some units of a SKU. left is what is still to be paid for all of them.
type line struct{ unit, quantity, left int64 }

func (b basket) left() []int64 {
	amounts := make([]int64, len(b.lines))
	for i, l := range b.lines {
		amounts[i] = l.left
	}
	return amounts
}

// gift is what a promotion takes off: an amount off each line of the basket, and shipping. More than is left is cut down to that.
type gift struct {
	lines    []int64
	shipping bool
}

// objections takes what is wrong with a setting.
type objections func(bad bool, pointer, detail string)

// CheckKind holds the settings of a promotion to what its kind takes.
func CheckKind(d pricing.Discount, object objections) {
	k, ok := kinds[d.Kind]
	if !ok {
		object(true, "/kind", "a promotion is one of "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		return
	}
	for _, setting := range []struct {
		pointer string
		given   bool
	}{{"/basis_points", d.BasisPoints != 0}, {"/amounts", len(d.Amounts) > 0}, {"/buy_quantity", d.BuyQuantity != 0}, {"/get_quantity", d.GetQuantity != 0}} {
		object(setting.given && !slices.Contains(k.takes, setting.pointer), setting.pointer, "a promotion of this kind does not have it")
	}
	k.check(d, object)
}

const whole = 10_000 // basis points

func anything(pricing.Discount, objections) {}

// percentage: sum of the lines x basis points / 10,000, rounded half up once, and split over the lines.
func percentage(b basket, d pricing.Discount) gift {
	left := b.left()
	return gift{lines: split(share(sum(left), d.BasisPoints, whole), left)}
}

func checkPercentage(d pricing.Discount, object objections) {
	object(d.BasisPoints < 1 || d.BasisPoints > whole, "/basis_points", "a percentage has 1 to 10000 basis points")
}

// fixed: the amount in the currency of the order, at most the sum of the lines, split over the lines.
func fixed(b basket, d pricing.Discount) gift {
	left := b.left()
	amount, _ := amountIn(d.Amounts, b.currency)
	return gift{lines: split(min(amount, sum(left)), left)}
}

func checkFixed(d pricing.Discount, object objections) {
	object(len(d.Amounts) == 0 || len(d.Amounts) > pricing.MaxPrices, "/amounts", "a fixed discount has 1 to 200 amounts")
}

// freeShipping: what shipping costs.
func freeShipping(b basket, _ pricing.Discount) gift {
	return gift{shipping: b.shipped}
}

// buyXGetY: of every x + y units, counted over all lines, the cheapest y cost less by the basis points, or nothing.
func buyXGetY(b basket, d pricing.Discount) gift {
	var units uint64 // two quantities may not fit into an int64 together
	cheapest := make([]int, len(b.lines))
	for i, l := range b.lines {
		units, cheapest[i] = units+uint64(l.quantity), i
	}
	slices.SortStableFunc(cheapest, func(i, j int) int { return cmp.Compare(b.lines[i].unit, b.lines[j].unit) })
	free := units / uint64(d.BuyQuantity+d.GetQuantity) * uint64(d.GetQuantity)
	off := make([]int64, len(b.lines))
	for _, i := range cheapest {
		l := b.lines[i]
		n := min(free, uint64(l.quantity))
		free -= n
		off[i] = share(l.unit*int64(n), cmp.Or(d.BasisPoints, whole), whole)
	}
	return gift{lines: off}
}

func checkBuyXGetY(d pricing.Discount, object objections) {
	const most = 1_000_000
	object(d.BuyQuantity < 1 || d.BuyQuantity > most, "/buy_quantity", "a quantity is 1 to 1000000")
	object(d.GetQuantity < 1 || d.GetQuantity > most, "/get_quantity", "a quantity is 1 to 1000000")
	object(d.BasisPoints < 0 || d.BasisPoints > whole, "/basis_points", "the cheapest cost 1 to 10000 basis points less")
}

// sum adds amounts whose sum is at most a subtotal.
func sum(amounts []int64) (total int64) {
	for _, a := range amounts {
		total += a
	}
	return total
}
