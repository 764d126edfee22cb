-- +goose Up

-- Where stock lies. Times are microseconds since 1970, here and below.
CREATE TABLE locations (
    code       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE items (
    sku        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    backorder  INTEGER NOT NULL CHECK (backorder IN (0, 1)),
    version    INTEGER NOT NULL, -- of the description; the stock has its own
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The figures of an item at a location, from its first adjustment there on. The checks are the second wall against overselling;
-- the first is the condition of the update that reserves.
CREATE TABLE levels (
    sku      TEXT NOT NULL REFERENCES items (sku),
    location TEXT NOT NULL REFERENCES locations (code),
    on_hand  INTEGER NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    version  INTEGER NOT NULL,
    PRIMARY KEY (sku, location),
    CHECK (on_hand >= reserved)
) WITHOUT ROWID;

-- What an order did to the stock. A row is never deleted: it is also the proof that the order was answered already.
CREATE TABLE reservations (
    order_id   TEXT PRIMARY KEY,
    id         TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('held', 'consumed', 'released')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- The live holds, which are few, stay listable when the finished ones are many.
CREATE INDEX reservations_held ON reservations (order_id) WHERE state = 'held';

-- Written with their reservation, and never changed.
CREATE TABLE reservation_lines (
    order_id TEXT NOT NULL,
    sku      TEXT NOT NULL,
    location TEXT NOT NULL, -- '': backordered
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, sku, location)
) WITHOUT ROWID;

-- Every change of on hand. seq is the order in which they happened; ids of one millisecond don't tell.
CREATE TABLE movements (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    sku            TEXT NOT NULL,
    location       TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('adjusted', 'consumed', 'returned')),
    delta          INTEGER NOT NULL,
    on_hand        INTEGER NOT NULL CHECK (on_hand >= 0), -- after it
    reason         TEXT NOT NULL,
    reference      TEXT NOT NULL, -- the order, where there is one
    actor          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    at             INTEGER NOT NULL
);
CREATE INDEX movements_by_sku ON movements (sku, seq);

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_changed BEFORE UPDATE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_deleted BEFORE DELETE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
-- +goose StatementEnd

CREATE TABLE idempotency_keys (
    caller     TEXT NOT NULL,
    value      TEXT NOT NULL,
    digest     TEXT NOT NULL,
    subject    TEXT NOT NULL,            -- the movement that the command wrote
    answer     TEXT NOT NULL DEFAULT '', -- JSON
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, value)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE movements;
DROP TABLE reservation_lines;
DROP TABLE reservations;
DROP TABLE levels;
DROP TABLE items;
DROP TABLE locations;
