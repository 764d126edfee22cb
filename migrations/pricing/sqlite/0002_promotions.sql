-- +goose Up

-- What a coupon gives. used counts the uses that orders hold or made final; the check is the second wall behind the condition of
-- the update that counts it up.
CREATE TABLE promotions (
    code           TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    kind           TEXT    NOT NULL CHECK (kind IN ('percentage', 'fixed')),
    basis_points   INTEGER NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    amounts        TEXT    NOT NULL, -- JSON: of a fixed one, by currency
    starts_at      INTEGER NOT NULL, -- 0: from the beginning
    ends_at        INTEGER NOT NULL, -- 0: for ever
    use_limit      INTEGER NOT NULL CHECK (use_limit >= 0), -- 0: any number, as is customer_limit
    customer_limit INTEGER NOT NULL CHECK (customer_limit >= 0),
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    used           INTEGER NOT NULL CHECK (used >= 0),
    version        INTEGER NOT NULL CHECK (version > 0), -- of what is put; uses don't change it
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    CHECK (use_limit = 0 OR used <= use_limit)
) WITHOUT ROWID;

-- What an order has of a coupon. A row is never deleted: it is also the proof that the order was answered already, or that it may
-- not ask any more.
CREATE TABLE coupon_uses (
    order_id   TEXT PRIMARY KEY CHECK (order_id <> ''),
    code       TEXT    NOT NULL, -- '': the order was released before it used anything, as is customer
    customer   TEXT    NOT NULL, -- in lower case
    state      TEXT    NOT NULL CHECK (state IN ('held', 'final', 'released')),
    answer     TEXT    NOT NULL, -- JSON: the figures that the order was told
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (code <> '' OR state = 'released')
) WITHOUT ROWID;

-- The live uses of a coupon, and of one customer.
CREATE INDEX coupon_uses_live ON coupon_uses (code, customer) WHERE state <> 'released';

-- What an audit set right.
CREATE TABLE repairs (
    seq            INTEGER PRIMARY KEY,
    code           TEXT    NOT NULL,
    problem        TEXT    NOT NULL, -- with the figures that were there
    used           INTEGER NOT NULL, -- after it
    actor          TEXT    NOT NULL,
    correlation_id TEXT    NOT NULL,
    at             INTEGER NOT NULL
);

-- +goose Down
DROP TABLE repairs;
DROP TABLE coupon_uses;
DROP TABLE promotions;
