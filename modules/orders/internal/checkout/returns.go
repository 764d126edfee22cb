package checkout

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/money"
	"cutpoint/platform/store"
)

// RequestReturn implements orders.Service.
func (c *Checkout) RequestReturn(ctx context.Context, req orders.RequestReturnRequest) (orders.ReturnAnswer, error) {
	if err := checkTerms(req.Terms); err != nil {
		return orders.ReturnAnswer{}, err
	}
	var ret orders.Return
	id, replayed, err := c.once(ctx, req.Key, func(tx *gorm.DB) (string, error) {
		id := c.NewID("ret")
		return id, c.amend(tx, req.OrderID, func(r *record) error { return c.announce(tx, r, id, req.Terms) })
	})
	if err == nil {
		ret, err = c.findReturn(c.Store.Read(ctx), req.OrderID, id)
	}
	return orders.ReturnAnswer{Return: ret, Replayed: replayed}, err
}

// announce adds a return to an order.
func (c *Checkout) announce(tx *gorm.DB, r *record, id string, terms orders.ReturnTerms) error {
	if r.order.Status != orders.StatusCompleted {
		return orders.ErrNotFulfillable.Saying("nothing comes back of an order that is not complete")
	}
	t, err := takeStock(tx, &r.order)
	if err != nil {
		return err
	}
	if len(t.returns) >= orders.MaxOfOrder {
		return orders.ErrTooMany
	}
	lines, err := pick(&r.order, terms.Lines, func(line int) int64 { return t.lines[line].sent - t.lines[line].returned })
	if err != nil {
		return err
	}
	agreed := int64(0)
	if terms.RefundAmount != nil {
		if agreed, err = refundable(r.order.Payment, terms.RefundAmount); err != nil {
			return err
		}
	}
	now := store.Micros(c.Now())
	r.tell(id, orders.EventReturnRequested)
	_, err = store.Exec(tx, `INSERT INTO returns (id, order_id, status, lines, reason, refund, refund_amount, restock, location, created_at, updated_at)
		VALUES (?, ?, 'requested', ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, r.order.ID, text(lines), terms.Reason, terms.Refund, agreed, terms.Restock, terms.Location, now, now)
	return err
}

// ReceiveReturn implements orders.Service.
func (c *Checkout) ReceiveReturn(ctx context.Context, req orders.ReturnRequest) (orders.Placement, error) {
	return c.command(ctx, req.Key, req.OrderID, func(tx *gorm.DB, r *record) (bool, error) {
		if !resting(r.order.State) {
			return false, orders.ErrBusy.About(r.order.ID)
		}
		ret, err := c.findReturn(tx, r.order.ID, req.ID)
		if err == nil && ret.Status != orders.ReturnRequested {
			err = orders.ErrReturnStatus
		}
		if err == nil {
			err = c.receiveReturn(tx, r, ret)
		}
		if err != nil {
			return false, fault.From(err).About(r.order.ID)
		}
		return true, nil
	})
}

// receiveReturn gives back what a return says.
func (c *Checkout) receiveReturn(tx *gorm.DB, r *record, ret orders.Return) (err error) {
	amount := int64(0)
	if ret.Refund || ret.Restock {
		if err := mayRefund(r); err != nil {
			return err
		}
	}
	if ret.Refund {
		if amount, err = c.refundReturn(tx, r, ret); err != nil {
			return err
		}
	}
	if ret.Restock {
		if err := c.insertRestock(tx, r, restockOf{id: c.NewID("rst"), returnID: ret.ID, lines: ret.Lines, location: ret.Location}); err != nil {
			return err
		}
	}
	r.reason = ret.Reason
	r.tell(ret.ID, orders.EventReturnReceived)
	c.giveBack(r, amount, ret.Refund || ret.Restock)
	_, err = store.Exec(tx, "UPDATE returns SET status = ?, refund_amount = ?, updated_at = ? WHERE id = ?",
		orders.ReturnReceived, amount, store.Micros(c.Now()), ret.ID)
	return err
}

// refundReturn writes down that the units of a return are refunded, and returns what they come to.
func (c *Checkout) refundReturn(tx *gorm.DB, r *record, ret orders.Return) (int64, error) {
	t, err := takeStock(tx, &r.order)
	if err != nil {
		return 0, err
	}
	lines := make([]refundedLine, len(ret.Lines))
	for i, l := range ret.Lines {
		u := t.lines[l.Line-1]
		if l.Quantity > u.ordered-u.refunded {
			return 0, orders.ErrQuantity.Saying("%d of line %d were refunded already", u.refunded, l.Line)
		}
		lines[i] = refundedLine{LineQuantity: l}
	}
	_, amount, err := c.insertRefund(tx, r, t, lines, false, ret.RefundAmount)
	return amount, err
}

// CancelReturn implements orders.Service.
func (c *Checkout) CancelReturn(ctx context.Context, req orders.ReturnRequest) (orders.Return, error) {
	err := c.Store.Write(ctx, func(tx *gorm.DB) error {
		return c.amend(tx, req.OrderID, func(r *record) error {
			ret, err := c.findReturn(tx, r.order.ID, req.ID)
			switch {
			case err != nil:
				return err
			case ret.Status == orders.ReturnCancelled:
				return errUnchanged
			case ret.Status != orders.ReturnRequested:
				return orders.ErrReturnStatus
			}
			r.tell(ret.ID, orders.EventReturnCancelled)
			_, err = store.Exec(tx, "UPDATE returns SET status = ?, updated_at = ? WHERE id = ?", orders.ReturnCancelled, store.Micros(c.Now()), ret.ID)
			return err
		})
	})
	if err != nil {
		return orders.Return{}, err
	}
	return c.findReturn(c.Store.Read(ctx), req.OrderID, req.ID)
}

// Returns implements orders.Service.
func (c *Checkout) Returns(ctx context.Context, req orders.OrderRequest) (orders.ReturnList, error) {
	o, err := c.Order(ctx, req)
	if err != nil {
		return orders.ReturnList{}, err
	}
	list, err := returnsOf(c.Store.Read(ctx), &o)
	return orders.ReturnList{Returns: list}, err
}

func (c *Checkout) findReturn(db *gorm.DB, orderID, id string) (orders.Return, error) {
	r, err := c.load(db, orderID)
	if err != nil {
		return orders.Return{}, err
	}
	list, err := returnsOf(db, &r.order)
	if i := slices.IndexFunc(list, func(ret orders.Return) bool { return ret.ID == id }); i >= 0 {
		return list[i], nil
	}
	if err == nil {
		err = orders.ErrReturnNotFound
	}
	return orders.Return{}, err
}

func returnsOf(db *gorm.DB, o *orders.Order) ([]orders.Return, error) {
	rows, err := store.Rows(db, `SELECT r.id, r.order_id, r.status, r.lines, r.reason, r.refund, r.refund_amount, r.restock, r.location, r.created_at, r.updated_at,
		COALESCE(s.state, ''), COALESCE(s.problem, '') FROM returns r LEFT JOIN restocks s ON s.order_id = r.order_id AND s.return_id = r.id
		WHERE r.order_id = ? ORDER BY r.id`, o.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []orders.Return{}
	for rows.Next() {
		var ret orders.Return
		var amount, created, updated int64
		var restocked orders.Restocked
		if err := rows.Scan(&ret.ID, &ret.OrderID, &ret.Status, document{&ret.Lines}, &ret.Reason, &ret.Refund, &amount, &ret.Restock, &ret.Location,
			&created, &updated, &restocked.State, &restocked.Problem); err != nil {
			return nil, err
		}
		if amount > 0 {
			ret.RefundAmount = &money.Money{Amount: amount, Currency: o.Currency}
		}
		if restocked.State != "" {
			ret.Restocked = &restocked
		}
		ret.CreatedAt, ret.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, ret)
	}
	return list, rows.Err()
}

// checkTerms returns what is wrong with a return before its order is looked at.
func checkTerms(t orders.ReturnTerms) error {
	f := fault.ErrInvalid
	bad := func(pointer, detail string) { f = f.At(pointer, f.Code, detail) }
	if len(t.Lines) == 0 || len(t.Lines) > orders.MaxLines {
		bad("/lines", fmt.Sprintf("a return has 1 to %d lines", orders.MaxLines))
	}
	if len(t.Reason) > orders.MaxReason {
		bad("/reason", fmt.Sprintf("a reason has at most %d bytes", orders.MaxReason))
	}
	if t.RefundAmount != nil && !t.Refund {
		bad("/refund_amount", "an amount is for a return that is refunded")
	}
	if t.Location != "" && !t.Restock {
		bad("/location", "a location is for a return that is restocked")
	}
	return faults(f)
}
