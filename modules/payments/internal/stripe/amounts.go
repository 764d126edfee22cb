package stripe

import (
	"fmt"
	"strings"

	"github.com/stripe/stripe-go/v86"

	"cutpoint/platform/money"
)

// Stripe's amounts are in minor units too, but not always in those of ISO 4217 (docs.stripe.com/currencies):
//
//   - MGA is written without decimals, so only whole ariary can be charged.
//   - ISK has no decimals, and is written with two zeros for old times' sake.
//   - BHD, JOD, KWD, OMR and TND have three decimals, of which the last must be 0. The others with three are not taken.
//   - Of UGX Stripe's page says both that it has no decimals and that it is written with two. A mistake there would be one of a
//     hundredfold, so it is refused.
//
// unit returns how many of Stripe's units one of ours is, and how many of ours amounts come in steps of. Either is 1 for nearly all.
func unit(currency string) (factor, step int64, err error) {
	switch currency {
	case "UGX", "IQD", "LYD":
		return 0, 0, fmt.Errorf("stripe: %s is not taken", currency)
	case "ISK":
		return 100, 1, nil
	case "MGA":
		return 1, 100, nil
	case "BHD", "JOD", "KWD", "OMR", "TND":
		return 1, 10, nil
	}
	return 1, 1, nil
}

// toStripe writes an amount as Stripe does, or says why it can't be charged there.
func toStripe(m money.Money) (int64, error) {
	factor, step, err := unit(m.Currency)
	if err != nil {
		return 0, err
	}
	if m.Amount%step != 0 {
		return 0, fmt.Errorf("stripe: amounts in %s come in steps of %d minor units", m.Currency, step)
	}
	if m.Currency == "MGA" {
		return m.Amount / step, nil
	}
	product, err := m.Times(factor)
	return product.Amount, err
}

// fromStripe reads an amount of Stripe. One that does not exist in our currency is no money at all.
func fromStripe(amount int64, currency stripe.Currency) money.Money {
	code := strings.ToUpper(string(currency))
	factor, step, err := unit(code)
	if err != nil || amount%factor != 0 {
		return money.Money{}
	}
	if code == "MGA" {
		m, err := money.Of(amount, code).Times(step)
		if err != nil {
			return money.Money{}
		}
		return m
	}
	return money.Of(amount/factor, code)
}
