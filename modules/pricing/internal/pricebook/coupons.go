package pricebook

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"

	"gorm.io/gorm"

	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// The life of an order's coupon use. Each arrow is one transaction with the count of the promotion; a command whose arrow was gone
// already answers with what is stored, and one for which there is no arrow is refused.
//
//	           Price        FinaliseCoupon
//	nothing ----------> held ----------> final
//	   |                 |                 |
//	   | ReleaseCoupon   | ReleaseCoupon   | ReleaseCoupon
//	   |                 v                 |
//	   +------------> released <-----------+

// Bounds of names that other modules give.
const (
	maxOrderID  = 128 // bytes
	maxCustomer = 320 // bytes: a mailbox has at most that (RFC 5321, section 4.5.3.1)
)

// Price implements pricing.Service.
func (b *Book) Price(ctx context.Context, r pricing.PriceRequest) (pricing.Calculation, error) {
	if r.Coupon == "" {
		return b.Calculate(ctx, r.CalculateRequest)
	}
	if err := checkPrice(r); err != nil {
		return pricing.Calculation{}, err
	}
	// A repeat is answered before anything is calculated: the prices may be gone by now.
	if answer, err := answered(b.store.Read(ctx), r.OrderID); err != nil || answer != nil {
		return whole(answer), err
	}
	seen, err := b.follow(ctx)
	if err != nil {
		return pricing.Calculation{}, err
	}
	known, err := b.coupon(ctx, r.Coupon, seen)
	if err != nil {
		return pricing.Calculation{}, err
	}
	told, err := b.calculate(ctx, r.CalculateRequest, &known, seen)
	if err != nil {
		return pricing.Calculation{}, err
	}
	var answer *pricing.Calculation
	err = b.store.Write(ctx, func(tx *gorm.DB) (err error) {
		if answer, err = answered(tx, r.OrderID); err == nil && answer == nil {
			answer, err = &told, b.use(tx, r, told)
		}
		return err
	})
	if err != nil {
		return pricing.Calculation{}, err
	}
	return whole(answer), nil
}

func whole(answer *pricing.Calculation) pricing.Calculation {
	if answer == nil {
		return pricing.Calculation{}
	}
	return *answer
}

func checkPrice(r pricing.PriceRequest) error {
	if err := checkOrder(r.OrderID); err != nil {
		return err
	}
	if len(r.Customer) > maxCustomer {
		return fault.ErrInvalid.At("/customer", "invalid", "a customer's name has at most 320 bytes")
	}
	return checkCalculate(r.CalculateRequest)
}

func checkOrder(orderID string) error {
	if orderID == "" || len(orderID) > maxOrderID {
		return fault.ErrInvalid.At("/order_id", "invalid", "must have 1 to 128 bytes")
	}
	return nil
}

// answered returns what an order was told when it took its use, or nil if it has taken none. Errors: pricing.ErrCouponReleased.
func answered(db *gorm.DB, orderID string) (*pricing.Calculation, error) {
	var state, text string
	err := db.Raw("SELECT state, answer FROM coupon_uses WHERE order_id = ?", orderID).Row().Scan(&state, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case state == pricing.CouponReleased:
		return nil, pricing.ErrCouponReleased
	}
	var answer pricing.Calculation
	return &answer, json.Unmarshal([]byte(text), &answer)
}

// use takes one use of a coupon for an order, and stores what the order is told with it. The limits are read again here, in the
// transaction that counts: what the cache knows of them may be a moment old.
func (b *Book) use(tx *gorm.DB, r pricing.PriceRequest, told pricing.Calculation) error {
	p, err := findPromotion(tx, r.Coupon)
	if err != nil {
		return err
	}
	customer := strings.ToLower(r.Customer)
	if err := checkCustomer(tx, p, customer); err != nil {
		return err
	}
	counted := tx.Exec("UPDATE promotions SET used = used + 1 WHERE code = ? AND (use_limit = 0 OR used < use_limit)", p.Code)
	if counted.Error != nil {
		return counted.Error
	}
	if counted.RowsAffected != 1 {
		return pricing.ErrCouponExhausted.At("/coupon", pricing.ErrCouponExhausted.Code, "it has been used as often as it may be")
	}
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	now := store.Micros(b.now())
	return tx.Exec(`INSERT INTO coupon_uses (order_id, code, customer, state, answer, created_at, updated_at)
		VALUES (?, ?, ?, 'held', ?, ?, ?)`, r.OrderID, p.Code, customer, string(text), now, now).Error
}

// checkCustomer holds a customer to the limit of each. The store has one writer, so nobody takes a use between this and the next
// statement.
func checkCustomer(tx *gorm.DB, p pricing.Promotion, customer string) error {
	if p.LimitPerCustomer == 0 {
		return nil
	}
	if customer == "" {
		return fault.ErrInvalid.At("/customer", "required", "this coupon is limited for each customer")
	}
	erased, err := knownStandIn(tx, p.Code, customer)
	if err != nil {
		return err
	}
	var uses int64
	err = tx.Raw("SELECT COUNT(*) FROM coupon_uses WHERE code = ? AND customer IN (?, ?) AND state <> 'released'", p.Code, customer, erased).Row().Scan(&uses)
	if err == nil && uses >= p.LimitPerCustomer {
		err = pricing.ErrCouponExhausted.At("/coupon", pricing.ErrCouponExhausted.Code, "this customer has used it as often as each may")
	}
	return err
}

