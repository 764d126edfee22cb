package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"gorm.io/gorm"

	"cutpoint/platform/idempotency"
)

// A module whose commands carry an idempotency.Key has this table among its own:
//
//	CREATE TABLE idempotency_keys (
//	    caller TEXT NOT NULL, value TEXT NOT NULL, digest TEXT NOT NULL,
//	    subject TEXT NOT NULL,           -- id of the thing that the command made or changed
//	    answer TEXT NOT NULL DEFAULT '', -- JSON, once there is one
//	    created_at INTEGER NOT NULL, PRIMARY KEY (caller, value)) WITHOUT ROWID;

// Claim is what a module remembers of a key: the thing that it belongs to, and the answer once there is one.
type Claim struct {
	Subject string
	answer  string
}

// Answered decodes the stored answer into v, or reports that there is none yet.
func (c Claim) Answered(v any) (bool, error) {
	if c.answer == "" {
		return false, nil
	}
	return true, json.Unmarshal([]byte(c.answer), v)
}

// FindClaim returns what is remembered of a key, or nil where the key is new, or zero. db may be a reader or a transaction.
// Errors: idempotency.ErrReused.
func FindClaim(db *gorm.DB, k idempotency.Key, now time.Time) (*Claim, error) {
	if k == (idempotency.Key{}) {
		return nil, nil
	}
	var c Claim
	var digest string
	err := Row(db, "SELECT digest, subject, answer FROM idempotency_keys WHERE caller = ? AND value = ? AND created_at > ?",
		k.Caller, k.Value, Micros(now.Add(-idempotency.Retention))).Scan(&digest, &c.Subject, &c.answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case digest != k.Digest:
		return nil, idempotency.ErrReused
	}
	return &c, nil
}

// SaveClaim claims a key for a subject, with its answer if answer is not nil. Call it in the transaction of the effect. One whose
// time is over is claimed anew. A key that somebody else claimed first fails with gorm.ErrDuplicatedKey; a zero key is not claimed.
func SaveClaim(tx *gorm.DB, k idempotency.Key, subject string, answer any, now time.Time) error {
	if k == (idempotency.Key{}) {
		return nil
	}
	text, err := encodeAnswer(answer)
	if err != nil {
		return err
	}
	changed, err := Exec(tx, `INSERT INTO idempotency_keys (caller, value, digest, subject, answer, created_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (caller, value) DO UPDATE SET digest = excluded.digest, subject = excluded.subject, answer = excluded.answer,
			created_at = excluded.created_at WHERE idempotency_keys.created_at <= ?`,
		k.Caller, k.Value, k.Digest, subject, text, Micros(now), Micros(now.Add(-idempotency.Retention)))
	if err == nil && changed == 0 {
		return gorm.ErrDuplicatedKey
	}
	return err
}

// AnswerClaim stores the answer of a claimed key that has none yet. A zero key has none.
func AnswerClaim(tx *gorm.DB, k idempotency.Key, answer any) error {
	if k == (idempotency.Key{}) {
		return nil
	}
	text, err := encodeAnswer(answer)
	if err != nil {
		return err
	}
	_, err = Exec(tx, "UPDATE idempotency_keys SET answer = ? WHERE caller = ? AND value = ? AND answer = ''", text, k.Caller, k.Value)
	return err
}

// ForgetClaims deletes keys that count no longer, the oldest first and at most limit of them, and returns how many. The table needs an
// index by created_at for it.
func ForgetClaims(tx *gorm.DB, now time.Time, limit int) (int, error) {
	deleted, err := Exec(tx, `DELETE FROM idempotency_keys WHERE (caller, value) IN
		(SELECT caller, value FROM idempotency_keys WHERE created_at <= ? ORDER BY created_at LIMIT ?)`,
		Micros(now.Add(-idempotency.Retention)), limit)
	return int(deleted), err
}

// ForgottenClaims reports whether there are keys to forget, without a commit.
func ForgottenClaims(db *gorm.DB, now time.Time) (there bool, err error) {
	err = Row(db, "SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE created_at <= ?)", Micros(now.Add(-idempotency.Retention))).Scan(&there)
	return there, err
}

func encodeAnswer(answer any) (string, error) {
	if answer == nil {
		return "", nil
	}
	b, err := json.Marshal(answer)
	return string(b), err
}
