package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// Bounds of what is asked of a PostgreSQL server. The URL may name other values of statement_timeout, lock_timeout and
// idle_in_transaction_session_timeout, in milliseconds, and of connect_timeout, in seconds.
const (
	connectTimeout   = 5 * time.Second
	statementTimeout = "15000" // milliseconds
	turnTimeout      = "10000" // that a batch waits for those of other processes
	silenceTimeout   = "10000" // of a process that has its turn: after that the server ends the transaction, and the next one goes on
	batchTimeout     = time.Minute
)

// postgresSchema is a schema of a PostgreSQL database. Writes take turns here too, because bodies count on it: a batch begins with an
// advisory lock that its transaction holds to its end, whoever ends it. See docs/adr/0012-postgresql.md.
type postgresSchema struct {
	config *pgx.ConnConfig
	schema string
	turn   int64 // names the advisory lock
}

// A schema's name needs no quotes, so that it means the same everywhere.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func newPostgres(o Options) (*postgresSchema, error) {
	config, err := pgx.ParseConfig(o.Datastore)
	if err != nil {
		return nil, fmt.Errorf("the URL of a datastore: %w", err) // pgx leaves the password out
	}
	p := &postgresSchema{config: config, schema: o.Module}
	if path := config.RuntimeParams["search_path"]; path != "" {
		p.schema = path
	}
	if !schemaName.MatchString(p.schema) {
		return nil, fmt.Errorf("open %s: %q is not a schema: name one by search_path=, in lower case letters, digits and underscores", p, p.schema)
	}
	config.RuntimeParams["search_path"] = p.schema
	p.setDefault("application_name", "cutpoint "+p.schema)
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte("cutpoint writes " + p.schema)) // never fails
	p.turn = int64(h.Sum64())
	return p, nil
}

func (p *postgresSchema) setDefault(param, value string) {
	if _, ok := p.config.RuntimeParams[param]; !ok {
		p.config.RuntimeParams[param] = value
	}
}

func (p *postgresSchema) String() string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s, schema %s", p.config.User, p.config.Host, p.config.Port, p.config.Database, p.schema)
}

func (p *postgresSchema) name() string { return p.schema }

// with returns the same schema with other settings of its connections.
func (p *postgresSchema) with(params ...string) *postgresSchema {
	q := &postgresSchema{config: p.config.Copy(), schema: p.schema, turn: p.turn}
	for i := 0; i < len(params); i += 2 {
		q.setDefault(params[i], params[i+1])
	}
	return q
}

func (p *postgresSchema) writer(ctx context.Context) (*gorm.DB, error) {
	w := p.with("statement_timeout", statementTimeout, "lock_timeout", turnTimeout, "idle_in_transaction_session_timeout", silenceTimeout)
	w.config.RuntimeParams["default_transaction_isolation"] = "read committed" // a batch must see the one before it, for which it waited
	db, err := w.connect(1)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(durable(ctx, db), p.make(ctx, db)); err != nil {
		return nil, errors.Join(err, closePool(db))
	}
	return db, nil
}

func (p *postgresSchema) reader(connections int) (*gorm.DB, error) {
	r := p.with("statement_timeout", statementTimeout)
	r.config.RuntimeParams["default_transaction_read_only"] = "on"
	return r.connect(connections)
}

func (p *postgresSchema) pool() *sql.DB {
	return stdlib.OpenDB(*p.config, stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
		c.TypeMap().TryWrapEncodePlanFuncs = append(c.TypeMap().TryWrapEncodePlanFuncs, flags)
		return nil
	}))
}

func (p *postgresSchema) connect(connections int) (*gorm.DB, error) {
	pool := p.pool()
	return open(pool, connections, postgres.New(postgres.Config{Conn: pool}))
}

