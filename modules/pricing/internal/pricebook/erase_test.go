package pricebook

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/revision"
)

// erase forgets the customers of some orders, and returns how many uses named one.
func erase(t testing.TB, b *Book, orderIDs ...string) int64 {
	t.Helper()
	e, err := b.EraseCustomers(t.Context(), pricing.EraseCustomersRequest{OrderIDs: orderIDs})
	if err != nil {
		t.Fatal(err)
	}
	return e.Uses
}

// customers is what the store says of who used coupons, by order.
func customers(t testing.TB, b *Book) map[string]string {
	t.Helper()
	uses, err := readUses(b.store.Read(t.Context()), "")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, u := range uses {
		names[u.OrderID] = u.Customer
	}
	return names
}

func TestEraseCustomers(t *testing.T) {
	t.Run("the name is gone, whatever became of the use; the limit of each still counts it", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "TWICE", limits(percent(1000), 0, 2))
		promote(t, b, revision.None, "OTHER", limits(percent(1000), 0, 2))
		for i, code := range []string{"TWICE", "OTHER", "TWICE"} {
			mustPrice(t, b, "o"+strconv.Itoa(i), "Ada@example.com", code)
		}
		mustPrice(t, b, "bob's", "bob@example.com", "TWICE")
		if _, err := finalise(t, b, "o0"); err != nil {
			t.Fatal(err)
		}
		release(t, b, "o2")
		if n := erase(t, b, "o0", "o1", "o2", "no coupon"); n != 3 {
			t.Errorf("erased %d", n)
		}
		names := customers(t, b)
		if names["o2"] != "" || names["bob's"] != "bob@example.com" || !strings.HasPrefix(names["o0"], erasedPrefix) || names["o0"] == names["o1"] {
			t.Errorf("%q", names)
		}
		before := b.store.Stats().Commits
		if n := erase(t, b, "o0", "o1", "o2"); n != 0 || b.store.Stats().Commits != before {
			t.Errorf("a repeat erased %d, and committed %d times", n, b.store.Stats().Commits-before)
		}
		mustPrice(t, b, "o3", "ADA@example.com", "TWICE")
		if _, err := b.Price(t.Context(), priceOf("o4", "ada@example.com", "TWICE")); !errors.Is(err, pricing.ErrCouponExhausted) {
			t.Errorf("one erased use and one other are two: %v", err)
		}
		mustPrice(t, b, "o5", "bob@example.com", "TWICE")
		erase(t, b, "o3")
		if names := customers(t, b); names["o3"] != names["o0"] {
			t.Errorf("a customer has two stand-ins: %q", names)
		}
		release(t, b, "o0")
		mustPrice(t, b, "o6", "ada@example.com", "TWICE")
		page, err := b.Audit(t.Context(), audit.Request{})
		if err != nil || len(page.Findings) > 0 {
			t.Errorf("%+v (%v)", page.Findings, err)
		}
	})
	t.Run("a repeat of an erased order is answered as before", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "ONCE", limits(percent(1000), 0, 1))
		first := mustPrice(t, b, "o1", "ada@example.com", "ONCE")
		erase(t, b, "o1")
		if again := mustPrice(t, b, "o1", "ada@example.com", "ONCE"); again.Total != first.Total {
			t.Errorf("%v, then %v", first.Total, again.Total)
		}
	})
	b, _ := openAt(t)
	if _, err := b.EraseCustomers(t.Context(), pricing.EraseCustomersRequest{OrderIDs: make([]string, pricing.MaxOrderIDs+1)}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
}
