package pricebook

import (
	"encoding/json"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// lookedBack is how far before a reduction its prior price is looked for: directive 98/6/EC, article 6a, paragraph 2.
const lookedBack = 30 * 24 * time.Hour

// maxLookedAt bounds the versions that are read for it: one an hour for as long again as the time looked back at.
const maxLookedAt = 1500

// lowest returns, for each currency in which one unit has a price, the lowest price in the thirty days before that price came into
// force, or the price itself if there was none. It follows from the set's version alone, so a cache may keep it with that.
func lowest(db *gorm.DB, set pricing.PriceSet) ([]money.Money, error) {
	versions, err := past(db, set)
	if err != nil {
		return nil, err
	}
	var list []money.Money
	for _, p := range set.Prices {
		if p.MinQuantity == 1 {
			list = append(list, money.Of(lowestOf(versions, p), p.Currency))
		}
	}
	return list, nil
}

// pastPrices are the prices of a SKU from a moment on.
type pastPrices struct {
	at     time.Time
	prices []pricing.Price
}

// past returns the versions of a set up to that which is given, the latest first.
func past(db *gorm.DB, set pricing.PriceSet) (list []pastPrices, err error) {
	rows, err := db.Raw("SELECT at, body FROM history WHERE kind = 'prices' AND code = ? AND version <= ? ORDER BY version DESC LIMIT ?",
		set.SKU, set.Version, maxLookedAt).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var at int64
		var body []byte
		if err := rows.Scan(&at, &body); err != nil {
			return nil, err
		}
		var terms priceTerms
		if err := json.Unmarshal(body, &terms); err != nil {
			return nil, err
		}
		list = append(list, pastPrices{store.Time(at), terms.Prices})
	}
	return list, rows.Err()
}

// lowestOf looks back from the moment when a price of the latest version came into force, which may be many versions ago: a version
// that changes another price changes nothing here.
func lowestOf(versions []pastPrices, now pricing.Price) int64 {
	before := 0 // the latest version with another price
	for before < len(versions) && unitAt(versions[before].prices, now.Currency) == now.Amount {
		before++
	}
	if before == 0 || before == len(versions) {
		return now.Amount
	}
	since := versions[before-1].at.Add(-lookedBack)
	least, found := now.Amount, false
	for _, v := range versions[before:] {
		if price := unitAt(v.prices, now.Currency); price != none && (!found || price < least) {
			least, found = price, true
		}
		if !v.at.After(since) {
			break // it was in force when the time looked back at began, and the versions before it were not
		}
	}
	return least
}

// none is what one unit costs that has no price.
const none = -1

func unitAt(prices []pricing.Price, currency string) int64 {
	for _, p := range prices {
		if p.Currency == currency && p.MinQuantity == 1 {
			return p.Amount
		}
	}
	return none
}
