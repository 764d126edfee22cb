package webhook

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Bounds of a secret, in bytes, as the specification recommends them.
const (
	MinSecret = 24
	MaxSecret = 64
)

// secretPrefix stands before a symmetric secret, so that people and scanners know what they see.
const secretPrefix = "whsec_"

// EncodeSecret returns a secret in the form in which people hand it on: "whsec_" and base64.
func EncodeSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// ParseSecret is the reverse of EncodeSecret. It refuses secrets of less than MinSecret or more than MaxSecret bytes. Its errors
// do not repeat what they were given.
func ParseSecret(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("a webhook secret begins with %s", secretPrefix)
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(digits)
	if err != nil || strings.ContainsAny(digits, "\r\n") { // which the decoder passes over
		return nil, fmt.Errorf("a webhook secret is base64 after %s", secretPrefix)
	}
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return nil, fmt.Errorf("a webhook secret has %d to %d bytes, not %d", MinSecret, MaxSecret, len(secret))
	}
	return secret, nil
}
