package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/load"
)

type demoCommand struct {
	target
	Orders      int `help:"Orders to place." default:"100"`
	Concurrency int `help:"Customers at a time." default:"8"`
}

// Run places the orders and sums up. Orders that do not complete make it fail.
func (c *demoCommand) Run(ctx context.Context, t terminal) (err error) {
	if c.Orders < 1 || c.Concurrency < 1 {
		return errors.New("--orders and --concurrency must be at least 1")
	}
	shop, _, done, err := c.reach(ctx, c.Concurrency)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	bar := progress(t.err, int64(c.Orders), "placing orders", "orders")
	run := placeRun(c.Concurrency)
	run.Shop, run.Orders, run.Progress = shop, c.Orders, func() { _ = bar.Add(1) }
	result := run.Do(ctx)
	_ = bar.Finish()
	if err := printResults(t.out, []load.Result{result}); err != nil {
		return err
	}
	return failedOrders(result)
}

// placeRun is a run over the demonstration's catalogue.
func placeRun(concurrency int) load.Run {
	return load.Run{
		SKUs: []string{"MUG-1", "SHIRT-1", "POSTER-1", "BOOK-1", "BAG-1", "CAP-1"}, Currency: "EUR", Token: "pm_card_visa",
		Concurrency: concurrency, KeyPrefix: "run-" + rand.Text(),
	}
}

func failedOrders(results ...load.Result) error {
	failed := 0
	for _, r := range results {
		failed += r.Failed()
	}
	if failed > 0 {
		return fmt.Errorf("%d orders did not complete", failed)
	}
	return nil
}

// printResults prints a table, a line a run.
func printResults(w io.Writer, results []load.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "customers\torders\torders/s\tp50\tp95\tp99\terrors\t")
	for _, r := range results {
		fmt.Fprintf(table, "%d\t%d\t%.0f\t%s\t%s\t%s\t%s\t\n", r.Concurrency, r.Orders, r.PerSecond,
			short(r.P50), short(r.P95), short(r.P99), describeErrors(r.Errors))
	}
	return table.Flush()
}

func short(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func describeErrors(errors map[string]int) string {
	if len(errors) == 0 {
		return "0"
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(errors)) {
		parts = append(parts, strconv.Itoa(errors[code])+" "+code)
	}
	return strings.Join(parts, ", ")
}

type loadCommand struct {
	target
	Orders      int           `help:"Orders to place at each concurrency; overrides --duration."`
	Duration    time.Duration `help:"How long to place orders at each concurrency." default:"5s"`
	Concurrency []int         `help:"Customers at a time, one run for each." default:"1,8,64"`
	JSON        bool          `help:"Print the figures as JSON."`
}

// report is what load prints as JSON.
type report struct {
	FsyncsPerSecond float64       `json:"fsyncs_per_second,omitempty"`
	Runs            []load.Result `json:"runs"`
}

// Run measures each concurrency in turn, after the rate at which the disk takes small writes.
func (c *loadCommand) Run(ctx context.Context, t terminal) (err error) {
	if len(c.Concurrency) == 0 || slices.Min(c.Concurrency) < 1 || c.Orders < 0 || c.Duration <= 0 {
		return errors.New("--concurrency, --orders and --duration must be positive")
	}
	shop, dir, done, err := c.reach(ctx, slices.Max(c.Concurrency))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var r report
	if dir != "" {
		if r.FsyncsPerSecond, err = load.FsyncRate(dir, time.Second); err != nil {
			return err
		}
	}
	for _, concurrency := range c.Concurrency {
		run := placeRun(concurrency)
		run.Shop = shop
		if run.Orders = c.Orders; c.Orders == 0 {
			run.Duration = c.Duration
		}
		bar := progress(t.err, -1, fmt.Sprintf("%d customers", concurrency), "orders")
		run.Progress = func() { _ = bar.Add(1) }
		r.Runs = append(r.Runs, run.Do(ctx))
		_ = bar.Finish()
	}
	if err := c.print(t.out, r); err != nil {
		return err
	}
	return failedOrders(r.Runs...)
}

func (c *loadCommand) print(w io.Writer, r report) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	if r.FsyncsPerSecond > 0 {
		fmt.Fprintf(w, "the disk takes %.0f durable 4 KiB appends a second from one writer\n\n", r.FsyncsPerSecond)
	}
	return printResults(w, r.Runs)
}
