package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// target is the shop that a command places orders in: a running one, or one of its own that lives as long as the command.
type target struct {
	URL string `help:"A running shop; without it, one is made for this run and thrown away." placeholder:"URL"`
	Key string `help:"API key for it; without it, the demonstration's key in --data is used." placeholder:"KEY"`
	// Data is needed for the key alone.
	Data string `help:"Data directory of the running shop." default:"data" type:"path"`
}

// own is a shop of this process.
type own struct {
	*shop.Shop
	dir string // on whose disk it keeps its data
}

// reach returns a client of the shop, the shop itself (nil if it is elsewhere), and what to do at the end.
func (t target) reach(ctx context.Context, connections int) (c *client.Client, here *own, done func() error, err error) {
	if t.URL != "" {
		key, err := t.key()
		return client.New(t.URL, key, connections), nil, func() error { return nil }, err
	}
	return ownShop(ctx, connections)
}

func (t target) key() (string, error) {
	if t.Key != "" {
		return t.Key, nil
	}
	kept, err := os.ReadFile(filepath.Join(t.Data, "demo-key"))
	if err != nil {
		return "", fmt.Errorf("no API key: say which one with --key (%w)", err)
	}
	return strings.TrimSpace(string(kept)), nil
}

// ownShop serves a seeded shop on a free port. Its data lies in the current directory, not in a temporary one, which may be
// kept in memory: its figures should be those of the disk.
func ownShop(ctx context.Context, connections int) (c *client.Client, here *own, done func() error, err error) {
	host.UseAllProcessors()
	dir, err := os.MkdirTemp(".", "cutpoint-run-")
	if err != nil {
		return nil, nil, nil, err
	}
	var s *shop.Shop
	var server *web.Server
	done = func() error {
		ctx := context.WithoutCancel(ctx)
		var errs []error
		if server != nil {
			errs = append(errs, server.Stop(ctx))
		}
		if s != nil {
			errs = append(errs, s.Close(ctx))
		}
		return errors.Join(append(errs, os.RemoveAll(dir))...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, done())
		}
	}()
	log := slog.New(slog.DiscardHandler)
	// Every customer may wait for a module at once: the run measures the shop, not its refusals.
	if s, err = shop.Open(ctx, shop.Config{Options: host.Options{Data: dir, Version: host.Version(), Log: log, Capacity: 2*connections + 100}}); err != nil {
		return nil, nil, nil, err
	}
	key, err := s.Keys().NewSecret()
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err = s.Keys().Add(ctx, "run", key, auth.Scopes()); err != nil {
		return nil, nil, nil, err
	}
	if server, err = web.Listen("127.0.0.1:0", s.API()); err != nil {
		return nil, nil, nil, err
	}
	c = client.New("http://"+server.Addr(), key, connections)
	return c, &own{s, dir}, done, catalogue.Seed(ctx, c)
}

// progress is a bar on a terminal, and nothing elsewhere. It counts units, or bytes if the unit is "". A total of -1 shows a
// spinner.
func progress(w io.Writer, total int64, what, unit string) *progressbar.ProgressBar {
	f, ok := w.(*os.File)
	visible := ok && term.IsTerminal(int(f.Fd()))
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetVisibility(visible),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionShowBytes(unit == ""),
		progressbar.OptionClearOnFinish(),
	)
}
