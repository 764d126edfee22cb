package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// turn is a process's turn to write on PostgreSQL: the connection, with a transaction that holds the lock of its schema. All its writes
// go over this connection one after the other, so it saves round trips: what can be joined is sent as one text.
type turn struct {
	*sql.Conn
	ctx   context.Context
	begin string
	inner inner
}

// inner says where the savepoint w stands.
type inner int

const (
	unset inner = iota // there is none, and nothing was written
	alone              // there is none, and the transaction is what one write wrote
	clean              // it stands at the end, with nothing behind it
	dirty              // a write stands behind it
)

// take begins a transaction on a connection of the pool and waits for the lock.
func (p *postgresSchema) take(ctx context.Context, pool *sql.DB) (*turn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t := &turn{Conn: conn, ctx: ctx, begin: fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", p.turn)}
	if err := t.send(t.begin); err != nil {
		return nil, errors.Join(err, t.Rollback())
	}
	return t, nil
}

// set makes the savepoint of the next write and releases the one before. The first write of a transaction needs none.
func (t *turn) set() error {
	switch t.inner {
	case alone:
		return t.send("SAVEPOINT w")
	case dirty:
		return t.send("RELEASE w; SAVEPOINT w")
	}
	return nil
}

// keep refuses a write of which a statement failed, even where the write made nothing of that: PostgreSQL commits nothing behind it.
func (t *turn) keep() error {
	if status := t.status(); status != 'T' {
		return fmt.Errorf("a statement of it failed, or ended its transaction (status %c)", status)
	}
	if t.inner == unset {
		t.inner = alone
	} else {
		t.inner = dirty
	}
	return nil
}

// undo goes back to the savepoint. Where there is none it begins anew, which lets other processes have their turn.
func (t *turn) undo() error {
	if t.inner == unset {
		return t.send("ROLLBACK; " + t.begin)
	}
	t.inner = clean
	return t.send("ROLLBACK TO w")
}

// Commit and Rollback make a turn what gorm takes for a transaction.
func (t *turn) Commit() error {
	if status := t.status(); status != 'T' {
		return errors.Join(fmt.Errorf("there is no transaction to commit (status %c)", status), t.Rollback())
	}
	return errors.Join(t.send("COMMIT"), t.Close())
}

func (t *turn) Rollback() error { return errors.Join(t.send("ROLLBACK"), t.Close()) }

// status is the server's last word on the transaction: T in one, E in one that failed, I outside.
func (t *turn) status() (status byte) {
	_ = t.raw(func(c *pgx.Conn) error { // a connection that is gone has no status
		status = c.PgConn().TxStatus()
		return nil
	})
	return status
}

func (t *turn) send(statements string) error {
	return t.raw(func(c *pgx.Conn) error {
		_, err := c.Exec(t.ctx, statements) // without arguments pgx sends it as it is
		return err
	})
}

func (t *turn) raw(do func(*pgx.Conn) error) error {
	return t.Raw(func(driver any) error { return do(driver.(*stdlib.Conn).Conn()) })
}
