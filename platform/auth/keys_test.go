package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"cutpoint/migrations"
	"cutpoint/platform/auth"
	"cutpoint/platform/id"
	"cutpoint/platform/store"
	"cutpoint/platform/store/storetest"
)

const secret = "cpk_abcdefghijklmnop"

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// open returns the keys of one file as two processes see them, with one clock.
func open(t *testing.T) (ours, theirs *auth.Keys, c *clock, s *store.Store) {
	t.Helper()
	path := storetest.Datastore(t, "auth")
	c = &clock{at: time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)}
	keys := func() *auth.Keys {
		var err error
		s, err = store.Open(t.Context(), store.Options{Datastore: path, Migrations: migrations.Of("auth")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return auth.NewKeys(s, c.now, id.NewSource(c.now, rand.Reader), rand.Reader)
	}
	return keys(), keys(), c, s
}

func add(t *testing.T, k *auth.Keys, name, secret string, scopes ...string) auth.Key {
	t.Helper()
	key, err := k.Add(t.Context(), name, secret, scopes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAdd(t *testing.T) {
	k, _, c, s := open(t)
	scopes := []string{auth.OrdersPlace, auth.StockRead}
	first := add(t, k, "shop", secret, scopes...)
	c.pass(time.Hour)
	if again := add(t, k, "other", secret, auth.Ops); !reflect.DeepEqual(again, first) {
		t.Errorf("adding it again gave %+v, not %+v", again, first)
	}
	if first.Name != "shop" || first.Hint != secret[:8] || !slices.Equal(first.Scopes, scopes) || !first.RevokedAt.IsZero() || !id.Valid("key", first.ID) {
		t.Errorf("key %+v", first)
	}
	c.pass(time.Millisecond)
	second := add(t, k, "till", "another secret of a till")
	list, err := k.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != first.ID || list[1].ID != second.ID {
		t.Errorf("list %+v, %v", list, err)
	}
	for name, add := range map[string]func() error{
		"unknown scope": func() error {
			_, err := k.Add(t.Context(), "x", secret+"x", []string{auth.Ops, "orders:fly"})
			return err
		},
		"revoked secret": func() error {
			gone := add(t, k, "gone", "a secret that was revoked")
			if _, err := k.Revoke(t.Context(), gone.ID); err != nil {
				t.Fatal(err)
			}
			_, err := k.Add(t.Context(), "back", "a secret that was revoked", nil)
			return err
		},
		"short secret": func() error { _, err := k.Add(t.Context(), "x", "0123456789abcde", nil); return err },
	} {
		if err := add(); err == nil || strings.Contains(err.Error(), secret) || name == "unknown scope" && !strings.Contains(err.Error(), "orders:fly") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var dump []string
	if err := s.Read(t.Context()).Raw("SELECT id || name || hint || digest || scopes FROM keys").Scan(&dump).Error; err != nil || strings.Contains(strings.Join(dump, ""), secret) {
		t.Errorf("the store holds the secret: %v %v", dump, err)
	}
}

func TestAddAtOnce(t *testing.T) {
	k, _, _, _ := open(t)
	ids := make([]string, 20)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			key, err := k.Add(t.Context(), "shop", secret, nil)
			if err != nil {
				t.Error(err)
			}
			ids[i] = key.ID
		})
	}
	group.Wait()
	if slices.Sort(ids); ids[0] == "" || ids[0] != ids[len(ids)-1] {
		t.Errorf("one secret has the keys %v", slices.Compact(ids))
	}
}

func TestVerify(t *testing.T) {
	ours, theirs, c, _ := open(t)
	key := add(t, ours, "shop", secret, auth.OrdersPlace)
	verify := func(secret string) error {
		p, err := ours.Verify(t.Context(), secret)
		if err == nil && (p.KeyID != key.ID || !p.May(auth.Ops, auth.OrdersPlace) || p.May(auth.Ops) || p.May()) {
			t.Errorf("principal %+v", p)
		}
		return err
	}
	if err := verify(secret); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", secret + " ", secret[:len(secret)-1], key.ID, strings.ToUpper(secret)} {
		if err := verify(wrong); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if found, err := theirs.Revoke(t.Context(), key.ID); !found || err != nil {
		t.Fatalf("revoke: %v %v", found, err)
	}
	c.pass(auth.Freshness - 1)
	if err := verify(secret); err != nil {
		t.Errorf("it is remembered for Freshness: %v", err)
	}
	c.pass(1)
	if err := verify(secret); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("revoked by another process: %v", err)
	}
	for _, gone := range []string{key.ID, "key_nobody", ""} {
		if found, err := ours.Revoke(t.Context(), gone); found || err != nil {
			t.Errorf("revoke %q: %v %v", gone, found, err)
		}
	}
	if list, _ := ours.List(t.Context()); len(list) != 1 || list[0].RevokedAt.IsZero() {
		t.Errorf("list %+v", list)
	}
}

// TestVerifyAsksSeldom: within Freshness a key is verified without the store.
func TestVerifyAsksSeldom(t *testing.T) {
	_, k, c, s := open(t)
	add(t, k, "shop", secret)
	if _, err := k.Verify(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec("DELETE FROM keys").Error }); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(t.Context(), secret); err != nil {
		t.Errorf("it asked the store: %v", err)
	}
	c.pass(auth.Freshness)
	if _, err := k.Verify(t.Context(), secret); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("it did not ask the store: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	k := auth.NewKeys(nil, time.Now, nil, rand.Reader)
	a, err := k.NewSecret()
	b, _ := k.NewSecret()
	if err != nil || a == b || !strings.HasPrefix(a, auth.Prefix) || len(a) != len(auth.Prefix)+32 || a != strings.ToLower(a) {
		t.Errorf("secrets %q and %q, %v", a, b, err)
	}
	if s, err := auth.NewKeys(nil, time.Now, nil, bytes.NewReader(nil)).NewSecret(); err == nil || s != "" {
		t.Errorf("without randomness: %q", s)
	}
}

func TestPrincipal(t *testing.T) {
	p := auth.Principal{KeyID: "key_1", Scopes: []string{auth.Ops}}
	if got := auth.PrincipalOf(auth.WithPrincipal(t.Context(), p)); got.KeyID != "key_1" || !got.May(auth.Ops) {
		t.Errorf("principal %+v", got)
	}
	if got := auth.PrincipalOf(context.Background()); got.KeyID != "" || got.May(auth.Scopes()...) {
		t.Errorf("nobody is %+v", got)
	}
}
