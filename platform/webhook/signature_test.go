package webhook_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutpoint/platform/webhook"
)

// The vector that the libraries of Standard Webhooks are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorSecond    = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secretOf(t testing.TB, text string) []byte {
	t.Helper()
	secret, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestSign(t *testing.T) {
	t.Run("as the specification's vector has it", func(t *testing.T) {
		if got := webhook.Sign(secretOf(t, vectorSecret), vectorID, time.Unix(vectorSecond, 0), []byte(vectorBody)); got != vectorSignature {
			t.Errorf("%s, want %s", got, vectorSignature)
		}
	})
	t.Run("parts of a second and time zones change nothing", func(t *testing.T) {
		at := time.Unix(vectorSecond, 999_999_999).In(time.FixedZone("", 3600))
		if got := webhook.Sign(secretOf(t, vectorSecret), vectorID, at, []byte(vectorBody)); got != vectorSignature {
			t.Errorf("%s, want %s", got, vectorSignature)
		}
	})
}

func TestVerify(t *testing.T) {
	const other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	type message struct{ id, timestamp, signature, body string }
	whole := message{vectorID, "1614265330", vectorSignature, vectorBody}
	change := func(f func(*message)) message { m := whole; f(&m); return m }
	for _, c := range []struct {
		name  string
		m     message
		after time.Duration
		want  error
	}{
		{"the vector", whole, 0, nil},
		{"as old as it may be", whole, 5 * time.Minute, nil},
		{"too old", whole, 5*time.Minute + time.Second, webhook.ErrTime},
		{"as early as it may be", whole, -5 * time.Minute, nil},
		{"too early", whole, -5*time.Minute - time.Second, webhook.ErrTime},
		{"another body", change(func(m *message) { m.body += " " }), 0, webhook.ErrForged},
		{"another id", change(func(m *message) { m.id += "1" }), 0, webhook.ErrForged},
		{"another second", change(func(m *message) { m.timestamp = "1614265331" }), 0, webhook.ErrForged},
		{"the same second, written otherwise", change(func(m *message) { m.timestamp = "+1614265330" }), 0, webhook.ErrForged},
		{"the second of several signatures", change(func(m *message) { m.signature = other + " " + vectorSignature }), 0, nil},
		{"after one of another scheme", change(func(m *message) { m.signature = "v1a,c2lnbmF0dXJl " + vectorSignature }), 0, nil},
		{"another scheme alone", change(func(m *message) { m.signature = "v2" + vectorSignature[2:] }), 0, webhook.ErrForged},
		{"a foreign signature", change(func(m *message) { m.signature = other }), 0, webhook.ErrForged},
		{"half a signature", change(func(m *message) { m.signature = vectorSignature[:24] }), 0, webhook.ErrForged},
		{"no base64", change(func(m *message) { m.signature = "v1,?" }), 0, webhook.ErrForged},
		{"behind more signatures than are tried", change(func(m *message) { m.signature = strings.Repeat(other+" ", 16) + vectorSignature }), 0, webhook.ErrForged},
		{"no id", change(func(m *message) { m.id = "" }), 0, webhook.ErrUnsigned},
		{"no timestamp", change(func(m *message) { m.timestamp = "" }), 0, webhook.ErrUnsigned},
		{"a timestamp that is none", change(func(m *message) { m.timestamp = "yesterday" }), 0, webhook.ErrUnsigned},
		{"no signature", change(func(m *message) { m.signature = "" }), 0, webhook.ErrUnsigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			h.Set(webhook.HeaderID, c.m.id)
			h.Set(webhook.HeaderTimestamp, c.m.timestamp)
			h.Set(webhook.HeaderSignature, c.m.signature)
			now := time.Unix(vectorSecond, 0).Add(c.after)
			if err := webhook.Verify(secretOf(t, vectorSecret), h.Get, []byte(c.m.body), now, webhook.DefaultTolerance); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	t.Run("a secret that is empty opens nothing", func(t *testing.T) {
		at := time.Unix(vectorSecond, 0)
		headers := map[string]string{
			webhook.HeaderID: "msg_1", webhook.HeaderTimestamp: webhook.Timestamp(at), webhook.HeaderSignature: webhook.Sign(nil, "msg_1", at, nil),
		}
		header := func(name string) string { return headers[name] }
		if err := webhook.Verify(nil, header, nil, at, webhook.DefaultTolerance); !errors.Is(err, webhook.ErrForged) {
			t.Error(err)
		}
	})
}

func TestSecret(t *testing.T) {
	t.Run("what is encoded can be parsed", rapid.MakeCheck(func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), webhook.MinSecret, webhook.MaxSecret).Draw(t, "secret")
		if back, err := webhook.ParseSecret(webhook.EncodeSecret(secret)); err != nil || !bytes.Equal(back, secret) {
			t.Fatalf("%x, %v", back, err)
		}
	}))
	for name, text := range map[string]string{
		"empty":             "",
		"no prefix":         "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"no base64":         "whsec_!!!!",
		"too short":         webhook.EncodeSecret(make([]byte, webhook.MinSecret-1)),
		"too long":          webhook.EncodeSecret(make([]byte, webhook.MaxSecret+1)),
		"with a line break": vectorSecret[:20] + "\n" + vectorSecret[20:],
	} {
		t.Run(name+" is refused, and not repeated", func(t *testing.T) {
			if _, err := webhook.ParseSecret(text); err == nil || len(text) > 6 && strings.Contains(err.Error(), text[6:]) {
				t.Error(err)
			}
		})
	}
}
