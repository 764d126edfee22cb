-- +goose Up

-- Every version of every rule as it was put, price sets and promotions included. Rows are only ever added: a trace names them, and
-- is replayed from them. body is JSON: the terms of the rule.
CREATE TABLE history (
    kind    TEXT    NOT NULL CHECK (kind IN ('prices', 'price_list', 'promotion', 'tax_rate', 'shipping_method')),
    code    TEXT    NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    version INTEGER NOT NULL CHECK (version > 0),
    body    TEXT    NOT NULL,
    at      INTEGER NOT NULL, -- from then on it counted
    PRIMARY KEY (kind, code, version)
) WITHOUT ROWID;

INSERT INTO history (kind, code, version, body, at)
SELECT 'prices', s.sku, s.version, json_object('tax_category', s.tax_category, 'prices',
    json((SELECT json_group_array(json_object('currency', p.currency, 'amount', p.amount, 'min_quantity', p.min_quantity))
        FROM prices p WHERE p.sku = s.sku))), s.updated_at
FROM price_sets s;

INSERT INTO history (kind, code, version, body, at)
SELECT 'promotion', code, version, json_object('kind', kind, 'basis_points', basis_points, 'amounts', json(amounts),
    'starts_at', CASE WHEN starts_at <> 0 THEN strftime('%Y-%m-%dT%H:%M:%S', starts_at / 1000000, 'unixepoch') || printf('.%06dZ', starts_at % 1000000) END,
    'ends_at', CASE WHEN ends_at <> 0 THEN strftime('%Y-%m-%dT%H:%M:%S', ends_at / 1000000, 'unixepoch') || printf('.%06dZ', ends_at % 1000000) END,
    'limit', use_limit, 'limit_per_customer', customer_limit, 'active', json(CASE active WHEN 1 THEN 'true' ELSE 'false' END)), updated_at
FROM promotions;

-- The version of a price list, tax rate or shipping method that counts. Its terms are in the history.
CREATE TABLE rules (
    kind       TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, code),
    FOREIGN KEY (kind, code, version) REFERENCES history (kind, code, version)
) WITHOUT ROWID;

-- The version of a promotion that counts, and its uses: used counts those that orders hold or made final. The check is the second wall
-- behind the condition of the update that counts it up.
CREATE TABLE promotions_2 (
    code       TEXT PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    automatic  INTEGER NOT NULL CHECK (automatic IN (0, 1)), -- it is active, and needs no coupon
    use_limit  INTEGER NOT NULL CHECK (use_limit >= 0), -- 0: any number
    used       INTEGER NOT NULL CHECK (used >= 0),
    version    INTEGER NOT NULL CHECK (version > 0), -- of what is put; uses don't change it
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK (use_limit = 0 OR used <= use_limit)
) WITHOUT ROWID;
INSERT INTO promotions_2 SELECT code, 0, use_limit, used, version, created_at, updated_at FROM promotions;
DROP TABLE promotions;
ALTER TABLE promotions_2 RENAME TO promotions;

-- Figures that are honoured until they expire; the rows are deleted after that.
CREATE TABLE quotes (
    id         TEXT PRIMARY KEY,
    request    TEXT    NOT NULL, -- JSON
    answer     TEXT    NOT NULL, -- JSON
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX quotes_by_expiry ON quotes (expires_at);

-- +goose Down
SELECT 'the way back is a restored backup' WHERE 0;
