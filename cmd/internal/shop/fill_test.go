package shop_test

import (
	"context"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cutpoint/cmd/internal/auditor"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/load"
	"cutpoint/cmd/internal/shop"
)

// A filled shop is one that has taken many orders, without the hours that they would take. Some are placed, by the shop itself; all
// that they left behind in its datastores, row by row, is stored again and again as it would be had the same customers come back:
// earlier, under other ids. So the rows can't differ from those of real orders, whatever the schema becomes, and an audit of such
// a shop finds nothing.
const (
	batch      = 1000            // orders that are really placed
	orderEvery = 5 * time.Second // on average, before now
)

// TestFilledShop fills a small shop, and audits it.
func TestFilledShop(t *testing.T) {
	data := t.TempDir()
	fill(t, data, 300, 100)
	r := unchecked(t, shop.Config{Options: host.Options{Data: data}})
	shopping(t, r, 4, 20)
	contracts := r.shop.Contracts()
	report, err := auditor.Run(t.Context(), auditor.Modules{
		Inventory: contracts.Inventory, Pricing: contracts.Pricing, Payments: contracts.Payments, Orders: contracts.Orders,
	}, auditor.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Found > 0 {
		t.Errorf("an audit finds:\n%s", report)
	}
	var list struct {
		Data []struct {
			ID      string
			Created time.Time `json:"created_at"`
		}
	}
	r.get(t, "/v1/orders?limit=200&status=completed", &list)
	for i, o := range list.Data[1:] {
		if before := list.Data[i]; before.ID <= o.ID || before.Created.Before(o.Created) {
			t.Errorf("%s of %s is listed before %s of %s", before.ID, before.Created, o.ID, o.Created)
		}
	}
	var feed struct {
		Data []struct{ Position int64 }
	}
	if r.get(t, "/v1/events?after=620&limit=200", &feed); len(feed.Data) != 20 {
		t.Errorf("%d events beyond 620, want 20: two of each of 320 orders", len(feed.Data))
	}
}

// fill makes the data directory of a shop that holds that many orders, a multiple of the batch. It is not open afterwards.
func fill(t testing.TB, data string, stored, batch int) {
	t.Helper()
	r := seeded(t, shop.Config{Options: host.Options{Data: data}})
	r.close(t)()
	if stored == 0 {
		return
	}
	if stored%batch != 0 {
		t.Fatalf("%d orders are no multiple of %d", stored, batch)
	}
	after := t.TempDir()
	if err := os.CopyFS(filepath.Join(after, "shop"), os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	after = filepath.Join(after, "shop")
	began := time.Now()
	r = unchecked(t, shop.Config{Options: host.Options{Data: after}})
	shopping(t, r, 64, batch)
	r.close(t)()

	var files sync.WaitGroup
	for _, name := range shop.Datastores() {
		files.Go(func() {
			f := filler{ctx: t.Context(), began: began, copies: stored / batch, every: time.Duration(batch) * orderEvery}
			if err := f.fill(filepath.Join(data, name+".db"), filepath.Join(after, name+".db")); err != nil {
				t.Errorf("fill %s: %v", name, err)
			}
		})
	}
	files.Wait()
	readFeed(t, data)
}

// readFeed lets webhooks have read the feed to its end, as it has in a shop whose orders came one by one.
func readFeed(t testing.TB, data string) {
	t.Helper()
	position := func(name, query string, args ...any) (n int64) {
		db, err := rawFile(filepath.Join(data, name+".db"), "")
		if err == nil {
			err = db.QueryRowContext(t.Context(), query, args...).Scan(&n)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last := position("orders", "SELECT MAX(position) FROM events")
	position("webhooks", "UPDATE cursor SET position = ? RETURNING position", last)
}

func rawFile(path, settings string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?"+settings)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// filler fills one datastore.
type filler struct {
	ctx    context.Context
	began  time.Time // the batch; what was made before is not of it
	copies int
	every  time.Duration // between two copies
}

// table is what a batch left in one table.
type table struct {
	name string
	rows [][]cell
}

// cell gives the value of a column in a copy of a row.
type cell func(shift) any

// shift says how a copy differs from the batch.
type shift struct {
	number uint64 // 0 is the batch itself, 1 the one before it
	back   time.Duration
}

// fill stores the rows that are in the file after the batch and were not before, in the file before it: the earliest copy first.
func (f filler) fill(before, after string) (err error) {
	into, err := rawFile(before, "_journal_mode=OFF&_synchronous=OFF&_cache_size=-400000&_stmt_cache_size=64&_txlock=immediate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	from, err := rawFile(after, "mode=ro")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	tables, err := f.tables(into, from)
	if err != nil {
		return err
	}
	for number := f.copies - 1; number >= 0; number-- {
		if err := f.store(into, tables, shift{uint64(number), time.Duration(number) * f.every}); err != nil {
			return err
		}
	}
	return nil
}

// store stores one copy. Its rows go into a statement each hundred.
func (f filler) store(into *sql.DB, tables []table, s shift) error {
	tx, err := into.BeginTx(f.ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, t := range tables {
		for rows := range slices.Chunk(t.rows, 100) {
			width := len(rows[0])
			one := "(?" + strings.Repeat(", ?", width-1) + ")"
			args := make([]any, 0, len(rows)*width)
			for _, row := range rows {
				for _, c := range row {
					args = append(args, c(s))
				}
			}
			if _, err := tx.ExecContext(f.ctx, "INSERT INTO "+t.name+" VALUES "+one+strings.Repeat(", "+one, len(rows)-1), args...); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return tx.Commit()
}

// tables reads what the batch left behind. A row that it changed, as it does levels of stock, is changed as often in the file.
func (f filler) tables(into, from *sql.DB) (list []table, err error) {
	names, err := texts(f.ctx, from, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s, err := schemaOf(f.ctx, from, name)
		if err != nil {
			return nil, err
		}
		before, err := s.rows(f.ctx, into)
		if err != nil {
			return nil, err
		}
		known := map[string][]any{}
		for _, row := range before {
			known[s.keyOf(row)] = row
		}
		after, err := s.rows(f.ctx, from)
		if err != nil {
			return nil, err
		}
		t := table{name: name}
		for _, row := range after {
			if old, there := known[s.keyOf(row)]; !there {
				t.rows = append(t.rows, f.cells(s, row))
			} else if err := f.change(into, s, old, row); err != nil {
				return nil, err
			}
		}
		if len(t.rows) > 0 {
			list = append(list, t)
		}
	}
	return list, nil
}

// change lets a row that the batch changed become what all copies make of it: its counts move by as much each time.
func (f filler) change(into *sql.DB, s schema, old, row []any) error {
	for i, v := range row {
		was, counts := old[i].(int64)
		is, _ := v.(int64)
		if !counts || is == was {
			continue
		}
		if is < someTime {
			is = was + (is-was)*int64(f.copies)
		}
		args := []any{is}
		where := make([]string, len(s.key))
		for n, k := range s.key {
			where[n] = s.columns[k] + " = ?"
			args = append(args, row[k])
		}
		if _, err := into.ExecContext(f.ctx, "UPDATE "+s.name+" SET "+s.columns[i]+" = ? WHERE "+strings.Join(where, " AND "), args...); err != nil {
			return err
		}
	}
	return nil
}

// schema is what must be known of a table.
type schema struct {
	name    string
	columns []string
	key     []int // of the primary key, as indexes of columns
	numbers bool  // its key is a number that SQLite gives
	order   string
}

func schemaOf(ctx context.Context, db *sql.DB, name string) (schema, error) {
	s := schema{name: name, order: "rowid"}
	rows, err := db.QueryContext(ctx, "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", name)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var column, kind string
		var key int
		if err := rows.Scan(&column, &kind, &key); err != nil {
			return s, err
		}
		if key > 0 {
			s.key = append(s.key, len(s.columns))
			s.numbers = kind == "INTEGER" && key == 1
		}
		s.columns = append(s.columns, column)
	}
	if err := rows.Err(); err != nil {
		return s, err
	}
	if _, err := texts(ctx, db, "SELECT rowid FROM "+name+" LIMIT 0"); err != nil { // WITHOUT ROWID
		s.order = s.columns[s.key[0]]
	}
	return s, nil
}

func (s schema) keyOf(row []any) string {
	var key []any
	for _, i := range s.key {
		key = append(key, row[i])
	}
	return fmt.Sprint(key...)
}

// rows reads a table in the order in which its rows were stored.
func (s schema) rows(ctx context.Context, db *sql.DB) (list [][]any, err error) {
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(s.columns, ", ")+" FROM "+s.name+" ORDER BY "+s.order)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		row, into := make([]any, len(s.columns)), make([]any, len(s.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

func texts(ctx context.Context, db *sql.DB, query string) (list []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// someTime is a number that is no amount and no count, but a time in microseconds.
const someTime = 1_000_000_000_000_000

func (f filler) cells(s schema, row []any) []cell {
	cells := make([]cell, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case int64:
			switch {
			case s.numbers && s.key[0] == i:
				cells[i] = func(shift) any { return nil }
			case v >= someTime:
				cells[i] = func(s shift) any { return v - s.back.Microseconds() }
			}
		case string:
			if parts := f.parts(v); len(parts) > 1 || parts == nil {
				cells[i] = func(s shift) any {
					text := make([]byte, 0, len(v)+8)
					for _, p := range parts {
						text = p(text, s)
					}
					return string(text)
				}
			}
		}
		if cells[i] == nil {
			cells[i] = func(shift) any { return v }
		}
	}
	return cells
}

// part appends a piece of a text.
type part func([]byte, shift) []byte

// personalParts are what differs between two orders: ids, times, idempotency keys and customers.
var personalParts = regexp.MustCompile(`\b[a-z]+_[0-9a-v]{26}\b|\b\d{4}-\d\d-\d\dT[0-9:.]+Z|\b[0-9a-f]{32}\b|\bcustomer\d+@`)

// parts splits a text at what differs in a copy. A text that is the same in all has one part.
func (f filler) parts(text string) (parts []part) {
	literal := func(s string) {
		parts = append(parts, func(to []byte, _ shift) []byte { return append(to, s...) })
	}
	done := 0
	for _, at := range personalParts.FindAllStringIndex(text, -1) {
		if p := f.part(text[at[0]:at[1]]); p != nil {
			literal(text[done:at[0]])
			parts = append(parts, p)
			done = at[1]
		}
	}
	literal(text[done:])
	return parts
}

var idDigits = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func (f filler) part(text string) part {
	if prefix, digits, ok := strings.Cut(text, "_"); ok {
		return f.idPart(prefix+"_", digits)
	}
	if number, ok := strings.CutPrefix(text, "customer"); ok {
		n, _ := strconv.ParseUint(strings.TrimSuffix(number, "@"), 10, 64)
		return func(to []byte, s shift) []byte {
			to = strconv.AppendUint(append(to, "customer"...), (n+s.number*104_729)%load.Customers, 10)
			return append(to, '@')
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return func(to []byte, s shift) []byte { return at.Add(-s.back).AppendFormat(to, time.RFC3339Nano) }
	}
	first, _ := strconv.ParseUint(text[:16], 16, 64)
	return func(to []byte, s shift) []byte {
		return append(fmt.Appendf(to, "%016x", first^s.number*0x9e3779b97f4a7c15), text[16:]...)
	}
}

// idPart moves an id back in time, unless it was made before the batch: that of an API key, say.
func (f filler) idPart(prefix, digits string) part {
	raw, err := idDigits.DecodeString(digits)
	if err != nil {
		return nil
	}
	millis := binary.BigEndian.Uint64(raw) >> 16
	if millis < uint64(f.began.UnixMilli()) {
		return nil
	}
	return func(to []byte, s shift) []byte {
		var id [16]byte
		copy(id[:], raw)
		rest := binary.BigEndian.Uint64(raw) & 0xffff
		binary.BigEndian.PutUint64(id[:], (millis-uint64(s.back.Milliseconds()))<<16|rest)
		return idDigits.AppendEncode(append(to, prefix...), id[:])
	}
}
