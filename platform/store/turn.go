package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// turn is a process's turn to write on PostgreSQL: the connection, with a transaction that holds the lock of its schema. All its writes
// go over this connection one after the other, so it saves round trips: what can be joined is sent as one text.
type turn struct {
	*sql.Conn
	ctx   context.Context
	begin string
	inner inner
	due   bool // the savepoint of the write that runs is to be made, with its first statement
	lost  bool // it could not be made
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

// set lets the savepoint of the next write be made with its first statement. The first write of a transaction needs none.
func (t *turn) set() error {
	t.due = t.inner == alone || t.inner == dirty
	return nil
}

// keep refuses a write of which a statement failed, even where the write made nothing of that: PostgreSQL commits nothing behind it.
func (t *turn) keep() error {
	if t.due { // there was no statement
		return nil
	}
	if status := t.status(); t.lost || status != 'T' {
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
	switch {
	case t.due:
		return nil
	case t.lost:
		return errLost
	case t.inner == unset:
		return t.send("ROLLBACK; " + t.begin)
	}
	t.inner = clean
	return t.send("ROLLBACK TO w")
}

// savepoint is what makes one, and releases the one before.
func (t *turn) savepoint() []string {
	if t.inner == alone {
		return []string{"SAVEPOINT w"}
	}
	return []string{"RELEASE w", "SAVEPOINT w"}
}

// make makes the savepoint if it is due.
func (t *turn) make() {
	if !t.due {
		return
	}
	err := t.send(strings.Join(t.savepoint(), "; "))
	t.due, t.lost, t.inner = false, err != nil, clean
}

// The methods that gorm and this package call. A query that follows a savepoint that could not be made fails too.

func (t *turn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t.make()
	return t.Conn.QueryContext(ctx, query, args...)
}

func (t *turn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	t.make()
	return t.Conn.QueryRowContext(ctx, query, args...)
}

func (t *turn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	t.make()
	return t.Conn.PrepareContext(ctx, query)
}

// ExecContext sends a savepoint that is due and the statement in one round trip, if the statement is prepared: one that the server can't
// parse would fail ahead of the savepoint.
func (t *turn) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	if t.due && len(args) > 0 {
		if s := t.prepared(query); s != nil {
			return t.join(ctx, s, args)
		}
	}
	t.make()
	if result, err = t.Conn.ExecContext(ctx, query, args...); err == nil && len(args) > 0 {
		err = t.prepare(ctx, query)
	}
	return result, err
}

// join looks at the arguments first, since pgx closes a connection on which it has begun to send what it can't.
func (t *turn) join(ctx context.Context, s *pgconn.StatementDescription, args []any) (result driver.RowsAffected, err error) {
	b, made := &pgx.Batch{}, 0
	for _, statement := range t.savepoint() {
		b.Queue(statement).Exec(func(pgconn.CommandTag) error { made++; return nil })
	}
	first := b.Len()
	b.Queue(s.SQL, args...).Exec(func(tag pgconn.CommandTag) error {
		result = driver.RowsAffected(tag.RowsAffected())
		return nil
	})
	err = t.raw(func(c *pgx.Conn) error {
		if err := new(pgx.ExtendedQueryBuilder).Build(c.TypeMap(), s, args); err != nil {
			return err
		}
		err := c.SendBatch(ctx, b).Close()
		t.due, t.lost, t.inner = false, made < first, clean
		return err
	})
	return result, err
}

// maxPrepared bounds the statements that are kept for joining, for each connection.
const maxPrepared = 256

type statements map[string]*pgconn.StatementDescription

// prepared returns a statement that the connection has prepared, or nil.
func (t *turn) prepared(query string) (s *pgconn.StatementDescription) {
	_ = t.raw(func(c *pgx.Conn) error {
		all, _ := c.PgConn().CustomData()["prepared"].(statements)
		s = all[query]
		return nil
	})
	return s
}

// prepare prepares a statement that went well, once for each connection.
func (t *turn) prepare(ctx context.Context, query string) error {
	return t.raw(func(c *pgx.Conn) error {
		all, ok := c.PgConn().CustomData()["prepared"].(statements)
		if !ok {
			all = statements{}
			c.PgConn().CustomData()["prepared"] = all
		}
		if all[query] != nil || len(all) >= maxPrepared {
			return nil
		}
		s, err := c.Prepare(ctx, query, query)
		if err == nil {
			all[query] = s
		}
		return err
	})
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
	return t.Raw(func(conn any) error { return do(conn.(*stdlib.Conn).Conn()) })
}
