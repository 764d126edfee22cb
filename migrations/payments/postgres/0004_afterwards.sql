-- +goose Up

-- A refund that succeeded may fail afterwards: the customer's bank sends the money back.
CREATE TABLE operations_new (
    id              TEXT COLLATE "C" PRIMARY KEY,
    payment_id      TEXT COLLATE "C" NOT NULL REFERENCES payments (id),
    kind            TEXT COLLATE "C" NOT NULL CHECK (kind IN ('charge', 'authorise', 'capture', 'void', 'refund', 'mark_paid')),
    refund_id       TEXT COLLATE "C" NOT NULL DEFAULT '',    -- the caller's key, of a capture, refund or void
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'requires_action', 'succeeded', 'declined', 'cancelled', 'disputed', 'failed')),
    amount          BIGINT NOT NULL CHECK (amount > 0),
    currency        TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    requested       BIGINT NOT NULL DEFAULT 0,     -- as the caller said it, 0: all that was left
    key             TEXT COLLATE "C" NOT NULL UNIQUE,        -- the idempotency key that the provider sees
    reason          TEXT COLLATE "C" NOT NULL DEFAULT '',    -- of a refund or void
    reference       TEXT COLLATE "C" NOT NULL DEFAULT '',    -- the provider's id, or an operator's proof
    moved_amount    BIGINT NOT NULL DEFAULT 0,     -- what the provider says that it moved
    moved_currency  TEXT COLLATE "C" NOT NULL DEFAULT '',
    failure_code    TEXT COLLATE "C" NOT NULL DEFAULT '',    -- why it was declined, or failed
    failure_message TEXT COLLATE "C" NOT NULL DEFAULT '',
    attempts        BIGINT NOT NULL CHECK (attempts >= 0), -- how often it may have been sent
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL DEFAULT 0,     -- 0: it has not
    final           BIGINT NOT NULL DEFAULT 1,     -- of a capture, what it leaves is free
    UNIQUE (payment_id, kind, refund_id),
    CHECK ((status IN ('succeeded', 'declined', 'cancelled', 'failed')) = (ended_at > 0)),
    CHECK ((status IN ('declined', 'failed')) = (failure_code <> '')),
    CHECK (status <> 'failed' OR kind = 'refund'),
    CHECK (status <> 'succeeded' OR (moved_amount = amount AND moved_currency = currency))
);
INSERT INTO operations_new (id, payment_id, kind, refund_id, status, amount, currency, requested, key, reason, reference, moved_amount, moved_currency,
        failure_code, failure_message, attempts, started_at, ended_at, final)
    SELECT id, payment_id, kind, refund_id, status, amount, currency, requested, key, reason, reference, moved_amount, moved_currency,
        failure_code, failure_message, attempts, started_at, ended_at, final
    FROM operations;
DROP TABLE operations;
ALTER TABLE operations_new RENAME TO operations;
CREATE INDEX operations_by_reference ON operations (reference) WHERE reference <> '';

-- The second wall: nothing is asked of the provider that is more than is left, whatever the program thinks. It stands where an
-- operation is written, before the request. What the provider says that it moved is written down even where it is too much.
-- +goose StatementBegin
CREATE FUNCTION capture_within_authorised() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.amount > (SELECT SUM(CASE WHEN kind = 'authorise' THEN moved_amount
            WHEN kind = 'capture' AND status <> 'declined' THEN -GREATEST(amount, moved_amount) ELSE 0 END)
        FROM operations WHERE payment_id = NEW.payment_id) THEN
        RAISE EXCEPTION 'a capture of more than is left of what was authorised';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER captures_within_authorised BEFORE INSERT ON operations FOR EACH ROW WHEN (NEW.kind = 'capture')
    EXECUTE FUNCTION capture_within_authorised();
-- +goose StatementBegin
CREATE FUNCTION refund_within_captured() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.amount > (SELECT COALESCE(NULLIF(SUM(CASE WHEN kind IN ('charge', 'capture') THEN moved_amount ELSE 0 END), 0),
            SUM(CASE WHEN kind = 'mark_paid' THEN moved_amount ELSE 0 END))
        - SUM(CASE WHEN kind = 'refund' AND status NOT IN ('declined', 'failed') THEN GREATEST(amount, moved_amount) ELSE 0 END)
        FROM operations WHERE payment_id = NEW.payment_id) THEN
        RAISE EXCEPTION 'a refund of more than is left of what was captured';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER refunds_within_captured BEFORE INSERT ON operations FOR EACH ROW WHEN (NEW.kind = 'refund')
    EXECUTE FUNCTION refund_within_captured();

-- An authorisation is watched for as long as something of it can be captured, and authorised_until is 0 from then on.
DROP INDEX payments_expiring;
UPDATE payments SET authorised_until = 0 WHERE authorised_until > 0 AND (captured >= authorised OR EXISTS
    (SELECT 1 FROM operations o WHERE o.payment_id = payments.id AND o.status = 'succeeded' AND (o.kind = 'void' OR o.kind = 'capture' AND o.final = 1)));
CREATE INDEX payments_expiring ON payments (authorised_until) WHERE authorised_until > 0 AND expiry_told < 2;
