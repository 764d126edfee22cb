-- +goose Up

-- Every version of every rule as it was put, price sets and promotions included. Rows are only ever added: a trace names them, and
-- is replayed from them. body is JSON: the terms of the rule.
CREATE TABLE history (
    kind    TEXT COLLATE "C" NOT NULL CHECK (kind IN ('prices', 'price_list', 'promotion', 'tax_rate', 'shipping_method')),
    code    TEXT COLLATE "C" NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    version BIGINT NOT NULL CHECK (version > 0),
    body    TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL, -- from then on it counted
    PRIMARY KEY (kind, code, version)
);

INSERT INTO history (kind, code, version, body, at)
SELECT 'prices', s.sku, s.version, json_build_object('tax_category', s.tax_category, 'prices',
    (SELECT COALESCE(json_agg(json_build_object('currency', p.currency, 'amount', p.amount, 'min_quantity', p.min_quantity)
        ORDER BY p.currency, p.min_quantity), '[]') FROM prices p WHERE p.sku = s.sku))::text, s.updated_at
FROM price_sets s;

INSERT INTO history (kind, code, version, body, at)
SELECT 'promotion', code, version, json_build_object('kind', kind, 'basis_points', basis_points, 'amounts', amounts::json,
    'starts_at', CASE WHEN starts_at <> 0 THEN to_char(to_timestamp(starts_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((starts_at % 1000000)::text, 6, '0') || 'Z' END,
    'ends_at', CASE WHEN ends_at <> 0 THEN to_char(to_timestamp(ends_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || '.' || lpad((ends_at % 1000000)::text, 6, '0') || 'Z' END,
    'limit', use_limit, 'limit_per_customer', customer_limit, 'active', active = 1)::text, updated_at
FROM promotions;

-- The version of a price list, tax rate or shipping method that counts. Its terms are in the history.
CREATE TABLE rules (
    kind       TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    active     BIGINT NOT NULL CHECK (active IN (0, 1)),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (kind, code),
    FOREIGN KEY (kind, code, version) REFERENCES history (kind, code, version)
);

-- The version of a promotion that counts, and its uses: used counts those that orders hold or made final. The check is the second wall
-- behind the condition of the update that counts it up.
CREATE TABLE promotions_2 (
    code       TEXT COLLATE "C" PRIMARY KEY CHECK (length(code) BETWEEN 1 AND 64),
    automatic  BIGINT NOT NULL CHECK (automatic IN (0, 1)), -- it is active, and needs no coupon
    use_limit  BIGINT NOT NULL CHECK (use_limit >= 0), -- 0: any number
    used       BIGINT NOT NULL CHECK (used >= 0),
    version    BIGINT NOT NULL CHECK (version > 0), -- of what is put; uses don't change it
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (use_limit = 0 OR used <= use_limit)
);
INSERT INTO promotions_2 SELECT code, 0, use_limit, used, version, created_at, updated_at FROM promotions;
DROP TABLE promotions;
ALTER TABLE promotions_2 RENAME TO promotions;

-- Figures that are honoured until they expire; the rows are deleted after that.
CREATE TABLE quotes (
    id         TEXT COLLATE "C" PRIMARY KEY,
    request    TEXT COLLATE "C" NOT NULL, -- JSON
    answer     TEXT COLLATE "C" NOT NULL, -- JSON
    expires_at BIGINT NOT NULL
);
CREATE INDEX quotes_by_expiry ON quotes (expires_at);

-- +goose Down
SELECT 'the way back is a restored backup' WHERE false;
