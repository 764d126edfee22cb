package paymentsmod

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ProviderSettings say who charges cards, and what opens its doors; the tags make flags of them. Whoever can list processes sees a command line, so secrets come from
// files or the environment.
type ProviderSettings struct {
	PaymentProvider         string `help:"Who charges cards: stripe, or test-gateway, which moves no real money and which --demo takes by itself." enum:",test-gateway,stripe" default:""`
	StripeSecretKeyFile     string `help:"File with Stripe's secret key." type:"path" placeholder:"FILE"`
	StripeSecretKey         string `help:"The key itself; say it as CUTPOINT_STRIPE_SECRET_KEY." placeholder:"KEY"`
	StripeWebhookSecretFile string `help:"File with the secret that Stripe signs webhooks with." type:"path" placeholder:"FILE"`
	StripeWebhookSecret     string `help:"The secret itself; say it as CUTPOINT_STRIPE_WEBHOOK_SECRET." placeholder:"SECRET"`
	StripeReturnURL         string `name:"stripe-return-url" help:"Where customers come back from 3-D Secure; without it, cards that want it are declined." placeholder:"URL"`
	StripeURL               string `name:"stripe-url" help:"Where Stripe's API is; for tests." placeholder:"URL" hidden:""`
}

// Stripe returns how Stripe is reached, if it is the provider.
func (p ProviderSettings) Stripe() (Stripe, error) {
	if p.PaymentProvider != ProviderStripe {
		return Stripe{}, nil
	}
	key, err := secret("--stripe-secret-key", p.StripeSecretKey, p.StripeSecretKeyFile)
	if err != nil {
		return Stripe{}, err
	}
	webhook, err := secret("--stripe-webhook-secret", p.StripeWebhookSecret, p.StripeWebhookSecretFile)
	if err != nil {
		return Stripe{}, err
	}
	switch {
	case strings.HasPrefix(key, "pk_"):
		return Stripe{}, errors.New("--stripe-secret-key is a publishable key (pk_): Stripe takes payments by a secret or restricted one (sk_, rk_) only")
	case !strings.HasPrefix(webhook, "whsec_"):
		return Stripe{}, errors.New("--stripe-webhook-secret must be the signing secret of a webhook endpoint: it begins with whsec_")
	}
	return Stripe{SecretKey: key, WebhookSecret: webhook, URL: p.StripeURL, ReturnURL: p.StripeReturnURL}, nil
}

// secret returns what a flag says, or the content of the file that its neighbour names. Errors say neither.
func secret(flag, value, file string) (string, error) {
	switch {
	case value != "" && file != "":
		return "", fmt.Errorf("%s and %s-file: say one of them", flag, flag)
	case file != "":
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("%s-file: %w", flag, err)
		}
		value = strings.TrimSpace(string(text))
	}
	if value == "" {
		return "", fmt.Errorf("--payment-provider stripe needs %s-file", flag)
	}
	return value, nil
}

// Settings are what users choose about the module; the tags make flags of them.
type Settings struct {
	ProviderSettings `embed:""`
	ProviderTimeout  time.Duration `help:"Longest wait for the payment provider; less than --call-timeout, so that its answer can be written down." default:"4s"`
	BreakerAfter     int           `help:"Requests in a row without an answer after which the payment provider is left alone." default:"20"`
	BreakerFor       time.Duration `help:"For how long." default:"5s"`
	ReconcileEvery   time.Duration `help:"How often the payment provider's books are compared with ours." default:"10m"`
	ExpiryNotice     time.Duration `help:"How long before the end of an authorisation it is told." default:"24h"`
}

// Fill makes p what the settings mean for the till.
func (s Settings) Fill(p *Policy) {
	*p = Policy{
		ProviderTimeout: s.ProviderTimeout, BreakerAfter: s.BreakerAfter, BreakerFor: s.BreakerFor, ReconcileEvery: s.ReconcileEvery, ExpiryNotice: s.ExpiryNotice,
	}
}
