package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"cutpoint/cmd/internal/shop"
)

// provider is who charges cards, and what opens its doors. Whoever can list processes sees a command line, so secrets come from
// files or the environment.
type provider struct {
	PaymentProvider         string `help:"Who charges cards: stripe, or test-gateway, which moves no real money and which --demo takes by itself." enum:",test-gateway,stripe" default:""`
	StripeSecretKeyFile     string `help:"File with Stripe's secret key." type:"path" placeholder:"FILE"`
	StripeSecretKey         string `help:"The key itself; say it as CUTPOINT_STRIPE_SECRET_KEY." placeholder:"KEY"`
	StripeWebhookSecretFile string `help:"File with the secret that Stripe signs webhooks with." type:"path" placeholder:"FILE"`
	StripeWebhookSecret     string `help:"The secret itself; say it as CUTPOINT_STRIPE_WEBHOOK_SECRET." placeholder:"SECRET"`
	StripeReturnURL         string `name:"stripe-return-url" help:"Where customers come back from 3-D Secure; without it, cards that want it are declined." placeholder:"URL"`
	StripeURL               string `name:"stripe-url" help:"Where Stripe's API is; for tests." placeholder:"URL" hidden:""`
}

// stripe returns how Stripe is reached, if it is the provider.
func (p provider) stripe() (shop.Stripe, error) {
	if p.PaymentProvider != shop.ProviderStripe {
		return shop.Stripe{}, nil
	}
	key, err := secret("--stripe-secret-key", p.StripeSecretKey, p.StripeSecretKeyFile)
	if err != nil {
		return shop.Stripe{}, err
	}
	webhook, err := secret("--stripe-webhook-secret", p.StripeWebhookSecret, p.StripeWebhookSecretFile)
	if err != nil {
		return shop.Stripe{}, err
	}
	switch {
	case strings.HasPrefix(key, "pk_"):
		return shop.Stripe{}, errors.New("--stripe-secret-key is a publishable key (pk_): Stripe takes payments by a secret or restricted one (sk_, rk_) only")
	case !strings.HasPrefix(webhook, "whsec_"):
		return shop.Stripe{}, errors.New("--stripe-webhook-secret must be the signing secret of a webhook endpoint: it begins with whsec_")
	}
	return shop.Stripe{SecretKey: key, WebhookSecret: webhook, URL: p.StripeURL, ReturnURL: p.StripeReturnURL}, nil
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
