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
	"unicode/utf8"

	"github.com/bojanz/currency"
)

// maxLine bounds one row of a file in bytes.
const maxLine = 64 << 10

// Line is one row of a file with the number of its line, or what is wrong with it.
type Line struct {
	Number int
	Row    Row
	Err    error
}

// Read yields the rows of a file, one at a time, and never holds more than one of them. The name's ending says how it is written:
//
//   - .csv: a header, then a row a line. Columns are sku and name, which must be there, stock, location, backorder, tax_category
//     and one per price, named by its ISO 4217 code ("EUR") and, if it is one for many, by the quantity from which on it is valid
//     ("EUR@10"), with decimal prices ("12.90"). A quoted field may hold commas, quotes and line breaks.
//   - .jsonl: a JSON object a line, with the members of Row; prices are in minor units.
//
// Empty lines are passed over. A bad row is yielded with what is wrong with it, and the row after it is read. The error that Read
// returns is one of the file as a whole, such as a bad header; one that is yielded ends the file: it could not be read further.
func Read(name string, r io.Reader) (iter.Seq2[Line, error], error) {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".csv":
		return readCSV(newLines(r))
	case ".jsonl", ".ndjson":
		return readJSONL(newLines(r)), nil
	default:
		return nil, fmt.Errorf("%s: can't tell what %q is: name the file .csv or .jsonl", name, ext)
	}
}

// lines cuts a file into lines. Those that were taken too many can be given back.
type lines struct {
	r      *bufio.Reader
	number int    // of the latest line
	back   []look // taken and given back
}

// look is what one call of next saw.
type look struct {
	text string
	err  error
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, maxLine)} }

var errTooLong = fmt.Errorf("the line is longer than %d KiB", maxLine>>10)

