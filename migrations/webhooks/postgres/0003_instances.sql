-- +goose Up

-- By which the attempts under way at an endpoint are counted.
CREATE INDEX deliveries_sending ON deliveries (endpoint_id, due_at) WHERE sending = 1;

-- +goose Down
DROP INDEX deliveries_sending;
