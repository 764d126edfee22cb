package ordershttp

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// exportPage is how many orders are in memory at a time.
const exportPage = 200

func (f face) registerExport(a *web.API) {
	web.HandleStream(a, web.Route{
		Method: http.MethodGet, Path: "/v1/orders/export", ID: "export-orders", Tag: tag, Scopes: []string{auth.OrdersRead},
		Summary: "Export orders, newest first",
		Description: "All orders that the filters let through, as CSV (one row each, amounts in minor units) or as JSON lines (each as GET shows it). A cell " +
			"of CSV that a spreadsheet would take for a formula begins with an apostrophe. An export that can't be finished breaks off.",
	}, []string{typeCSV, typeJSONL}, f.export)
}

const (
	typeCSV   = "text/csv"
	typeJSONL = "application/jsonl"
)

type exportInput struct {
	Format string `query:"format" enum:"csv,jsonl" default:"csv"`
	Filters
}

// export reads the first page before it answers, so that what is wrong with the filters is answered as such.
func (f face) export(ctx context.Context, in *exportInput) (web.Stream, error) {
	req := in.request(ctx)
	req.Limit = exportPage
	page, err := f.orders.Orders(ctx, req)
	if err != nil {
		return web.Stream{}, err
	}
	s := web.Stream{ContentType: typeCSV, Filename: "orders." + in.Format}
	encode := writeCSV
	if in.Format == "jsonl" {
		s.ContentType, encode = typeJSONL, writeJSONL
	}
	s.Write = func(ctx context.Context, w io.Writer) error {
		out := bufio.NewWriter(w)
		for first := true; ; first = false {
			if err := encode(out, page.Orders, first); err != nil {
				return err
			}
			if !page.More {
				return out.Flush()
			}
			req.Before = page.Orders[len(page.Orders)-1].ID
			if page, err = f.orders.Orders(ctx, req); err != nil {
				return err
			}
		}
	}
	return s, nil
}

func writeJSONL(w io.Writer, page []orders.Order, _ bool) error {
	e := json.NewEncoder(w)
	for _, o := range page {
		if err := e.Encode(o); err != nil {
			return err
		}
	}
	return nil
}

// columns of an export, which others rely on: new ones go to the end.
var columns = []struct {
	name string
	cell func(o *orders.Order, a *orders.Address) string
}{
	{"id", func(o *orders.Order, _ *orders.Address) string { return o.ID }},
	{"created_at", func(o *orders.Order, _ *orders.Address) string { return o.CreatedAt.Format(time.RFC3339Nano) }},
	{"updated_at", func(o *orders.Order, _ *orders.Address) string { return o.UpdatedAt.Format(time.RFC3339Nano) }},
	{"status", func(o *orders.Order, _ *orders.Address) string { return o.Status }},
	{"state", func(o *orders.Order, _ *orders.Address) string { return o.State }},
	{"fulfilment_status", func(o *orders.Order, _ *orders.Address) string { return o.FulfilmentStatus }},
	{"currency", func(o *orders.Order, _ *orders.Address) string { return o.Currency }},
	{"subtotal", func(o *orders.Order, _ *orders.Address) string { return figure(o.Totals.Subtotal.Amount) }},
	{"discount", func(o *orders.Order, _ *orders.Address) string { return figure(o.Totals.Discount.Amount) }},
	{"shipping", func(o *orders.Order, _ *orders.Address) string { return figure(o.Totals.Shipping.Amount) }},
	{"tax", func(o *orders.Order, _ *orders.Address) string { return figure(o.Totals.Tax.Amount) }},
	{"total", func(o *orders.Order, _ *orders.Address) string { return figure(o.Totals.Total.Amount) }},
	{"payment_id", func(o *orders.Order, _ *orders.Address) string { return o.Payment.ID }},
	{"payment_status", func(o *orders.Order, _ *orders.Address) string { return o.Payment.Status }},
	{"captured", func(o *orders.Order, _ *orders.Address) string { return figure(o.Payment.Captured.Amount) }},
	{"refunded", func(o *orders.Order, _ *orders.Address) string { return figure(o.Payment.Refunded.Amount) }},
	{"customer_email", func(o *orders.Order, _ *orders.Address) string { return o.Customer.Email }},
	{"customer_id", func(o *orders.Order, _ *orders.Address) string { return o.Customer.ID }},
	{"coupon", func(o *orders.Order, _ *orders.Address) string { return o.Coupon }},
	{"items", func(o *orders.Order, _ *orders.Address) string { return items(o.Lines) }},
	{"shipping_method", func(o *orders.Order, _ *orders.Address) string {
		if o.Shipping == nil {
			return ""
		}
		return o.Shipping.Method
	}},
	{"name", func(_ *orders.Order, a *orders.Address) string { return a.Name }},
	{"line1", func(_ *orders.Order, a *orders.Address) string { return a.Line1 }},
	{"line2", func(_ *orders.Order, a *orders.Address) string { return a.Line2 }},
	{"city", func(_ *orders.Order, a *orders.Address) string { return a.City }},
	{"region", func(_ *orders.Order, a *orders.Address) string { return a.Region }},
	{"postal_code", func(_ *orders.Order, a *orders.Address) string { return a.PostalCode }},
	{"country", func(_ *orders.Order, a *orders.Address) string { return a.Country }},
	{"failure", func(o *orders.Order, _ *orders.Address) string {
		if o.Failure == nil {
			return ""
		}
		return o.Failure.Code
	}},
	{"correlation_id", func(o *orders.Order, _ *orders.Address) string { return o.CorrelationID }},
	{"metadata", func(o *orders.Order, _ *orders.Address) string {
		m, _ := json.Marshal(o.Metadata) // strings always encode
		return string(m)
	}},
}

func figure(n int64) string { return strconv.FormatInt(n, 10) }

// items are the lines in one cell: "2 MUG-1; 1 SHIRT-1".
func items(lines []orders.PricedLine) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = fmt.Sprintf("%d %s", l.Quantity, l.SKU)
	}
	return strings.Join(parts, "; ")
}

func writeCSV(w io.Writer, page []orders.Order, first bool) error {
	out, row := csv.NewWriter(w), make([]string, len(columns))
	if first {
		for i, c := range columns {
			row[i] = c.name
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	for _, o := range page {
		a := &orders.Address{}
		if o.Shipping != nil && o.Shipping.Address != nil {
			a = o.Shipping.Address
		}
		for i, c := range columns {
			row[i] = harmless(c.cell(&o, a))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// harmless marks as text what a spreadsheet would take for a formula. No figure of an order is negative.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
