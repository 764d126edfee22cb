-- +goose Up

-- A payment is what its operations add up to: status, authorised, captured and refunded can be computed from them at any time.
-- What was a failure of the payment is one of the operation that was declined, its reference that of the charge.
CREATE TABLE payments_new (
    id             TEXT COLLATE "C" PRIMARY KEY,
    order_id       TEXT COLLATE "C" NOT NULL UNIQUE CHECK (order_id <> ''),
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN
        ('pending', 'requires_action', 'authorised', 'succeeded', 'declined', 'cancelled', 'refunded')),
    amount         BIGINT NOT NULL CHECK (amount > 0), -- minor units of currency, as all amounts here
    currency       TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    authorised     BIGINT NOT NULL DEFAULT 0 CHECK (authorised >= 0),
    captured       BIGINT NOT NULL DEFAULT 0 CHECK (captured >= 0), -- may differ from amount, where an operator accepted it
    refunded       BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    moved_currency TEXT COLLATE "C" NOT NULL CHECK (length(moved_currency) = 3), -- of these three
    provider       TEXT COLLATE "C" NOT NULL,
    action_type    TEXT COLLATE "C" NOT NULL DEFAULT '', -- what the customer must do, while the status says so
    action_url     TEXT COLLATE "C" NOT NULL DEFAULT '',
    token_digest   TEXT COLLATE "C" NOT NULL,            -- tells a repeat from another request; '': sealed before it was charged
    version        BIGINT NOT NULL CHECK (version > 0),
    created_at     BIGINT NOT NULL,            -- microseconds since 1970, as all times
    updated_at     BIGINT NOT NULL,
    CHECK ((status IN ('succeeded', 'refunded')) = (captured > 0)),
    CHECK (status <> 'refunded' OR refunded >= captured)
);
INSERT INTO payments_new (id, order_id, status, amount, currency, captured, refunded, moved_currency, provider, token_digest, version, created_at, updated_at)
    SELECT id, order_id, status, amount, currency, captured, refunded, currency, provider, token_digest, version, created_at, updated_at FROM payments;

-- One request to the provider, however often it was sent. The row is there before the provider hears of it.
-- requires_action: shown as pending. disputed: the provider moved something else than it was asked to; shown as pending too.
CREATE TABLE operations_new (
    id              TEXT COLLATE "C" PRIMARY KEY,
    payment_id      TEXT COLLATE "C" NOT NULL REFERENCES payments_new (id),
    kind            TEXT COLLATE "C" NOT NULL CHECK (kind IN ('charge', 'authorise', 'capture', 'void', 'refund', 'mark_paid')),
    refund_id       TEXT COLLATE "C" NOT NULL DEFAULT '',    -- the caller's key, of a refund or void
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'requires_action', 'succeeded', 'declined', 'cancelled', 'disputed')),
    amount          BIGINT NOT NULL CHECK (amount > 0),
    currency        TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    requested       BIGINT NOT NULL DEFAULT 0,     -- as the caller of a refund said it, 0: all that was left
    key             TEXT COLLATE "C" NOT NULL UNIQUE,        -- the idempotency key that the provider sees
    reason          TEXT COLLATE "C" NOT NULL DEFAULT '',    -- of a refund
    reference       TEXT COLLATE "C" NOT NULL DEFAULT '',    -- the provider's id, or an operator's proof
    moved_amount    BIGINT NOT NULL DEFAULT 0,     -- what the provider says that it moved
    moved_currency  TEXT COLLATE "C" NOT NULL DEFAULT '',
    failure_code    TEXT COLLATE "C" NOT NULL DEFAULT '',    -- why it was declined
    failure_message TEXT COLLATE "C" NOT NULL DEFAULT '',
    attempts        BIGINT NOT NULL CHECK (attempts >= 0), -- how often it may have been sent
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL DEFAULT 0,     -- 0: it has not
    UNIQUE (payment_id, kind, refund_id),
    CHECK ((status IN ('succeeded', 'declined', 'cancelled')) = (ended_at > 0)),
    CHECK ((status = 'declined') = (failure_code <> '')),
    CHECK (status <> 'succeeded' OR (moved_amount = amount AND moved_currency = currency))
);
INSERT INTO operations_new (id, payment_id, kind, refund_id, status, amount, currency, key, reason, reference, moved_amount, moved_currency,
        failure_code, failure_message, attempts, started_at, ended_at)
    SELECT o.id, o.payment_id, o.kind, CASE o.kind WHEN 'refund' THEN o.id ELSE '' END, o.status, o.amount, o.currency, o.key, o.reason, o.reference,
        o.moved_amount, o.moved_currency, CASE o.status WHEN 'declined' THEN p.failure_code ELSE '' END,
        CASE o.status WHEN 'declined' THEN p.failure_message ELSE '' END, o.attempts, o.started_at, o.ended_at
    FROM operations o JOIN payments p ON p.id = o.payment_id;

DROP TABLE operations;
DROP TABLE payments;
ALTER TABLE payments_new RENAME TO payments;
ALTER TABLE operations_new RENAME TO operations;
CREATE INDEX operations_by_reference ON operations (reference) WHERE reference <> '';

-- Payments that changed otherwise than by the answer to a call. A sequence number is never used again.
CREATE TABLE changes (
    sequence BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    order_id TEXT COLLATE "C" NOT NULL,
    status   TEXT COLLATE "C" NOT NULL, -- of the payment, then
    at       BIGINT NOT NULL
);

-- What providers told by webhook. Rows that are done are kept for a while, so that a repetition is seen.
CREATE TABLE inbox (
    sequence    BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    provider    TEXT COLLATE "C" NOT NULL,
    event_id    TEXT COLLATE "C" NOT NULL,
    event       TEXT COLLATE "C" NOT NULL, -- what it says, as JSON: till.Event
    status      TEXT COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'done', 'unmatched')), -- unmatched: no operation here was ever its own
    attempts    BIGINT NOT NULL DEFAULT 0,
    received_at BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    UNIQUE (provider, event_id)
);
CREATE INDEX inbox_waiting ON inbox (next_at, sequence) WHERE status = 'waiting';
CREATE INDEX inbox_settled ON inbox (received_at) WHERE status <> 'waiting';
