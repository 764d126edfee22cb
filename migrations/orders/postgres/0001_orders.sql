-- +goose Up

-- What clients see of an order. Columns that a list filters by stand alone; the rest of an order is read and written whole, and
-- stands in columns of JSON. Times are microseconds since 1970.
CREATE TABLE orders (
    id             TEXT COLLATE "C" PRIMARY KEY, -- sorts by the time of making
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('processing', 'completed', 'rejected', 'declined', 'cancelled', 'review')),
    currency       TEXT COLLATE "C" NOT NULL,
    customer_email TEXT COLLATE "C" NOT NULL,
    customer_id    TEXT COLLATE "C" NOT NULL,
    lines          TEXT COLLATE "C" NOT NULL,
    totals         TEXT COLLATE "C" NOT NULL,
    payment        TEXT COLLATE "C" NOT NULL,
    coupon         TEXT COLLATE "C" NOT NULL,
    shipping       TEXT COLLATE "C" NOT NULL,
    failure        TEXT COLLATE "C" NOT NULL,
    metadata       TEXT COLLATE "C" NOT NULL,
    placed_by      TEXT COLLATE "C" NOT NULL, -- id of the API key
    correlation_id TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_email ON orders (customer_email, id);
CREATE INDEX orders_by_customer ON orders (customer_id, id) WHERE customer_id <> '';
CREATE INDEX orders_by_key ON orders (placed_by, id);

-- The progress of an order through the checkout. Every change is fenced by version and made by the holder of the lease.
CREATE TABLE sagas (
    order_id         TEXT COLLATE "C" PRIMARY KEY REFERENCES orders (id),
    state            TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL,
    lease_owner      TEXT COLLATE "C" NOT NULL,
    lease_until      BIGINT NOT NULL,
    next_attempt_at  BIGINT NOT NULL, -- 0: nothing is left to do
    attempts         BIGINT NOT NULL, -- at the present state
    last_error       TEXT COLLATE "C" NOT NULL,    -- of the latest attempt, for operators
    ending           TEXT COLLATE "C" NOT NULL,    -- the final state that a compensation leads to
    cancel_requested BIGINT NOT NULL CHECK (cancel_requested IN (0, 1)),
    cancel_reason    TEXT COLLATE "C" NOT NULL,
    payment_token    TEXT COLLATE "C" NOT NULL,    -- emptied at the end
    expected_total   TEXT COLLATE "C" NOT NULL,
    key_caller       TEXT COLLATE "C" NOT NULL,    -- the idempotency key that waits for this saga's end
    key_value        TEXT COLLATE "C" NOT NULL,
    steps            BIGINT NOT NULL  -- timeline entries written
);
CREATE INDEX sagas_due ON sagas (next_attempt_at) WHERE next_attempt_at > 0;

-- Steps that ended, in order. Never changed.
CREATE TABLE timeline (
    order_id       TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    step           BIGINT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    module         TEXT COLLATE "C" NOT NULL,
    attempt        BIGINT NOT NULL,
    started_at     BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL,
    outcome        TEXT COLLATE "C" NOT NULL,
    reference      TEXT COLLATE "C" NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (order_id, step)
);

CREATE TABLE idempotency_keys (
    caller     TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,            -- the order
    answer     TEXT COLLATE "C" NOT NULL DEFAULT '', -- the order as it was answered, once it was
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, value)
);

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE timeline;
DROP TABLE sagas;
DROP TABLE orders;
