package checkout

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/modules/payments"
	"cutpoint/modules/pricing"
	"cutpoint/platform/fault"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Personal data are erased an order at a time, all that tells of it in one commit, and a batch of orders to a commit. Two things ask
// for it: a customer, by an erasure, which goes on until nothing of theirs is left from before it; and the policy, which follows the
// feed of events and takes the orders whose last event is old enough.
//
// Pricing knows customers too, payments why money was given back, and both are asked first: an order that is marked as erased here is erased there, whatever crashes in
// between, and the only things to be repeated are calls that may be. Whoever else keeps copies reads orders.erased in the feed.

const (
	eraseBatch  = 32          // orders in one commit
	retainBatch = 200         // events that the policy looks at in one commit
	eraseWait   = time.Minute // before an erasure looks again whether an order has come to its end, or whether a neighbour answers
)

// Erase implements orders.Service.
func (c *Checkout) Erase(ctx context.Context, req orders.EraseRequest) (orders.Erasure, error) {
	if (req.Email == "") == (req.CustomerID == "") || req.Email != "" && !strings.Contains(req.Email, "@") {
		return orders.Erasure{}, fault.ErrInvalid.At("/email", fault.ErrInvalid.Code, "name the customer by email address or by id")
	}
	erasureID, _, err := c.once(ctx, req.Key, func(tx *gorm.DB) (string, error) {
		now, erasureID := store.Micros(c.Now()), c.NewID("era")
		_, err := store.Exec(tx, `INSERT INTO erasures (id, email, customer_id, requested_by, requested_at, next_at, done_at, orders, waiting)
			VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0)`, erasureID, strings.ToLower(req.Email), req.CustomerID, req.Requester, now, now)
		return erasureID, err
	})
	if err != nil {
		return orders.Erasure{}, err
	}
	c.nudge()
	return c.Erasure(ctx, orders.ErasureRequest{ID: erasureID})
}

// Erasure implements orders.Service.
func (c *Checkout) Erasure(ctx context.Context, req orders.ErasureRequest) (orders.Erasure, error) {
	var requested, done int64
	var waiting bool
	e := orders.Erasure{Status: "running"}
	err := store.Row(c.Store.Read(ctx), "SELECT id, requested_by, requested_at, done_at, orders, waiting FROM erasures WHERE id = ?", req.ID).
		Scan(&e.ID, &e.RequestedBy, &requested, &done, &e.Orders, &waiting)
	if errors.Is(err, sql.ErrNoRows) {
		return orders.Erasure{}, orders.ErrErasureNotFound
	}
	switch {
	case done > 0:
		e.Status = "done"
	case waiting:
		e.Status = "waiting"
	}
	e.RequestedAt, e.DoneAt = store.Time(requested), timeOrNil(done)
	return e, err
}

// eraseDue does a batch of what is to be erased, and reports whether there is more. After a failure it does nothing for a while, so that
// a neighbour that hangs does not hold up the sweeper each time. The sweeper alone calls it.
func (c *Checkout) eraseDue(ctx context.Context) (more bool, err error) {
	if c.Now().Before(c.eraseAgain) {
		return false, nil
	}
	defer func() {
		if err != nil {
			c.eraseAgain = c.Now().Add(eraseWait)
		}
	}()
	asked, err := c.eraseForCustomer(ctx)
	if err != nil || c.policy.EraseAfter <= 0 {
		return asked, err
	}
	old, err := c.eraseByPolicy(ctx)
	return asked || old, err
}

// erasure is one that is due.
type erasure struct {
	id, email, customer string
	before              string // ids of orders from before it was asked for
}

