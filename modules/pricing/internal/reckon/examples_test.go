package reckon

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cutpoint/modules/pricing"
)

// example is an order of testdata, worked out by hand: how tells the way, want the figures in minor units.
type example struct {
	How             []string                 `json:"how"`
	Request         pricing.CalculateRequest `json:"request"`
	Sets            []pricing.PriceSet       `json:"sets"`
	PriceLists      []pricing.PriceList      `json:"price_lists"`
	Promotions      []pricing.Promotion      `json:"promotions"`
	Coupon          *pricing.Promotion       `json:"coupon"`
	TaxRates        []pricing.TaxRate        `json:"tax_rates"`
	ShippingMethods []pricing.ShippingMethod `json:"shipping_methods"`
	Want            figures                  `json:"want"`
}

type figures struct {
	Lines            [][5]int64 `json:"lines"` // unit price, discount, tax, tax included, total
	Subtotal         int64      `json:"subtotal"`
	Discount         int64      `json:"discount"`
	Shipping         int64      `json:"shipping"`
	ShippingDiscount int64      `json:"shipping_discount"`
	ShippingTax      int64      `json:"shipping_tax"`
	Tax              int64      `json:"tax"`
	TaxIncluded      int64      `json:"tax_included"`
	Total            int64      `json:"total"`
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var e example
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&e); err != nil {
				t.Fatal(err)
			}
			var lists []List
			for _, l := range e.PriceLists {
				lists = append(lists, NewList(l))
			}
			c := must(t, Inputs{Request: e.Request, At: noon, Sets: e.Sets, Coupon: e.Coupon}, NewRules(lists, e.Promotions, e.TaxRates, e.ShippingMethods))
			got := figures{
				Subtotal: c.Subtotal.Amount, Discount: c.Discount.Amount, Shipping: c.Shipping.Amount, ShippingDiscount: c.ShippingDiscount.Amount,
				ShippingTax: c.ShippingTax.Amount, Tax: c.Tax.Amount, TaxIncluded: c.TaxIncluded.Amount, Total: c.Total.Amount,
			}
			for _, l := range c.Lines {
				got.Lines = append(got.Lines, [5]int64{l.UnitPrice.Amount, l.Discount.Amount, l.Tax.Amount, l.TaxIncluded.Amount, l.Total.Amount})
			}
			if !reflect.DeepEqual(got, e.Want) {
				t.Errorf("%+v\nby hand: %+v", got, e.Want)
			}
		})
	}
}
