-- +goose Up

-- What is known of a SKU's prices beside the prices themselves. A set is put whole: its version grows with every put.
CREATE TABLE price_sets (
    sku          TEXT PRIMARY KEY CHECK (length(sku) BETWEEN 1 AND 64),
    tax_category TEXT    NOT NULL,
    version      INTEGER NOT NULL CHECK (version > 0),
    created_at   INTEGER NOT NULL, -- microseconds since 1970, as all times
    updated_at   INTEGER NOT NULL
) WITHOUT ROWID;

-- What one unit costs in a currency, from a quantity on. The key is also the order in which a tier is looked for.
CREATE TABLE prices (
    sku          TEXT    NOT NULL REFERENCES price_sets (sku),
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    min_quantity INTEGER NOT NULL CHECK (min_quantity >= 1),
    amount       INTEGER NOT NULL CHECK (amount >= 0), -- minor units
    PRIMARY KEY (sku, currency, min_quantity)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE prices;
DROP TABLE price_sets;
