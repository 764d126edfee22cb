-- +goose Up

-- What is known of a SKU's prices beside the prices themselves. A set is put whole: its version grows with every put.
CREATE TABLE price_sets (
    sku          TEXT COLLATE "C" PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64),
    tax_category TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL CHECK (version > 0),
    created_at   BIGINT NOT NULL, -- microseconds since 1970, as all times
    updated_at   BIGINT NOT NULL
);

-- What one unit costs in a currency, from a quantity on. The key is also the order in which a tier is looked for.
CREATE TABLE prices (
    sku          TEXT COLLATE "C" NOT NULL REFERENCES price_sets (sku),
    currency     TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    min_quantity BIGINT NOT NULL CHECK (min_quantity >= 1),
    amount       BIGINT NOT NULL CHECK (amount >= 0), -- minor units
    PRIMARY KEY (sku, currency, min_quantity)
);

-- +goose Down
DROP TABLE prices;
DROP TABLE price_sets;
