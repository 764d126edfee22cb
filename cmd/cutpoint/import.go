package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
)

type importCommand struct {
	File string `arg:"" help:"A .csv or .jsonl file." type:"existingfile"`
	host.Datastores
	URL string `help:"Import into the running shop at this URL instead." placeholder:"URL"`
	Key string `help:"API key for it, with stock:write and prices:write." placeholder:"KEY"`
}

// maxReported bounds the bad rows that are told on the terminal; all of them are in the file of rejects.
const maxReported = 20

// Run imports every good row, reports every bad one, and fails if there was any.
func (c *importCommand) Run(ctx context.Context, t terminal) (err error) {
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	to, target, done, err := c.reach(ctx)
	if err != nil {
		return err
	}
	bar := progress(t.Err, info.Size(), "importing", "")
	reported := 0
	result, err := catalogue.Job{
		File: c.File, Target: target, Shop: to, Alone: c.URL == "", Progress: bar,
		Resumed: func(line int) { fmt.Fprintf(t.Err, "going on after line %d, where it was interrupted\n", line) },
		Rejected: func(line int, problem error) {
			if reported++; reported <= maxReported {
				fmt.Fprintf(t.Err, "line %d: %v\n", line, problem)
			}
		},
	}.Run(ctx)
	_ = bar.Finish()
	if reported > maxReported {
		fmt.Fprintf(t.Err, "and %d more\n", reported-maxReported)
	}
	if err = errors.Join(err, done(err == nil)); err == nil || result != (catalogue.Result{}) {
		fmt.Fprintf(t.Out, "%d rows imported, %d refused\n", result.Imported, result.Rejected)
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; run it again and it goes on where it stopped")
	case err != nil:
		return err
	case result.Rejected > 0:
		return fmt.Errorf("the refused rows are listed in %s.rejected.csv: correct them and import them again; rows that are there already are replaced", c.File)
	}
	return nil
}

// reach returns a client of the running shop, or of one that is opened for the import alone and serves nobody else, and a name for it.
// Call done at the end, with whether the import is whole.
func (c *importCommand) reach(ctx context.Context) (to *client.Client, target string, done func(whole bool) error, err error) {
	if c.URL != "" {
		if c.Key == "" {
			return nil, "", nil, errors.New("--url needs --key")
		}
		to = client.New(c.URL, c.Key, 1)
		if _, err := to.Do(ctx, http.MethodGet, "/healthz", nil, nil); err != nil { // a job would wait for it
			return nil, "", nil, err
		}
		return to, c.URL, func(bool) error { return nil }, nil
	}
	host.UseAllProcessors()
	o := c.Options()
	o.Version, o.Log = host.Version(), slog.New(slog.DiscardHandler)
	s, err := shop.Open(ctx, shop.Config{Options: o})
	if err != nil {
		return nil, "", nil, err
	}
	closeShop := func() error { return s.Close(context.WithoutCancel(ctx)) }
	key, err := takeImportKey(ctx, c.Data, s.Keys())
	if err != nil {
		return nil, "", nil, errors.Join(err, closeShop())
	}
	return client.Into(s.API(), key.secret), c.Data, func(whole bool) error {
		if !whole {
			return closeShop()
		}
		return errors.Join(key.giveUp(context.WithoutCancel(ctx)), closeShop())
	}, nil
}

// importKey is the API key of imports into a data directory. An interrupted one leaves it for the next: a batch that is sent again is
// known by its key, and that is the API key's own.
type importKey struct {
	file, secret, id string
	keys             *auth.Keys
}

func takeImportKey(ctx context.Context, data string, keys *auth.Keys) (importKey, error) {
	k := importKey{file: filepath.Join(data, "import-key"), keys: keys}
	kept, err := os.ReadFile(k.file)
	switch {
	case err == nil:
		k.secret = strings.TrimSpace(string(kept))
	case errors.Is(err, os.ErrNotExist):
		if k.secret, err = keys.NewSecret(); err != nil {
			return k, err
		}
		if err := host.MakeDirectory(data); err != nil { // nobody has, if no datastore is a file
			return k, err
		}
		if err := os.WriteFile(k.file, []byte(k.secret+"\n"), 0o600); err != nil {
			return k, err
		}
	default:
		return k, err
	}
	added, err := keys.Add(ctx, "import", k.secret, []string{auth.StockWrite, auth.PricesWrite})
	k.id = added.ID
	return k, err
}

// giveUp removes the file first: a secret that is kept must not be one that was revoked.
func (k importKey) giveUp(ctx context.Context) error {
	if err := os.Remove(k.file); err != nil {
		return err
	}
	_, err := k.keys.Revoke(ctx, k.id)
	return err
}
