package checkout

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/store"
)

// CreateFulfilment implements orders.Service.
func (c *Checkout) CreateFulfilment(ctx context.Context, req orders.CreateFulfilmentRequest) (orders.FulfilmentAnswer, error) {
	if err := checkTracking(req.Tracking); err != nil {
		return orders.FulfilmentAnswer{}, err
	}
	if req.Status == "" {
		req.Status = orders.FulfilmentCreated
	}
	if req.Status != orders.FulfilmentCreated && req.Status != orders.FulfilmentShipped {
		return orders.FulfilmentAnswer{}, fault.ErrInvalid.At("/status", fault.ErrInvalid.Code, "a fulfilment begins as created or shipped")
	}
	id, replayed, err := c.once(ctx, req.Key, func(tx *gorm.DB) (string, error) {
		id := c.NewID("ful")
		return id, c.amend(tx, req.OrderID, func(r *record) error { return c.pack(tx, r, id, req) })
	})
	if err != nil {
		return orders.FulfilmentAnswer{}, err
	}
	f, err := c.fulfilment(ctx, req.OrderID, id)
	return orders.FulfilmentAnswer{Fulfilment: f, Replayed: replayed}, err
}

// pack adds a fulfilment to an order.
func (c *Checkout) pack(tx *gorm.DB, r *record, id string, req orders.CreateFulfilmentRequest) error {
	if r.order.Status != orders.StatusCompleted {
		return orders.ErrNotFulfillable
	}
	t, err := takeStock(tx, &r.order)
	if err != nil {
		return err
	}
	if len(t.fulfilments) >= orders.MaxOfOrder {
		return orders.ErrTooMany
	}
	open := func(line int) int64 { return t.lines[line].open() }
	if len(req.Lines) == 0 {
		req.Lines = rest(&r.order, open)
	}
	lines, err := pick(&r.order, req.Lines, open)
	switch {
	case err != nil:
		return err
	case len(lines) == 0:
		return orders.ErrQuantity.Saying("nothing is left to send of this order")
	}
	t.addFulfilment(orders.Fulfilment{Status: req.Status, Lines: lines})
	now := store.Micros(c.Now())
	if _, err := store.Exec(tx, `INSERT INTO fulfilments (id, order_id, status, lines, carrier, tracking_number, tracking_url, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, r.order.ID, req.Status, text(lines),
		req.Tracking.Carrier, req.Tracking.TrackingNumber, req.Tracking.TrackingURL, now, now); err != nil {
		return err
	}
	r.tell(id, orders.EventFulfilmentCreated)
	if req.Status == orders.FulfilmentShipped {
		r.tell(id, orders.EventFulfilmentShipped)
	}
	return r.refit(tx, t)
}

// fulfilmentEvents is what the statuses of a fulfilment are told by.
var fulfilmentEvents = map[string]string{
	orders.FulfilmentShipped:   orders.EventFulfilmentShipped,
	orders.FulfilmentDelivered: orders.EventFulfilmentDelivered,
	orders.FulfilmentCancelled: orders.EventFulfilmentCancelled,
}

// UpdateFulfilment implements orders.Service.
func (c *Checkout) UpdateFulfilment(ctx context.Context, req orders.UpdateFulfilmentRequest) (orders.Fulfilment, error) {
	if err := checkTracking(req.Tracking); err != nil {
		return orders.Fulfilment{}, err
	}
	err := c.Store.Write(ctx, func(tx *gorm.DB) error {
		return c.amend(tx, req.OrderID, func(r *record) error { return c.moveFulfilment(tx, r, req) })
	})
	if err != nil {
		return orders.Fulfilment{}, err
	}
	return c.fulfilment(ctx, req.OrderID, req.ID)
}

func (c *Checkout) moveFulfilment(tx *gorm.DB, r *record, req orders.UpdateFulfilmentRequest) error {
	t, err := takeStock(tx, &r.order)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(t.fulfilments, func(f orders.Fulfilment) bool { return f.ID == req.ID })
	if i < 0 {
		return orders.ErrFulfilmentNotFound
	}
	was := t.fulfilments[i]
	f := was
	if to := req.Status; to != "" && to != f.Status {
		if !leadsTo(f.Status, to) {
			return orders.ErrFulfilmentStatus.Saying("a fulfilment that is %s can't become %q", f.Status, to)
		}
		if r.order.Status != orders.StatusCompleted && to != orders.FulfilmentCancelled {
			return orders.ErrNotFulfillable
		}
		f.Status = to
		r.tell(f.ID, fulfilmentEvents[to])
	}
	f.Tracking = orders.Tracking{
		Carrier:        cmp.Or(req.Tracking.Carrier, f.Carrier),
		TrackingNumber: cmp.Or(req.Tracking.TrackingNumber, f.TrackingNumber),
		TrackingURL:    cmp.Or(req.Tracking.TrackingURL, f.TrackingURL),
	}
	if f.Status == was.Status && f.Tracking == was.Tracking {
		return errUnchanged
	}
	if f.Status == was.Status {
		r.tell(f.ID, orders.EventUpdated)
	}
	if _, err := store.Exec(tx, "UPDATE fulfilments SET status = ?, carrier = ?, tracking_number = ?, tracking_url = ?, updated_at = ? WHERE id = ?",
		f.Status, f.Carrier, f.TrackingNumber, f.TrackingURL, store.Micros(c.Now()), f.ID); err != nil {
		return err
	}
	if t, err = takeStock(tx, &r.order); err != nil {
		return err
	}
	return r.refit(tx, t)
}

// leadsTo reports whether a fulfilment of one status may become one of another.
func leadsTo(from, to string) bool {
	switch from {
	case orders.FulfilmentCreated:
		return fulfilmentEvents[to] != ""
	case orders.FulfilmentShipped:
		return to == orders.FulfilmentDelivered
	}
	return false
}

// Fulfilments implements orders.Service.
func (c *Checkout) Fulfilments(ctx context.Context, req orders.OrderRequest) (orders.FulfilmentList, error) {
	if _, err := c.Order(ctx, req); err != nil {
		return orders.FulfilmentList{}, err
	}
	list, err := fulfilmentsOf(c.Store.Read(ctx), req.ID)
	return orders.FulfilmentList{Fulfilments: list}, err
}

func (c *Checkout) fulfilment(ctx context.Context, orderID, id string) (orders.Fulfilment, error) {
	list, err := fulfilmentsOf(c.Store.Read(ctx), orderID)
	for _, f := range list {
		if f.ID == id {
			return f, nil
		}
	}
	if err == nil {
		err = orders.ErrFulfilmentNotFound
	}
	return orders.Fulfilment{}, err
}

func fulfilmentsOf(db *gorm.DB, orderID string) ([]orders.Fulfilment, error) {
	rows, err := store.Rows(db, `SELECT id, order_id, status, lines, carrier, tracking_number, tracking_url, created_at, updated_at FROM fulfilments
		WHERE order_id = ? ORDER BY id`, orderID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []orders.Fulfilment{}
	for rows.Next() {
		var f orders.Fulfilment
		var created, updated int64
		if err := rows.Scan(&f.ID, &f.OrderID, &f.Status, document{&f.Lines}, &f.Carrier, &f.TrackingNumber, &f.TrackingURL, &created, &updated); err != nil {
			return nil, err
		}
		f.CreatedAt, f.UpdatedAt = store.Time(created), store.Time(updated)
		list = append(list, f)
	}
	return list, rows.Err()
}

func checkTracking(t orders.Tracking) error {
	f := fault.ErrInvalid
	for name, value := range map[string]string{"carrier": t.Carrier, "tracking_number": t.TrackingNumber, "tracking_url": t.TrackingURL} {
		if len(value) > orders.MaxTracking {
			f = f.At("/"+name, f.Code, "it is too long")
		}
	}
	if u, err := url.Parse(t.TrackingURL); t.TrackingURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		f = f.At("/tracking_url", f.Code, "it is no http or https address")
	}
	return faults(f)
}