const useColumns = "order_id, code, customer, state, created_at, updated_at"

// FinaliseCoupon implements pricing.Service.
func (b *Book) FinaliseCoupon(ctx context.Context, r pricing.FinaliseCouponRequest) (pricing.CouponUse, error) {
	return b.settle(ctx, r.OrderID, func(tx *gorm.DB, u pricing.CouponUse) (pricing.CouponUse, error) {
		switch u.State {
		case pricing.CouponHeld:
			return b.setState(tx, u, pricing.CouponFinal)
		case pricing.CouponFinal:
			return u, nil
		case pricing.CouponReleased:
			return u, pricing.ErrCouponReleased
		default:
			return u, pricing.ErrNoCouponUse
		}
	})
}

// ReleaseCoupon implements pricing.Service.
func (b *Book) ReleaseCoupon(ctx context.Context, r pricing.ReleaseCouponRequest) (pricing.CouponUse, error) {
	return b.settle(ctx, r.OrderID, func(tx *gorm.DB, u pricing.CouponUse) (pricing.CouponUse, error) {
		switch u.State {
		case pricing.CouponReleased:
			return u, nil
		case pricing.CouponHeld, pricing.CouponFinal:
			if err := tx.Exec("UPDATE promotions SET used = used - 1 WHERE code = ?", u.Code).Error; err != nil {
				return u, err
			}
			return b.setState(tx, u, pricing.CouponReleased)
		default: // its Price may be on its way still
			u.State, u.CreatedAt, u.UpdatedAt = pricing.CouponReleased, b.time(), b.time()
			return u, tx.Exec("INSERT INTO coupon_uses ("+useColumns+", answer) VALUES (?, '', '', ?, ?, ?, '')",
				u.OrderID, u.State, store.Micros(u.CreatedAt), store.Micros(u.UpdatedAt)).Error
		}
	})
}

// settle changes an order's use in one transaction. A use without a state is none.
func (b *Book) settle(ctx context.Context, orderID string, change func(*gorm.DB, pricing.CouponUse) (pricing.CouponUse, error)) (use pricing.CouponUse, err error) {
	if err := checkOrder(orderID); err != nil {
		return use, err
	}
	err = b.store.Write(ctx, func(tx *gorm.DB) error {
		uses, err := readUses(tx, "WHERE order_id = ?", orderID)
		if err != nil {
			return err
		}
		use = pricing.CouponUse{OrderID: orderID}
		if len(uses) > 0 {
			use = uses[0]
		}
		use, err = change(tx, use)
		return err
	})
	if err != nil {
		return pricing.CouponUse{}, err
	}
	return use, nil
}

func (b *Book) setState(tx *gorm.DB, u pricing.CouponUse, state string) (pricing.CouponUse, error) {
	u.State, u.UpdatedAt = state, b.time()
	return u, tx.Exec("UPDATE coupon_uses SET state = ?, updated_at = ? WHERE order_id = ?", u.State, store.Micros(u.UpdatedAt), u.OrderID).Error
}

// CouponUses implements pricing.Service.
func (b *Book) CouponUses(ctx context.Context, r pricing.CouponUsesRequest) (pricing.CouponUsePage, error) {
	if len(r.OrderIDs) > pricing.MaxOrderIDs {
		return pricing.CouponUsePage{}, fault.ErrInvalid.At("/order_ids", "invalid", "must have at most 200 elements")
	}
	db, page := b.store.Read(ctx), pricing.CouponUsePage{}
	var err error
	if len(r.OrderIDs) > 0 {
		page.Uses, err = readUses(db, "WHERE order_id IN ? AND order_id > ? AND state <> 'released' ORDER BY order_id", r.OrderIDs, r.After)
		return page, err
	}
	limit := limited(r.Limit)
	page.Uses, err = readUses(db, "WHERE order_id > ? AND state <> 'released' ORDER BY order_id LIMIT ?", r.After, limit+1)
	if len(page.Uses) > limit {
		page.Uses, page.More = page.Uses[:limit], true
	}
	return page, err
}

func readUses(db *gorm.DB, which string, args ...any) ([]pricing.CouponUse, error) {
	rows, err := db.Raw("SELECT "+useColumns+" FROM coupon_uses "+which, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	uses := []pricing.CouponUse{}
	for rows.Next() {
		var u pricing.CouponUse
		var created, updated int64
		if err := rows.Scan(&u.OrderID, &u.Code, &u.Customer, &u.State, &created, &updated); err != nil {
			return nil, err
		}
		u.CreatedAt, u.UpdatedAt = store.Time(created), store.Time(updated)
		uses = append(uses, u)
	}
	return uses, rows.Err()
}
