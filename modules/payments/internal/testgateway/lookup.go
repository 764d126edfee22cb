package testgateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/payments/internal/till"
	"cutpoint/platform/store"
)

// listed is how many requests a page of List has.
const listed = 200

// Lookup implements till.Provider. The gateway knows all keys that it ever took: what it does not find never arrived.
func (g *Gateway) Lookup(ctx context.Context, q till.Query) (till.Result, error) {
	where, arg := "key = ?", q.Key
	if q.Reference != "" {
		where, arg = "reference = ?", q.Reference
	}
	r, err := findRequest(g.store.Read(ctx), where, arg)
	if err != nil {
		return till.Result{Cause: err}, nil
	}
	if r == nil {
		return till.Result{State: till.NotFound, Certain: true}, nil
	}
	if t := g.token(r.token); t.deaf {
		if struck, err := g.strike(ctx, r.key, "lookup", t.n); err != nil || struck {
			return till.Result{Cause: errors.New("503 Service Unavailable")}, nil
		}
	}
	return g.result(r), nil
}

// Seal implements till.Provider. A key that never arrived is sealed as well: when it comes, it is answered with Cancelled.
func (g *Gateway) Seal(ctx context.Context, in till.Instruction) (till.Result, error) {
	var r *request
	err := g.store.Write(ctx, func(tx *gorm.DB) (err error) {
		if r, err = findRequest(tx, "key = ?", in.Key); err != nil {
			return err
		}
		switch {
		case r == nil:
			r = &request{
				key: in.Key, kind: in.Kind, orderID: in.OrderID, asked: in.Amount, state: till.Cancelled, reference: g.newID("ch"),
				at: g.now(), changed: g.now(),
			}
			return r.insert(tx)
		case r.state == till.Pending, r.state == till.RequiresAction:
			r.state, r.settleAt = till.Cancelled, time.Time{}
			return g.update(tx, r)
		}
		return nil
	})
	if err != nil {
		return till.Result{Cause: fmt.Errorf("%s: %w", Name, err)}, nil
	}
	return g.result(r), nil
}

// List implements till.Provider. A cursor is the time and the key after which the next page begins.
func (g *Gateway) List(ctx context.Context, since time.Time, cursor string) (till.Listing, error) {
	changed, key := store.Micros(since), ""
	if cursor != "" {
		before, after, _ := strings.Cut(cursor, "/")
		at, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return till.Listing{}, fmt.Errorf("the cursor %q: %w", cursor, err)
		}
		changed, key = at, after
	}
	found, err := findRequests(g.store.Read(ctx), "(changed_at, key) > (?, ?) ORDER BY changed_at, key LIMIT ?", changed, key, listed)
	if err != nil {
		return till.Listing{}, err
	}
	var page till.Listing
	for _, r := range found {
		page.Facts = append(page.Facts, g.fact(r))
	}
	if len(found) == listed {
		last := found[listed-1]
		page.Next = fmt.Sprint(store.Micros(last.changed), "/", last.key)
	}
	return page, nil
}