// next returns a line without what ends it, or errTooLong, after which it goes on with the next one, or io.EOF, or another error
// that is final.
func (l *lines) next() (string, error) {
	l.number++
	if len(l.back) > 0 {
		again := l.back[0]
		l.back = l.back[1:]
		return again.text, again.err
	}
	text, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return "", errTooLong
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
		return "", err
	}
	if l.number == 1 {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// giveBack lets next return again what it returned last.
func (l *lines) giveBack(looks []look) {
	l.back = append(looks, l.back...)
	l.number -= len(looks)
}

var errNotUTF8 = errors.New("the line is not UTF-8")

func readJSONL(from *lines) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for {
			text, err := from.next()
			l := Line{Number: from.number}
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.Is(err, errTooLong):
				l.Err = err
			case err != nil:
				yield(Line{}, err)
				return
			case strings.TrimSpace(text) == "":
				continue
			default:
				l.Row, l.Err = decodeRow(text)
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

func decodeRow(text string) (r Row, err error) {
	if !utf8.ValidString(text) {
		return r, errNotUTF8
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("more than one object on the line")
	}
	return r, nil
}

// table reads the records of a CSV file.
type table struct {
	*lines
	columns int // 0: any number
	feed    *strings.Reader
	csv     *csv.Reader // of what is in feed
}

func newTable(l *lines) *table {
	t := &table{lines: l, feed: strings.NewReader("")}
	t.renew()
	return t
}

// renew forgets what an unreadable record has left behind.
func (t *table) renew() {
	t.csv = csv.NewReader(t.feed)
	t.csv.TrimLeadingSpace, t.csv.FieldsPerRecord, t.csv.ReuseRecord = true, -1, true
}

// next returns the fields of the next record that is not empty, until another one is asked for, and the line that it begins on.
// A record that can't be read ends with its first line, even if a quote is open there: so it takes no other row with it. Errors
// are those of lines, or say what is wrong with the record.
func (t *table) next() (fields []string, number int, err error) {
	text, err := t.lines.next()
	for err == nil && strings.TrimSpace(text) == "" {
		text, err = t.lines.next()
	}
	number = t.number
	if err != nil {
		return nil, number, err
	}
	text, more := t.join(text)
	if fields, err = t.parse(text); err != nil {
		t.giveBack(more)
	}
	return fields, number, err
}

// join adds to a record the lines that its open quote goes over, while there are any and it is not too long, and returns them beside
// it. With a quote left open it is no record.
func (t *table) join(text string) (record string, more []look) {
	var b strings.Builder
	b.WriteString(text)
	for open := odd(text); open && b.Len() <= maxLine; {
		line, err := t.lines.next()
		more = append(more, look{line, err})
		if err != nil {
			break
		}
		b.WriteString("\n" + line)
		open = !odd(line)
	}
	return b.String(), more
}

// odd reports whether a text opens a quote that it does not close, or closes one that it does not open.
func odd(text string) bool { return strings.Count(text, `"`)%2 == 1 }

// unreadable is what is wrong with a record as CSV.
type unreadable struct{ error }

func (t *table) parse(text string) ([]string, error) {
	t.feed.Reset(text)
	fields, err := t.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		t.renew()
		return nil, unreadable{parse.Err}
	case err != nil:
		t.renew()
		return nil, unreadable{err}
	case !utf8.ValidString(text): // last, since the lines that an open quote goes over may be another row's
		return nil, unreadable{errNotUTF8}
	case t.columns > 0 && len(fields) != t.columns:
		return nil, unreadable{fmt.Errorf("it has %d fields, the header has %d", len(fields), t.columns)}
	}
	return fields, nil
}

func readCSV(from *lines) (iter.Seq2[Line, error], error) {
	t := newTable(from)
	header, _, err := t.next()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	setters, err := columnSetters(header)
	if err != nil {
		return nil, err
	}
	t.columns = len(setters)
	return func(yield func(Line, error) bool) {
		for {
			fields, number, err := t.next()
			l := Line{Number: number}
			var bad unreadable
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &bad), errors.Is(err, errTooLong):
				l.Err = err
			case err != nil:
				yield(Line{}, err)
				return
			case strings.Join(fields, "") == "": // the empty line of a spreadsheet
				continue
			default:
				l.Row, l.Err = rowOf(setters, fields)
			}
			if !yield(l, nil) {
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

// setter puts the text of a column into a row.
type setter func(*Row, string) error

func columnSetters(header []string) ([]setter, error) {
	setters := make([]setter, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if seen[name] {
			return nil, fmt.Errorf("there are two columns %q", name)
		}
		seen[name] = true
		if setters[i] = columnSetter(name); setters[i] == nil {
			return nil, fmt.Errorf("unknown column %q: the columns are sku, name, stock, location, backorder, tax_category and currency codes such as EUR, "+
				"or EUR@10 for the price from 10 units on, with commas between them", name)
		}
	}
	for _, needed := range []string{"sku", "name"} {
		if !seen[needed] {
			return nil, fmt.Errorf("there is no column %q in the header", needed)
		}
	}
	return setters, nil
}

// columnSetter returns nil for a column that is not known.
func columnSetter(name string) setter {
	switch name {
	case "sku":
		return func(r *Row, text string) error { r.SKU = text; return nil }
	case "name":
		return func(r *Row, text string) error { r.Name = text; return nil }
	case "location":
		return func(r *Row, text string) error { r.Location = text; return nil }
	case "tax_category":
		return func(r *Row, text string) error { r.TaxCategory = text; return nil }
	case "stock":
		return setStock
	case "backorder":
		return setBackorder
	default:
		return priceSetter(name)
	}
}

func setStock(r *Row, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("stock %q is not a whole number", text)
	}
	r.Stock = &n
	return nil
}

func setBackorder(r *Row, text string) error {
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("backorder %q is neither true nor false", text)
	}
	r.Backorder = &yes
	return nil
}

var priceColumn = regexp.MustCompile(`^([A-Z]{3})(?:@([1-9][0-9]{0,9}))?$`)

func priceSetter(name string) setter {
	parts := priceColumn.FindStringSubmatch(name)
	if parts == nil || !currency.IsValid(parts[1]) {
		return nil
	}
	var from int64
	if parts[2] != "" {
		from, _ = strconv.ParseInt(parts[2], 10, 64) // it has at most ten digits
	}
	return func(r *Row, text string) error {
		amount, err := minorUnits(text, parts[1])
		r.Prices = append(r.Prices, Price{Currency: parts[1], Amount: amount, MinQuantity: from})
		return err
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