// eraseForCustomer takes up the erasure that has waited longest.
func (c *Checkout) eraseForCustomer(ctx context.Context) (more bool, err error) {
	var e erasure
	var requested int64
	err = store.Row(c.Store.Read(ctx), "SELECT id, email, customer_id, requested_at FROM erasures WHERE next_at > 0 AND next_at <= ? ORDER BY next_at LIMIT 1",
		store.Micros(c.Now())).Scan(&e.id, &e.email, &e.customer, &requested)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	e.before = id.Floor("ord", store.Time(requested).Add(idSlack))
	asked, err := e.orders(c.Store.Read(ctx), atEnd)
	if err != nil {
		return false, err
	}
	if err := c.eraseAtNeighbours(ctx, asked); err != nil {
		return false, err
	}
	return true, c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		found, err := e.orders(tx, atEnd)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return c.restErasure(tx, e)
		}
		erased := 0
		for _, orderID := range found {
			if !slices.Contains(asked, orderID) {
				continue // it came to its end just now: the next batch has it
			}
			if err := c.eraseOrder(tx, orderID); err != nil {
				return err
			}
			erased++
		}
		_, err = store.Exec(tx, "UPDATE erasures SET orders = orders + ?, waiting = 0 WHERE id = ?", erased, e.id)
		return err
	})
}

// atEnd is true of an order of which nothing is under way any more.
const atEnd = ` AND s.state IN ('completed', 'rejected', 'declined', 'cancelled')
	AND NOT EXISTS (SELECT 1 FROM fulfilments f WHERE f.order_id = s.order_id AND f.status = 'created')
	AND NOT EXISTS (SELECT 1 FROM returns r WHERE r.order_id = s.order_id AND r.status = 'requested')`

// eraseAtNeighbours lets those modules erase what they keep of the customers of some orders that orders itself has told them.
func (c *Checkout) eraseAtNeighbours(ctx context.Context, orderIDs []string) error {
	if len(orderIDs) == 0 {
		return nil
	}
	if _, err := c.Pricing.EraseCustomers(ctx, pricing.EraseCustomersRequest{OrderIDs: orderIDs}); err != nil {
		return err
	}
	_, err := c.Payments.EraseReasons(ctx, payments.EraseReasonsRequest{OrderIDs: orderIDs})
	return err
}

// orders are those of the customer that are not erased yet, a batch of them.
func (e erasure) orders(tx *gorm.DB, and string) (found []string, err error) {
	if e.customer != "" {
		err = tx.Raw(`SELECT o.id FROM orders o JOIN sagas s ON s.order_id = o.id WHERE o.customer_id = ? AND o.customer_id <> '' AND o.id < ?`+and+" LIMIT ?",
			e.customer, e.before, eraseBatch).Scan(&found).Error
	} else {
		err = tx.Raw(`SELECT t.order_id FROM terms t JOIN sagas s ON s.order_id = t.order_id WHERE t.term = ? AND t.order_id < ?`+and+" LIMIT ?",
			"email="+e.email, e.before, eraseBatch).Scan(&found).Error
	}
	return found, err
}

// restErasure ends an erasure that has nothing left to erase, and forgets whom it was for; or lets it wait for orders under way.
func (c *Checkout) restErasure(tx *gorm.DB, e erasure) error {
	left, err := e.orders(tx, "")
	if err != nil {
		return err
	}
	if len(left) > 0 {
		_, err = store.Exec(tx, "UPDATE erasures SET waiting = 1, next_at = ? WHERE id = ?", store.Micros(c.Now().Add(eraseWait)), e.id)
		return err
	}
	_, err = store.Exec(tx, "UPDATE erasures SET email = '', customer_id = '', waiting = 0, next_at = 0, done_at = ? WHERE id = ? AND done_at = 0",
		store.Micros(c.Now()), e.id)
	return err
}

