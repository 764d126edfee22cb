-- +goose Up

-- What one of all instances does every so often, and from when on it is somebody's turn again.
CREATE TABLE turns (
    what    TEXT COLLATE "C" PRIMARY KEY,
    next_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE turns;
