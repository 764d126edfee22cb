-- +goose Up

-- What one of all instances does every so often, and from when on it is somebody's turn again.
CREATE TABLE turns (
    what    TEXT    PRIMARY KEY,
    next_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE turns;
