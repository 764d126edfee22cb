// Package pricebook is the body of the pricing module: a book of prices by SKU, and the arithmetic that turns lines into
// totals.
//
// The arithmetic (calculate.go, discount.go) is a pure function of the lines, their price sets and the promotion. This file keeps
// the promises of the contract around prices, promotions.go those around promotions, and coupons.go counts their uses; store.go and
// promotionrows.go hold the SQL, cache.go what need not be read again, and audit.go compares the counts with the uses.
package pricebook

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// DefaultCached is how many price sets are kept in memory unless the options say otherwise.
const DefaultCached = 50_000

// Bounds of what a stranger may send that the contract leaves to the body.
const (
	maxLines       = 1000          // of a calculation
	maxMinQuantity = 1_000_000_000 // units
	maxTaxCategory = 64            // characters
)

var skuPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Options are the settings of a book. The zero value takes the defaults.
type Options struct {
	Cached int // price sets kept in memory, about 200 bytes and 40 a price each, and as many promotions; those beyond are read from the store each time
}

// Book implements the pricing contract on a store, of which it must be the only writer.
type Book struct {
	store      *store.Store
	now        func() time.Time
	cache      *cache[pricing.PriceSet]
	promotions *cache[pricing.Promotion]
}

var _ pricing.Service = (*Book)(nil)

// New returns the book in a store that has the migrations of pricing.
func New(s *store.Store, now func() time.Time, o Options) *Book {
	if o.Cached <= 0 {
		o.Cached = DefaultCached
	}
	return &Book{store: s, now: now, cache: newCache(o.Cached, keyOfSet), promotions: newCache(o.Cached, keyOfPromotion)}
}

// time is the current time as the store will give it back.
func (b *Book) time() time.Time { return store.Time(store.Micros(b.now())) }

// PutPrices implements pricing.Service.
func (b *Book) PutPrices(ctx context.Context, r pricing.PutPricesRequest) (pricing.PriceSet, error) {
	if err := checkPut(r); err != nil {
		return pricing.PriceSet{}, err
	}
	prices, err := checkPrices(r.Prices)
	if err != nil {
		return pricing.PriceSet{}, err
	}
	now := b.time()
	set := pricing.PriceSet{SKU: r.SKU, Prices: prices, TaxCategory: r.TaxCategory, CreatedAt: now, UpdatedAt: now}
	err = b.store.Write(ctx, func(tx *gorm.DB) error {
		version, created, err := head(tx, r.SKU)
		if err != nil {
			return err
		}
		if err := revision.Check(version, r.IfVersion); err != nil {
			return err
		}
		set.Version = version + 1
		if version != revision.None {
			set.CreatedAt = created
		}
		return replace(tx, set)
	})
	if err != nil {
		return pricing.PriceSet{}, err
	}
	b.cache.put(set) // only now: nobody may calculate with prices that a crash could still undo
	return set, nil
}

// Prices implements pricing.Service.
func (b *Book) Prices(ctx context.Context, r pricing.PricesRequest) (pricing.PriceSet, error) {
	sets, err := b.sets(ctx, r.SKU)
	if err != nil {
		return pricing.PriceSet{}, err
	}
	set, ok := sets[r.SKU]
	if !ok {
		return pricing.PriceSet{}, pricing.ErrPricesNotFound.Saying("there are no prices for %q", r.SKU)
	}
	return set, nil
}

// Calculate implements pricing.Service.
func (b *Book) Calculate(ctx context.Context, r pricing.CalculateRequest) (pricing.Calculation, error) {
	if err := checkCalculate(r); err != nil {
		return pricing.Calculation{}, err
	}
	c, err := b.calculate(ctx, r)
	if err != nil || r.Coupon == "" {
		return c, err
	}
	discount, err := b.discountOf(ctx, r.Coupon)
	if err != nil {
		return pricing.Calculation{}, err
	}
	return discounted(c, discount)
}

// calculate prices the lines of a request that was checked, without its coupon.
func (b *Book) calculate(ctx context.Context, r pricing.CalculateRequest) (pricing.Calculation, error) {
	skus := make([]string, len(r.Lines))
	for i, l := range r.Lines {
		skus[i] = l.SKU
	}
	sets, err := b.sets(ctx, skus...)
	if err != nil {
		return pricing.Calculation{}, err
	}
	return calculate(r.Currency, r.Lines, sets)
}

