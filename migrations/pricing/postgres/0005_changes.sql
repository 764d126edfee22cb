-- +goose Up

-- In which order the versions of rules were put, of all kinds together: by it, whoever keeps rules in memory knows what to read again.
-- Writers stand in line, so that no smaller number appears after a larger one. 0: from before there were numbers.
ALTER TABLE history ADD COLUMN change BIGINT NOT NULL DEFAULT 0;
CREATE INDEX history_by_change ON history (change);

-- +goose Down
DROP INDEX history_by_change;
ALTER TABLE history DROP COLUMN change;
