package webhooksmod

import "time"

// Settings are what users choose about the module; the tags make flags of them.
type Settings struct {
	WebhookAllowPrivate bool          `help:"Let webhooks go to private and loopback addresses, and over plain HTTP; --demo does by itself."`
	WebhookTimeout      time.Duration `help:"Longest wait for a receiver of webhooks." default:"15s"`
	WebhookConcurrency  int           `help:"Webhooks under way at once." default:"16"`
	WebhookPerEndpoint  int           `help:"Of them to one endpoint." default:"4"`
	WebhookDisableAfter time.Duration `help:"How long an endpoint may fail before it is disabled." default:"120h"`
	WebhookRetention    time.Duration `help:"How long deliveries are kept after their end." default:"720h"`
}

// Fill makes p what the settings mean for deliveries.
func (s Settings) Fill(p *Policy) {
	*p = Policy{
		Timeout: s.WebhookTimeout, Concurrency: s.WebhookConcurrency, PerEndpoint: s.WebhookPerEndpoint, DisableAfter: s.WebhookDisableAfter,
		Retention: s.WebhookRetention, AllowPrivate: s.WebhookAllowPrivate,
	}
}
