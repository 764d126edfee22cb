-- +goose Up

-- The whole checkout: orders whose customer must act, commands on orders that had ended, review with its exits, and events. The
-- tables are made anew, children first, since SQLite can't change a check.

CREATE TABLE orders_2 (
    id             TEXT PRIMARY KEY, -- sorts by the time of making
    status         TEXT NOT NULL CHECK (status IN ('processing', 'requires_action', 'completed', 'rejected', 'declined', 'cancelled', 'review')),
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
INSERT INTO orders_2 SELECT id, status, currency, customer_email, customer_id, lines, totals, payment, coupon, shipping, failure,
    metadata, placed_by, correlation_id, created_at, updated_at FROM orders;

CREATE TABLE sagas_2 (
    order_id         TEXT PRIMARY KEY REFERENCES orders_2 (id),
    state            TEXT NOT NULL,
    since            INTEGER NOT NULL, -- when the state was entered
    version          INTEGER NOT NULL,
    lease_owner      TEXT NOT NULL,
    lease_until      INTEGER NOT NULL,
    next_attempt_at  INTEGER NOT NULL, -- 0: nothing is left to do
    attempts         INTEGER NOT NULL, -- at the present state
    failures         INTEGER NOT NULL, -- of code, one after the other, at the present state
    last_error       TEXT NOT NULL,    -- of the latest attempt, for operators
    ending           TEXT NOT NULL,    -- the final state that a compensation leads to
    review_from      TEXT NOT NULL,    -- the state that needs_review was entered from
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    reason           TEXT NOT NULL,    -- of a cancellation or refund
    operation_id     TEXT NOT NULL,    -- of the refund that is under way: the key under which payments knows it
    operation_amount INTEGER NOT NULL, -- minor units; 0: all that is left
    reference        TEXT NOT NULL,    -- by which an operator says that the order was paid
    hold             TEXT NOT NULL,    -- of a cart, whose stock the order takes over
    capture          TEXT NOT NULL CHECK (capture IN ('automatic', 'manual')),
    payment_token    TEXT NOT NULL,    -- emptied at the end
    expected_total   TEXT NOT NULL,
    key_caller       TEXT NOT NULL,    -- the idempotency key that waits for this saga's end
    key_value        TEXT NOT NULL,
    steps            INTEGER NOT NULL, -- timeline entries written
    events           INTEGER NOT NULL  -- events written
) WITHOUT ROWID;
INSERT INTO sagas_2 SELECT s.order_id, s.state, o.updated_at, s.version, s.lease_owner, s.lease_until, s.next_attempt_at, s.attempts, 0, s.last_error,
    s.ending, '', s.cancel_requested, s.cancel_reason, '', 0, '', '', 'automatic', s.payment_token, s.expected_total, s.key_caller, s.key_value,
    s.steps, 0 FROM sagas s JOIN orders o ON o.id = s.order_id;

CREATE TABLE timeline_2 (
    order_id       TEXT NOT NULL REFERENCES orders_2 (id),
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
INSERT INTO timeline_2 SELECT order_id, step, state, module, attempt, started_at, ended_at, outcome, reference, correlation_id FROM timeline;

DROP TABLE timeline;
DROP TABLE sagas;
DROP TABLE orders;
ALTER TABLE orders_2 RENAME TO orders;
ALTER TABLE sagas_2 RENAME TO sagas;
ALTER TABLE timeline_2 RENAME TO timeline;
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_email ON orders (customer_email, id);
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE customer_id <> '';
CREATE INDEX orders_by_key ON orders (placed_by, id);
CREATE INDEX sagas_due ON sagas (next_attempt_at) WHERE next_attempt_at > 0;
CREATE INDEX sagas_in_review ON sagas (order_id) WHERE state = 'needs_review';

-- What happened to orders, in the order in which it was committed: the outbox and the feed. Never changed.
CREATE TABLE events (
    position       INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL,
    type           TEXT NOT NULL,
    order_id       TEXT NOT NULL REFERENCES orders (id),
    sequence       INTEGER NOT NULL CHECK (sequence > 0), -- of the order's events, without a gap
    at             INTEGER NOT NULL,
    correlation_id TEXT NOT NULL,
    body           TEXT NOT NULL,                         -- the order as it was then
    UNIQUE (order_id, sequence)
);

-- A row holds a whole answer: too large for a table that is its own index.
CREATE TABLE idempotency_keys_2 (
    caller     TEXT NOT NULL,
    value      TEXT NOT NULL,
    digest     TEXT NOT NULL,
    subject    TEXT NOT NULL,            -- the order
    answer     TEXT NOT NULL DEFAULT '', -- the order as it was answered, once it was
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, value)
);
INSERT INTO idempotency_keys_2 SELECT caller, value, digest, subject, answer, created_at FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE idempotency_keys_2 RENAME TO idempotency_keys;

-- How far the feeds of others were read.
CREATE TABLE cursors (
    feed     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
SELECT 'the way back is a restored backup' WHERE 0;
