package store

import (
	"database/sql"
	"errors"
	"strings"

	"gorm.io/gorm"
)

// Exec runs a statement as db.Exec does, and returns how many rows it changed. It is for steps that every order takes: gorm builds
// a statement anew at each call, which costs about as much as SQLite takes to carry it out. A question mark in query stands for the next
// argument and for nothing else; a list in place of one is not expanded. Errors are those that gorm would return.
func Exec(db *gorm.DB, query string, args ...any) (changed int64, err error) {
	if db.Error != nil {
		return 0, db.Error
	}
	result, err := db.Statement.ConnPool.ExecContext(db.Statement.Context, placeholders(db, query), args...)
	if err != nil {
		return 0, translate(db, err)
	}
	return result.RowsAffected()
}

// Row runs a query as db.Raw(...).Row does, for the same steps and on the same terms as Exec.
func Row(db *gorm.DB, query string, args ...any) *sql.Row {
	return db.Statement.ConnPool.QueryRowContext(db.Statement.Context, placeholders(db, query), args...)
}

// Rows runs a query as db.Raw(...).Rows does, for the same steps and on the same terms as Exec.
func Rows(db *gorm.DB, query string, args ...any) (*sql.Rows, error) {
	if db.Error != nil {
		return nil, db.Error
	}
	return db.Statement.ConnPool.QueryContext(db.Statement.Context, placeholders(db, query), args...)
}

// List is what stands for values behind IN: "(?, ?)" for two, and what then belongs to the arguments.
func List[T any](values []T) (marks string, args []any) {
	args = make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	if len(values) == 0 {
		return "(NULL)", nil
	}
	return "(?" + strings.Repeat(", ?", len(values)-1) + ")", args
}

// On returns the words of a statement that the databases spell differently.
func On(db *gorm.DB, sqlite, postgres string) string {
	if db.Name() == "postgres" {
		return postgres
	}
	return sqlite
}

// placeholders writes the question marks of a query as the database wants them. SQLite takes them as they are.
func placeholders(db *gorm.DB, query string) string {
	if db.Name() == "sqlite" {
		return query
	}
	var b strings.Builder
	statement := &gorm.Statement{DB: db}
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			statement.Vars = append(statement.Vars, nil)
			db.BindVarTo(&b, statement, nil)
		}
		b.WriteString(part)
	}
	return b.String()
}

// translate makes what a driver returns an error of gorm's, where there is one for it: gorm.ErrDuplicatedKey.
func translate(db *gorm.DB, err error) error {
	if t, ok := db.Dialector.(gorm.ErrorTranslator); ok && !errors.Is(err, gorm.ErrDuplicatedKey) {
		return t.Translate(err)
	}
	return err
}
