package catalogue

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// read returns the rows of a file as JSON and its errors, one line each.
func read(t *testing.T, name, text string) string {
	t.Helper()
	lines, err := Read(name, strings.NewReader(text))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for l := range lines {
		if l.Err == nil {
			l.Err = l.Row.check()
		}
		if l.Err != nil {
			fmt.Fprintf(&b, "%d: %v\n", l.Number, l.Err)
			continue
		}
		row, err := json.Marshal(l.Row)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d: %s\n", l.Number, row)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"prices are exact, in the decimals of their currency": {"c.csv",
			"sku,name,EUR,JPY,KWD\nMUG-1,Mug,12.90,2100,1.234\n",
			`2: {"sku":"MUG-1","name":"Mug","prices":[{"currency":"EUR","amount":1290},{"currency":"JPY","amount":2100},{"currency":"KWD","amount":1234}]}` + "\n"},
		"an empty field leaves out":        {"c.csv", "sku,name,stock,EUR\nMUG-1,Mug,,\n", `2: {"sku":"MUG-1","name":"Mug"}` + "\n"},
		"no stock is not stock of 0":       {"c.csv", "sku,name,stock\nMUG-1,Mug,0\n", `2: {"sku":"MUG-1","name":"Mug","stock":0}` + "\n"},
		"a byte order mark is passed over": {"c.csv", "\ufeffsku,name\nMUG-1,Mug\n", `2: {"sku":"MUG-1","name":"Mug"}` + "\n"},
		"bad rows are named, and the good ones after them are read": {"c.csv",
			"sku,name,stock,backorder,JPY\nA,A,1.5,,\nB,B,,perhaps,\nC,C,,,1.5\nD,D\nE,E,1,true,7\n",
			"2: stock \"1.5\" is not a whole number\n3: backorder \"perhaps\" is neither true nor false\n" +
				"4: price \"1.5\" has more decimals than JPY\n5: record on line 5: wrong number of fields\n" +
				`6: {"sku":"E","name":"E","backorder":true,"stock":1,"prices":[{"currency":"JPY","amount":7}]}` + "\n"},
		"an unknown column is an error of the file": {"c.csv", "sku,colour\n",
			"error: unknown column \"colour\": the columns are sku, name, stock, location, backorder, tax_category and currency codes such as EUR\n"},
		"a column of no currency is an error of the file": {"c.csv", "sku,EUX\n",
			"error: unknown column \"EUX\": the columns are sku, name, stock, location, backorder, tax_category and currency codes such as EUR\n"},
		"an empty file is an error": {"c.csv", "", "error: read the header: EOF\n"},
		"a file of another kind":    {"c.xlsx", "", "error: c.xlsx: can't tell what \".xlsx\" is: name the file .csv or .jsonl\n"},
		"JSON, an object a line": {"c.jsonl", `{"sku": "A", "name": "A"}` + "\n\n" + `{"sku": "B", "nam": "B"}` + "\n{\n" + `{"sku": "C", "name": "C"} {}` + "\n",
			`1: {"sku":"A","name":"A"}` + "\n3: json: unknown field \"nam\"\n4: unexpected EOF\n5: more than one object on the line\n"},
		"what the shop would refuse half-way is refused whole": {"c.jsonl", strings.Join([]string{
			`{"sku": "a b", "name": "A"}`, `{"sku": "A"}`, `{"sku": "A", "name": "A", "stock": -1}`, `{"sku": "A", "name": "A", "stock": 2000000000}`,
			`{"sku": "A", "name": "A", "location": "/"}`, `{"sku": "A", "name": "A", "prices": [{"currency": "EUX", "amount": 1}]}`,
			`{"sku": "A", "name": "A", "prices": [{"currency": "EUR", "amount": -1}]}`,
			`{"sku": "A", "name": "A", "prices": [{"currency": "EUR", "amount": 1}, {"currency": "EUR", "amount": 2, "min_quantity": 1}]}`,
		}, "\n"),
			"1: sku \"a b\": 1 to 64 letters, digits, '.', '_' and '-' are needed\n2: name: 1 to 200 characters are needed\n" +
				"3: stock -1: 0 to 1000000000 units are possible\n4: stock 2000000000: 0 to 1000000000 units are possible\n" +
				"5: location \"/\": 1 to 64 letters, digits, '.', '_' and '-' are needed\n6: money.unknown_currency: \"EUX\" is not an ISO 4217 currency code\n" +
				"7: price of -1 EUR: 0 to 1000000000000 minor units are possible\n8: two prices in EUR from 1 units on\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(t, test.file, test.text); got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
}

func TestDemo(t *testing.T) {
	for _, row := range Demo() {
		if err := row.check(); err != nil {
			t.Errorf("%s: %v", row.SKU, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("c.csv", "sku,name,stock,EUR\nMUG-1,Mug,1,12.90\n")
	f.Add("c.jsonl", `{"sku": "A", "name": "A"}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		lines, err := Read(name, strings.NewReader(text))
		if err != nil {
			return
		}
		last := 0
		for l := range lines {
			if l.Number < last {
				t.Errorf("line %d after line %d", l.Number, last)
			}
			last = l.Number
			if l.Err == nil && l.Row.check() == nil && l.Row.SKU == "" {
				t.Error("a row without a SKU passed")
			}
		}
	})
}
