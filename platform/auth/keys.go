package auth

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/id"
	"cutpoint/platform/store"
)

// Prefix begins every secret.
const Prefix = "cpk_"

// Freshness is for how long a verified key is trusted without another look: a revoked key works for no longer than this.
const Freshness = time.Second

const maxRemembered = 10_000 // verified keys in memory

// Key is what may be known of an API key.
type Key struct {
	ID        string
	Name      string
	Hint      string // the first characters of the secret
	Scopes    []string
	CreatedAt time.Time
	RevokedAt time.Time // zero: valid
}

// Keys is the store of API keys. It is safe for concurrent use, also by several processes.
type Keys struct {
	store  *store.Store
	now    func() time.Time
	newID  id.Source
	random io.Reader

	mu         sync.Mutex
	remembered map[string]remembered // by digest
}

type remembered struct {
	principal Principal
	until     time.Time
}

// NewKeys returns the keys in a store that has the migrations of auth.
func NewKeys(s *store.Store, now func() time.Time, newID id.Source, random io.Reader) *Keys {
	return &Keys{store: s, now: now, newID: newID, random: random, remembered: map[string]remembered{}}
}

// NewSecret returns a fresh secret.
func (k *Keys) NewSecret() (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(k.random, b[:]); err != nil {
		return "", err
	}
	return Prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}

// Add stores a key for a secret that NewSecret, or somebody who knows what they do, made up. Adding a secret again returns the
// key that it has. Errors say which scope is unknown, or that the secret is too short, or was revoked.
func (k *Keys) Add(ctx context.Context, name, secret string, scopes []string) (Key, error) {
	if len(secret) < 16 {
		return Key{}, errors.New("a key's secret needs at least 16 characters")
	}
	for _, s := range scopes {
		if !slices.Contains(Scopes(), s) {
			return Key{}, fmt.Errorf("unknown scope %q: the scopes are %s", s, strings.Join(Scopes(), ", "))
		}
	}
	key := Key{ID: k.newID("key"), Name: name, Hint: secret[:8], Scopes: slices.Clone(scopes), CreatedAt: store.Time(store.Micros(k.now()))}
	err := k.store.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO keys (id, name, hint, digest, scopes, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
			key.ID, key.Name, key.Hint, digest(secret), strings.Join(scopes, " "), store.Micros(key.CreatedAt)).Error
	})
	if !errors.Is(err, gorm.ErrDuplicatedKey) {
		return key, err
	}
	if key, err = k.find(ctx, "digest = ?", digest(secret)); err == nil && !key.RevokedAt.IsZero() {
		err = fmt.Errorf("the key %s... was revoked: take another secret", key.Hint)
	}
	return key, err
}

// List returns all keys, oldest first.
func (k *Keys) List(ctx context.Context) ([]Key, error) {
	rows, err := k.store.Read(ctx).Raw("SELECT " + columns + " FROM keys ORDER BY id").Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []Key
	for rows.Next() {
		key, err := scan(rows)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// Revoke makes a key invalid, within Freshness. It reports whether there was a valid key with this id.
func (k *Keys) Revoke(ctx context.Context, keyID string) (found bool, err error) {
	err = k.store.Write(ctx, func(tx *gorm.DB) error {
		r := tx.Exec("UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at = 0", store.Micros(k.now()), keyID)
		found = r.RowsAffected > 0
		return r.Error
	})
	return found, err
}

// Verify returns who holds a secret. Errors: ErrUnauthenticated.
func (k *Keys) Verify(ctx context.Context, secret string) (Principal, error) {
	d, now := digest(secret), k.now()
	k.mu.Lock()
	r, ok := k.remembered[d]
	k.mu.Unlock()
	if ok && now.Before(r.until) {
		return r.principal, nil
	}
	// The look-up is by digest, so its duration tells nothing about any secret.
	key, err := k.find(ctx, "digest = ? AND revoked_at = 0", d)
	if errors.Is(err, sql.ErrNoRows) {
		return Principal{}, ErrUnauthenticated
	} else if err != nil {
		return Principal{}, err
	}
	r = remembered{Principal{KeyID: key.ID, Scopes: key.Scopes}, now.Add(Freshness)}
	k.mu.Lock()
	if len(k.remembered) >= maxRemembered {
		clear(k.remembered)
	}
	k.remembered[d] = r
	k.mu.Unlock()
	return r.principal, nil
}

const columns = "id, name, hint, scopes, created_at, revoked_at"

func (k *Keys) find(ctx context.Context, where string, args ...any) (Key, error) {
	return scan(k.store.Read(ctx).Raw("SELECT "+columns+" FROM keys WHERE "+where, args...).Row())
}

func scan(row interface{ Scan(...any) error }) (Key, error) {
	var key Key
	var scopes string
	var created, revoked int64
	if err := row.Scan(&key.ID, &key.Name, &key.Hint, &scopes, &created, &revoked); err != nil {
		return Key{}, err
	}
	key.Scopes = strings.Fields(scopes)
	key.CreatedAt, key.RevokedAt = store.Time(created), store.Time(revoked)
	return key, nil
}

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
