package pricebook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// A customer who is erased is replaced by a stand-in, the HMAC-SHA256 (RFC 2104) of the name under a secret of the coupon. The name can't be
// read out of it, and whoever orders under the same name again has the same stand-in, so that the limit for each customer still
// counts what was used before. It is a pseudonym, not nothing: who has the store can tell whether a name that he guesses is there.

// erasedPrefix begins every stand-in. It is no mailbox, so that no customer has such a name by chance.
const erasedPrefix = "erased:"

// EraseCustomers implements pricing.Service.
func (b *Book) EraseCustomers(ctx context.Context, r pricing.EraseCustomersRequest) (pricing.CustomersErased, error) {
	if len(r.OrderIDs) > pricing.MaxOrderIDs {
		return pricing.CustomersErased{}, fault.ErrInvalid.At("/order_ids", "invalid", "must have at most 200 elements")
	}
	if uses, err := namedUses(b.store.Read(ctx), r.OrderIDs); err != nil || len(uses) == 0 {
		return pricing.CustomersErased{}, err // most orders use no coupon, and cost no commit
	}
	var erased pricing.CustomersErased
	err := b.store.Write(ctx, func(tx *gorm.DB) error {
		uses, err := namedUses(tx, r.OrderIDs)
		if err != nil {
			return err
		}
		for _, u := range uses {
			name := "" // what was released counts for nothing
			if u.State != pricing.CouponReleased {
				if name, err = b.standIn(tx, u.Code, u.Customer); err != nil {
					return err
				}
			}
			if _, err := store.Exec(tx, "UPDATE coupon_uses SET customer = ? WHERE order_id = ?", name, u.OrderID); err != nil {
				return err
			}
		}
		erased.Uses = int64(len(uses))
		return nil
	})
	return erased, err
}

// namedUses are the uses of some orders that still name their customer.
func namedUses(db *gorm.DB, orderIDs []string) ([]pricing.CouponUse, error) {
	if len(orderIDs) == 0 {
		return nil, nil
	}
	return readUses(db, "WHERE order_id IN ? AND customer <> '' AND substr(customer, 1, ?) <> ?", orderIDs, len(erasedPrefix), erasedPrefix)
}

// standIn makes the stand-in of a customer, and the secret of the coupon where there is none yet.
func (b *Book) standIn(tx *gorm.DB, code, customer string) (string, error) {
	name, err := knownStandIn(tx, code, customer)
	if err != nil || name != "" {
		return name, err
	}
	secret := b.newID("sec") + b.newID("sec") // of 74 random bits each
	if _, err := store.Exec(tx, "INSERT INTO stand_ins (code, secret) VALUES (?, ?)", code, secret); err != nil {
		return "", err
	}
	return hide(secret, customer), nil
}

// knownStandIn is the stand-in of a customer, or "" where nobody who used this coupon was ever erased.
func knownStandIn(db *gorm.DB, code, customer string) (string, error) {
	var secret string
	err := store.Row(db, "SELECT secret FROM stand_ins WHERE code = ?", code).Scan(&secret)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return hide(secret, customer), nil
}

func hide(secret, customer string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.ToLower(customer)))
	return erasedPrefix + hex.EncodeToString(mac.Sum(nil))
}
