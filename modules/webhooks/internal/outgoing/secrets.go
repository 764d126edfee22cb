package outgoing

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gorm.io/gorm"

	"cutpoint/modules/webhooks"
	"cutpoint/platform/store"
	"cutpoint/platform/webhook"
)

// secretSize is 256 random bits, as many as the signature has.
const secretSize = 32

// secret signs deliveries. It is stored as it is, since signing needs it.
type secret struct {
	Secret string `json:"secret"`
	Until  int64  `json:"until,omitempty"` // microseconds since 1970; 0: there is no newer one
}

// secrets are those of an endpoint, the latest first.
type secrets []secret

func (s secrets) latest() string {
	if len(s) == 0 { // of an endpoint that was deleted
		return ""
	}
	return s[0].Secret
}

// valid returns those that sign at a time.
func (s secrets) valid(now time.Time) secrets {
	var valid secrets
	for _, one := range s {
		if one.Until == 0 || one.Until > store.Micros(now) {
			valid = append(valid, one)
		}
	}
	return valid
}

// sign returns the value of webhook-signature: one signature for each valid secret, the latest first.
func (s secrets) sign(eventID string, now time.Time, body []byte) (string, error) {
	var signatures []string
	for _, one := range s.valid(now) {
		key, err := webhook.ParseSecret(one.Secret)
		if err != nil {
			return "", err
		}
		signatures = append(signatures, webhook.Sign(key, eventID, now, body))
	}
	return strings.Join(signatures, " "), nil
}

func (o *Outgoing) newSecret() string {
	key := make([]byte, secretSize)
	if _, err := io.ReadFull(o.Secrets, key); err != nil {
		panic(fmt.Errorf("a secret needs random bytes: %w", err)) // no secret is better than one that can be guessed
	}
	return webhook.EncodeSecret(key)
}

// RotateSecret implements webhooks.Service. All secrets whose time has not come stay valid, not the last one alone: a client that
// repeats a rotation whose answer it missed must not lose the one that its receivers know.
func (o *Outgoing) RotateSecret(ctx context.Context, r webhooks.EndpointRequest) (webhooks.EndpointSecret, error) {
	return write(ctx, o, func(tx *gorm.DB) (webhooks.EndpointSecret, error) {
		e, err := findEndpoint(tx, r.ID)
		if err != nil {
			return webhooks.EndpointSecret{}, err
		}
		now := o.clock()
		earlier := e.secrets.valid(now)
		if len(earlier) >= webhooks.MaxSecrets {
			return webhooks.EndpointSecret{}, webhooks.ErrTooManySecrets
		}
		for i := range earlier {
			if earlier[i].Until == 0 {
				earlier[i].Until = store.Micros(now.Add(o.policy.Overlap))
			}
		}
		e.secrets = append(secrets{{Secret: o.newSecret()}}, earlier...)
		e.Version, e.UpdatedAt = e.Version+1, now
		return webhooks.EndpointSecret{Endpoint: e.Endpoint, Secret: e.secrets.latest()}, tx.Exec(
			"UPDATE endpoints SET secrets = ?, version = ?, updated_at = ? WHERE id = ?",
			text(e.secrets), e.Version, store.Micros(e.UpdatedAt), e.ID).Error
	})
}
