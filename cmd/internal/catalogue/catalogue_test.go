package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns the rows of a file as JSON and its errors, one line each.
func read(t *testing.T, name, text string) string {
	t.Helper()
	lines, err := Read(name, strings.NewReader(text))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for l, err := range lines {
		if err != nil {
			fmt.Fprintf(&b, "then: %v\n", err)
			break
		}
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

const columns = "the columns are sku, name, stock, location, backorder, tax_category and currency codes such as EUR, " +
	"or EUR@10 for the price from 10 units on, with commas between them"

func TestRead(t *testing.T) {
	long := strings.Repeat("x", maxLine)
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
				"4: price \"1.5\" has more decimals than JPY\n5: it has 2 fields, the header has 5\n" +
				`6: {"sku":"E","name":"E","backorder":true,"stock":1,"prices":[{"currency":"JPY","amount":7}]}` + "\n"},
		"an unknown column is an error of the file": {"c.csv", "sku,colour\n",
			"error: unknown column \"colour\": " + columns + "\n"},
		"a column of no currency is an error of the file": {"c.csv", "sku,EUX\n",
			"error: unknown column \"EUX\": " + columns + "\n"},
		"prices for many units": {"c.csv", "sku,name,EUR,EUR@10\nA,A,1.00,0.90\n",
			`2: {"sku":"A","name":"A","prices":[{"currency":"EUR","amount":100},{"currency":"EUR","amount":90,"min_quantity":10}]}` + "\n"},
		"two prices for as many are one too many": {"c.csv", "sku,name,EUR,EUR@1\nA,A,1.00,0.90\n", "2: two prices in EUR from 1 units on\n"},
		"lines may end as on Windows, and the last one not at all": {"c.csv", "sku,name\r\nA,A\r\nB,B",
			`2: {"sku":"A","name":"A"}` + "\n" + `3: {"sku":"B","name":"B"}` + "\n"},
		"a quoted field holds commas, quotes and line breaks": {"c.csv", "sku,name\r\nA,\"a \"\"b\"\",\r\nc\"\r\nB, \"B\"\r\n",
			`2: {"sku":"A","name":"a \"b\",\nc"}` + "\n" + `4: {"sku":"B","name":"B"}` + "\n"},
		"a quote that is left open takes no other row with it": {"c.csv", "sku,name\nA,\"A\nB,\"B\"\nC,C\nD,\"D\nE,E\n",
			"2: extraneous or missing \" in quoted-field\n" + `3: {"sku":"B","name":"B"}` + "\n" + `4: {"sku":"C","name":"C"}` + "\n" +
				"5: extraneous or missing \" in quoted-field\n" + `6: {"sku":"E","name":"E"}` + "\n"},
		"a quote within a field": {"c.csv", "sku,name\nA,5\" nail\nB,B\n", "2: bare \" in non-quoted-field\n" + `3: {"sku":"B","name":"B"}` + "\n"},
		"empty lines are passed over, and counted": {"c.csv", "\n\nsku,name\n\nA,A\n , \n,\nB,B\n\n",
			`5: {"sku":"A","name":"A"}` + "\n" + `8: {"sku":"B","name":"B"}` + "\n"},
		"a line that is too long is a bad row": {"c.csv", "sku,name\nA," + long + "\nB,B\nC,\"C\n" + long + "\nD,D\n",
			"2: the line is longer than 64 KiB\n" + `3: {"sku":"B","name":"B"}` + "\n4: extraneous or missing \" in quoted-field\n" +
				"5: the line is longer than 64 KiB\n" + `6: {"sku":"D","name":"D"}` + "\n"},
		"so it is at the end":        {"c.jsonl", `{"sku":"A","name":"A"}` + "\n" + long + long, `1: {"sku":"A","name":"A"}` + "\n2: the line is longer than 64 KiB\n"},
		"and in JSON":                {"c.jsonl", long + "\n" + `{"sku":"A","name":"A"}`, "1: the line is longer than 64 KiB\n" + `2: {"sku":"A","name":"A"}` + "\n"},
		"what is not UTF-8":          {"c.csv", "sku,name\nA,M\xfcsli\nB,B\n", "2: the line is not UTF-8\n" + `3: {"sku":"B","name":"B"}` + "\n"},
		"nor in JSON":                {"c.jsonl", `{"sku":"A","name":"M` + "\xfc" + `sli"}`, "1: the line is not UTF-8\n"},
		"a file in UTF-16":           {"c.csv", "\xff\xfes\x00k\x00u\x00", "error: read the header: the line is not UTF-8\n"},
		"a file without names":       {"c.csv", "sku,stock\n", "error: there is no column \"name\" in the header\n"},
		"a file with a column twice": {"c.csv", "sku,name,EUR,EUR\n", "error: there are two columns \"EUR\"\n"},
		"names are counted in characters": {"c.csv", "sku,name\nA," + strings.Repeat("茶", 200) + "\nB," + strings.Repeat("茶", 201) + "\n",
			`2: {"sku":"A","name":"` + strings.Repeat("茶", 200) + `"}` + "\n3: name: 1 to 200 characters are needed\n"},
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

// TestReadFails tells a file that can't be read further from one that has an end: what was not read must not count as done.
func TestReadFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, text := range map[string]string{"c.csv": "sku,name\nA,A\nB,B", "c.jsonl": `{"sku":"A","name":"A"}` + "\n{}"} {
		lines, err := Read(name, io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
		if err != nil {
			t.Fatal(err)
		}
		var last error
		rows := 0
		for _, err := range lines {
			if last = err; err == nil {
				rows++
			}
		}
		if !errors.Is(last, broken) || rows != 1 { // the second row may be half of one
			t.Errorf("%s: ended with %v after %d rows", name, last, rows)
		}
	}
}

func TestDemo(t *testing.T) {
	skus := map[string]bool{}
	places := map[string]bool{}
	for _, row := range Demo() {
		if err := row.check(); err != nil {
			t.Errorf("%s: %v", row.SKU, err)
		}
		if place := row.SKU + " at " + row.location(); places[place] {
			t.Errorf("%s twice", place)
		} else {
			places[place] = true
		}
		if skus[row.SKU] != (len(row.Prices) == 0) {
			t.Errorf("%s has its prices in %v", row.SKU, row)
		}
		skus[row.SKU] = true
	}
	if len(skus) < 60 {
		t.Errorf("%d items", len(skus))
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
		for l, err := range lines {
			if err != nil {
				t.Fatal(err)
			}
			if l.Number <= last {
				t.Errorf("line %d after line %d", l.Number, last)
			}
			last = l.Number
			if l.Err == nil && l.Row.check() == nil && l.Row.SKU == "" {
				t.Error("a row without a SKU passed")
			}
		}
	})
}
