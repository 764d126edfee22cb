package outgoing_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cutpoint/modules/orders"
	"cutpoint/modules/webhooks"
	"cutpoint/modules/webhooks/internal/outgoing"
	"cutpoint/platform/fault"
	"cutpoint/platform/idempotency"
	"cutpoint/platform/revision"
	"cutpoint/platform/store/storetest"
	"cutpoint/platform/webhook"
)

func TestCreateEndpoint(t *testing.T) {
	t.Run("URLs", func(t *testing.T) {
		private := []string{
			"https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
			"https://100.64.0.1/", "https://0.0.0.0/", "http://example.com/",
		}
		wrong := []string{
			"", "example.com", "/path", "ftp://example.com/", "https://", "https:///path", "https://user:secret@example.com/", "https://example.com/#part",
			"https://exa mple.com/", "mailto:a@example.com", "https://example.com/" + strings.Repeat("x", 2048),
		}
		good := []string{"https://example.com/hook?x=1", "https://example.com:8443", "https://1.1.1.1/", "https://localhost/"}
		for _, c := range []struct {
			policy outgoing.Policy
			urls   []string
			ok     bool
		}{
			{outgoing.Policy{}, good, true},
			{outgoing.Policy{}, private, false},
			{outgoing.Policy{}, wrong, false},
			{outgoing.Policy{AllowPrivate: true}, private, true},
			{outgoing.Policy{AllowPrivate: true}, wrong, false},
			{outgoing.Policy{AllowHTTP: true}, []string{"http://example.com/"}, true},
			{outgoing.Policy{AllowHTTP: true}, []string{"http://10.0.0.1/"}, false},
		} {
			s := newStage(t, storetest.Datastore(t, "webhooks"), c.policy)
			for _, url := range c.urls {
				_, err := s.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: url}})
				if f := fault.From(err); c.ok && err != nil || !c.ok && (!errors.Is(err, fault.ErrInvalid) || f.Details[0].Pointer != "/url") {
					t.Errorf("%.60s with %+v: %v", url, c.policy, err)
				}
			}
		}
	})
	t.Run("a filter names types that there are", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		for _, types := range [][]string{{"orders.complete"}, {""}, make([]string, 51)} {
			_, err := s.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: one, EventTypes: types}})
			if !errors.Is(err, fault.ErrInvalid) {
				t.Errorf("%v: %v", types, err)
			}
		}
	})
	t.Run("a repeat with the same key makes no second endpoint", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		r := webhooks.CreateEndpointRequest{Key: idempotency.Key{Caller: "key_1", Value: "k", Digest: "d"}, Settings: webhooks.Settings{URL: one}}
		first, err := s.CreateEndpoint(t.Context(), r)
		if err != nil || first.Replayed {
			t.Fatal(err)
		}
		again, err := s.CreateEndpoint(t.Context(), r)
		if err != nil || !again.Replayed || again.Endpoint.ID != first.Endpoint.ID || again.Secret != first.Secret {
			t.Errorf("%+v, %v", again, err)
		}
		r.Key.Digest = "other"
		if _, err := s.CreateEndpoint(t.Context(), r); !errors.Is(err, idempotency.ErrReused) {
			t.Error(err)
		}
	})
	t.Run("there are at most a hundred", func(t *testing.T) {
		s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
		for range webhooks.MaxEndpoints {
			s.endpoint(one)
		}
		_, err := s.CreateEndpoint(t.Context(), webhooks.CreateEndpointRequest{Settings: webhooks.Settings{URL: one}})
		if !errors.Is(err, webhooks.ErrTooManyEndpoints) {
			t.Error(err)
		}
		page, err := s.Endpoints(t.Context(), webhooks.EndpointsRequest{Limit: 60})
		if err != nil || len(page.Endpoints) != 60 || !page.More {
			t.Fatal(err)
		}
		rest, err := s.Endpoints(t.Context(), webhooks.EndpointsRequest{After: page.Endpoints[59].ID, Limit: 60})
		if err != nil || len(rest.Endpoints) != 40 || rest.More {
			t.Errorf("%d, %v", len(rest.Endpoints), err)
		}
	})
}

