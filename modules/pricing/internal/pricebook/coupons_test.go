package pricebook

import (
	"errors"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"cutpoint/modules/pricing"
	"cutpoint/platform/audit"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
)

func priceOf(orderID, customer, coupon string) pricing.PriceRequest {
	return pricing.PriceRequest{OrderID: orderID, Customer: customer, CalculateRequest: basket(coupon)}
}

func mustPrice(t testing.TB, b *Book, orderID, customer, coupon string) pricing.Calculation {
	t.Helper()
	c, err := b.Price(t.Context(), priceOf(orderID, customer, coupon))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func release(t testing.TB, b *Book, orderID string) pricing.CouponUse {
	t.Helper()
	u, err := b.ReleaseCoupon(t.Context(), pricing.ReleaseCouponRequest{OrderID: orderID})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func finalise(t testing.TB, b *Book, orderID string) (pricing.CouponUse, error) {
	return b.FinaliseCoupon(t.Context(), pricing.FinaliseCouponRequest{OrderID: orderID})
}

func used(t testing.TB, b *Book, code string) int64 {
	t.Helper()
	p, err := b.Promotion(t.Context(), pricing.PromotionRequest{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return p.Used
}

func limits(d pricing.Discount, all, each int64) pricing.Discount {
	d.Limit, d.LimitPerCustomer = all, each
	return d
}

func TestPrice(t *testing.T) {
	t.Run("without a coupon it is a calculation and commits nothing", func(t *testing.T) {
		b, _ := openAt(t)
		before := b.store.Stats()
		want, err := b.Calculate(t.Context(), basket(""))
		if got := mustPrice(t, b, "o1", "ada", ""); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v, %v", got, want, err)
		}
		if after := b.store.Stats(); after != before {
			t.Errorf("%+v, then %+v", before, after)
		}
	})
	t.Run("takes one use and answers a repeat with what it said first", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "SPRING", limits(percent(1000), 1, 1))
		first := mustPrice(t, b, "o1", "ada", "SPRING")
		if first.Total != money.Of(2322, "EUR") || first.Lines[0].Discount != money.Of(258, "EUR") {
			t.Errorf("%+v", first)
		}
		put(t, b, 1, "MUG-1", pricing.Price{Currency: "USD", Amount: 1}) // there is no price in EUR any more
		promote(t, b, 1, "SPRING", limits(percent(9000), 1, 1))
		if again := mustPrice(t, b, "o1", "ada", "SPRING"); !reflect.DeepEqual(again, first) {
			t.Errorf("%+v, then %+v", first, again)
		}
		if n := used(t, b, "SPRING"); n != 1 {
			t.Errorf("used %d times", n)
		}
	})
	t.Run("what fails takes nothing", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "ONE", limits(percent(1000), 1, 0))
		promote(t, b, revision.None, "EACH", limits(percent(1000), 0, 1))
		promote(t, b, revision.None, "DOLLARS", fixed(money.Of(1, "USD")))
		mustPrice(t, b, "o1", "Ada@Example.com", "ONE")
		mustPrice(t, b, "o2", "Ada@Example.com", "EACH")
		for _, tt := range []struct {
			name string
			r    pricing.PriceRequest
			want error
		}{
			{"a coupon that is used up", priceOf("o3", "bob", "ONE"), pricing.ErrCouponExhausted},
			{"a customer who has used it, whatever the case", priceOf("o3", "ada@example.COM", "EACH"), pricing.ErrCouponExhausted},
			{"a limit for each, and nobody", priceOf("o3", "", "EACH"), fault.ErrInvalid},
			{"a coupon that nobody made", priceOf("o3", "bob", "NONE"), pricing.ErrUnknownCoupon},
			{"a coupon of another currency", priceOf("o3", "bob", "DOLLARS"), pricing.ErrUnknownCoupon},
			{"no order", priceOf("", "bob", "EACH"), fault.ErrInvalid},
		} {
			if _, err := b.Price(t.Context(), tt.r); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		mustPrice(t, b, "o3", "bob", "EACH")
		if one, each, dollars := used(t, b, "ONE"), used(t, b, "EACH"), used(t, b, "DOLLARS"); one != 1 || each != 2 || dollars != 0 {
			t.Errorf("used %d, %d and %d times", one, each, dollars)
		}
	})
	t.Run("the limit can't be put below what is used", func(t *testing.T) {
		b, _ := openAt(t)
		promote(t, b, revision.None, "A", percent(1000))
		mustPrice(t, b, "o1", "ada", "A")
		mustPrice(t, b, "o2", "ada", "A")
		_, err := b.PutPromotion(t.Context(), pricing.PutPromotionRequest{Code: "A", Discount: limits(percent(1), 1, 0), IfVersion: 1})
		if !errors.Is(err, pricing.ErrLimitBelowUsed) {
			t.Error(err)
		}
		if p := promote(t, b, 1, "A", limits(percent(1), 2, 0)); p.Used != 2 {
			t.Errorf("%+v", p)
		}
	})
}

