package pricebook

import (
	"context"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
)

// PutManyPrices implements pricing.Service.
func (b *Book) PutManyPrices(ctx context.Context, r pricing.PutManyPricesRequest) (pricing.ManyPricesPut, error) {
	sets, err := checkMany(r.Entries)
	if err != nil {
		return pricing.ManyPricesPut{}, err
	}
	var changed []pricing.PriceSet
	err = b.put(ctx, func(tx *gorm.DB) (err error) {
		changed, err = b.replaceMany(tx, sets)
		return err
	})
	if err != nil {
		return pricing.ManyPricesPut{}, err
	}
	return pricing.ManyPricesPut{Changed: len(changed)}, nil
}

// checkMany returns the entries as sets without versions, or all that is wrong with the first bad one.
func checkMany(entries []pricing.PricesEntry) ([]pricing.PriceSet, error) {
	if len(entries) == 0 || len(entries) > pricing.MaxBatch {
		return nil, fault.ErrInvalid.At("/entries", "invalid", "a batch has 1 to "+strconv.Itoa(pricing.MaxBatch)+" entries")
	}
	sets := make([]pricing.PriceSet, len(entries))
	for i, e := range entries {
		err := checkPut(pricing.PutPricesRequest{SKU: e.SKU, Prices: e.Prices, TaxCategory: e.TaxCategory})
		var prices []pricing.Price
		if err == nil {
			prices, err = checkPrices(e.Prices)
		}
		if err != nil {
			return nil, within("/entries/"+strconv.Itoa(i), err)
		}
		sets[i] = pricing.PriceSet{SKU: e.SKU, Prices: prices, TaxCategory: e.TaxCategory}
	}
	return sets, nil
}

// within tells where in a request the part lies of which err says what is wrong.
func within(pointer string, err error) error {
	f := fault.From(err)
	outer := f.Portable()
	outer.Details = nil
	for _, d := range f.Details {
		outer = outer.At(pointer+d.Pointer, d.Code, d.Detail)
	}
	return outer
}

// replaceMany makes sets those that count, and returns the ones that were not there already.
func (b *Book) replaceMany(tx *gorm.DB, sets []pricing.PriceSet) (changed []pricing.PriceSet, err error) {
	skus := make([]string, len(sets))
	for i, set := range sets {
		skus[i] = set.SKU
	}
	there, err := load(tx, skus)
	if err != nil {
		return nil, err
	}
	have := make(map[string]pricing.PriceSet, len(there))
	for _, set := range there {
		have[set.SKU] = set
	}
	now := b.time()
	for _, set := range sets {
		old, ok := have[set.SKU]
		if ok && old.TaxCategory == set.TaxCategory && slices.Equal(old.Prices, set.Prices) {
			continue
		}
		set.Version, set.CreatedAt, set.UpdatedAt = old.Version+1, now, now // of a set that is not there the version is 0, which is revision.None
		if ok {
			set.CreatedAt = old.CreatedAt
		}
		if err := replace(tx, set); err != nil {
			return nil, err
		}
		have[set.SKU] = set // for a SKU that is named twice
		changed = append(changed, set)
	}
	return changed, nil
}
