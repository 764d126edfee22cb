package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/load"
	"cutpoint/platform/money"
)

type demoCommand struct {
	target
	Orders      int `help:"Orders to place." default:"100"`
	Concurrency int `help:"Customers at a time." default:"8"`
}

// expected are the ends of an order that a shop has every day.
func expected() map[string]string {
	return map[string]string{
		"payments.declined":        "declined, the card was refused",
		"inventory.out_of_stock":   "rejected, out of stock",
		"pricing.coupon_exhausted": "rejected, the coupon is used up",
	}
}

// Run places the orders and sums up. It fails if an order ends as none should.
func (c *demoCommand) Run(ctx context.Context, t terminal) (err error) {
	if c.Orders < 1 || c.Concurrency < 1 {
		return errors.New("--orders and --concurrency must be at least 1")
	}
	shop, _, done, err := c.reach(ctx, c.Concurrency)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	bar := progress(t.Err, int64(c.Orders), "placing orders", "orders")
	var mu sync.Mutex
	sales := map[string]int64{}
	result := load.Run{
		Shop: shop, Order: demoOrder, Orders: c.Orders, Concurrency: c.Concurrency, KeyPrefix: "run-" + rand.Text(),
		Progress: func() { _ = bar.Add(1) },
		Sold: func(amount int64, currency string) {
			mu.Lock()
			defer mu.Unlock()
			sales[currency] += amount
		},
	}.Do(ctx)
	_ = bar.Finish()
	if err := sumUp(t.Out, result, sales); err != nil {
		return err
	}
	maps.DeleteFunc(result.Errors, func(code string, _ int) bool { return expected()[code] != "" })
	return failedOrders(result)
}

// sumUp tells how the orders went: how fast, how they ended, and what was sold.
func sumUp(w io.Writer, r load.Result, sales map[string]int64) error {
	fmt.Fprintf(w, "%d orders in %.2f s, %d customers at a time: %.0f completed a second, half of them within %s, 99 of 100 within %s\n\n",
		r.Orders+r.Failed(), r.Seconds, r.Concurrency, r.PerSecond, short(r.P50), short(r.P99))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "  %d\tcompleted\n", r.Orders)
	for _, code := range slices.Sorted(maps.Keys(r.Errors)) {
		end := expected()[code]
		if end == "" {
			end = "failed"
		}
		fmt.Fprintf(table, "  %d\t%s\t%s\n", r.Errors[code], end, code)
	}
	if err := table.Flush(); err != nil || len(sales) == 0 {
		return err
	}
	var sold []string
	for _, currency := range slices.Sorted(maps.Keys(sales)) {
		sold = append(sold, money.Of(sales[currency], currency).String())
	}
	_, err := fmt.Fprintf(w, "\nsold for %s\n", strings.Join(sold, ", "))
	return err
}

// demoOrder is the nth order of a demonstration: from a catalogue of which some things are wanted more than others, by customers of three
// currencies, some of whom have a coupon, a bad card, or an eye for what is rare. The same n gives the same order.
func demoOrder(n int) load.Order {
	dice := mathrand.New(mathrand.NewPCG(uint64(n), 5))
	oneIn := func(n int) bool { return dice.IntN(n) == 0 }
	o := load.Order{
		Currency: pick(dice, "EUR", "EUR", "EUR", "USD", "USD", "JPY"), Customer: load.Customer(n),
		Payment: map[string]string{"token": "pm_card_visa"},
	}
	for range pick(dice, 1, 1, 1, 2, 2, 3, 5) {
		o.Lines = append(o.Lines, load.Line{SKU: pick(dice, catalogue.Wanted()...), Quantity: pick(dice, 1, 1, 1, 2, 3)})
	}
	if oneIn(10) {
		o.Lines[0].Quantity = 12 // by the dozen it is cheaper
	}
	if oneIn(25) {
		o.Lines = append(o.Lines, load.Line{SKU: pick(dice, catalogue.Rare()...), Quantity: 1})
	}
	if oneIn(6) {
		o.Coupon = pick(dice, catalogue.CouponTenth, catalogue.CouponFive)
	}
	if oneIn(14) {
		o.Payment["token"] = pick(dice, "pm_card_visa_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds")
	}
	return o
}

