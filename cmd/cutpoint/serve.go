package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/telemetry"
	"cutpoint/platform/web"
)

type serveCommand struct {
	Addr            string         `help:"Address to serve HTTP on." default:"127.0.0.1:8080"`
	Data            string         `help:"Directory of the datastores." default:"data" type:"path"`
	Demo            bool           `help:"Seed a small catalogue, use the test gateway, and print an API key and a first order to paste."`
	DemoKey         string         `help:"API key of the demonstration, at least 16 characters; made once for a data directory if not given." placeholder:"KEY"`
	ChannelCapacity int            `help:"Calls that may wait for a module before more are refused (503 channel_full); a busy module answers 100 in a tenth of a second." default:"100"`
	Workers         int            `help:"Calls that a module handles at once. Most wait for a commit that others share, so there are more than processors." default:"64"`
	ModuleCapacity  map[string]int `help:"Capacity of single modules, payments=50,orders=500 for instance; the others take --channel-capacity." mapsep:"," placeholder:"MODULE=N,..."`
	ModuleWorkers   map[string]int `help:"Workers of single modules; the others take --workers." mapsep:"," placeholder:"MODULE=N,..."`
	CallTimeout     time.Duration  `help:"Longest wait of a module for another one." default:"5s"`
	RequestTimeout  time.Duration  `help:"Deadline of an HTTP request." default:"30s"`
	BodyLimit       int64          `help:"Largest HTTP request body in bytes." default:"1048576"`
	OrderPatience   time.Duration  `help:"How long POST /v1/orders works on an order before it answers 202." default:"5s"`
	ShutdownTimeout time.Duration  `help:"How long requests under way may take after SIGTERM." default:"30s"`
	provider
	policies
	LogLevel  string `help:"debug, info, warn or error." default:"info"`
	LogFormat string `help:"text or json." default:"text"`
}

// Run serves until ctx is done, then answers what was accepted and stops.
func (c *serveCommand) Run(ctx context.Context, t terminal) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	stripe, err := c.stripe()
	if err != nil {
		return err
	}
	log, err := telemetry.NewLog(t.err, c.LogLevel, c.LogFormat)
	if err != nil {
		return err
	}
	useAllProcessors()
	s, err := shop.Open(ctx, shop.Config{
		Data: c.Data, Version: version(), Log: log,
		Capacity: c.ChannelCapacity, Workers: c.Workers, ModuleCapacity: c.ModuleCapacity, ModuleWorkers: c.ModuleWorkers,
		CallTimeout: c.CallTimeout, RequestTimeout: c.RequestTimeout, BodyLimit: c.BodyLimit, OrderPatience: c.OrderPatience,
		Checkout: c.checkout(), Payments: c.payments(), Provider: c.PaymentProvider, Stripe: stripe, Webhooks: c.webhooks(c.Demo),
		Sourcing: c.Sourcing, QuoteValidity: c.QuoteValidity, Fail: failpoints(),
	})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), c.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, s.Close(closing))
	}()
	var key string
	if c.Demo {
		if key, err = c.seed(ctx, s); err != nil {
			return fmt.Errorf("prepare the demonstration: %w", err)
		}
	}
	server, err := web.Listen(c.Addr, s.API())
	if err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	s.ServedAt(server.Addr())
	c.greet(t, server.Addr(), key)
	select {
	case <-ctx.Done():
	case err := <-server.Failed():
		return fmt.Errorf("serve HTTP: %w", err)
	}
	log.Info("stopping: finishing the requests under way")
	s.Retire()
	stopping, cancel := context.WithTimeout(context.Background(), c.ShutdownTimeout)
	defer cancel()
	return server.Stop(stopping)
}

func (c *serveCommand) check() error {
	if c.ProviderTimeout >= c.CallTimeout {
		return fmt.Errorf("--provider-timeout %v must be less than --call-timeout %v: else an answer comes when nobody waits for it", c.ProviderTimeout, c.CallTimeout)
	}
	if !c.Demo && c.PaymentProvider == "" {
		return errors.New("no payment provider: say --payment-provider stripe, or test-gateway (it moves no real money), or --demo")
	}
	if c.Demo && c.PaymentProvider == shop.ProviderStripe {
		return errors.New("--demo charges nobody: leave out --payment-provider stripe")
	}
	if !c.Demo {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--demo prints a key with every scope, so it serves on loopback only, not on %q", c.Addr)
	}
	return nil
}

// useAllProcessors lets more goroutines run than there are cores: a commit holds its processor while the disk works, and with
// as many processors as cores nobody could queue up for the next commit meanwhile. GOMAXPROCS in the environment goes first.
func useAllProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.NumCPU())
	}
}

// seed makes the demonstration's key and catalogue, if they are not there yet, and returns the key.
func (c *serveCommand) seed(ctx context.Context, s *shop.Shop) (string, error) {
	key, err := demoKey(c.Data, c.DemoKey, s.Keys())
	if err != nil {
		return "", err
	}
	if _, err := s.Keys().Add(ctx, "demo", key, auth.Scopes()); err != nil {
		return "", err
	}
	return key, catalogue.Seed(ctx, client.Into(s.API(), key))
}

// demoKey is the key of a data directory: the given one, or the one that was made for it.
func demoKey(data, given string, keys *auth.Keys) (string, error) {
	file := filepath.Join(data, "demo-key")
	if given == "" {
		if kept, err := os.ReadFile(file); err == nil {
			return strings.TrimSpace(string(kept)), nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		var err error
		if given, err = keys.NewSecret(); err != nil {
			return "", err
		}
	}
	return given, os.WriteFile(file, []byte(given+"\n"), 0o600)
}

func (c *serveCommand) greet(t terminal, addr, key string) {
	fmt.Fprintf(t.out, "cutpoint %s serves on http://%s\n", version(), addr)
	if !c.Demo {
		return
	}
	fmt.Fprintf(t.out, `
API key, with every scope: %s

Place an order:

  curl -i http://%s/v1/orders \
    -H 'Authorization: Bearer %s' \
    -H 'Idempotency-Key: first-order-%d' -H 'Content-Type: application/json' \
    -d '{"currency": "EUR", "customer": {"email": "ada@example.com"},
         "lines": [{"sku": "MUG-1", "quantity": 2}], "payment": {"token": "pm_card_visa"}}'

API documentation: http://%s/docs

`, key, addr, key, time.Now().Unix(), addr)
}
