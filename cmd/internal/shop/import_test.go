package shop_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/load"
	"cutpoint/cmd/internal/shop"
)

// BenchmarkImport compares how long orders take while a file is imported with how long they take otherwise, in one shop, in turns. One
// iteration is one round:
//
//	make bench-import
func BenchmarkImport(b *testing.B) {
	for _, customers := range []int{1, 8} {
		b.Run(fmt.Sprintf("customers=%d", customers), func(b *testing.B) {
			useAllProcessors(b)
			r := onDisk(b, shop.Config{})
			job := catalogue.Job{File: bigFile(b, 100_000), Target: "bench", Shop: r.Client}
			runs := 0
			p99 := func() float64 {
				runs++
				result := load.Run{
					Shop: r.Client, SKUs: []string{"MUG-1", "SHIRT-1", "POSTER-1", "BOOK-1", "BAG-1", "CAP-1"}, Currency: "EUR", Token: "pm_card_visa",
					Concurrency: customers, Orders: 500 + 100*customers, KeyPrefix: fmt.Sprint("run-", runs),
				}.Do(b.Context())
				if result.Failed() > 0 {
					b.Fatalf("%v", result.Errors)
				}
				return float64(result.P99) / float64(time.Microsecond)
			}
			p99()
			var sides comparison
			for b.Loop() {
				sides.round(
					func() float64 {
						stop := importing(b, job)
						took := p99()
						b.Logf("%d rows imported a second meanwhile", stop())
						return took
					},
					p99)
				b.Logf("p99: importing %.0f us, idle %.0f us, ratio %.2f", sides.last(0), sides.last(1), sides.last(0)/sides.last(1))
			}
			ratio, low, high := sides.ratio()
			b.Logf("median p99: importing %.0f us, idle %.0f us; ratio of a round %.2f, middle half %.2f to %.2f, at most 2 wanted",
				median(sides.of[0]), median(sides.of[1]), ratio, low, high)
			b.ReportMetric(median(sides.of[0]), "importing-p99-us")
			b.ReportMetric(median(sides.of[1]), "idle-p99-us")
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// importing imports, going on where it stopped before, until it is told to stop, and counts the rows of a second.
func importing(b *testing.B, job catalogue.Job) (stop func() (rows int)) {
	ctx, cancel := context.WithCancel(b.Context())
	rows, start, ended := 0, time.Now(), make(chan struct{})
	job.Resumed = func(line int) { rows -= line - 1 } // the header is no row
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			result, err := job.Run(ctx)
			if err != nil && ctx.Err() == nil {
				b.Error(err)
				return
			}
			rows += result.Imported
		}
	}()
	return func() int {
		cancel()
		<-ended
		return int(float64(rows) / time.Since(start).Seconds())
	}
}

// bigFile writes a file of rows at three locations, with three prices each.
func bigFile(b *testing.B, rows int) string {
	path := filepath.Join(b.TempDir(), "big.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "sku,name,stock,location,tax_category,EUR,USD,JPY")
	for n := range rows {
		fmt.Fprintf(w, "SKU-%06d,\"Thing, number %d\",%d,%s,standard,%d.%02d,%d.%02d,%d\n",
			n, n, n%500, []string{"main", "north", "south"}[n%3], n%90+1, n%100, n%95+2, n%100, (n%90+1)*150)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}
