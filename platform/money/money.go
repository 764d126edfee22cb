// Package money is an amount of a currency in integer minor units (cents, fils, yen), with arithmetic that refuses to
// overflow. Exponents follow ISO 4217: JPY has 0 decimals, EUR 2, KWD 3. There is no floating point and no conversion.
package money

import (
	"math"

	"github.com/bojanz/currency"

	"cutpoint/platform/fault"
)

// Faults of money arithmetic.
var (
	ErrCurrency = fault.New(fault.Invalid, "money.unknown_currency", "not an ISO 4217 currency code")
	ErrMismatch = fault.New(fault.Invalid, "money.currency_mismatch", "amounts of different currencies can't be combined")
	ErrOverflow = fault.New(fault.Invalid, "money.overflow", "the amount is too large")
)

// Money is an amount in minor units of a currency. The zero value is nothing of no currency.
type Money struct {
	Amount   int64  `json:"amount" doc:"Minor units of the currency" example:"1290"`
	Currency string `json:"currency" doc:"ISO 4217 code" pattern:"^[A-Z]{3}$" example:"EUR"`
}

// Of returns an amount of minor units.
func Of(amount int64, currency string) Money { return Money{Amount: amount, Currency: currency} }

// Check returns ErrCurrency unless code is a currency of ISO 4217.
func Check(code string) error {
	if code == "" || !currency.IsValid(code) { // the library takes "" for a currency
		return ErrCurrency.Saying("%q is not an ISO 4217 currency code", code)
	}
	return nil
}

// Add returns m + n, or ErrMismatch or ErrOverflow.
func (m Money) Add(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, ErrMismatch
	}
	sum := m.Amount + n.Amount
	if (n.Amount > 0 && sum < m.Amount) || (n.Amount < 0 && sum > m.Amount) {
		return Money{}, ErrOverflow
	}
	return Money{sum, m.Currency}, nil
}

// Times returns m multiplied by a count, or ErrOverflow.
func (m Money) Times(n int64) (Money, error) {
	if m.Amount == 0 || n == 0 {
		return Money{0, m.Currency}, nil
	}
	product := m.Amount * n
	if product/n != m.Amount || (m.Amount == -1 && n == math.MinInt64) || (n == -1 && m.Amount == math.MinInt64) {
		return Money{}, ErrOverflow
	}
	return Money{product, m.Currency}, nil
}

// String formats the amount with its ISO 4217 decimals: "12.90 EUR".
func (m Money) String() string {
	a, err := currency.NewAmountFromInt64(m.Amount, m.Currency)
	if err != nil {
		return "? " + m.Currency
	}
	return a.Number() + " " + m.Currency
}
