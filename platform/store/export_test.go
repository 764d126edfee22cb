package store

import (
	"testing"

	"gorm.io/gorm"
)

// Queued is how many writes wait to be taken.
func Queued(s *Store) int { return len(s.committer.queue) }

// Plain gives connections to a schema of PostgreSQL that take no turns.
func Plain(b *testing.B, datastore string, connections int) *gorm.DB {
	b.Helper()
	p, err := newPostgres(Options{Datastore: datastore})
	if err != nil {
		b.Fatal(err)
	}
	db, err := p.connect(connections)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = closePool(db) })
	return db
}
