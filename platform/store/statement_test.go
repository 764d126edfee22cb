package store

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// numbered is a database that numbers its placeholders, as PostgreSQL does.
type numbered struct{ gorm.Dialector }

func (numbered) Name() string { return "numbered" }

func (numbered) BindVarTo(w clause.Writer, s *gorm.Statement, _ any) {
	_, _ = w.WriteString("$" + string(rune('0'+len(s.Vars))))
}

// TestPlaceholders writes a query as the database wants it.
func TestPlaceholders(t *testing.T) {
	db := &gorm.DB{Config: &gorm.Config{Dialector: numbered{}}}
	const query = "UPDATE t SET a = ?, b = ? WHERE c = ?"
	if got, want := placeholders(db, query), "UPDATE t SET a = $1, b = $2 WHERE c = $3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
