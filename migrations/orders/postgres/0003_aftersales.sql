-- +goose Up

-- What becomes of an order after its checkout: parcels, returns, refunds by line, notes; search; and the end of personal data.

ALTER TABLE orders ADD COLUMN fulfilment_status TEXT COLLATE "C" NOT NULL DEFAULT 'unfulfilled'
    CHECK (fulfilment_status IN ('unfulfilled', 'partially_fulfilled', 'fulfilled'));
ALTER TABLE orders ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0; -- when its personal data were erased

-- Of completed orders alone: the others have nothing to send.
CREATE INDEX orders_by_fulfilment ON orders (fulfilment_status, status, id) WHERE status = 'completed';
CREATE INDEX sagas_to_capture ON sagas (order_id) WHERE state = 'awaiting_capture';

ALTER TABLE events ADD COLUMN subject TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the fulfilment or return that it tells of

-- Units that are sent together. Lines are a list of {line, sku, quantity} here and below.
CREATE TABLE fulfilments (
    id              TEXT COLLATE "C" PRIMARY KEY,
    order_id        TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('created', 'shipped', 'delivered', 'cancelled')),
    lines           TEXT COLLATE "C" NOT NULL,
    carrier         TEXT COLLATE "C" NOT NULL,
    tracking_number TEXT COLLATE "C" NOT NULL,
    tracking_url    TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX fulfilments_by_order ON fulfilments (order_id, id);

-- Units that come back.
CREATE TABLE returns (
    id            TEXT COLLATE "C" PRIMARY KEY,
    order_id      TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('requested', 'received', 'refunded', 'cancelled')),
    lines         TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C" NOT NULL,
    refund        BIGINT NOT NULL CHECK (refund IN (0, 1)),
    refund_amount BIGINT NOT NULL, -- minor units; 0: the share of its lines; what was given back, once it is received
    restock       BIGINT NOT NULL CHECK (restock IN (0, 1)),
    location      TEXT COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX returns_by_order ON returns (order_id, id);

-- Refunds of units, so that each is given back once and all of them come to the total of their line. Written when the refund is
-- decided; payments tells what came of it. Lines are a list of {line, sku, quantity, withdrawn, amount}.
CREATE TABLE refunds (
    id         TEXT COLLATE "C" PRIMARY KEY,
    order_id   TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    lines      TEXT COLLATE "C" NOT NULL,
    shipping   BIGINT NOT NULL CHECK (shipping IN (0, 1)), -- what the shipping cost went with it
    amount     BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX refunds_by_order ON refunds (order_id, id);

-- Units that inventory is to put back: its part of a return or refund, asked for until it answers.
CREATE TABLE restocks (
    id         TEXT COLLATE "C" PRIMARY KEY,
    order_id   TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    return_id  TEXT COLLATE "C" NOT NULL,
    lines      TEXT COLLATE "C" NOT NULL,
    location   TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    problem    TEXT COLLATE "C" NOT NULL, -- why it was refused
    created_at BIGINT NOT NULL
);
CREATE INDEX restocks_by_order ON restocks (order_id, id);

CREATE TABLE notes (
    id         TEXT COLLATE "C" PRIMARY KEY,
    order_id   TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    author     TEXT COLLATE "C" NOT NULL, -- id of the API key
    text       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX notes_by_order ON notes (order_id, id);

-- What an order can be found by: "sku=MUG-1", "coupon=SPRING10", "metadata.cart=c1", "email=ada@example.com" in
-- lower case, and the words of its customer, "word=ada". Orders from before have no words.
CREATE TABLE terms (
    term     TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    PRIMARY KEY (term, order_id)
);
INSERT INTO terms SELECT 'sku=' || (l ->> 'sku'), o.id FROM orders o,
    json_array_elements(CASE json_typeof(o.lines::json) WHEN 'array' THEN o.lines::json ELSE '[]' END) l ON CONFLICT DO NOTHING;
INSERT INTO terms SELECT 'coupon=' || coupon, id FROM orders WHERE coupon <> '' ON CONFLICT DO NOTHING;
INSERT INTO terms SELECT 'metadata.' || m.key || '=' || m.value, o.id FROM orders o,
    json_each_text(CASE json_typeof(o.metadata::json) WHEN 'object' THEN o.metadata::json ELSE '{}' END) m ON CONFLICT DO NOTHING;
INSERT INTO terms SELECT 'email=' || lower(customer_email), id FROM orders ON CONFLICT DO NOTHING;
DROP INDEX orders_by_email; -- which would be the same once more, at another random place for each order

-- The number that stands at a path of a JSON text, as SQLite's function of that name finds it.
-- +goose StatementBegin
CREATE FUNCTION json_extract(body TEXT, path TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT (jsonb_path_query_first(body::jsonb, path::jsonpath) #>> '{}')::bigint $$;
-- +goose StatementEnd

-- Who asked that a customer's personal data be erased, and how far that is. The customer is named only until it is done.
CREATE TABLE erasures (
    id           TEXT COLLATE "C" PRIMARY KEY,
    email        TEXT COLLATE "C" NOT NULL,
    customer_id  TEXT COLLATE "C" NOT NULL,
    requested_by TEXT COLLATE "C" NOT NULL, -- id of the API key
    requested_at BIGINT NOT NULL,
    next_at      BIGINT NOT NULL, -- 0: it is done
    done_at      BIGINT NOT NULL,
    orders       BIGINT NOT NULL, -- erased by it
    waiting      BIGINT NOT NULL CHECK (waiting IN (0, 1)) -- an order of the customer is not at its end yet
);
CREATE INDEX erasures_due ON erasures (next_at) WHERE next_at > 0;

CREATE INDEX idempotency_keys_by_subject ON idempotency_keys (subject);

-- +goose Down
SELECT 'the way back is a restored backup' WHERE false;
