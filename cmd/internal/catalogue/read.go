package catalogue

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// maxLine bounds one line of a file in bytes.
const maxLine = 1 << 20

// Line is one row of a file with the number of its line, or what is wrong with it.
type Line struct {
	Number int
	Row    Row
	Err    error
}

// Read yields the rows of a file, one at a time. The name's ending says how it is written:
//
//   - .csv: a header, then a row a line. Columns are sku, name, stock, location, backorder, tax_category and one per currency,
//     named by its ISO 4217 code, with decimal prices ("12.90").
//   - .jsonl: a JSON object a line, with the members of Row; prices are in minor units.
//
// An error is one of the file as a whole: an unknown ending, or a bad header.
func Read(name string, r io.Reader) (iter.Seq[Line], error) {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".csv":
		return readCSV(r)
	case ".jsonl", ".ndjson":
		return readJSONL(r), nil
	default:
		return nil, fmt.Errorf("%s: can't tell what %q is: name the file .csv or .jsonl", name, ext)
	}
}

func readJSONL(r io.Reader) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
		number := 0
		for scanner.Scan() {
			number++
			text := bytes.TrimSpace(scanner.Bytes())
			if len(text) == 0 {
				continue
			}
			l := Line{Number: number}
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if l.Err = d.Decode(&l.Row); l.Err == nil && d.More() {
				l.Err = errors.New("more than one object on the line")
			}
			if !yield(l) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(Line{Number: number + 1, Err: err})
		}
	}
}

// setter puts the text of a column into a row.
type setter func(*Row, string) error

var currencyColumn = regexp.MustCompile(`^[A-Z]{3}$`)

func readCSV(r io.Reader) (iter.Seq[Line], error) {
	c := csv.NewReader(bufio.NewReader(r))
	c.TrimLeadingSpace = true
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	setters := make([]setter, len(header))
	for i, name := range header {
		if setters[i], err = columnSetter(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))); err != nil {
			return nil, err
		}
	}
	return func(yield func(Line) bool) {
		for {
			fields, err := c.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			l := Line{Err: err}
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				l.Number = parse.StartLine
			} else if err == nil {
				l.Number, _ = c.FieldPos(0)
				l.Row, l.Err = rowOf(setters, fields)
			}
			if !yield(l) || (err != nil && parse == nil) {
				return
			}
		}
	}, nil
}

func rowOf(setters []setter, fields []string) (r Row, err error) {
	for i, text := range fields {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := setters[i](&r, text); err != nil {
			return r, err
		}
	}
	return r, nil
}

func columnSetter(name string) (setter, error) {
	switch {
	case currencyColumn.MatchString(name) && currency.IsValid(name):
		return func(r *Row, text string) error {
			amount, err := minorUnits(text, name)
			r.Prices = append(r.Prices, Price{Currency: name, Amount: amount})
			return err
		}, nil
	case name == "sku":
		return func(r *Row, text string) error { r.SKU = text; return nil }, nil
	case name == "name":
		return func(r *Row, text string) error { r.Name = text; return nil }, nil
	case name == "location":
		return func(r *Row, text string) error { r.Location = text; return nil }, nil
	case name == "tax_category":
		return func(r *Row, text string) error { r.TaxCategory = text; return nil }, nil
	case name == "stock":
		return func(r *Row, text string) error {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("stock %q is not a whole number", text)
			}
			r.Stock = &n
			return nil
		}, nil
	case name == "backorder":
		return func(r *Row, text string) (err error) {
			if r.Backorder, err = strconv.ParseBool(text); err != nil {
				return fmt.Errorf("backorder %q is neither true nor false", text)
			}
			return nil
		}, nil
	default:
		return nil, fmt.Errorf("unknown column %q: the columns are sku, name, stock, location, backorder, tax_category and currency codes such as EUR", name)
	}
}

// minorUnits reads a decimal price exactly; one with more decimals than its currency has is refused, not rounded.
func minorUnits(text, code string) (int64, error) {
	a, err := currency.NewAmount(text, code)
	if err != nil {
		return 0, fmt.Errorf("price %q in %s is not a decimal number", text, code)
	}
	if !a.Round().Equal(a) {
		return 0, fmt.Errorf("price %q has more decimals than %s", text, code)
	}
	n, err := a.Int64()
	if err != nil {
		return 0, fmt.Errorf("price %q in %s is too large", text, code)
	}
	return n, nil
}
