package reckon

import (
	"cmp"
	"math/bits"
	"slices"
)

// share is amount x part / whole, rounded half up. The amount is at least 0, and the part is 0 to whole, so it can't overflow.
func share(amount, part, whole int64) int64 {
	high, low := bits.Mul64(uint64(amount), uint64(part))
	low, carry := bits.Add64(low, uint64(whole)/2, 0)
	quotient, _ := bits.Div64(high+carry, low, uint64(whole))
	return int64(quotient)
}

// split divides an amount in proportion to weights, by the method of the largest remainder: each part is its share rounded down, and
// the units that are left go to those that lost most by it, to the earlier one where two lost the same. The weights are at least
// 0, their sum fits, and the amount is at most that: no part is larger than its weight.
func split(amount int64, weights []int64) []int64 {
	sum := uint64(0)
	for _, w := range weights {
		sum += uint64(w)
	}
	parts := make([]int64, len(weights))
	if sum == 0 || amount == 0 {
		return parts
	}
	lost, order, left := make([]uint64, len(weights)), make([]int, len(weights)), amount
	for i, w := range weights {
		high, low := bits.Mul64(uint64(amount), uint64(w))
		part, remainder := bits.Div64(high, low, sum) // part <= w, since amount <= sum
		parts[i], lost[i], order[i] = int64(part), remainder, i
		left -= int64(part)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lost[b], lost[a]) })
	for _, i := range order[:left] { // fewer than there are parts with a remainder
		parts[i]++
	}
	return parts
}
