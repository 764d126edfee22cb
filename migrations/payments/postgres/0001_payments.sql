-- +goose Up

-- What an order's customer was asked to pay: one payment an order. The token itself is never stored.
CREATE TABLE payments (
    id              TEXT COLLATE "C" PRIMARY KEY,
    order_id        TEXT COLLATE "C" NOT NULL UNIQUE CHECK (order_id <> ''),
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined', 'refunded')),
    amount          BIGINT NOT NULL CHECK (amount > 0), -- minor units of currency, as all amounts here
    currency        TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    captured        BIGINT NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    refunded        BIGINT NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    provider        TEXT COLLATE "C" NOT NULL,
    reference       TEXT COLLATE "C" NOT NULL DEFAULT '', -- the provider's id of the charge
    failure_code    TEXT COLLATE "C" NOT NULL DEFAULT '', -- '': the provider refused nothing
    failure_message TEXT COLLATE "C" NOT NULL DEFAULT '',
    token_digest    TEXT COLLATE "C" NOT NULL,            -- tells a repeat from another request
    version         BIGINT NOT NULL CHECK (version > 0),
    created_at      BIGINT NOT NULL,            -- microseconds since 1970, as all times
    updated_at      BIGINT NOT NULL,
    CHECK ((status IN ('succeeded', 'refunded')) = (captured > 0)),
    CHECK (status <> 'refunded' OR refunded = captured)
);

-- One request to the provider, however often it was sent. The row is there before the provider hears of it.
-- disputed: the provider moved something else than it was asked to. Shown as pending, and never sent again.
CREATE TABLE operations (
    id             TEXT COLLATE "C" PRIMARY KEY,
    payment_id     TEXT COLLATE "C" NOT NULL REFERENCES payments (id),
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('charge', 'refund')),
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined', 'disputed')),
    amount         BIGINT NOT NULL CHECK (amount > 0),
    currency       TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    key            TEXT COLLATE "C" NOT NULL UNIQUE,         -- the idempotency key that the provider sees
    reason         TEXT COLLATE "C" NOT NULL DEFAULT '',     -- of a refund
    reference      TEXT COLLATE "C" NOT NULL DEFAULT '',     -- the provider's id
    moved_amount   BIGINT NOT NULL DEFAULT 0,      -- what the provider says that it moved
    moved_currency TEXT COLLATE "C" NOT NULL DEFAULT '',
    attempts       BIGINT NOT NULL DEFAULT 1 CHECK (attempts > 0),
    started_at     BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL DEFAULT 0,      -- 0: it has not
    UNIQUE (payment_id, kind),
    CHECK ((status IN ('succeeded', 'declined')) = (ended_at > 0)),
    CHECK (status <> 'succeeded' OR (moved_amount = amount AND moved_currency = currency))
);

-- +goose Down
DROP TABLE operations;
DROP TABLE payments;
