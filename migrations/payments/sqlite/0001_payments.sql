-- +goose Up

-- What an order's customer was asked to pay: one payment an order. The token itself is never stored.
CREATE TABLE payments (
    id              TEXT    PRIMARY KEY,
    order_id        TEXT    NOT NULL UNIQUE CHECK (order_id <> ''),
    status          TEXT    NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined', 'refunded')),
    amount          INTEGER NOT NULL CHECK (amount > 0), -- minor units of currency, as all amounts here
    currency        TEXT    NOT NULL CHECK (length(currency) = 3),
    captured        INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    refunded        INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    provider        TEXT    NOT NULL,
    reference       TEXT    NOT NULL DEFAULT '', -- the provider's id of the charge
    failure_code    TEXT    NOT NULL DEFAULT '', -- '': the provider refused nothing
    failure_message TEXT    NOT NULL DEFAULT '',
    token_digest    TEXT    NOT NULL,            -- tells a repeat from another request
    version         INTEGER NOT NULL CHECK (version > 0),
    created_at      INTEGER NOT NULL,            -- microseconds since 1970, as all times
    updated_at      INTEGER NOT NULL,
    CHECK ((status IN ('succeeded', 'refunded')) = (captured > 0)),
    CHECK (status <> 'refunded' OR refunded = captured)
) WITHOUT ROWID;

-- One request to the provider, however often it was sent. The row is there before the provider hears of it.
-- disputed: the provider moved something else than it was asked to. Shown as pending, and never sent again.
CREATE TABLE operations (
    id             TEXT    PRIMARY KEY,
    payment_id     TEXT    NOT NULL REFERENCES payments (id),
    kind           TEXT    NOT NULL CHECK (kind IN ('charge', 'refund')),
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined', 'disputed')),
    amount         INTEGER NOT NULL CHECK (amount > 0),
    currency       TEXT    NOT NULL CHECK (length(currency) = 3),
    key            TEXT    NOT NULL UNIQUE,         -- the idempotency key that the provider sees
    reason         TEXT    NOT NULL DEFAULT '',     -- of a refund
    reference      TEXT    NOT NULL DEFAULT '',     -- the provider's id
    moved_amount   INTEGER NOT NULL DEFAULT 0,      -- what the provider says that it moved
    moved_currency TEXT    NOT NULL DEFAULT '',
    attempts       INTEGER NOT NULL DEFAULT 1 CHECK (attempts > 0),
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER NOT NULL DEFAULT 0,      -- 0: it has not
    UNIQUE (payment_id, kind),
    CHECK ((status IN ('succeeded', 'declined')) = (ended_at > 0)),
    CHECK (status <> 'succeeded' OR (moved_amount = amount AND moved_currency = currency))
) WITHOUT ROWID;

-- +goose Down
DROP TABLE operations;
DROP TABLE payments;