func TestCouponUse(t *testing.T) {
	b, _ := openAt(t)
	promote(t, b, revision.None, "SPRING", limits(percent(1000), 3, 0))
	t.Run("final stays used", func(t *testing.T) {
		mustPrice(t, b, "final", "ada", "SPRING")
		first, err := finalise(t, b, "final")
		again, againErr := finalise(t, b, "final")
		if err != nil || againErr != nil || first.State != pricing.CouponFinal || !reflect.DeepEqual(first, again) || used(t, b, "SPRING") != 1 {
			t.Errorf("%+v, %v; %+v, %v", first, err, again, againErr)
		}
	})
	t.Run("released is free again, once, and for good", func(t *testing.T) {
		mustPrice(t, b, "released", "ada", "SPRING")
		first, again := release(t, b, "released"), release(t, b, "released")
		if first.State != pricing.CouponReleased || first.Code != "SPRING" || !reflect.DeepEqual(first, again) || used(t, b, "SPRING") != 1 {
			t.Errorf("%+v, %+v, used %d", first, again, used(t, b, "SPRING"))
		}
		if _, err := b.Price(t.Context(), priceOf("released", "ada", "SPRING")); !errors.Is(err, pricing.ErrCouponReleased) {
			t.Errorf("a late Price: %v", err)
		}
		if _, err := finalise(t, b, "released"); !errors.Is(err, pricing.ErrCouponReleased) {
			t.Errorf("a late FinaliseCoupon: %v", err)
		}
	})
	t.Run("a Price that comes after its release takes nothing", func(t *testing.T) {
		if u := release(t, b, "late"); u.State != pricing.CouponReleased || u.Code != "" {
			t.Errorf("%+v", u)
		}
		if _, err := b.Price(t.Context(), priceOf("late", "ada", "SPRING")); !errors.Is(err, pricing.ErrCouponReleased) || used(t, b, "SPRING") != 1 {
			t.Errorf("%v, used %d", err, used(t, b, "SPRING"))
		}
		mustPrice(t, b, "late", "ada", "") // which takes nothing
	})
	t.Run("a final one can be given back", func(t *testing.T) {
		mustPrice(t, b, "refunded", "ada", "SPRING")
		if _, err := finalise(t, b, "refunded"); err != nil {
			t.Fatal(err)
		}
		release(t, b, "refunded")
		if used(t, b, "SPRING") != 1 {
			t.Errorf("used %d", used(t, b, "SPRING"))
		}
	})
	t.Run("there is none to finalise", func(t *testing.T) {
		if _, err := finalise(t, b, "what"); !errors.Is(err, pricing.ErrNoCouponUse) {
			t.Error(err)
		}
	})
	t.Run("live ones are listed", func(t *testing.T) {
		mustPrice(t, b, "held", "Ada", "SPRING")
		for _, tt := range []struct {
			r    pricing.CouponUsesRequest
			want []string
			more bool
		}{
			{pricing.CouponUsesRequest{}, []string{"final final ada", "held held ada"}, false},
			{pricing.CouponUsesRequest{Limit: 1}, []string{"final final ada"}, true},
			{pricing.CouponUsesRequest{Limit: 1, After: "final"}, []string{"held held ada"}, false},
			{pricing.CouponUsesRequest{OrderIDs: []string{"held", "released", "late", "what"}}, []string{"held held ada"}, false},
		} {
			page, err := b.CouponUses(t.Context(), tt.r)
			var got []string
			for _, u := range page.Uses {
				got = append(got, u.OrderID+" "+u.State+" "+u.Customer)
			}
			if err != nil || page.More != tt.more || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v: %q, %v, %v", tt.r, got, page.More, err)
			}
		}
		if _, err := b.CouponUses(t.Context(), pricing.CouponUsesRequest{OrderIDs: make([]string, pricing.MaxOrderIDs+1)}); !errors.Is(err, fault.ErrInvalid) {
			t.Error(err)
		}
	})
}

