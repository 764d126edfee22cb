-- +goose Up

-- Units are taken from active locations, of a lower priority first, then by code.
ALTER TABLE locations ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE locations ADD COLUMN active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1));

-- backordered is what orders and carts were promised and no shelf has given yet: the sum of their lines at no location, without
-- those of released orders.
ALTER TABLE items ADD COLUMN backorder_limit INTEGER NOT NULL DEFAULT 0 CHECK (backorder_limit >= 0);         -- 0: none
ALTER TABLE items ADD COLUMN backordered INTEGER NOT NULL DEFAULT 0 CHECK (backordered >= 0);
ALTER TABLE items ADD COLUMN low_stock_threshold INTEGER NOT NULL DEFAULT 0 CHECK (low_stock_threshold >= 0); -- 0: none
ALTER TABLE items ADD COLUMN kit INTEGER NOT NULL DEFAULT 0 CHECK (kit IN (0, 1));                            -- has components

CREATE TABLE components (
    kit      TEXT    NOT NULL REFERENCES items (sku),
    sku      TEXT    NOT NULL REFERENCES items (sku),
    quantity INTEGER NOT NULL CHECK (quantity > 0), -- for each unit of the kit
    PRIMARY KEY (kit, sku),
    CHECK (kit <> sku)
) WITHOUT ROWID;
CREATE INDEX components_by_part ON components (sku);

-- The kits that an order wanted with what they were made of then, as JSON; '': none.
ALTER TABLE reservations ADD COLUMN kits TEXT NOT NULL DEFAULT '';

-- From here on a line changes after its reservation was made: units come back by a restock, and what was promised is allotted.
ALTER TABLE reservation_lines ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0 AND returned <= quantity);
CREATE INDEX reservation_lines_promised ON reservation_lines (sku) WHERE location = '';

UPDATE items SET backordered = (SELECT COALESCE(SUM(l.quantity), 0) FROM reservation_lines l JOIN reservations r ON r.order_id = l.order_id
        WHERE l.sku = items.sku AND l.location = '' AND r.state <> 'released')
    + (SELECT COALESCE(SUM(quantity), 0) FROM hold_lines WHERE sku = items.sku AND location = '');

-- The answer to each restock, so that a repeat gets it again.
CREATE TABLE restocks (
    order_id   TEXT NOT NULL,
    restock_id TEXT NOT NULL,
    asked      TEXT NOT NULL, -- tells a repeat from another wish
    answer     TEXT NOT NULL, -- JSON
    at         INTEGER NOT NULL,
    PRIMARY KEY (order_id, restock_id)
) WITHOUT ROWID;

-- What the available units of items crossed, in the commit that made it true.
CREATE TABLE events (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind      TEXT    NOT NULL CHECK (kind IN ('low_stock', 'out_of_stock', 'back_in_stock')),
    sku       TEXT    NOT NULL,
    available INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    at        INTEGER NOT NULL
);

-- The ledger again, for its new kinds: SQLite can't change a check in place.
CREATE TABLE movements_2 (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    sku            TEXT NOT NULL,
    location       TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('received', 'adjusted', 'counted', 'transferred', 'consumed', 'returned')),
    delta          INTEGER NOT NULL,
    on_hand        INTEGER NOT NULL CHECK (on_hand >= 0), -- after it
    reason         TEXT NOT NULL,
    reference      TEXT NOT NULL, -- the order or the transfer, where there is one
    actor          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    at             INTEGER NOT NULL
);
INSERT INTO movements_2 SELECT seq, id, sku, location, kind, delta, on_hand, reason, reference, actor, correlation_id, at FROM movements;
DROP TABLE movements; -- with its index and its triggers
ALTER TABLE movements_2 RENAME TO movements;
CREATE INDEX movements_by_sku ON movements (sku, seq);

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_changed BEFORE UPDATE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_deleted BEFORE DELETE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
-- +goose StatementEnd

-- +goose Down
-- What was received, counted or transferred was adjusted before. What came back by a restock can't be told from then on, so a release
-- would bring it back again: go down only before the first restock.
CREATE TABLE movements_1 (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    sku            TEXT NOT NULL,
    location       TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('adjusted', 'consumed', 'returned')),
    delta          INTEGER NOT NULL,
    on_hand        INTEGER NOT NULL CHECK (on_hand >= 0),
    reason         TEXT NOT NULL,
    reference      TEXT NOT NULL,
    actor          TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    at             INTEGER NOT NULL
);
INSERT INTO movements_1 SELECT seq, id, sku, location, CASE WHEN kind IN ('consumed', 'returned') THEN kind ELSE 'adjusted' END,
    delta, on_hand, reason, reference, actor, correlation_id, at FROM movements;
DROP TABLE movements;
ALTER TABLE movements_1 RENAME TO movements;
CREATE INDEX movements_by_sku ON movements (sku, seq);

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_changed BEFORE UPDATE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER movements_are_not_deleted BEFORE DELETE ON movements
BEGIN SELECT RAISE(ABORT, 'movements are never deleted'); END;
-- +goose StatementEnd

DROP TABLE events;
DROP TABLE restocks;
DROP INDEX reservation_lines_promised;
ALTER TABLE reservation_lines DROP COLUMN returned;
ALTER TABLE reservations DROP COLUMN kits;
DROP TABLE components;
ALTER TABLE items DROP COLUMN kit;
ALTER TABLE items DROP COLUMN low_stock_threshold;
ALTER TABLE items DROP COLUMN backordered;
ALTER TABLE items DROP COLUMN backorder_limit;
ALTER TABLE locations DROP COLUMN active;
ALTER TABLE locations DROP COLUMN priority;
