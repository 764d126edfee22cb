package pricebook

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/reckon"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// limited is how many things a page has.
func limited(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// PutPromotion implements pricing.Service.
func (b *Book) PutPromotion(ctx context.Context, r pricing.PutPromotionRequest) (pricing.Promotion, error) {
	discount, err := checkPromotion(r)
	if err != nil {
		return pricing.Promotion{}, err
	}
	now := b.time()
	p := pricing.Promotion{Code: r.Code, Discount: discount, CreatedAt: now, UpdatedAt: now}
	err = b.put(ctx, func(tx *gorm.DB) error {
		had, err := findPromotion(tx, r.Code)
		if err != nil {
			return err
		}
		if err := revision.Check(had.Version, r.IfVersion); err != nil {
			return err
		}
		if p.Limit > 0 && p.Limit < had.Used {
			return pricing.ErrLimitBelowUsed.Saying("orders have used this coupon %d times already", had.Used)
		}
		automatic := state{p.Active && p.Automatic, pricing.MaxAutomatic}
		if err := checkRoom(tx, "SELECT COUNT(*) FROM promotions WHERE automatic = 1 AND code <> ?", automatic, r.Code); err != nil {
			return err
		}
		p.Version, p.Used = had.Version+1, had.Used
		if had.Version != revision.None {
			p.CreatedAt = had.CreatedAt
		}
		return replacePromotion(tx, p)
	})
	if err != nil {
		return pricing.Promotion{}, err
	}
	return p, nil
}

// Promotion implements pricing.Service.
func (b *Book) Promotion(ctx context.Context, r pricing.PromotionRequest) (pricing.Promotion, error) {
	p, err := findPromotion(b.store.Read(ctx), r.Code)
	if err == nil && p.Version == revision.None {
		err = pricing.ErrPromotionNotFound
	}
	if err != nil {
		return pricing.Promotion{}, err
	}
	return p, nil
}

// Promotions implements pricing.Service.
func (b *Book) Promotions(ctx context.Context, r pricing.PromotionsRequest) (pricing.PromotionPage, error) {
	limit := limited(r.Limit)
	list, err := readPromotions(b.store.Read(ctx), " WHERE p.code > ? ORDER BY p.code LIMIT ?", r.After, limit+1)
	if err != nil {
		return pricing.PromotionPage{}, err
	}
	page := pricing.PromotionPage{Promotions: list}
	if len(list) > limit {
		page.Promotions, page.More = list[:limit], true
	}
	return page, nil
}

// coupon returns the promotion behind a coupon's code; one of version revision.None is none.
func (b *Book) coupon(ctx context.Context, code string, seen int64) (pricing.Promotion, error) {
	if p, ok := b.coupons.get(code); ok {
		return p, nil
	}
	p, err := findPromotion(b.store.Read(ctx), code)
	if err == nil && p.Version != revision.None {
		p.Used = 0
		b.coupons.keep(code, p, seen)
	}
	return p, err
}

// usesLeft looks whether a coupon may be used once more. Errors: pricing.ErrCouponExhausted.
func (b *Book) usesLeft(ctx context.Context, p pricing.Promotion) error {
	if p.Limit == 0 {
		return nil
	}
	var usedUp bool
	err := b.store.Read(ctx).Raw("SELECT use_limit > 0 AND used >= use_limit FROM promotions WHERE code = ?", p.Code).Row().Scan(&usedUp)
	if err == nil && usedUp {
		err = pricing.ErrCouponExhausted.At("/coupon", pricing.ErrCouponExhausted.Code, "it has been used as often as it may be")
	}
	return err
}

// usable returns why a promotion gives nothing now, if it does not.
func usable(p pricing.Promotion, now time.Time) error {
	switch {
	case p.Version == revision.None, !p.Active, p.Automatic:
		return unknownCoupon("there is no such coupon")
	case p.StartsAt != nil && now.Before(*p.StartsAt):
		return unknownCoupon("the coupon is not valid yet")
	case p.EndsAt != nil && !now.Before(*p.EndsAt):
		return unknownCoupon("the coupon is not valid any more")
	}
	return nil
}

func unknownCoupon(why string) error {
	return pricing.ErrUnknownCoupon.At("/coupon", pricing.ErrUnknownCoupon.Code, why)
}

// checkPromotion returns the discount as it is kept: its times in the precision of the store, its amounts by currency.
func checkPromotion(r pricing.PutPromotionRequest) (pricing.Discount, error) {
	d, c := r.Discount, newComplaint()
	d.StartsAt, d.EndsAt = kept(d.StartsAt), kept(d.EndsAt)
	c.code(r.Code)
	reckon.CheckKind(d, c.object)
	c.short(d.CustomerGroup, "/customer_group", maxGroup)
	c.priority(d.Priority)
	c.object(len(d.SKUs) > pricing.MaxSKUs, "/skus", "a promotion is for at most 500 SKUs, or for all")
	c.object(len(d.MinimumSubtotal) > pricing.MaxPrices, "/minimum_subtotal", "a minimum subtotal has at most 200 amounts")
	c.object(d.StartsAt != nil && d.EndsAt != nil && !d.StartsAt.Before(*d.EndsAt), "/ends_at", "a promotion ends after it starts")
	c.object(d.Limit < 0 || d.Limit > pricing.MaxLimit, "/limit", "a limit is 0 to 1000000000")
	c.object(d.LimitPerCustomer < 0 || d.LimitPerCustomer > pricing.MaxLimit, "/limit_per_customer", "a limit is 0 to 1000000000")
	c.object(d.Automatic && d.Limit+d.LimitPerCustomer != 0, "/limit", "only a coupon is counted: an automatic promotion has no limit")
	if err := c.err(); err != nil {
		return d, err
	}
	var err error
	if d.Amounts, err = checkAmounts(d.Amounts, "/amounts"); err == nil {
		d.MinimumSubtotal, err = checkAmounts(d.MinimumSubtotal, "/minimum_subtotal")
	}
	return d, err
}

func checkAmounts(asked []money.Money, of string) ([]money.Money, error) {
	amounts, invalid := slices.Clone(asked), fault.ErrInvalid
	seen := make(map[string]bool, len(amounts))
	for i, a := range amounts {
		at := of + "/" + strconv.Itoa(i)
		if err := money.Check(a.Currency); err != nil {
			return nil, fault.From(err).At(at+"/currency", "invalid", "not an ISO 4217 currency code")
		}
		if a.Amount < 1 || a.Amount > pricing.MaxAmount {
			invalid = invalid.At(at+"/amount", "invalid", "an amount is 1 to "+strconv.FormatInt(pricing.MaxAmount, 10)+" minor units")
		}
		if seen[a.Currency] {
			invalid = invalid.At(at, "duplicate", "there is an amount in "+a.Currency+" already")
		}
		seen[a.Currency] = true
	}
	if len(invalid.Details) > 0 {
		return nil, invalid
	}
	slices.SortFunc(amounts, func(a, b money.Money) int { return strings.Compare(a.Currency, b.Currency) })
	return amounts, nil
}

// kept is a time as the store gives it back; no time and the zero time are one.
func kept(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return timeOrNone(store.Micros(*t))
}

func timeOrNone(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	t := store.Time(micros)
	return &t
}
