package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cutpoint/cmd/internal/catalogue"
	"cutpoint/cmd/internal/client"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/natsserver"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
	"cutpoint/platform/channel"
)

type serveCommand struct {
	host.Settings
	Modules    []string      `help:"Modules that this process runs: all, none, or a list of ${modules}; the others are found over --channel." default:"all"`
	NATSListen string        `name:"nats-listen" help:"Run a NATS server in this process too, on this address, and use it as --channel." placeholder:"HOST:PORT"`
	NATSConfig string        `name:"nats-config" help:"Configuration of that server; without one it takes everybody, and loopback addresses only." type:"existingfile" placeholder:"FILE"`
	Strict     bool          `help:"Let modules of this process exchange encoded messages, as if they were apart; for tests." hidden:""`
	Demo       bool          `help:"Seed a small catalogue, use the test gateway, and print an API key and a first order to paste."`
	DemoKey    string        `help:"API key of the demonstration, at least 16 characters; made once for a data directory if not given." placeholder:"KEY"`
	Shop       shop.Settings `embed:""`
	events
}

// Run serves until ctx is done, then answers what was accepted and stops.
func (c *serveCommand) Run(ctx context.Context, t terminal) (err error) {
	config, err := c.config(t)
	if err != nil {
		return err
	}
	host.UseAllProcessors()
	if c.NATSListen != "" {
		server, err := natsserver.Start(c.NATSListen, c.NATSConfig)
		if err != nil {
			return err
		}
		defer server.Stop()
		config.Channel = server.ClientURL()
		fmt.Fprintf(t.Out, "NATS listens on %s\n", config.Channel)
	}
	s, err := shop.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close(s.Host)) }()
	stopEvents, err := c.publish(ctx, s.Contracts().Orders, c.NATSCA, s.Log)
	if err != nil {
		return err
	}
	defer stopEvents()
	if !c.HTTP {
		return c.Settings.Run(ctx, t, s.Host, nil, nil)
	}
	var key string
	if c.Demo {
		if key, err = c.seed(ctx, s); err != nil {
			return fmt.Errorf("prepare the demonstration: %w", err)
		}
	}
	return c.Settings.Run(ctx, t, s.Host, s.API(), func(addr string) {
		s.ServedAt(addr)
		c.greet(t, addr, key)
	})
}

// config is the shop, or the part of one, that the flags describe.
func (c *serveCommand) config(t terminal) (config shop.Config, err error) {
	if config.Options, err = c.Options(t); err != nil {
		return config, err
	}
	if config.Modules, err = c.modules(); err != nil {
		return config, err
	}
	if err := c.check(config.Modules); err != nil {
		return config, err
	}
	config.Headless, config.Strict, config.Fail = !c.HTTP, c.Strict, failpoints()
	err = c.Shop.Configure(&config)
	config.Webhooks.AllowPrivate = config.Webhooks.AllowPrivate || c.Demo
	return config, err
}

// modules are those that this process runs.
func (c *serveCommand) modules() ([]string, error) {
	if len(c.Modules) == 1 && c.Modules[0] == "all" {
		return shop.Modules(), nil
	}
	if len(c.Modules) == 1 && c.Modules[0] == "none" {
		return []string{}, nil
	}
	for _, m := range c.Modules {
		if !slices.Contains(shop.Modules(), m) {
			return nil, fmt.Errorf("--modules: there is no %q: say all, none, or some of %s", m, strings.Join(shop.Modules(), ", "))
		}
	}
	return c.Modules, nil
}

func (c *serveCommand) check(modules []string) error {
	if err := c.events.check(); err != nil {
		return err
	}
	provider := c.Shop.Payments.PaymentProvider
	if c.Shop.Payments.ProviderTimeout >= c.CallTimeout {
		return fmt.Errorf("--provider-timeout %v must be less than --call-timeout %v: else an answer comes when nobody waits for it", c.Shop.Payments.ProviderTimeout, c.CallTimeout)
	}
	if !c.Demo && provider == "" && (c.HTTP || slices.Contains(modules, "payments")) {
		return errors.New("no payment provider: say --payment-provider stripe, or test-gateway (it moves no real money), or --demo")
	}
	if c.Demo && provider == shop.ProviderStripe {
		return errors.New("--demo charges nobody: leave out --payment-provider stripe")
	}
	if !c.HTTP && len(modules) == 0 {
		return errors.New("--http=false and --modules none: there is nothing to do")
	}
	if apart := len(modules) < len(shop.Modules()); apart && c.Channel == host.InMemory && c.NATSListen == "" {
		return errors.New("the other modules are elsewhere: say with --channel where, or run a server for them with --nats-listen")
	}
	if c.Channel != host.InMemory && c.NATSListen != "" {
		return errors.New("--channel and --nats-listen: say one of them")
	}
	if !c.Demo || !c.HTTP {
		return nil
	}
	name, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--demo prints a key with every scope, so it serves on loopback only, not on %q", c.Addr)
	}
	return nil
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
	return key, c.onceServed(ctx, func() error { return catalogue.Seed(ctx, client.Into(s.API(), key)) })
}

// onceServed does something that needs modules of other processes, again until they are up: whoever starts a shop need not know an order.
func (c *serveCommand) onceServed(ctx context.Context, do func() error) error {
	late := time.After(c.ChannelWait)
	for {
		err := do()
		if !client.HasCode(err, channel.ErrNoReceiver.Code) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-late:
			return fmt.Errorf("a module of another process is not there after %v: %w", c.ChannelWait, err)
		case <-time.After(servedPause):
		}
	}
}

// servedPause is how long a module that nobody serves is given until it is asked again.
const servedPause = 100 * time.Millisecond

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
	if err := host.MakeDirectory(data); err != nil { // without a datastore in a file, nobody has made it
		return "", err
	}
	return given, os.WriteFile(file, []byte(given+"\n"), 0o600)
}

func (c *serveCommand) greet(t terminal, addr, key string) {
	if !c.Demo {
		return
	}
	fmt.Fprintf(t.Out, `
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
