package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"cutpoint/cmd/internal/auditor"
	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
)

type auditCommand struct {
	host.Datastores
	Repair                bool `help:"Set right what can be derived from the sources of truth, see docs/invariants.md."`
	shop.ProviderSettings `embed:""`
	JSON                  bool `name:"json" help:"Print the report as JSON."`
}

// Run prints what does not hold, and fails if any of it is left.
func (c *auditCommand) Run(ctx context.Context, t terminal) (err error) {
	host.UseAllProcessors()
	stripe, err := c.Stripe()
	if err != nil {
		return err
	}
	s, closeShop, err := shop.OpenContracts(ctx, shop.Config{
		Options: c.options(), Headless: true, Provider: c.PaymentProvider, Stripe: stripe,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeShop(context.WithoutCancel(ctx))) }()
	bar := progress(t.Err, -1, "auditing", "orders")
	report, err := auditor.Run(ctx, auditor.Modules{
		Inventory: s.Inventory, Pricing: s.Pricing, Payments: s.Payments, Orders: s.Orders,
	}, auditor.Options{Repair: c.Repair, Progress: func(orders int) { _ = bar.Add(orders) }})
	_ = bar.Finish()
	if err != nil {
		err = fmt.Errorf("the audit did not come to its end: %w", err)
	}
	return errors.Join(err, c.print(t, report, err == nil))
}

func (c *auditCommand) options() host.Options {
	o := c.Options()
	o.Version, o.Log = host.Version(), slog.New(slog.DiscardHandler)
	return o
}

// print says what was found, and returns an error if any of it is left. An audit that did not come to its end says what it found
// until then, and not that all is well.
func (c *auditCommand) print(t terminal, r *auditor.Report, whole bool) error {
	switch {
	case c.JSON:
		if err := json.NewEncoder(t.Out).Encode(r.Named()); err != nil {
			return err
		}
	case whole || r.Found > 0:
		if _, err := fmt.Fprint(t.Out, r); err != nil {
			return err
		}
	}
	if left := r.Left(); left > 0 {
		return fmt.Errorf("%d findings are left: docs/invariants.md says what to do about each", left)
	}
	return nil
}
