-- +goose Up

-- What clients see of an order. Columns that a list filters by stand alone; the rest of an order is read and written whole, and
-- stands in columns of JSON. Times are microseconds since 1970.
CREATE TABLE orders (
    id             TEXT PRIMARY KEY, -- sorts by the time of making
    status         TEXT NOT NULL CHECK (status IN ('processing', 'completed', 'rejected', 'declined', 'cancelled', 'review')),
    currency       TEXT NOT NULL,
    customer_email TEXT NOT NULL,
    customer_id    TEXT NOT NULL,
    lines          TEXT NOT NULL,
    totals         TEXT NOT NULL,
    payment        TEXT NOT NULL,
    coupon         TEXT NOT NULL,
    shipping       TEXT NOT NULL,
    failure        TEXT NOT NULL,
    metadata       TEXT NOT NULL,
    placed_by      TEXT NOT NULL, -- id of the API key
    correlation_id TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_email ON orders (customer_email, id);
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE customer_id <> '';
CREATE INDEX orders_by_key ON orders (placed_by, id);

-- The progress of an order through the checkout. Every change is fenced by version and made by the holder of the lease.
CREATE TABLE sagas (
    order_id         TEXT PRIMARY KEY REFERENCES orders (id),
    state            TEXT NOT NULL,
    version          INTEGER NOT NULL,
    lease_owner      TEXT NOT NULL,
    lease_until      INTEGER NOT NULL,
    next_attempt_at  INTEGER NOT NULL, -- 0: nothing is left to do
    attempts         INTEGER NOT NULL, -- at the present state
    last_error       TEXT NOT NULL,    -- of the latest attempt, for operators
    ending           TEXT NOT NULL,    -- the final state that a compensation leads to
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    cancel_reason    TEXT NOT NULL,
    payment_token    TEXT NOT NULL,    -- emptied at the end
    expected_total   TEXT NOT NULL,
    key_caller       TEXT NOT NULL,    -- the idempotency key that waits for this saga's end
    key_value        TEXT NOT NULL,
    steps            INTEGER NOT NULL  -- timeline entries written
) WITHOUT ROWID;
CREATE INDEX sagas_due ON sagas (next_attempt_at) WHERE next_attempt_at > 0;

-- Steps that ended, in order. Never changed.
CREATE TABLE timeline (
    order_id       TEXT NOT NULL REFERENCES orders (id),
    step           INTEGER NOT NULL,
    state          TEXT NOT NULL,
    module         TEXT NOT NULL,
    attempt        INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER NOT NULL,
    outcome        TEXT NOT NULL,
    reference      TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    PRIMARY KEY (order_id, step)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    value      TEXT NOT NULL,
    digest     TEXT NOT NULL,
    subject    TEXT NOT NULL,            -- the order
    answer     TEXT NOT NULL DEFAULT '', -- the order as it was answered, once it was
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, value)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE timeline;
DROP TABLE sagas;
DROP TABLE orders;