// TestPrice_lastUse lets fifty orders run for ten uses, each with two messages at once.
func TestPrice_lastUse(t *testing.T) {
	b, _ := openAt(t)
	promote(t, b, revision.None, "TEN", limits(percent(1000), 10, 0))
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			_, err := b.Price(t.Context(), priceOf("o"+strconv.Itoa(i/2), "ada", "TEN"))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, pricing.ErrCouponExhausted) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 20 || used(t, b, "TEN") != 10 {
		t.Fatalf("%d messages won, used %d", won.Load(), used(t, b, "TEN"))
	}
}

// TestCoupons_addUp drives any sequence of commands and holds the count and the limits after each.
func TestCoupons_addUp(t *testing.T) {
	path := storetest.Datastore(t, "pricing")
	b := open(t, path, Options{})
	put(t, b, revision.None, "MUG-1", eur(1290))
	round := 0
	storetest.FewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		round++
		code := "R" + strconv.Itoa(round)
		all, each := rapid.Int64Range(1, 3).Draw(rt, "limit"), rapid.Int64Range(1, 2).Draw(rt, "each")
		promote(t, b, revision.None, code, limits(percent(1000), all, each))
		order := rapid.Map(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), func(n string) string { return code + n })
		dead := map[string]bool{}
		rt.Repeat(map[string]func(*rapid.T){
			"price": func(rt *rapid.T) {
				n := order.Draw(rt, "order")
				_, err := b.Price(t.Context(), priceOf(n, rapid.SampledFrom([]string{"ada", "bob"}).Draw(rt, "who"), code))
				if dead[n] != errors.Is(err, pricing.ErrCouponReleased) {
					rt.Fatalf("%s is dead: %v, and Price says %v", n, dead[n], err)
				}
			},
			"finalise": func(rt *rapid.T) { _, _ = finalise(t, b, order.Draw(rt, "order")) },
			"release": func(rt *rapid.T) {
				n := order.Draw(rt, "order")
				release(t, b, n)
				dead[n] = true
			},
			"": func(rt *rapid.T) {
				var count, most int64
				if err := b.store.Read(t.Context()).Raw(`SELECT COALESCE(SUM(n), 0), COALESCE(MAX(n), 0) FROM
					(SELECT COUNT(*) AS n FROM coupon_uses WHERE code = ? AND state <> 'released' GROUP BY customer) AS uses`, code).Row().Scan(&count, &most); err != nil {
					rt.Fatal(err)
				}
				if n := used(t, b, code); n != count || n > all || most > each {
					rt.Fatalf("used is %d of %d, orders use it %d times, one customer %d of %d", n, all, count, most, each)
				}
			},
		})
	})
}

