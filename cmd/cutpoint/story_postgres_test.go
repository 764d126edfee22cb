package main

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"cutpoint/cmd/internal/fleet"
)

// databases returns how to make a database for each story, nil if the deployment has files. It skips the test where no PostgreSQL
// server is named.
func databases(t *testing.T, d fleet.Deployment) func() string {
	if !d.Database {
		return nil
	}
	server := os.Getenv("CUTPOINT_TEST_POSTGRES")
	if server == "" || !slices.Contains(sql.Drivers(), "pgx") {
		t.Skip("no PostgreSQL: CUTPOINT_TEST_POSTGRES is to be the URL of a server's superuser, and the binary one that can reach it")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return func() string {
		name := "story_" + strings.ToLower(rand.Text()[:12])
		if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = db.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
		here := *u
		here.Path = "/" + name
		return here.String()
	}
}
