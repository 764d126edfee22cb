-- +goose Up

-- Every request that was answered, under its idempotency key, with the answer.
CREATE TABLE requests (
    key         TEXT    PRIMARY KEY,
    fingerprint TEXT    NOT NULL,             -- SHA-256 of the parameters, hex: the same key must come with the same ones
    state       TEXT    NOT NULL CHECK (state IN ('succeeded', 'declined')),
    reference   TEXT    NOT NULL UNIQUE,
    amount      INTEGER NOT NULL,             -- that moved: minor units, 0 for a decline
    currency    TEXT    NOT NULL,
    code        TEXT    NOT NULL,             -- of a decline
    message     TEXT    NOT NULL,
    at          INTEGER NOT NULL,             -- microseconds since 1970, as all times
    CHECK ((state = 'succeeded') = (amount > 0))
) WITHOUT ROWID;

-- The money that moved, in the order in which it did. Declines are not in it.
CREATE TABLE ledger (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    operation TEXT    NOT NULL CHECK (operation IN ('charge', 'refund')),
    order_id  TEXT    NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount > 0),
    currency  TEXT    NOT NULL,
    key       TEXT    NOT NULL UNIQUE REFERENCES requests (key),
    reference TEXT    NOT NULL UNIQUE,
    charge    TEXT    NOT NULL,               -- reference of the charge that a refund gives back, '' for a charge
    at        INTEGER NOT NULL
);
CREATE INDEX ledger_by_order ON ledger (order_id, sequence);
CREATE INDEX ledger_by_charge ON ledger (charge) WHERE charge <> '';

-- +goose Down
DROP TABLE ledger;
DROP TABLE requests;
