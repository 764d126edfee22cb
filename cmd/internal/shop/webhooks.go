package shop

import (
	"cutpoint/cmd/internal/host"
	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/webhooksmod"
)

// WebhooksPolicy is how webhooks go out.
type WebhooksPolicy = webhooksmod.Policy

type (
	webhooksSettings = webhooksmod.Settings
	webhooksDeps     = webhooksmod.Deps
)

func (s Settings) configureWebhooks(c *Config) { s.Webhooks.Fill(&c.Webhooks) }

func (s *Shop) newWebhooks(c Config) (host.Module, error) {
	return webhooksmod.New(webhooksmod.Deps{
		Layer: s.Layer, Datastore: s.Datastore(webhooks.Module, webhooks.Module), Orders: orders.NewClient(s.Caller(webhooks.Module)),
		Now: Now, NewID: s.NewID, Random: s.Dice, Secrets: s.Random, Log: s.Log,
	}, webhooksmod.Options{Workers: s.Workers(webhooks.Module), Policy: c.Webhooks, Fail: c.Fail})
}