func TestPutEndpoint(t *testing.T) {
	s := newStage(t, storetest.Datastore(t, "webhooks"), outgoing.Policy{})
	e := s.endpoint(one, orders.EventCompleted).Endpoint
	for version, want := range map[int64]error{revision.None: revision.ErrRequired, 2: revision.ErrStale} {
		_, err := s.PutEndpoint(t.Context(), webhooks.PutEndpointRequest{ID: e.ID, IfVersion: version, Settings: webhooks.Settings{URL: two}})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	put := s.put(e, webhooks.Settings{URL: two, Description: "the second"})
	read, err := s.Endpoint(t.Context(), webhooks.EndpointRequest{ID: e.ID})
	if err != nil || read.URL != two || len(read.EventTypes) != 0 || read.Version != 2 || put.Version != 2 || !read.Enabled {
		t.Errorf("%+v, %v", read, err)
	}
	off := s.put(read, webhooks.Settings{URL: two, Disabled: true})
	if off.Enabled || off.DisabledReason == "" {
		t.Errorf("%+v", off)
	}
}

func TestRotateSecret(t *testing.T) {
	rotate := func(s *stage, e webhooks.EndpointSecret) string {
		t.Helper()
		r, err := s.RotateSecret(t.Context(), webhooks.EndpointRequest{ID: e.Endpoint.ID})
		if err != nil {
			t.Fatal(err)
		}
		return r.Secret
	}
	t.Run("for a day both secrets sign, after it the new one alone", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		renewed := rotate(s, e)
		s.passes(24*time.Hour - time.Second)
		expect(t, s.dispatch(), one+" ord_1/1", one+" ord_1/2")
		for _, secret := range []string{e.Secret, renewed} {
			if err := s.got[0].verify(secret); err != nil {
				t.Error(err)
			}
		}
		s.passes(time.Second)
		s.happens("ord_2", orders.EventReceived)
		s.collect()
		s.dispatch()
		if err := s.got[2].verify(renewed); err != nil {
			t.Error(err)
		}
		if err := s.got[2].verify(e.Secret); !errors.Is(err, webhook.ErrForged) {
			t.Error(err)
		}
	})
	t.Run("a rotation that is repeated does not lose the secret that receivers know", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		for range webhooks.MaxSecrets - 1 {
			rotate(s, e)
		}
		if _, err := s.RotateSecret(t.Context(), webhooks.EndpointRequest{ID: e.Endpoint.ID}); !errors.Is(err, webhooks.ErrTooManySecrets) {
			t.Error(err)
		}
		s.dispatch()
		if err := s.got[0].verify(e.Secret); err != nil {
			t.Error(err)
		}
		s.passes(24 * time.Hour)
		rotate(s, e)
	})
}

func TestDisabling(t *testing.T) {
	state := func(s *stage, e webhooks.EndpointSecret) webhooks.Endpoint {
		t.Helper()
		now, err := s.Endpoint(t.Context(), webhooks.EndpointRequest{ID: e.Endpoint.ID})
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	t.Run("410 disables at once; what waited goes out when it is enabled", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.happens("ord_2", orders.EventReceived)
		s.collect()
		s.post = answers(410)
		expect(t, s.dispatch(), one+" ord_1/1")
		off := state(s, e)
		if off.Enabled || !strings.Contains(off.DisabledReason, "410") || s.deliveries(off.ID)[0].State != webhooks.StateFailed {
			t.Errorf("%+v", off)
		}
		s.passes(time.Hour)
		expect(t, s.dispatch())
		s.post = nil
		s.put(off, webhooks.Settings{URL: one})
		expect(t, s.dispatch(), one+" ord_1/2", one+" ord_2/1")
	})
	t.Run("five days of failures disable", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = answers(500)
		for day := range 6 {
			if now := state(s, e); !now.Enabled {
				t.Fatalf("after %d days: %+v", day, now)
			}
			s.happens("ord_3", orders.EventReceived)
			s.collect()
			s.dispatch()
			s.passes(24 * time.Hour)
		}
		if off := state(s, e); off.Enabled || !strings.Contains(off.DisabledReason, "2026-11-24T12:00:00Z") {
			t.Errorf("%+v", off)
		}
	})
	t.Run("one success in between does not", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{})
		s.post = answers(500)
		for day := range 8 {
			if day == 4 {
				s.post = nil
			}
			s.dispatch()
			s.post = answers(500)
			s.happens("ord_3", orders.EventReceived)
			s.collect()
			s.dispatch()
			s.passes(24 * time.Hour)
		}
		if now := state(s, e); !now.Enabled || now.FailingSince == nil {
			t.Errorf("%+v", now)
		}
	})
	t.Run("two failures that lie far apart are not one long failure", func(t *testing.T) {
		s, e := ready(t, outgoing.Policy{Schedule: []time.Duration{time.Second}})
		s.post = answers(500)
		s.dispatch()
		s.passes(10 * 24 * time.Hour)
		s.dispatch()
		if now := state(s, e); !now.Enabled || !now.FailingSince.Equal(s.now) {
			t.Errorf("%+v", now)
		}
	})
}