// durable makes sure that a commit means the disk.
func durable(ctx context.Context, db *gorm.DB) error {
	var synchronous, fsync string
	err := db.WithContext(ctx).Raw("SELECT current_setting('synchronous_commit'), current_setting('fsync')").Row().Scan(&synchronous, &fsync)
	if err != nil {
		return err
	}
	if synchronous != "on" && synchronous != "remote_apply" || fsync != "on" {
		return fmt.Errorf("not durable: synchronous_commit=%s (want on), fsync=%s (want on)", synchronous, fsync)
	}
	return nil
}

// make makes the schema if it is not there. PostgreSQL checks the right to make one before it looks, and where two begin at once it fails
// the second in spite of IF NOT EXISTS.
func (p *postgresSchema) make(ctx context.Context, db *gorm.DB) error {
	there, err := p.exists(ctx, db)
	if err != nil || there {
		return err
	}
	if err = db.WithContext(ctx).Exec("CREATE SCHEMA IF NOT EXISTS " + p.schema).Error; err == nil {
		return nil
	}
	if there, again := p.exists(ctx, db); again == nil && there {
		return nil
	}
	return fmt.Errorf("make schema %s: %w", p.schema, err)
}

func (p *postgresSchema) exists(ctx context.Context, db *gorm.DB) (there bool, err error) {
	err = db.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?)", p.schema).Row().Scan(&there)
	return there, err
}

func (*postgresSchema) batch() int { return DefaultBatchPostgres }

// begin begins a transaction and waits for its turn. Nothing was written yet where that fails, so a connection that has died unnoticed
// is tried a second time, on a new one. The bound is for a server that does not answer at all.
func (p *postgresSchema) begin(db *gorm.DB) (*batch, error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithTimeout(context.Background(), batchTimeout)
	for range 2 {
		var t *turn
		if t, err = p.take(ctx, pool); err == nil {
			tx := db.Session(&gorm.Session{NewDB: true, Context: ctx})
			tx.Statement.ConnPool = t
			return &batch{tx: tx, savepoints: t, end: end}, nil
		}
		var answered *pgconn.PgError
		if errors.As(err, &answered) && answered.Code == "55P03" {
			err = fmt.Errorf("another process holds the writes of %s for longer than lock_timeout: %w", p, err)
			break
		}
	}
	end()
	return nil, err
}

// query leaves a reader's context as it is: a server that does not answer would hold its callers past their deadlines.
func (*postgresSchema) query(ctx context.Context) context.Context { return ctx }

func (p *postgresSchema) migrator(ctx context.Context) (*migrator, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(p.turn+1), lock.WithLockTimeout(1, 60)) // seconds, times
	if err != nil {
		return nil, err
	}
	db, err := p.connect(2) // one of them holds the lock
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	m := &migrator{pool: pool, folder: "postgres", dialect: goose.DialectPostgres, options: []goose.ProviderOption{goose.WithSessionLocker(locker)}}
	m.make = func() error { return p.make(ctx, db) }
	err = db.WithContext(ctx).Raw("SELECT to_regclass(?) IS NULL", p.schema+".goose_db_version").Row().Scan(&m.empty)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return m, nil
}

// flags lets a bool be written where the column is an integer, as it is on both kinds of database: 0 or 1.
func flags(value any) (plan pgtype.WrappedEncodePlanNextSetter, next any, ok bool) {
	b, ok := value.(bool)
	if !ok {
		return nil, nil, false
	}
	return &flagPlan{}, flag(b), true
}

type flag bool

func (f flag) Int64Value() (pgtype.Int8, error) {
	if f {
		return pgtype.Int8{Int64: 1, Valid: true}, nil
	}
	return pgtype.Int8{Valid: true}, nil
}

type flagPlan struct{ next pgtype.EncodePlan }

func (p *flagPlan) SetNext(next pgtype.EncodePlan) { p.next = next }

func (p *flagPlan) Encode(value any, buf []byte) ([]byte, error) {
	return p.next.Encode(flag(value.(bool)), buf)
}
