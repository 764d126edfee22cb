package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// supply is a file of rows of which every fiftieth is bad, each time in another way.
type supply struct {
	path     string
	stock    map[string]int64 // that good rows count, by SKU
	rejected [][]string       // what the file of rejects must say
	last     int              // line
}

// badRows are what can be wrong with a row, and how it is said.
func badRows() []struct{ row, sku, problem string } {
	return []struct{ row, sku, problem string }{
		{`A B,Space,1,main,1.00,100`, "A B", `sku "A B": 1 to 64 letters, digits, '.', '_' and '-' are needed`},
		{`NAMELESS,,1,main,1.00,100`, "NAMELESS", `name: 1 to 200 characters are needed`},
		{`HALF,Half,1.5,main,1.00,100`, "HALF", `stock "1.5" is not a whole number`},
		{`LESS,Less,-1,main,1.00,100`, "LESS", `stock -1: 0 to 1000000000 units are possible`},
		{`NOWHERE,Nowhere,1,a/b,1.00,100`, "NOWHERE", `location "a/b": 1 to 64 letters, digits, '.', '_' and '-' are needed`},
		{`FINE,Fine,1,main,1.001,100`, "FINE", `price "1.001" has more decimals than EUR`},
		{`FREE,Free,1,main,free,100`, "FREE", `price "free" in EUR is not a decimal number`},
		{`PAID,Paid,1,main,-1.00,100`, "PAID", `price of -100 EUR: 0 to 1000000000000 minor units are possible`},
		{`SHORT,Short,1`, "", `it has 3 fields, the header has 6`},
		{`OPEN,"Open,1,main,1.00,100`, "", `extraneous or missing " in quoted-field`},
		{"LATIN,M\xfcsli,1,main,1.00,100", "", `the line is not UTF-8`},
		{`LONG,` + strings.Repeat("x", 70_000) + `,1,main,1.00,100`, "", `the line is longer than 64 KiB`},
	}
}

