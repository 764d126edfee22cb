-- +goose Up

-- What carts hold, for a time. Unlike a reservation a hold is forgotten when it ends: it proves nothing about an order.
CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    asked      TEXT    NOT NULL, -- the lines as they were asked for: tells a repeat from another wish
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX holds_by_expiry ON holds (expires_at);

CREATE TABLE hold_lines (
    hold_id  TEXT    NOT NULL REFERENCES holds (id),
    sku      TEXT    NOT NULL,
    location TEXT    NOT NULL, -- '': backordered
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (hold_id, sku, location)
) WITHOUT ROWID;

-- What an audit set right: a figure that is not what its sources add up to is no movement, and must not look like one.
CREATE TABLE repairs (
    seq            INTEGER PRIMARY KEY,
    sku            TEXT    NOT NULL,
    location       TEXT    NOT NULL,
    problem        TEXT    NOT NULL, -- with the figures that were there
    on_hand        INTEGER NOT NULL, -- after it, as is reserved
    reserved       INTEGER NOT NULL,
    actor          TEXT    NOT NULL,
    correlation_id TEXT    NOT NULL,
    at             INTEGER NOT NULL
);

-- +goose StatementBegin
CREATE TRIGGER repairs_are_not_changed BEFORE UPDATE ON repairs
BEGIN SELECT RAISE(ABORT, 'repairs are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER repairs_are_not_deleted BEFORE DELETE ON repairs
BEGIN SELECT RAISE(ABORT, 'repairs are never deleted'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE repairs;
DROP TABLE hold_lines;
DROP TABLE holds;
