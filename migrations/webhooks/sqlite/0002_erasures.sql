-- +goose Up

-- Whether the personal data of its order were erased: what receivers answer to it is not kept any more, since they may repeat what they
-- were sent.
ALTER TABLE deliveries ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));
CREATE INDEX events_by_order ON events (order_id);

-- +goose Down
DROP INDEX events_by_order;
ALTER TABLE deliveries DROP COLUMN erased;