func pick[T any](dice *mathrand.Rand, of ...T) T { return of[dice.IntN(len(of))] }

// placeRun is a run over what the demonstration has most of: its orders are much alike, and all are paid.
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

// printRuns prints a table, a line a run, with what an order cost if that is known.
func printRuns(w io.Writer, runs []loadRun, costs bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "customers\torders\torders/s\tp50\tp95\tp99\terrors\t")
	if costs {
		fmt.Fprint(table, "processor/order, customers included\tcommits/order\t")
	}
	fmt.Fprintln(table)
	for _, r := range runs {
		fmt.Fprintf(table, "%d\t%d\t%.0f\t%s\t%s\t%s\t%s\t", r.Concurrency, r.Orders, r.PerSecond,
			short(r.P50), short(r.P95), short(r.P99), describeErrors(r.Errors))
		if costs {
			fmt.Fprintf(table, "%s\t%.1f\t", short(r.ProcessorTime), r.Commits)
		}
		fmt.Fprintln(table)
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
	FsyncsPerSecond float64   `json:"fsyncs_per_second,omitempty"`
	Runs            []loadRun `json:"runs"`
}

// loadRun is one run. What an order costs is known of a shop of this process alone.
type loadRun struct {
	load.Result
	ProcessorTime time.Duration `json:"processor_ns_per_order,omitempty"` // of shop and customers, who share this process
	Commits       float64       `json:"commits_per_order,omitempty"`      // of all modules, not of the test gateway
}

// measure does a run, and finds out what an order cost.
func measure(ctx context.Context, run load.Run, here *own) (r loadRun, err error) {
	if here == nil {
		return loadRun{Result: run.Do(ctx)}, nil
	}
	commits := here.Stores().Commits
	before, err := processorTime()
	if err != nil {
		return r, err
	}
	r.Result = run.Do(ctx)
	after, err := processorTime()
	if err != nil || r.Orders == 0 {
		return r, err
	}
	r.ProcessorTime = (after - before) / time.Duration(r.Orders)
	r.Commits = float64(here.Stores().Commits-commits) / float64(r.Orders)
	return r, nil
}

// processorTime is what this process has used so far.
func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// Run measures each concurrency in turn, after the rate at which the disk takes small writes.
func (c *loadCommand) Run(ctx context.Context, t terminal) (err error) {
	if len(c.Concurrency) == 0 || slices.Min(c.Concurrency) < 1 || c.Orders < 0 || c.Duration <= 0 {
		return errors.New("--concurrency, --orders and --duration must be positive")
	}
	shop, here, done, err := c.reach(ctx, slices.Max(c.Concurrency))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var r report
	if here != nil {
		if r.FsyncsPerSecond, err = load.FsyncRate(here.dir, time.Second); err != nil {
			return err
		}
	}
	for _, concurrency := range c.Concurrency {
		run := placeRun(concurrency)
		run.Shop = shop
		if run.Orders = c.Orders; c.Orders == 0 {
			run.Duration = c.Duration
		}
		bar := progress(t.Err, -1, fmt.Sprintf("%d customers", concurrency), "orders")
		run.Progress = func() { _ = bar.Add(1) }
		measured, err := measure(ctx, run, here)
		if err != nil {
			return err
		}
		r.Runs = append(r.Runs, measured)
		_ = bar.Finish()
	}
	if err := c.print(t.Out, r); err != nil {
		return err
	}
	var all []load.Result
	for _, run := range r.Runs {
		all = append(all, run.Result)
	}
	return failedOrders(all...)
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
	return printRuns(w, r.Runs, r.FsyncsPerSecond > 0)
}
