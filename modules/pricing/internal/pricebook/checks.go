package pricebook

import (
	"cmp"
	"slices"
	"strconv"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
)

// complaint gathers what is wrong with a rule, all at once.
type complaint struct{ fault *fault.Error }

func newComplaint() *complaint { return &complaint{fault.ErrInvalid} }

func (c *complaint) object(bad bool, pointer, detail string) {
	if bad {
		c.fault = c.fault.At(pointer, "invalid", detail)
	}
}

func (c *complaint) err() error {
	if len(c.fault.Details) == 0 {
		return nil
	}
	return c.fault
}

// code holds the name of a rule.
func (c *complaint) code(code string) {
	c.object(!skuPattern.MatchString(code), "path/code", "a code has 1 to 64 letters, digits, dots, underscores and hyphens")
}

func (c *complaint) currency(code, pointer string) {
	c.object(money.Check(code) != nil, pointer, "not an ISO 4217 currency code")
}

func (c *complaint) amount(amount int64, pointer string) {
	c.object(amount < 0 || amount > pricing.MaxAmount, pointer, "an amount is 0 to "+strconv.FormatInt(pricing.MaxAmount, 10)+" minor units")
}

func (c *complaint) short(text, pointer string, most int) {
	c.object(len(text) > most, pointer, "it has at most "+strconv.Itoa(most)+" bytes")
}

func (c *complaint) country(code, pointer string) {
	c.object(!isCountry(code), pointer, "a country is a code of two capital letters (ISO 3166-1)")
}

// isCountry reports whether a code has the form of a country's, or is empty.
func isCountry(code string) bool {
	upper := func(b byte) bool { return 'A' <= b && b <= 'Z' }
	return code == "" || len(code) == 2 && upper(code[0]) && upper(code[1])
}

func (c *complaint) priority(p int64) {
	c.object(p < -pricing.MaxPriority || p > pricing.MaxPriority, "/priority", "a priority is -1000 to 1000")
}

// checkPriceList returns the terms as they are kept: with their minimum quantities, by SKU and minimum.
func checkPriceList(r pricing.PutPriceListRequest) (pricing.PriceListTerms, error) {
	t, c := r.PriceListTerms, newComplaint()
	t.StartsAt, t.EndsAt = kept(t.StartsAt), kept(t.EndsAt)
	c.code(r.Code)
	c.currency(t.Currency, "/currency")
	c.short(t.CustomerGroup, "/customer_group", maxGroup)
	c.priority(t.Priority)
	c.object(t.StartsAt != nil && t.EndsAt != nil && !t.StartsAt.Before(*t.EndsAt), "/ends_at", "a list ends after it starts")
	c.object(len(t.Entries) == 0 || len(t.Entries) > pricing.MaxListEntries, "/entries", "a list has 1 to "+strconv.Itoa(pricing.MaxListEntries)+" entries")
	if c.err() != nil {
		return t, c.err()
	}
	type key struct {
		sku  string
		from int64
	}
	seen := make(map[key]bool, len(t.Entries))
	t.Entries = slices.Clone(t.Entries)
	for i := range t.Entries {
		e, at := &t.Entries[i], "/entries/"+strconv.Itoa(i)
		e.MinQuantity = cmp.Or(e.MinQuantity, 1)
		c.object(e.SKU != "" && !skuPattern.MatchString(e.SKU), at+"/sku", "a SKU has 1 to 64 letters, digits, dots, underscores and hyphens")
		c.object(e.MinQuantity < 1 || e.MinQuantity > maxMinQuantity, at+"/min_quantity", "a minimum quantity is 1 to 1000000000")
		c.object((e.Amount == nil) == (e.BasisPointsOff == nil), at, "an entry has either an amount or basis points off")
		if e.Amount != nil {
			c.amount(*e.Amount, at+"/amount")
		}
		c.object(e.BasisPointsOff != nil && (*e.BasisPointsOff < 1 || *e.BasisPointsOff > 10_000), at+"/basis_points_off", "it is 1 to 10000 basis points")
		c.object(seen[key{e.SKU, e.MinQuantity}], at, "there is an entry for this SKU from this quantity on already")
		seen[key{e.SKU, e.MinQuantity}] = true
	}
	slices.SortFunc(t.Entries, func(a, b pricing.PriceListEntry) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.MinQuantity, b.MinQuantity))
	})
	return t, c.err()
}

func checkTaxRate(r pricing.PutTaxRateRequest) error {
	c := newComplaint()
	c.code(r.Code)
	c.country(r.Country, "/country")
	c.short(r.Region, "/region", maxRegion)
	c.object(r.Region != "" && r.Country == "", "/country", "a region is in a country")
	c.short(r.TaxCategory, "/tax_category", maxTaxCategory)
	c.object(r.RatePPM < 0 || r.RatePPM > pricing.MaxTaxRate, "/rate_ppm", "a rate is 0 to 1000000 parts per million")
	return c.err()
}

func checkShippingMethod(r pricing.PutShippingMethodRequest) error {
	c := newComplaint()
	c.code(r.Code)
	c.short(r.Name, "/name", maxName)
	c.short(r.TaxCategory, "/tax_category", maxTaxCategory)
	c.object(len(r.Prices) == 0 || len(r.Prices) > pricing.MaxShippingPrices, "/prices", "a method has 1 to "+strconv.Itoa(pricing.MaxShippingPrices)+" prices")
	if c.err() != nil {
		return c.err()
	}
	type key struct {
		currency, country string
		from              int64
	}
	seen := make(map[key]bool, len(r.Prices))
	for i, p := range r.Prices {
		at := "/prices/" + strconv.Itoa(i)
		c.currency(p.Currency, at+"/currency")
		c.country(p.Country, at+"/country")
		c.amount(p.FromTotal, at+"/from_total")
		c.amount(p.Amount, at+"/amount")
		k := key{p.Currency, p.Country, p.FromTotal}
		c.object(seen[k], at, "there is a price for this country from this total on already")
		seen[k] = true
	}
	return c.err()
}
