// Command payments is the payments module in a process of its own. Others find it over NATS.
package main

import (
	"context"
	"errors"

	"github.com/alecthomas/kong"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentshttp"
	"cutpoint/modules/payments/paymentsmod"
	"cutpoint/platform/web"
)

type command struct {
	host.Config
	host.Settings
	Payments paymentsmod.Settings `embed:""`
}

func main() {
	host.Main(host.Program{
		Name: "payments", Description: "The payments module of a shop, in a process of its own.",
		Commands: &command{}, Vars: kong.Vars{"http": "false"},
	})
}

// Run runs the module until ctx is done.
func (c *command) Run(ctx context.Context, t host.Terminal) error {
	return c.Serve(ctx, t, payments.Module, c.open, func(a *web.API, h *host.Host) {
		client := payments.NewClient(h.Edge())
		paymentshttp.Register(a, client)
		if c.Payments.PaymentProvider != paymentsmod.ProviderStripe {
			paymentshttp.RegisterTestGateway(a, client)
		}
	})
}

func (c *command) open(h *host.Host) (host.Module, error) {
	if c.Payments.PaymentProvider == "" {
		return nil, errors.New("no payment provider: say --payment-provider stripe, or test-gateway, which moves no real money")
	}
	stripe, err := c.Payments.Stripe()
	if err != nil {
		return nil, err
	}
	o := paymentsmod.Options{Workers: h.Workers(payments.Module), Provider: c.Payments.PaymentProvider, Stripe: stripe}
	c.Payments.Fill(&o.Policy)
	return paymentsmod.New(paymentsmod.Deps{
		Layer: h.Layer, Datastore: h.Datastore(payments.Module, payments.Module), GatewayDatastore: h.Datastore(payments.Module, paymentsmod.GatewayDatastore),
		Now: host.Now, NewID: h.NewID, Random: h.Random, Log: h.Log, Deliver: deliver(payments.NewClient(h.Edge())),
	}, o)
}

// deliver brings a webhook of the test gateway to the contract, as the HTTP route for webhooks does.
func deliver(to payments.Client) func(context.Context, map[string]string, []byte) error {
	return func(ctx context.Context, header map[string]string, body []byte) error {
		_, err := to.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: paymentsmod.ProviderTestGateway, Header: header, Body: body})
		return err
	}
}
