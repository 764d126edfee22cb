-- +goose Up
CREATE TABLE keys (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    hint       TEXT COLLATE "C" NOT NULL,    -- first characters of the secret
    digest     TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the secret, hex
    scopes     TEXT COLLATE "C" NOT NULL,    -- separated by spaces
    created_at BIGINT NOT NULL, -- microseconds since 1970, as all times
    revoked_at BIGINT NOT NULL  -- 0: valid
);

-- +goose Down
DROP TABLE keys;