// sets returns the price sets of some SKUs, by SKU; one that has no prices is missing. A set is never changed once it is made,
// so it is shared between the cache and all who read it.
func (b *Book) sets(ctx context.Context, skus ...string) (map[string]pricing.PriceSet, error) {
	sets := make(map[string]pricing.PriceSet, len(skus))
	var unread []string
	for _, sku := range skus {
		if set, ok := b.cache.get(sku); ok {
			sets[sku] = set
		} else if !slices.Contains(unread, sku) {
			unread = append(unread, sku)
		}
	}
	if len(unread) == 0 {
		return sets, nil
	}
	read, err := load(b.store.Read(ctx), unread)
	if err != nil {
		return nil, err
	}
	for _, set := range read {
		b.cache.put(set)
		sets[set.SKU] = set
	}
	return sets, nil
}

func checkPut(r pricing.PutPricesRequest) error {
	switch {
	case !skuPattern.MatchString(r.SKU):
		return fault.ErrInvalid.At("path/sku", "invalid", "a SKU has 1 to 64 letters, digits, dots, underscores and hyphens")
	case utf8.RuneCountInString(r.TaxCategory) > maxTaxCategory:
		return fault.ErrInvalid.At("/tax_category", "invalid", "a tax category has at most 64 characters")
	case len(r.Prices) == 0:
		return fault.ErrInvalid.At("/prices", "required", "a set has at least one price")
	case len(r.Prices) > pricing.MaxPrices:
		return fault.ErrInvalid.At("/prices", "invalid", "a set has at most "+strconv.Itoa(pricing.MaxPrices)+" prices")
	}
	return nil
}

// checkPrices returns the prices as they are kept: with their minimum quantities, by currency and minimum quantity.
func checkPrices(asked []pricing.Price) ([]pricing.Price, error) {
	type tier struct {
		currency string
		from     int64
	}
	invalid := fault.ErrInvalid
	prices := slices.Clone(asked)
	seen := make(map[tier]bool, len(prices))
	for i := range prices {
		p, at := &prices[i], "/prices/"+strconv.Itoa(i)
		if p.MinQuantity == 0 {
			p.MinQuantity = 1
		}
		if err := money.Check(p.Currency); err != nil {
			return nil, fault.From(err).At(at+"/currency", "invalid", "not an ISO 4217 currency code")
		}
		if p.Amount < 0 || p.Amount > pricing.MaxAmount {
			invalid = invalid.At(at+"/amount", "invalid", "an amount is 0 to "+strconv.FormatInt(pricing.MaxAmount, 10)+" minor units")
		}
		if p.MinQuantity < 1 || p.MinQuantity > maxMinQuantity {
			invalid = invalid.At(at+"/min_quantity", "invalid", "a minimum quantity is 1 to "+strconv.Itoa(maxMinQuantity))
		}
		if key := (tier{p.Currency, p.MinQuantity}); seen[key] {
			invalid = invalid.At(at, "duplicate", "there is a price in "+p.Currency+" from this quantity on already")
		} else {
			seen[key] = true
		}
	}
	if len(invalid.Details) > 0 {
		return nil, invalid
	}
	slices.SortFunc(prices, func(a, b pricing.Price) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.MinQuantity, b.MinQuantity))
	})
	return prices, nil
}

func checkCalculate(r pricing.CalculateRequest) error {
	if err := money.Check(r.Currency); err != nil {
		return fault.From(err).At("/currency", "invalid", "not an ISO 4217 currency code")
	}
	if len(r.Lines) == 0 || len(r.Lines) > maxLines {
		return fault.ErrInvalid.At("/lines", "invalid", "a calculation has 1 to "+strconv.Itoa(maxLines)+" lines")
	}
	invalid := fault.ErrInvalid
	for i, l := range r.Lines {
		if l.Quantity < 1 {
			invalid = invalid.At(linePointer(i)+"/quantity", "invalid", "a quantity is at least 1")
		}
	}
	if len(invalid.Details) > 0 {
		return invalid
	}
	// This answer is exact, not provisional: pricing has no shipping methods, so any that is named is unknown.
	if r.ShippingMethod != "" {
		return pricing.ErrUnknownShippingMethod.At("/shipping/method", pricing.ErrUnknownShippingMethod.Code, "there is no such shipping method")
	}
	return nil
}

func linePointer(i int) string { return "/lines/" + strconv.Itoa(i) }
