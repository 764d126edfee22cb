// Package pricebook is the body of the pricing module: it keeps the rules of prices with all of their versions, and answers what
// lines cost by them. The arithmetic itself is package reckon, which touches nothing of this.
//
// This file keeps the promises of the contract around prices and calculations, quotes.go and replay.go those around figures that stay,
// rules.go those around price lists, tax rates and shipping methods, promotions.go those around promotions, and coupons.go counts
// their uses. cache.go and active.go hold what need not be read again, and see what other instances put; lowest.go looks back thirty days, checks.go says what is wrong
// with a rule, store.go and promotionrows.go hold SQL, and audit.go compares the counts with the uses.
package pricebook

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/modules/pricing/internal/reckon"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
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
	maxGroup       = 64            // bytes
	maxRegion      = 200           // bytes
	maxName        = 200           // bytes
)

var skuPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Options are the settings of a book. The zero value takes the defaults.
type Options struct {
	Cached        int           // price sets kept in memory, about 200 bytes and 40 a price each, and as many coupons; those beyond are read from the store each time
	QuoteValidity time.Duration // how long a quote is honoured; 0: DefaultQuoteValidity
	Alone         bool          // no other instance has the store: what nobody put here is not looked for
}

// Book implements the pricing contract on a store, which it may share with other instances.
type Book struct {
	store         *store.Store
	now           func() time.Time
	newID         id.Source
	quoteValidity time.Duration
	sets          *cache[pricing.PriceSet]
	coupons       *cache[pricing.Promotion] // without their uses: these change without a version
	active        active

	alone     bool
	puts      atomic.Int64 // commits of rules by this instance
	followed  atomic.Int64 // and those of them that were followed
	seen      atomic.Int64 // the number up to which the history is followed
	following sync.Mutex
}

var _ pricing.Service = (*Book)(nil)

// New returns the book in a store that has the migrations of pricing.
func New(s *store.Store, now func() time.Time, newID id.Source, o Options) *Book {
	if o.Cached <= 0 {
		o.Cached = DefaultCached
	}
	if o.QuoteValidity <= 0 {
		o.QuoteValidity = DefaultQuoteValidity
	}
	return &Book{
		store: s, now: now, newID: newID, quoteValidity: o.QuoteValidity, alone: o.Alone,
		sets: newCache[pricing.PriceSet](o.Cached), coupons: newCache[pricing.Promotion](o.Cached),
	}
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
	err = b.put(ctx, func(tx *gorm.DB) error {
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
	return set, nil
}

// put commits new versions of rules. Whoever calculates after it counts with them.
func (b *Book) put(ctx context.Context, rules func(tx *gorm.DB) error) error {
	err := b.store.Write(ctx, rules)
	b.puts.Add(1) // also after an error: some leave it open whether the commit is on the disk
	return err
}

// Prices implements pricing.Service.
func (b *Book) Prices(ctx context.Context, r pricing.PricesRequest) (pricing.PriceSet, error) {
	seen, err := b.follow(ctx)
	if err != nil {
		return pricing.PriceSet{}, err
	}
	sets, err := b.priceSets(ctx, []pricing.Line{{SKU: r.SKU}}, seen)
	if err != nil {
		return pricing.PriceSet{}, err
	}
	set := sets[0]
	if set.Version == revision.None {
		return pricing.PriceSet{}, pricing.ErrPricesNotFound.Saying("there are no prices for %q", r.SKU)
	}
	set.Lowest30Days, err = lowest(b.store.Read(ctx), set)
	return orNone(set, err)
}

// Calculate implements pricing.Service.
func (b *Book) Calculate(ctx context.Context, r pricing.CalculateRequest) (pricing.Calculation, error) {
	if err := checkCalculate(r); err != nil {
		return pricing.Calculation{}, err
	}
	seen, err := b.follow(ctx)
	if err != nil {
		return pricing.Calculation{}, err
	}
	if r.Coupon == "" {
		return b.calculate(ctx, r, nil, seen)
	}
	p, err := b.coupon(ctx, r.Coupon, seen)
	if err == nil {
		err = b.usesLeft(ctx, p)
	}
	if err != nil {
		return pricing.Calculation{}, err
	}
	return b.calculate(ctx, r, &p, seen)
}

// calculate prices a request that was checked, or finds the figures of its quote. seen is what follow returned.
func (b *Book) calculate(ctx context.Context, r pricing.CalculateRequest, coupon *pricing.Promotion, seen int64) (pricing.Calculation, error) {
	if r.Quote != "" {
		return b.quoted(ctx, r)
	}
	now := b.time()
	if coupon != nil {
		if err := usable(*coupon, now); err != nil {
			return pricing.Calculation{}, err
		}
	}
	rules, err := b.active.rules(func() *gorm.DB { return b.store.Read(ctx) })
	if err != nil {
		return pricing.Calculation{}, err
	}
	sets, err := b.priceSets(ctx, r.Lines, seen)
	if err != nil {
		return pricing.Calculation{}, err
	}
	return reckon.Calculate(reckon.Inputs{Request: r, At: now, Sets: sets, Coupon: coupon}, rules)
}

// priceSets returns the price sets of some lines, in their order; one of version revision.None is none. A set is never changed once it is
// made, so it is shared between the cache and all who read it.
func (b *Book) priceSets(ctx context.Context, lines []pricing.Line, seen int64) ([]pricing.PriceSet, error) {
	sets := make([]pricing.PriceSet, len(lines))
	var unread []string
	for i, l := range lines {
		var ok bool
		if sets[i], ok = b.sets.get(l.SKU); !ok && !slices.Contains(unread, l.SKU) {
			unread = append(unread, l.SKU)
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
		b.sets.keep(set.SKU, set, seen)
		for i, l := range lines {
			if l.SKU == set.SKU {
				sets[i] = set
			}
		}
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
			invalid = invalid.At("/lines/"+strconv.Itoa(i)+"/quantity", "invalid", "a quantity is at least 1")
		}
	}
	if !isCountry(r.Country) {
		invalid = invalid.At("/country", "invalid", "a country is a code of two capital letters (ISO 3166-1)")
	}
	if len(r.Region) > maxRegion {
		invalid = invalid.At("/region", "invalid", "a region has at most 200 bytes")
	}
	if len(r.CustomerGroup) > maxGroup {
		invalid = invalid.At("/customer_group", "invalid", "a customer group has at most 64 bytes")
	}
	if len(invalid.Details) > 0 {
		return invalid
	}
	return nil
}
