-- +goose Up

-- How far the feed of orders' events was read.
CREATE TABLE cursor (
    "only"   BIGINT PRIMARY KEY CHECK ("only" = 1), -- one row
    position BIGINT NOT NULL CHECK (position >= 0)
);
INSERT INTO cursor ("only", position) VALUES (1, 0);

-- Addresses that are told of events. Times are microseconds since 1970, as everywhere here; 0 is never.
CREATE TABLE endpoints (
    id              TEXT COLLATE "C" PRIMARY KEY, -- sorts by the time of making
    url             TEXT COLLATE "C" NOT NULL,
    event_types     TEXT COLLATE "C" NOT NULL,    -- JSON; an empty list takes all
    description     TEXT COLLATE "C" NOT NULL,
    enabled         BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT COLLATE "C" NOT NULL CHECK ((disabled_reason = '') = (enabled = 1)),
    secrets         TEXT COLLATE "C" NOT NULL,    -- JSON: the latest first, the others with the time of their end
    failing_since   BIGINT NOT NULL,    -- first failure since the last success
    failed_at       BIGINT NOT NULL,    -- the latest failure
    deleted_at      BIGINT NOT NULL,    -- its deliveries are cleaned up after that, then its row
    version         BIGINT NOT NULL CHECK (version > 0),
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

-- Events that some endpoint wanted, with what is sent, byte for byte. A row goes with its last delivery.
CREATE TABLE events (
    id             TEXT COLLATE "C" PRIMARY KEY,
    position       BIGINT NOT NULL,
    type           TEXT COLLATE "C" NOT NULL,
    order_id       TEXT COLLATE "C" NOT NULL,
    sequence       BIGINT NOT NULL,
    correlation_id TEXT COLLATE "C" NOT NULL,
    payload        TEXT COLLATE "C" NOT NULL
);

-- An event on its way to an endpoint.
CREATE TABLE deliveries (
    id          TEXT COLLATE "C" PRIMARY KEY, -- sorts by the time of making
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES endpoints (id),
    event_id    TEXT COLLATE "C" NOT NULL REFERENCES events (id),
    order_id    TEXT COLLATE "C" NOT NULL,
    sequence    BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    turn        BIGINT NOT NULL CHECK (turn IN (0, 1)), -- 1: no earlier event of its order is pending at this endpoint
    sending     BIGINT NOT NULL CHECK (sending IN (0, 1)),
    due_at      BIGINT NOT NULL, -- of the next attempt; while one is under way, when it is given up for dead
    attempts    BIGINT NOT NULL, -- begun, in all; fences the record of an attempt
    tries       BIGINT NOT NULL, -- begun since it became pending
    log         TEXT COLLATE "C" NOT NULL, -- JSON: the latest attempts
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL, -- 0: pending
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
    caller     TEXT COLLATE "C" NOT NULL,
    value      TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,            -- the endpoint
    answer     TEXT COLLATE "C" NOT NULL DEFAULT '', -- always empty: a second copy of the secret is not kept
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, value)
);

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE endpoints;
DROP TABLE cursor;
