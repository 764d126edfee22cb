// Package migrations holds the SQL that makes each module's datastore, in a folder per module and dialect. A module has its
// own history and never refers to another one's tables. Files are embedded here because go:embed can't reach upwards.
//
// A migration that has been released is never edited; a change is a new file.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed */*/*.sql
var files embed.FS

// Of returns the history of a module's datastore: the folders "sqlite" and "postgres", which hold the same versions.
func Of(module string) fs.FS {
	sub, err := fs.Sub(files, module)
	if err != nil {
		panic(err) // only for a malformed path, which a constant is not
	}
	return sub
}
