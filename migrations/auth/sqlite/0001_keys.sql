-- +goose Up
CREATE TABLE keys (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    hint       TEXT NOT NULL,    -- first characters of the secret
    digest     TEXT NOT NULL UNIQUE, -- SHA-256 of the secret, hex
    scopes     TEXT NOT NULL,    -- separated by spaces
    created_at INTEGER NOT NULL, -- microseconds since 1970, as all times
    revoked_at INTEGER NOT NULL  -- 0: valid
);

-- +goose Down
DROP TABLE keys;
