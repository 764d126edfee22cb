package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
)

type importCommand struct {
	File        string `arg:"" help:"A .csv or .jsonl file." type:"existingfile"`
	Data        string `help:"Data directory to import into, while no shop runs on it." default:"data" type:"path"`
	URL         string `help:"Import into the running shop at this URL instead." placeholder:"URL"`
	Key         string `help:"API key for it, with stock:write, stock:read, prices:write and prices:read." placeholder:"KEY"`
	Concurrency int    `help:"Rows at a time." default:"8"`
}

// Run imports every good row, reports every bad one, and fails if there was any.
func (c *importCommand) Run(ctx context.Context, t terminal) (err error) {
	if c.Concurrency < 1 {
		return errors.New("--concurrency must be at least 1")
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	bar := progress(t.err, info.Size(), "importing", "")
	lines, err := catalogue.Read(c.File, io.TeeReader(f, bar))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	to, done, err := c.reach(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	good, bad := c.apply(ctx, t, catalogue.NewImporter(to, "import-"+rand.Text()), lines)
	_ = bar.Finish()
	fmt.Fprintf(t.out, "%d rows imported, %d refused\n", good, bad)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; run it again to import the rest")
	case bad > 0:
		return errors.New("correct the rows above and import them again; rows that are there already are replaced")
	}
	return nil
}

// reach returns a client of the running shop, or of one that is opened for the import alone and serves nobody else.
func (c *importCommand) reach(ctx context.Context) (*client.Client, func() error, error) {
	if c.URL != "" {
		if c.Key == "" {
			return nil, nil, errors.New("--url needs --key")
		}
		return client.New(c.URL, c.Key, c.Concurrency), func() error { return nil }, nil
	}
	useAllProcessors()
	s, err := shop.Open(ctx, shop.Config{Data: c.Data, Version: version(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	closeShop := func() error { return s.Close(context.WithoutCancel(ctx)) }
	secret, err := s.Keys().NewSecret()
	if err == nil {
		var key auth.Key
		if key, err = s.Keys().Add(ctx, "import", secret, []string{auth.StockRead, auth.StockWrite, auth.PricesRead, auth.PricesWrite}); err == nil {
			return client.Into(s.API(), secret), func() error {
				_, err := s.Keys().Revoke(context.WithoutCancel(ctx), key.ID)
				return errors.Join(err, closeShop())
			}, nil
		}
	}
	return nil, nil, errors.Join(err, closeShop())
}

// apply brings the rows in, several at a time, and counts them.
func (c *importCommand) apply(ctx context.Context, t terminal, to *catalogue.Importer, lines iter.Seq[catalogue.Line]) (good, bad int64) {
	var imported, refused atomic.Int64
	var report sync.Mutex
	refuse := func(number int, err error) {
		refused.Add(1)
		report.Lock()
		defer report.Unlock()
		fmt.Fprintf(t.err, "line %d: %v\n", number, err)
	}
	work := make(chan catalogue.Line)
	var workers sync.WaitGroup
	for range c.Concurrency {
		workers.Go(func() {
			for l := range work {
				if err := to.Apply(ctx, l.Row); err != nil {
					refuse(l.Number, err)
					continue
				}
				imported.Add(1)
			}
		})
	}
	for l := range lines {
		if ctx.Err() != nil {
			break
		}
		if l.Err != nil {
			refuse(l.Number, l.Err)
			continue
		}
		work <- l
	}
	close(work)
	workers.Wait()
	return imported.Load(), refused.Load()
}
