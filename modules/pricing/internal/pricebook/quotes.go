package pricebook

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// DefaultQuoteValidity is how long a quote is honoured unless the options say otherwise.
const DefaultQuoteValidity = 15 * time.Minute

// pruned is how many expired quotes a new one takes away at most: more than one, so that they become fewer.
const pruned = 10

// Quote implements pricing.Service.
func (b *Book) Quote(ctx context.Context, r pricing.QuoteRequest) (pricing.Quote, error) {
	if r.Quote != "" {
		return pricing.Quote{}, fault.ErrInvalid.At("/quote", "invalid", "a quote is not made from a quote")
	}
	answer, err := b.Calculate(ctx, r.CalculateRequest)
	if err != nil {
		return pricing.Quote{}, err
	}
	now := b.time()
	q := pricing.Quote{ID: b.newID("quo"), ExpiresAt: now.Add(b.quoteValidity), Calculation: answer}
	q.Calculation.Quote = q.ID
	request, err := json.Marshal(r.CalculateRequest)
	if err != nil {
		return pricing.Quote{}, err
	}
	text, err := json.Marshal(q.Calculation)
	if err != nil {
		return pricing.Quote{}, err
	}
	err = b.store.Write(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM quotes WHERE id IN (SELECT id FROM quotes WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
			store.Micros(now), pruned).Error; err != nil {
			return err
		}
		return tx.Exec("INSERT INTO quotes (id, request, answer, expires_at) VALUES (?, ?, ?, ?)",
			q.ID, string(request), string(text), store.Micros(q.ExpiresAt)).Error
	})
	return orNone(q, err)
}

// quoted returns the figures of the quote that a request names. A quote that was never made looks like one that is deleted.
// Errors: pricing.ErrQuoteExpired, pricing.ErrQuoteMismatch.
func (b *Book) quoted(ctx context.Context, r pricing.CalculateRequest) (answer pricing.Calculation, err error) {
	var request, text string
	var expires int64
	err = b.store.Read(ctx).Raw("SELECT request, answer, expires_at FROM quotes WHERE id = ?", r.Quote).Row().Scan(&request, &text, &expires)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !b.now().Before(store.Time(expires)) {
		return answer, pricing.ErrQuoteExpired.At("/quote", pricing.ErrQuoteExpired.Code, "there is no such quote, or it is not valid any more")
	}
	if err != nil {
		return answer, err
	}
	var asked pricing.CalculateRequest
	if err := json.Unmarshal([]byte(request), &asked); err != nil {
		return answer, err
	}
	if r.Quote = ""; !reflect.DeepEqual(asked, r) {
		return answer, pricing.ErrQuoteMismatch.At("/quote", pricing.ErrQuoteMismatch.Code, "its currency, lines, coupon, shipping, destination or customer group differ")
	}
	return answer, json.Unmarshal([]byte(text), &answer)
}
