package migrations_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"cutpoint/migrations"
)

func TestTables(t *testing.T) {
	history := fstest.MapFS{
		"sqlite/0001_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE orders (\n);\nCREATE TABLE IF NOT EXISTS notes (\n);\nCREATE TABLE gone (\n);\n-- +goose Down\nDROP TABLE notes;")},
		"sqlite/0002_b.sql": {Data: []byte("-- +goose Up\nCREATE TABLE orders_2 (\n);\nDROP TABLE orders;\nALTER TABLE orders_2 RENAME TO orders;\nDROP TABLE gone; -- all of it\n")},
	}
	tables, latest, err := migrations.Tables(history)
	if err != nil || latest != "0002_b" || !slices.Equal(tables, []string{"notes", "orders"}) {
		t.Errorf("%v, %s, %v", tables, latest, err)
	}
}