// eraseByPolicy looks at the next events of the feed that are old enough. The last event of an order tells when it came to where it is;
// one that is not at its end will have another.
func (c *Checkout) eraseByPolicy(ctx context.Context) (more bool, err error) {
	cutoff := store.Micros(c.Now().Add(-c.policy.EraseAfter))
	after, err := cursor(c.Store.Read(ctx), retained)
	if err != nil {
		return false, err
	}
	var due []lastEvent
	err = c.Store.Read(ctx).Raw("SELECT position, sequence, order_id FROM events WHERE position > ? AND at <= ? ORDER BY position LIMIT ?",
		after, cutoff, retainBatch).Scan(&due).Error
	if err != nil || len(due) == 0 {
		return false, err
	}
	var asked []string
	for _, e := range due {
		old, err := c.outlived(c.Store.Read(ctx), e)
		if err != nil {
			return false, err
		}
		if old {
			asked = append(asked, e.OrderID)
		}
	}
	if err := c.eraseAtNeighbours(ctx, asked); err != nil {
		return false, err
	}
	err = c.Store.Write(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
		if at, err := cursor(tx, retained); err != nil || at != after {
			return err // another instance has looked at these
		}
		to := after
		for _, e := range due {
			old, err := c.outlived(tx, e)
			if err != nil {
				return err
			}
			if old && !slices.Contains(asked, e.OrderID) {
				break // it came to its end just now, without an event: the next batch begins with it
			}
			if old {
				if err := c.eraseOrder(tx, e.OrderID); err != nil {
					return err
				}
			}
			to = e.Position
		}
		_, err := moveCursor(tx, retained, after, to)
		return err
	})
	return len(due) == retainBatch, err
}

// lastEvent is an event that may be the last of its order.
type lastEvent struct {
	Position, Sequence int64
	OrderID            string
}

// outlived reports whether an order has ended, and nothing has happened to it since an event that is old enough.
func (c *Checkout) outlived(db *gorm.DB, e lastEvent) (bool, error) {
	r, err := c.load(db, e.OrderID)
	if err != nil {
		return false, err
	}
	return e.Sequence == r.events && (r.order.State == completed || dead(r.order.State)) && r.order.ErasedAt == nil, nil
}

// eraseOrder erases the personal data of an order at its end, wherever this module keeps them, and tells that it did.
func (c *Checkout) eraseOrder(tx *gorm.DB, orderID string) error {
	r, err := c.load(tx, orderID)
	if err != nil {
		return err
	}
	if err := removeTerms(tx, orderID, personalTerms(&r.order)); err != nil {
		return err
	}
	now := c.Now()
	r.order.Forget(now)
	r.reason = ""
	r.tell("", orders.EventErased)
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{"UPDATE orders SET customer_email = ?, customer_id = '', shipping = ?, payment = ?, metadata = '{}', erased_at = ? WHERE id = ?",
			[]any{r.order.Customer.Email, text(r.order.Shipping), text(r.order.Payment), store.Micros(now), orderID}},
		{"UPDATE sagas SET hold = '' WHERE order_id = ?", []any{orderID}},
		{"UPDATE notes SET text = ? WHERE order_id = ?", []any{orders.ErasedText, orderID}},
		{"UPDATE fulfilments SET tracking_number = '', tracking_url = '' WHERE order_id = ?", []any{orderID}},
		{"UPDATE returns SET reason = '' WHERE order_id = ?", []any{orderID}},
	} {
		if _, err := store.Exec(tx, s.statement, s.args...); err != nil {
			return err
		}
	}
	if err := eraseCopies(tx, orderID, now, "events", "position", "body", "order_id"); err != nil {
		return err
	}
	if err := eraseCopies(tx, orderID, now, "idempotency_keys", "caller, value", "answer", "subject"); err != nil {
		return err
	}
	return c.update(tx, r)
}

// eraseCopies erases the order as it stands in rows that tell how it once was.
func eraseCopies(tx *gorm.DB, orderID string, now time.Time, table, key, body, of string) error {
	var copies []struct{ Position, Caller, Value, Body string }
	if err := tx.Raw("SELECT "+key+", "+body+" AS body FROM "+table+" WHERE "+of+" = ? AND "+body+" <> ''", orderID).Scan(&copies).Error; err != nil {
		return err
	}
	for _, row := range copies {
		var o orders.Order
		if err := json.Unmarshal([]byte(row.Body), &o); err != nil {
			return err
		}
		o.Forget(now)
		args := []any{text(o), row.Position}
		if key != "position" {
			args = []any{text(o), row.Caller, row.Value}
		}
		if _, err := store.Exec(tx, "UPDATE "+table+" SET "+body+" = ? WHERE "+strings.ReplaceAll(key, ", ", " = ? AND ")+" = ?", args...); err != nil {
			return err
		}
	}
	return nil
}
