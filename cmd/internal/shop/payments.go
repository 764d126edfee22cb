package shop

import (
	"slices"

	"cutpoint/cmd/internal/host"
	"cutpoint/modules/payments"
	"cutpoint/modules/payments/paymentsmod"
)

// PaymentsPolicy is how patient payments is with its provider.
type PaymentsPolicy = paymentsmod.Policy

// The payment providers.
const (
	ProviderTestGateway = paymentsmod.ProviderTestGateway
	ProviderStripe      = paymentsmod.ProviderStripe
)

// Stripe is how Stripe is reached.
type Stripe = paymentsmod.Stripe

// gatewayDatastore names the datastore of the test gateway.
const gatewayDatastore = paymentsmod.GatewayDatastore

type (
	paymentsSettings = paymentsmod.Settings
	paymentsDeps     = paymentsmod.Deps
)

// ProviderSettings are the flags that say who charges cards.
type ProviderSettings = paymentsmod.ProviderSettings

// configurePayments reads the secrets of the provider only where payments runs.
func (s Settings) configurePayments(c *Config) (err error) {
	s.Payments.Fill(&c.Payments)
	if c.Provider = s.Payments.PaymentProvider; slices.Contains(c.Modules, payments.Module) {
		c.Stripe, err = s.Payments.Stripe()
	}
	return err
}

func (s *Shop) newPayments(c Config) (host.Module, error) {
	return paymentsmod.New(paymentsmod.Deps{
		Layer: s.Layer, Datastore: s.Datastore(payments.Module, payments.Module), GatewayDatastore: s.Datastore(payments.Module, paymentsmod.GatewayDatastore),
		Now: Now, NewID: s.NewID, Random: s.Random, Log: s.Log, Deliver: s.deliver,
	}, paymentsmod.Options{
		Provider: c.Provider, Stripe: c.Stripe, Workers: s.Workers(payments.Module), Policy: c.Payments, Still: c.Still, Fail: c.Fail,
	})
}
