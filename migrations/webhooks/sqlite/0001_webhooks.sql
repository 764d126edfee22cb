-- +goose Up

-- How far the feed of orders' events was read.
CREATE TABLE cursor (
    only     INTEGER PRIMARY KEY CHECK (only = 1), -- one row
    position INTEGER NOT NULL CHECK (position >= 0)
);
INSERT INTO cursor (only, position) VALUES (1, 0);

-- Addresses that are told of events. Times are microseconds since 1970, as everywhere here; 0 is never.
CREATE TABLE endpoints (
    id              TEXT    PRIMARY KEY, -- sorts by the time of making
    url             TEXT    NOT NULL,
    event_types     TEXT    NOT NULL,    -- JSON; an empty list takes all
    description     TEXT    NOT NULL,
    enabled         INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT    NOT NULL CHECK ((disabled_reason = '') = (enabled = 1)),
    secrets         TEXT    NOT NULL,    -- JSON: the latest first, the others with the time of their end
    failing_since   INTEGER NOT NULL,    -- first failure since the last success
    failed_at       INTEGER NOT NULL,    -- the latest failure
    deleted_at      INTEGER NOT NULL,    -- its deliveries are cleaned up after that, then its row
    version         INTEGER NOT NULL CHECK (version > 0),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) WITHOUT ROWID;

-- Events that some endpoint wanted, with what is sent, byte for byte. A row goes with its last delivery.
CREATE TABLE events (
    id             TEXT    PRIMARY KEY,
    position       INTEGER NOT NULL,
    type           TEXT    NOT NULL,
    order_id       TEXT    NOT NULL,
    sequence       INTEGER NOT NULL,
    correlation_id TEXT    NOT NULL,
    payload        TEXT    NOT NULL
);

-- An event on its way to an endpoint.
CREATE TABLE deliveries (
    id          TEXT    PRIMARY KEY, -- sorts by the time of making
    endpoint_id TEXT    NOT NULL REFERENCES endpoints (id),
    event_id    TEXT    NOT NULL REFERENCES events (id),
    order_id    TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    turn        INTEGER NOT NULL CHECK (turn IN (0, 1)), -- 1: no earlier event of its order is pending at this endpoint
    sending     INTEGER NOT NULL CHECK (sending IN (0, 1)),
    due_at      INTEGER NOT NULL, -- of the next attempt; while one is under way, when it is given up for dead
    attempts    INTEGER NOT NULL, -- begun, in all; fences the record of an attempt
    tries       INTEGER NOT NULL, -- begun since it became pending
    log         TEXT    NOT NULL, -- JSON: the latest attempts
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER NOT NULL, -- 0: pending
    CHECK ((state = 'pending') = (ended_at = 0)),
    CHECK (state = 'pending' OR (turn = 0 AND sending = 0))
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (event_id, endpoint_id);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at, id) WHERE turn = 1;
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, order_id, sequence) WHERE state = 'pending';
CREATE INDEX deliveries_listed ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_pending ON deliveries (endpoint_id, id) WHERE state = 'pending';
CREATE INDEX deliveries_failed ON deliveries (endpoint_id, id) WHERE state = 'failed';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at > 0;

CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    value      TEXT NOT NULL,
    digest     TEXT NOT NULL,
    subject    TEXT NOT NULL,            -- the endpoint
    answer     TEXT NOT NULL DEFAULT '', -- always empty: a second copy of the secret is not kept
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, value)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE endpoints;
DROP TABLE cursor;
