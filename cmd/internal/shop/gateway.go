package shop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"cutpoint/modules/payments"
)

// gatewayTimeout bounds one delivery of a webhook of the test gateway.
const gatewayTimeout = 10 * time.Second

// ServedAt tells the test gateway where the shop can be reached: from now on its webhooks come over HTTP, as a real provider's do.
func (s *Shop) ServedAt(addr string) {
	url := "http://" + addr + "/v1/payment-webhooks/" + ProviderTestGateway
	s.gateway.Store(&url)
}

// deliver brings a webhook of the test gateway home: over HTTP, or, in a shop that nobody serves, to the contract itself.
func (s *Shop) deliver(ctx context.Context, header map[string]string, body []byte) error {
	url := s.gateway.Load()
	if url == nil {
		_, err := s.faces.Payments.ReceiveWebhook(ctx, payments.WebhookRequest{Provider: ProviderTestGateway, Header: header, Body: body})
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, gatewayTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, *url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4096))
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the webhook was answered %s", answer.Status)
	}
	return nil
}
