-- +goose Up

-- Whether the personal data of its order were erased: what receivers answer to it is not kept any more, since they may repeat what they
-- were sent.
ALTER TABLE deliveries ADD COLUMN erased BIGINT NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));
CREATE INDEX events_by_order ON events (order_id);

-- By which keys that count no longer are found.
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- +goose Down
DROP INDEX idempotency_keys_by_age;
DROP INDEX events_by_order;
ALTER TABLE deliveries DROP COLUMN erased;
