-- +goose Up

-- What becomes of an order after its checkout: parcels, returns, refunds by line, notes; search; and the end of personal data.

ALTER TABLE orders ADD COLUMN fulfilment_status TEXT NOT NULL DEFAULT 'unfulfilled'
    CHECK (fulfilment_status IN ('unfulfilled', 'partially_fulfilled', 'fulfilled'));
ALTER TABLE orders ADD COLUMN erased_at INTEGER NOT NULL DEFAULT 0; -- when its personal data were erased

-- Of completed orders alone: the others have nothing to send.
CREATE INDEX orders_by_fulfilment ON orders (fulfilment_status, status, id) WHERE status = 'completed';
CREATE INDEX sagas_to_capture ON sagas (order_id) WHERE state = 'awaiting_capture';

ALTER TABLE events ADD COLUMN subject TEXT NOT NULL DEFAULT ''; -- the fulfilment or return that it tells of

-- Units that are sent together. Lines are a list of {line, sku, quantity} here and below.
CREATE TABLE fulfilments (
    id              TEXT PRIMARY KEY,
    order_id        TEXT NOT NULL REFERENCES orders (id),
    status          TEXT NOT NULL CHECK (status IN ('created', 'shipped', 'delivered', 'cancelled')),
    lines           TEXT NOT NULL,
    carrier         TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    tracking_url    TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX fulfilments_by_order ON fulfilments (order_id, id);

-- Units that come back.
CREATE TABLE returns (
    id            TEXT PRIMARY KEY,
    order_id      TEXT NOT NULL REFERENCES orders (id),
    status        TEXT NOT NULL CHECK (status IN ('requested', 'received', 'refunded', 'cancelled')),
    lines         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    refund        INTEGER NOT NULL CHECK (refund IN (0, 1)),
    refund_amount INTEGER NOT NULL, -- minor units; 0: the share of its lines; what was given back, once it is received
    restock       INTEGER NOT NULL CHECK (restock IN (0, 1)),
    location      TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX returns_by_order ON returns (order_id, id);

-- Refunds of units, so that each is given back once and all of them come to the total of their line. Written when the refund is
-- decided; payments tells what came of it. Lines are a list of {line, sku, quantity, withdrawn, amount}.
CREATE TABLE refunds (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    lines      TEXT NOT NULL,
    shipping   INTEGER NOT NULL CHECK (shipping IN (0, 1)), -- what the shipping cost went with it
    amount     INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX refunds_by_order ON refunds (order_id, id);

-- Units that inventory is to put back: its part of a return or refund, asked for until it answers.
CREATE TABLE restocks (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    return_id  TEXT NOT NULL,
    lines      TEXT NOT NULL,
    location   TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    problem    TEXT NOT NULL, -- why it was refused
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX restocks_by_order ON restocks (order_id, id);

CREATE TABLE notes (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    author     TEXT NOT NULL, -- id of the API key
    text       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX notes_by_order ON notes (order_id, id);

-- What an order can be found by: "sku=MUG-1", "coupon=SPRING10", "metadata.cart=c1", "email=ada@example.com" in
-- lower case, and the words of its customer, "word=ada". Orders from before have no words.
CREATE TABLE terms (
    term     TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (id),
    PRIMARY KEY (term, order_id)
) WITHOUT ROWID;
INSERT OR IGNORE INTO terms SELECT 'sku=' || json_extract(l.value, '$.sku'), o.id FROM orders o, json_each(o.lines) l;
INSERT OR IGNORE INTO terms SELECT 'coupon=' || coupon, id FROM orders WHERE coupon <> '';
INSERT OR IGNORE INTO terms SELECT 'metadata.' || m.key || '=' || m.value, o.id FROM orders o, json_each(o.metadata) m;
INSERT OR IGNORE INTO terms SELECT 'email=' || lower(customer_email), id FROM orders;
DROP INDEX orders_by_email; -- which would be the same once more, at another random place for each order

-- Who asked that a customer's personal data be erased, and how far that is. The customer is named only until it is done.
CREATE TABLE erasures (
    id           TEXT PRIMARY KEY,
    email        TEXT NOT NULL,
    customer_id  TEXT NOT NULL,
    requested_by TEXT NOT NULL, -- id of the API key
    requested_at INTEGER NOT NULL,
    next_at      INTEGER NOT NULL, -- 0: it is done
    done_at      INTEGER NOT NULL,
    orders       INTEGER NOT NULL, -- erased by it
    waiting      INTEGER NOT NULL CHECK (waiting IN (0, 1)) -- an order of the customer is not at its end yet
) WITHOUT ROWID;
CREATE INDEX erasures_due ON erasures (next_at) WHERE next_at > 0;

CREATE INDEX idempotency_keys_by_subject ON idempotency_keys (subject);

-- +goose Down
SELECT 'the way back is a restored backup' WHERE 0;