func newSupply(t *testing.T, rows int) supply {
	t.Helper()
	s := supply{path: filepath.Join(t.TempDir(), "supply.csv"), stock: map[string]int64{}, rejected: [][]string{{"line", "sku", "problem"}}}
	var b bytes.Buffer
	b.WriteString("\ufeffsku,name,stock,location,EUR,JPY\r\n")
	bad := badRows()
	for n := range rows {
		line := n + 2
		if s.last = line; n%50 == 30 {
			wrong := bad[n/50%len(bad)]
			b.WriteString(wrong.row + "\r\n")
			s.rejected = append(s.rejected, []string{strconv.Itoa(line), wrong.sku, wrong.problem})
			continue
		}
		sku := fmt.Sprintf("SUPPLY-%05d", n)
		s.stock[sku] = int64(n%40 + 1)
		fmt.Fprintf(&b, "%s,\"Supply, number %d\",%d,%s,%d.%02d,%d\r\n", sku, n, s.stock[sku], []string{"main", "north"}[n%2], n%9+1, n%100, n%900+1)
	}
	if err := os.WriteFile(s.path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// importing is an import in a process of its own.
func importing(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	p := exec.Command(os.Args[0], append([]string{"import"}, args...)...)
	p.Env = append(os.Environ(), beTheBinary+"=1")
	var said bytes.Buffer
	p.Stdout, p.Stderr = &said, &said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p, &said
}

// killed imports until a line is done, and sends SIGKILL then. It returns the last line that was written down.
func (s supply) killed(t *testing.T, after int, args ...string) int {
	t.Helper()
	p, said := importing(t, args...)
	var note struct{ Line int }
	reached := eventually(func() bool {
		text, err := os.ReadFile(s.path + ".progress")
		return err == nil && json.Unmarshal(text, &note) == nil && note.Line >= after
	})
	_ = p.Process.Kill()
	_ = p.Wait()
	if !reached || note.Line == s.last {
		t.Fatalf("it came to line %d of %d: %s", note.Line, s.last, said)
	}
	return note.Line
}

// finish lets an import come to its end, which is a bad one since there are bad rows.
func (s supply) finish(t *testing.T, args ...string) {
	t.Helper()
	p, said := importing(t, args...)
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v, and there were bad rows", err)
	}
	want := fmt.Sprintf("%d rows imported, %d refused", len(s.stock), len(s.rejected)-1)
	for _, w := range []string{want, "going on after line", "correct them and import them again"} {
		if !strings.Contains(said.String(), w) {
			t.Errorf("said %s, and not %q", said, w)
		}
	}
	text, err := os.ReadFile(s.path + ".rejected.csv")
	if err != nil {
		t.Fatal(err)
	}
	rejected, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || fmt.Sprint(rejected) != fmt.Sprint(s.rejected) {
		t.Errorf("%v: rejected are\n%v\nwant\n%v", err, rejected, s.rejected)
	}
	if _, err := os.Stat(s.path + ".progress"); !os.IsNotExist(err) {
		t.Errorf("the note of an import that is whole is still there: %v", err)
	}
}

// check holds the shelves against the file and what was sold meanwhile: each row was counted exactly once.
func (s supply) check(t *testing.T, shop *served, sold map[string]int64) {
	t.Helper()
	found := 0
	for cursor := ""; ; {
		res, err := shop.do(http.MethodGet, "/v1/items?limit=200&cursor="+cursor, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Data []struct {
				SKU          string
				OnHand       int64 `json:"on_hand"`
				Version      int64
				StockVersion int64 `json:"stock_version"`
			}
			NextCursor string `json:"next_cursor"`
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Data {
			units, ours := s.stock[i.SKU]
			if !ours {
				continue
			}
			found++
			changes := int64(1)
			if sold[i.SKU] > 0 {
				changes = 3 // counted, held, consumed
			}
			if i.OnHand != units-sold[i.SKU] || i.Version != 1 || i.StockVersion != changes {
				t.Errorf("%s: %d on hand after %d changes, description %d; the file says %d and %d were sold", i.SKU, i.OnHand, i.StockVersion, i.Version, units, sold[i.SKU])
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if found != len(s.stock) {
		t.Errorf("%d items of %d are there", found, len(s.stock))
	}
	for sku := range s.stock {
		res, err := shop.do(http.MethodGet, "/v1/prices/"+sku, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Prices  []struct{}
			Version int64
		}
		err = json.NewDecoder(res.Body).Decode(&set)
		res.Body.Close()
		if err != nil || len(set.Prices) != 2 || set.Version != 1 {
			t.Errorf("%s: %v: prices %+v", sku, err, set)
		}
	}
}

// sell places an order for a unit of an item.
func (s *served) sell(t *testing.T, sku string) {
	t.Helper()
	res, err := s.do(http.MethodPost, "/v1/orders", "sell-"+sku, strings.NewReader(`{"currency": "EUR", "customer": {"email": "ada@example.com"},
		"lines": [{"sku": "`+sku+`", "quantity": 1}], "payment": {"token": "pm_card_visa"}}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Errorf("an order for %s is answered with %s", sku, res.Status)
	}
}

// TestImportKilled kills an import several times and lets it go on: every row is done once, every bad one is told once, and what was
// sold in between stays sold.
func TestImportKilled(t *testing.T) {
	t.Run("into a running shop", func(t *testing.T) {
		s, shop := newSupply(t, 3000), startShop(t, t.TempDir())
		args := []string{s.path, "--url", shop.url, "--key", testKey}
		sold := map[string]int64{}
		for _, after := range []int{1, 700, 1900} {
			line := s.killed(t, after, args...)
			for _, n := range []int{line - 45, line - 3} { // in the last batches that are written down
				if sku := fmt.Sprintf("SUPPLY-%05d", n); s.stock[sku] > 0 && sold[sku] == 0 {
					shop.sell(t, sku)
					sold[sku] = 1
				}
			}
		}
		s.finish(t, args...)
		s.check(t, shop, sold)
	})
	t.Run("into a data directory", func(t *testing.T) {
		s, data := newSupply(t, 6000), t.TempDir()
		args := []string{s.path, "--data", data}
		for _, after := range []int{1, 2500} {
			s.killed(t, after, args...)
		}
		s.finish(t, args...)
		if _, err := os.Stat(filepath.Join(data, "import-key")); !os.IsNotExist(err) {
			t.Errorf("the key of an import that is whole is still there: %v", err)
		}
		s.check(t, startShop(t, data), nil)
	})
}
