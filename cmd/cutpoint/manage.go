package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"cutpoint/cmd/internal/host"
	"cutpoint/cmd/internal/shop"
	"cutpoint/platform/auth"
)

type keysCommand struct {
	host.Datastores
	Add    keysAdd    `cmd:"" help:"Make a key and print it, once."`
	List   keysList   `cmd:"" help:"List the keys."`
	Revoke keysRevoke `cmd:"" help:"Make a key invalid, within a second also in a running shop."`
}

// withKeys opens the keys of the data directory for one action.
func (c *keysCommand) withKeys(ctx context.Context, do func(*auth.Keys) error) (err error) {
	s, keys, err := host.OpenKeys(ctx, c.Options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(keys)
}

type keysAdd struct {
	Name   string   `arg:"" help:"What it is for."`
	Scopes []string `help:"What it may do: a list of scopes, or all." required:""`
}

// Run implements keys add.
func (c *keysAdd) Run(ctx context.Context, all *cli, t terminal) error {
	return all.Keys.withKeys(ctx, func(keys *auth.Keys) error {
		scopes := c.Scopes
		if len(scopes) == 1 && scopes[0] == "all" {
			scopes = auth.Scopes()
		}
		secret, err := keys.NewSecret()
		if err != nil {
			return err
		}
		key, err := keys.Add(ctx, c.Name, secret, scopes)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.Err, "%s may: %s. Keep the key; it is not shown again.\n", key.ID, strings.Join(key.Scopes, ", "))
		_, err = fmt.Fprintln(t.Out, secret)
		return err
	})
}

type keysList struct{}

// Run implements keys list.
func (c *keysList) Run(ctx context.Context, all *cli, t terminal) error {
	return all.Keys.withKeys(ctx, func(keys *auth.Keys) error {
		list, err := keys.List(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tKEY\tMADE\tSTATE\tSCOPES")
		for _, k := range list {
			state := "valid"
			if !k.RevokedAt.IsZero() {
				state = "revoked " + k.RevokedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s...\t%s\t%s\t%s\n", k.ID, k.Name, k.Hint, k.CreatedAt.Format(time.RFC3339), state, strings.Join(k.Scopes, " "))
		}
		return table.Flush()
	})
}

type keysRevoke struct {
	ID string `arg:"" help:"Id of the key, as list shows it."`
}

// Run implements keys revoke.
func (c *keysRevoke) Run(ctx context.Context, all *cli, t terminal) error {
	return all.Keys.withKeys(ctx, func(keys *auth.Keys) error {
		found, err := keys.Revoke(ctx, c.ID)
		if err == nil && !found {
			err = fmt.Errorf("there is no valid key %s: see cutpoint keys list", c.ID)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.Out, "%s is revoked\n", c.ID)
		return err
	})
}

type migrateCommand struct {
	host.Datastores
	Up     migrateUp     `cmd:"" help:"Bring every datastore up to date; serve does that too."`
	Status migrateStatus `cmd:"" help:"Show which migrations each datastore has."`
}

type migrateUp struct{}

// Run implements migrate up.
func (c *migrateUp) Run(ctx context.Context, all *cli, t terminal) error {
	if err := shop.Migrate(ctx, all.Migrate.Options()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.Out, "every datastore is up to date")
	return err
}

type migrateStatus struct{}

// Run implements migrate status.
func (c *migrateStatus) Run(ctx context.Context, all *cli, t terminal) error {
	table := tabwriter.NewWriter(t.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DATASTORE\tMIGRATION\tSTATE")
	for _, name := range shop.Datastores() {
		list, err := shop.Migrations(ctx, all.Migrate.Options(), name)
		if err != nil {
			return err
		}
		for _, m := range list {
			state := "pending"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", name, m.Name, state)
		}
	}
	return table.Flush()
}

type openapiCommand struct{}

// Run implements openapi.
func (c *openapiCommand) Run(t terminal) error {
	_, err := t.Out.Write(append(shop.OpenAPI(host.Version()), '\n'))
	return err
}

type versionCommand struct{}

// Run implements version.
func (c *versionCommand) Run(t terminal) error {
	_, err := fmt.Fprintln(t.Out, "cutpoint", host.Version())
	return err
}