func TestAudit(t *testing.T) {
	b, _ := openAt(t)
	for _, code := range []string{"A", "B", "C"} {
		promote(t, b, revision.None, code, limits(percent(1000), 3, 0))
		mustPrice(t, b, code+"1", "ada", code)
		mustPrice(t, b, code+"2", "ada", code)
	}
	release(t, b, "B2")
	found := func(repair bool) (list []audit.Finding) {
		t.Helper()
		r := audit.Request{Limit: 2, Repair: repair}
		for checked := int64(0); ; {
			page, err := b.Audit(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, page.Findings...)
			if checked += page.Checked; page.Next == "" {
				if checked != 3 {
					t.Fatalf("%d were checked", checked)
				}
				return list
			}
			r.After = page.Next
		}
	}
	spoil := func(sql string) {
		t.Helper()
		if err := b.store.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error }); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(true); got != nil {
		t.Fatalf("%+v", got)
	}
	spoil("UPDATE promotions SET used = 3 WHERE code = 'B'")
	spoil("INSERT INTO coupon_uses VALUES ('x', 'C', 'x', 'final', '', 0, 0), ('y', 'C', 'y', 'final', '', 0, 0)")
	want := []audit.Finding{
		{Invariant: audit.CouponUses, Subject: "B", Problem: "used is 3, orders hold or used it 1 times"},
		{Invariant: audit.CouponUses, Subject: "C", Problem: "orders hold or used it 4 times, the limit is 3"},
	}
	if got := found(false); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v", got)
	}
	want[0].Repaired = true
	if got := found(true); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v", got)
	}
	if got := found(false); !reflect.DeepEqual(got, want[1:]) || used(t, b, "B") != 1 {
		t.Fatalf("%+v", got)
	}
}

// TestCoupons_interleaved sends commands that were drawn at once, so that they meet in any order, and holds what is left of them: no
// use beyond a limit, the count is that of the uses, and an order that was released has none.
func TestCoupons_interleaved(t *testing.T) {
	b := open(t, storetest.Datastore(t, "pricing"), Options{})
	put(t, b, revision.None, "MUG-1", eur(1290))
	round := 0
	storetest.FewerChecks(t)
	rapid.Check(t, func(rt *rapid.T) {
		round++
		code := "I" + strconv.Itoa(round)
		limit, each := rapid.Int64Range(1, 4).Draw(rt, "limit"), rapid.Int64Range(1, 2).Draw(rt, "each")
		promote(t, b, revision.None, code, limits(percent(1000), limit, each))
		quote, err := b.Quote(t.Context(), pricing.QuoteRequest{CalculateRequest: basket(code)})
		if err != nil {
			rt.Fatal(err)
		}
		type command struct {
			order, customer, what string
		}
		commands := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) command {
			return command{
				code + rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(rt, "order"),
				rapid.SampledFrom([]string{"ada", "bob", "eve"}).Draw(rt, "who"),
				rapid.SampledFrom([]string{"price", "price", "price", "quoted", "finalise", "release"}).Draw(rt, "what"),
			}
		}), 1, 20).Draw(rt, "commands")
		released, told := sync.Map{}, sync.Map{}
		var all sync.WaitGroup
		for _, c := range commands {
			all.Go(func() {
				r := priceOf(c.order, c.customer, code)
				switch c.what {
				case "quoted":
					r.Quote = quote.ID
					fallthrough
				case "price":
					if answer, err := b.Price(t.Context(), r); err == nil {
						if first, repeated := told.LoadOrStore(c.order, answer); repeated && !reflect.DeepEqual(first, answer) {
							t.Errorf("%s was told %+v and %+v", c.order, first, answer)
						}
					}
				case "finalise":
					_, _ = finalise(t, b, c.order)
				case "release":
					release(t, b, c.order)
					released.Store(c.order, true)
				}
			})
		}
		all.Wait()
		page, err := b.CouponUses(t.Context(), pricing.CouponUsesRequest{Limit: maxLimit, After: code})
		if err != nil {
			rt.Fatal(err)
		}
		var uses int64
		of := map[string]int64{}
		for _, u := range page.Uses {
			if u.Code != code {
				continue
			}
			uses++
			of[u.Customer]++
			if _, dead := released.Load(u.OrderID); dead || of[u.Customer] > each {
				rt.Fatalf("after %v: %+v", commands, u)
			}
		}
		if n := used(t, b, code); n != uses || n > limit {
			rt.Fatalf("after %v: used is %d of %d, there are %d uses", commands, n, limit, uses)
		}
	})
}
