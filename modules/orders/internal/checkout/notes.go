package checkout

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"cutpoint/modules/orders"
	"cutpoint/platform/fault"
	"cutpoint/platform/revision"
	"cutpoint/platform/store"
)

// AddNote implements orders.Service. A note says nothing about the order's progress: it can be added at any time, and no event tells it.
func (c *Checkout) AddNote(ctx context.Context, req orders.AddNoteRequest) (orders.NoteAnswer, error) {
	if strings.TrimSpace(req.Text) == "" || len(req.Text) > orders.MaxNote {
		return orders.NoteAnswer{}, fault.ErrInvalid.At("/text", fault.ErrInvalid.Code, fmt.Sprintf("a note has 1 to %d bytes", orders.MaxNote))
	}
	if _, err := c.Order(ctx, orders.OrderRequest{ID: req.OrderID}); err != nil {
		return orders.NoteAnswer{}, err
	}
	id, replayed, err := c.once(ctx, req.Key, func(tx *gorm.DB) (string, error) {
		notes, err := notesOf(tx, req.OrderID)
		if err != nil {
			return "", err
		}
		if len(notes) >= orders.MaxOfOrder {
			return "", orders.ErrTooMany.About(req.OrderID)
		}
		id := c.NewID("not")
		_, err = store.Exec(tx, "INSERT INTO notes (id, order_id, author, text, created_at) VALUES (?, ?, ?, ?, ?)",
			id, req.OrderID, cmp.Or(req.Key.Caller, req.Author), req.Text, store.Micros(c.Now()))
		return id, err
	})
	if err != nil {
		return orders.NoteAnswer{}, err
	}
	notes, err := notesOf(c.Store.Read(ctx), req.OrderID)
	for _, n := range notes {
		if n.ID == id {
			return orders.NoteAnswer{Note: n, Replayed: replayed}, nil
		}
	}
	return orders.NoteAnswer{}, err
}

// Notes implements orders.Service.
func (c *Checkout) Notes(ctx context.Context, req orders.OrderRequest) (orders.NoteList, error) {
	if _, err := c.Order(ctx, req); err != nil {
		return orders.NoteList{}, err
	}
	notes, err := notesOf(c.Store.Read(ctx), req.ID)
	return orders.NoteList{Notes: notes}, err
}

func notesOf(db *gorm.DB, orderID string) ([]orders.Note, error) {
	rows, err := store.Rows(db, "SELECT id, order_id, author, text, created_at FROM notes WHERE order_id = ? ORDER BY id", orderID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	notes := []orders.Note{}
	for rows.Next() {
		var n orders.Note
		var created int64
		if err := rows.Scan(&n.ID, &n.OrderID, &n.Author, &n.Text, &created); err != nil {
			return nil, err
		}
		n.CreatedAt = store.Time(created)
		notes = append(notes, n)
	}
	return notes, rows.Err()
}

// PutMetadata implements orders.Service.
func (c *Checkout) PutMetadata(ctx context.Context, req orders.PutMetadataRequest) (orders.Order, error) {
	if err := faults(checkMetadata(fault.ErrInvalid, req.Metadata)); err != nil {
		return orders.Order{}, err
	}
	err := c.Store.Write(ctx, func(tx *gorm.DB) error {
		return c.amend(tx, req.OrderID, func(r *record) error {
			if err := revision.Check(r.order.Version, req.IfVersion); err != nil {
				return err
			}
			if err := removeTerms(tx, r.order.ID, metadataTerms(&r.order)); err != nil {
				return err
			}
			r.order.Metadata = req.Metadata
			if req.Metadata == nil {
				r.order.Metadata = map[string]string{}
			}
			r.tell("", orders.EventUpdated)
			if _, err := store.Exec(tx, "UPDATE orders SET metadata = ? WHERE id = ?", text(r.order.Metadata), r.order.ID); err != nil {
				return err
			}
			return addTerms(tx, r.order.ID, metadataTerms(&r.order))
		})
	})
	if err != nil {
		return orders.Order{}, err
	}
	return c.Order(ctx, orders.OrderRequest{ID: req.OrderID})
}
