-- +goose Up

-- Every request that was taken, under its idempotency key, with what became of it.
CREATE TABLE requests_new (
    key         TEXT    PRIMARY KEY,
    fingerprint TEXT    NOT NULL,             -- SHA-256 of the parameters, hex; '': sealed before it was asked for
    kind        TEXT    NOT NULL CHECK (kind IN ('charge', 'authorise', 'capture', 'void', 'refund')),
    order_id    TEXT    NOT NULL,
    token       TEXT    NOT NULL,             -- of a charge: how it and what follows it behave
    charge      TEXT    NOT NULL,             -- reference of the charge that a later request is about
    asked       INTEGER NOT NULL,             -- minor units of currency, as all amounts here
    state       TEXT    NOT NULL CHECK (state IN ('succeeded', 'authorised', 'declined', 'requires_action', 'pending', 'cancelled')),
    reference   TEXT    NOT NULL UNIQUE,
    amount      INTEGER NOT NULL,             -- that moved
    currency    TEXT    NOT NULL,
    code        TEXT    NOT NULL,             -- of a decline
    message     TEXT    NOT NULL,
    action_url  TEXT    NOT NULL,             -- where the customer had to act
    settle_at   INTEGER NOT NULL,             -- when a pending one settles, 0: not by itself
    at          INTEGER NOT NULL,             -- microseconds since 1970, as all times
    changed_at  INTEGER NOT NULL,
    CHECK ((state IN ('succeeded', 'authorised')) = (amount > 0))
) WITHOUT ROWID;
INSERT INTO requests_new SELECT r.key, r.fingerprint, COALESCE(l.operation, 'charge'), COALESCE(l.order_id, ''), '', COALESCE(l.charge, ''), r.amount,
        r.state, r.reference, r.amount, r.currency, r.code, r.message, '', 0, r.at, r.at
    FROM requests r LEFT JOIN ledger l ON l.key = r.key;

-- The money that moved, in the order in which it did. Declines are not in it.
CREATE TABLE ledger_new (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    operation TEXT    NOT NULL CHECK (operation IN ('charge', 'authorise', 'capture', 'void', 'refund')),
    order_id  TEXT    NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount > 0),
    currency  TEXT    NOT NULL,
    key       TEXT    NOT NULL UNIQUE REFERENCES requests_new (key),
    reference TEXT    NOT NULL UNIQUE,
    charge    TEXT    NOT NULL,               -- reference of the charge that a later movement is about, '' for a charge
    at        INTEGER NOT NULL
);
INSERT INTO ledger_new SELECT sequence, id, operation, order_id, amount, currency, key, reference, charge, at FROM ledger;
DROP TABLE ledger;
DROP TABLE requests;
ALTER TABLE requests_new RENAME TO requests;
ALTER TABLE ledger_new RENAME TO ledger;
CREATE INDEX ledger_by_order ON ledger (order_id, sequence);
CREATE INDEX ledger_by_charge ON ledger (charge) WHERE charge <> '';
CREATE INDEX requests_by_change ON requests (changed_at, key);
CREATE INDEX requests_with_action ON requests (order_id) WHERE action_url <> '';
CREATE INDEX requests_to_settle ON requests (settle_at) WHERE settle_at > 0;

-- Webhooks that wait to be delivered. A row goes when its last copy is, or when nobody took it for days.
CREATE TABLE events (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    key        TEXT    NOT NULL,              -- of the request that it tells of
    body       TEXT    NOT NULL,
    copies     INTEGER NOT NULL CHECK (copies > 0),
    attempts   INTEGER NOT NULL DEFAULT 0,    -- in vain
    created_at INTEGER NOT NULL,
    deliver_at INTEGER NOT NULL
);
CREATE INDEX events_due ON events (deliver_at, sequence);

-- How often a fault that its token asks for has struck a request.
CREATE TABLE faults (
    key   TEXT    NOT NULL,
    what  TEXT    NOT NULL CHECK (what IN ('hang', 'lookup')),
    times INTEGER NOT NULL,
    PRIMARY KEY (key, what)
) WITHOUT ROWID;

-- The secret that webhooks are signed with, made once. One row at most.
CREATE TABLE secret (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    secret BLOB    NOT NULL
);
