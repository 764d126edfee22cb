package shop_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver below the shop's own

	"cutpoint/cmd/internal/load"
	"cutpoint/cmd/internal/shop"
)

// BenchmarkProbe alternates between a shop and a probe that makes the same commits, with the same rows in the same files, by SQL
// alone: no HTTP, no JSON, no modules, no ORM. What the probe reaches is the limit of any shop on this driver and this disk. One
// iteration is one round:
//
//	make probe
//
// Counted on 2026-11-24 over 1,000 orders of one customer: both make 16 statements of savepoints and 8 commits, and as many rows, those
// of the search (3.5 an order) and of the money ledger included; idempotency keys are random and customers spread out in both. Bytes of
// a row in the shop: order 808, saga 160, timeline 141 (6 rows), event 1,126 (2), key 1,182, payment 194, operation 180, request of the
// gateway 223, ledger 150; the probe's are as long, give or take a tenth. It has fewer indexes and no foreign keys or checks, which is
// against the shop.
func BenchmarkProbe(b *testing.B) {
	useAllProcessors(b)
	r, p := onDisk(b, shop.Config{}), newProbe(b)
	for _, customers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			useAllProcessors(b)
			const each = 2 * time.Second
			orders := int(buy(b, r, customers, 500) * each.Seconds())
			steps := int(p.buy(b, customers, 500) * each.Seconds())
			var sides comparison
			for b.Loop() {
				sides.round(
					func() float64 { return buy(b, r, customers, orders) },
					func() float64 { return p.buy(b, customers, steps) })
				b.Logf("shop %6.0f orders/s, probe %6.0f, ratio %.3f", sides.last(0), sides.last(1), sides.last(0)/sides.last(1))
			}
			ratio, low, high := sides.ratio()
			b.Logf("median: shop %.0f orders/s, probe %.0f; ratio of a round %.3f, middle half %.3f to %.3f, at least 0.4 wanted",
				median(sides.of[0]), median(sides.of[1]), ratio, low, high)
			b.ReportMetric(median(sides.of[0]), "shop-orders/s")
			b.ReportMetric(median(sides.of[1]), "probe-orders/s")
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// probe is four files and their writers. An order is eight commits: received, reserved, charging, the payment before and after the
// provider, the provider's own, finalised, completed.
type probe struct {
	orders, stock, money, gateway *group
	number                        atomic.Int64
}

func newProbe(b *testing.B) *probe {
	b.Helper()
	dir, err := os.MkdirTemp(".", "cutpoint-run-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &probe{
		orders: newGroup(b, filepath.Join(dir, "orders.db"), `
			CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT, customer TEXT, body TEXT, at INTEGER) WITHOUT ROWID;
			CREATE INDEX by_status ON orders (status, id); CREATE INDEX by_customer ON orders (customer, id);
			CREATE TABLE sagas (id TEXT PRIMARY KEY, state TEXT, version INTEGER, lease INTEGER, next INTEGER, more TEXT) WITHOUT ROWID;
			CREATE INDEX due ON sagas (next) WHERE next > 0;
			CREATE TABLE timeline (id TEXT, step INTEGER, state TEXT, at INTEGER, more TEXT, PRIMARY KEY (id, step)) WITHOUT ROWID;
			CREATE TABLE events (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, sequence INTEGER, body TEXT, UNIQUE (id, sequence));
			CREATE TABLE keys (key TEXT PRIMARY KEY, id TEXT, answer TEXT) WITHOUT ROWID;
			CREATE TABLE terms (term TEXT, id TEXT, PRIMARY KEY (term, id)) WITHOUT ROWID;`),
		stock: newGroup(b, filepath.Join(dir, "stock.db"), `
			CREATE TABLE levels (sku TEXT PRIMARY KEY, on_hand INTEGER, reserved INTEGER, CHECK (on_hand >= reserved)) WITHOUT ROWID;
			CREATE TABLE reservations (id TEXT PRIMARY KEY, state TEXT, at INTEGER) WITHOUT ROWID;
			CREATE TABLE lines (id TEXT, sku TEXT, quantity INTEGER, PRIMARY KEY (id, sku)) WITHOUT ROWID;
			CREATE TABLE movements (seq INTEGER PRIMARY KEY, id TEXT, sku TEXT, delta INTEGER, at INTEGER);
			CREATE INDEX by_sku ON movements (sku, seq);`),
		money: newGroup(b, filepath.Join(dir, "money.db"), `
			CREATE TABLE payments (id TEXT PRIMARY KEY, order_id TEXT UNIQUE, status TEXT, amount INTEGER, captured INTEGER, at INTEGER, more TEXT) WITHOUT ROWID;
			CREATE TABLE operations (id TEXT PRIMARY KEY, payment TEXT, status TEXT, amount INTEGER, at INTEGER, more TEXT, UNIQUE (payment)) WITHOUT ROWID;
			CREATE TABLE entries (seq INTEGER PRIMARY KEY, id TEXT, payment TEXT, taken TEXT, given TEXT, amount INTEGER, at INTEGER);
			CREATE INDEX entries_by_payment ON entries (payment, seq);`),
		gateway: newGroup(b, filepath.Join(dir, "gateway.db"), `
			CREATE TABLE requests (key TEXT PRIMARY KEY, fingerprint TEXT, state TEXT, amount INTEGER, at INTEGER) WITHOUT ROWID;
			CREATE TABLE ledger (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, amount INTEGER, at INTEGER);`),
	}
	err = p.stock.write(func(tx *sql.Tx) error {
		for i := range 6 {
			if _, err := tx.Exec("INSERT INTO levels VALUES (?, 1000000000, 0)", sku(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func sku(n int) string { return fmt.Sprintf("SKU-%d", n%6) }

// buy makes the commits of some orders, by as many customers at once, and returns orders a second.
func (p *probe) buy(b *testing.B, customers, orders int) float64 {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(orders))
	var all sync.WaitGroup
	start := time.Now()
	for range customers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := p.order(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return float64(orders) / time.Since(start).Seconds()
}

var (
	probeOrder = strings.Repeat("x", 900) // as long as an order is in its columns
	probeEvent = strings.Repeat("x", 1100)
	probeMore  = strings.Repeat("x", 75) // of the columns that the probe does without
)

// statement is one of a commit.
type statement struct {
	query string
	args  []any
}

func run(statements ...statement) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		for _, s := range statements {
			if !strings.HasPrefix(s.query, "SELECT") {
				if _, err := tx.Exec(s.query, s.args...); err != nil {
					return fmt.Errorf("%s: %w", s.query, err)
				}
				continue
			}
			var text sql.NullString
			if err := tx.QueryRow(s.query, s.args...).Scan(&text); err != nil && err != sql.ErrNoRows {
				return fmt.Errorf("%s: %w", s.query, err)
			}
		}
		return nil
	}
}

// stockSteps are the two commits of the stock. Every second order has two lines, as those of the load have.
func stockSteps(id string, at int64, n int) (reserve, finalise []statement) {
	reserve = []statement{
		{"SELECT state FROM reservations WHERE id = ?", []any{id}},
		{"INSERT INTO reservations VALUES (?, 'held', ?)", []any{id, at}},
	}
	finalise = []statement{
		{"SELECT quantity FROM lines WHERE id = ?", []any{id}},
		{"UPDATE reservations SET state = 'consumed' WHERE id = ? AND state = 'held'", []any{id}},
	}
	for i := range 2 - n%2 {
		sku := sku(n + i)
		reserve = append(reserve,
			statement{"UPDATE levels SET reserved = reserved + 1 WHERE sku = ? AND on_hand - reserved >= 1", []any{sku}},
			statement{"INSERT INTO lines VALUES (?, ?, 1)", []any{id, sku}})
		finalise = append(finalise,
			statement{"UPDATE levels SET on_hand = on_hand - 1, reserved = reserved - 1 WHERE sku = ?", []any{sku}},
			statement{"INSERT INTO movements (id, sku, delta, at) VALUES (?, ?, -1, ?)", []any{id, sku, at}})
	}
	return reserve, finalise
}

// termsStatement writes what an order is searched by.
func termsStatement(id, customer string, n int) statement {
	local, _, _ := strings.Cut(customer, "@")
	query, args := "INSERT INTO terms VALUES (?, ?), (?, ?)", []any{"email=" + customer, id, "word=" + local, id}
	for i := range 2 - n%2 {
		query, args = query+", (?, ?)", append(args, "sku="+sku(n+i), id)
	}
	return statement{query, args}
}

func (p *probe) order() error {
	n := p.number.Add(1)
	id, at := fmt.Sprintf("ord_%026d", n), time.Now().UnixMicro()
	key, customer := rand.Text(), fmt.Sprintf("customer%d@example.com", n*7919%load.Customers)
	reserve, finalise := stockSteps(id, at, int(n))
	timeline := "INSERT INTO timeline VALUES (?, ?, 'allocating', ?, ?)"
	for _, step := range []struct {
		in *group
		do func(*sql.Tx) error
	}{
		{p.orders, run(
			statement{"SELECT id FROM keys WHERE key = ?", []any{key}},
			statement{"INSERT INTO orders VALUES (?, 'processing', ?, ?, ?)", []any{id, customer, probeOrder, at}},
			termsStatement(id, customer, int(n)),
			statement{"INSERT INTO sagas VALUES (?, 'allocating', 1, ?, ?, ?)", []any{id, at, at, probeMore}},
			statement{timeline, []any{id, 1, at, probeMore}},
			statement{"INSERT INTO events (id, sequence, body) VALUES (?, 1, ?)", []any{id, probeEvent}},
			statement{"INSERT INTO keys VALUES (?, ?, '')", []any{id, id}})},
		{p.stock, run(reserve...)},
		{p.orders, run(
			statement{"SELECT lease FROM sagas WHERE id = ?", []any{id}},
			statement{"UPDATE sagas SET state = 'charging', version = version + 1 WHERE id = ? AND version = 1", []any{id}},
			statement{"UPDATE orders SET status = 'processing', body = ? WHERE id = ?", []any{probeOrder, id}},
			statement{timeline + ", (?, ?, 'pricing', ?, ?)", []any{id, 2, at, probeMore, id, 3, at, probeMore}})},
		{p.money, run(
			statement{"INSERT INTO payments VALUES (?, ?, 'pending', 1290, 0, ?, ?)", []any{"pay" + id, id, at, probeMore}},
			statement{"INSERT INTO operations VALUES (?, ?, 'pending', 1290, ?, ?)", []any{"op" + id, "pay" + id, at, probeMore}})},
		{p.gateway, run(
			statement{"SELECT state FROM requests WHERE key = ?", []any{id}},
			statement{"INSERT INTO requests VALUES (?, ?, 'succeeded', 1290, ?)", []any{id, id + id, at}},
			statement{"INSERT INTO ledger (key, amount, at) VALUES (?, 1290, ?)", []any{id, at}})},
		{p.money, run(
			statement{"UPDATE operations SET status = 'succeeded', at = ? WHERE id = ? AND status = 'pending'", []any{at, "op" + id}},
			statement{"UPDATE payments SET status = 'succeeded', captured = 1290 WHERE id = ?", []any{"pay" + id}},
			statement{"INSERT INTO entries (id, payment, taken, given, amount, at) VALUES (?, ?, 'receivable', 'captured', 1290, ?)",
				[]any{"op" + id, "pay" + id, at}})},
		{p.stock, run(finalise...)},
		{p.orders, run(
			statement{"SELECT lease FROM sagas WHERE id = ?", []any{id}},
			statement{"UPDATE sagas SET state = 'completed', version = version + 1, next = 0 WHERE id = ? AND version = 2", []any{id}},
			statement{"UPDATE orders SET status = 'completed', body = ? WHERE id = ?", []any{probeOrder, id}},
			statement{timeline + ", (?, ?, 'finalising_stock', ?, ?), (?, ?, 'finalising_order', ?, ?)",
				[]any{id, 4, at, probeMore, id, 5, at, probeMore, id, 6, at, probeMore}},
			statement{"INSERT INTO events (id, sequence, body) VALUES (?, 2, ?)", []any{id, probeEvent}},
			statement{"UPDATE keys SET answer = ? WHERE key = ?", []any{probeEvent, key}})},
	} {
		if err := step.in.write(step.do); err != nil {
			return err
		}
	}
	return nil
}

// group is group commit by hand: writers that come at the same time share a transaction, each in a savepoint.
type group struct {
	db    *sql.DB
	queue chan *groupWrite
}

type groupWrite struct {
	do   func(*sql.Tx) error
	err  error
	done chan struct{}
}

func newGroup(b *testing.B, path, schema string) *group {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_stmt_cache_size=64")
	if err == nil {
		db.SetMaxOpenConns(1)
		_, err = db.ExecContext(context.Background(), schema)
	}
	if err != nil {
		b.Fatal(err)
	}
	g := &group{db: db, queue: make(chan *groupWrite, 1024)}
	done := make(chan struct{})
	go func() { defer close(done); g.run() }()
	b.Cleanup(func() { close(g.queue); <-done; _ = db.Close() })
	return g
}

func (g *group) write(do func(*sql.Tx) error) error {
	w := &groupWrite{do: do, done: make(chan struct{})}
	g.queue <- w
	<-w.done
	return w.err
}

func (g *group) run() {
	for first := range g.queue {
		batch := []*groupWrite{first}
		tx, err := g.db.Begin()
		for i := 0; err == nil && i < len(batch); i++ {
			batch[i].err = g.one(tx, batch[i])
			if i == len(batch)-1 && len(batch) < 256 {
				select {
				case w, ok := <-g.queue:
					if ok {
						batch = append(batch, w)
					}
				default:
				}
			}
		}
		if err == nil {
			err = tx.Commit()
		}
		for _, w := range batch {
			if err != nil {
				w.err = err
			}
			close(w.done)
		}
	}
}

func (g *group) one(tx *sql.Tx, w *groupWrite) error {
	if _, err := tx.Exec("SAVEPOINT w"); err != nil {
		return err
	}
	err := w.do(tx)
	if err != nil {
		if _, back := tx.Exec("ROLLBACK TO w"); back != nil {
			return back
		}
	}
	if _, release := tx.Exec("RELEASE w"); release != nil {
		return release
	}
	return err
}
