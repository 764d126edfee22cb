-- +goose Up

ALTER TABLE payments ADD COLUMN authorised_until INTEGER NOT NULL DEFAULT 0; -- 0: the provider did not say
ALTER TABLE payments ADD COLUMN multicapture INTEGER NOT NULL DEFAULT 0;     -- 1: it may be captured in parts
ALTER TABLE payments ADD COLUMN expiry_told INTEGER NOT NULL DEFAULT 0;      -- 1: that the authorisation ends soon; 2: that it has ended
ALTER TABLE payments ADD COLUMN disputes INTEGER NOT NULL DEFAULT 0;         -- how many there are
CREATE INDEX payments_expiring ON payments (authorised_until) WHERE status = 'authorised' AND authorised_until > 0 AND expiry_told < 2;

-- refund_id is the caller's key of captures too. final: of a capture, what it leaves is free.
ALTER TABLE operations ADD COLUMN final INTEGER NOT NULL DEFAULT 1;

ALTER TABLE changes ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- '': the payment is not what its last caller was told

-- The ledger. A row takes an amount from one account and gives it to another, so what all accounts hold is 0 whatever stands here.
CREATE TABLE entries (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id   TEXT    NOT NULL REFERENCES payments (id),
    order_id     TEXT    NOT NULL,
    cause        TEXT    NOT NULL, -- the operation, or the provider's id of the dispute
    debit        TEXT    NOT NULL CHECK (debit IN ('authorisations', 'commitments', 'provider', 'outside', 'sales', 'refunds', 'disputed', 'losses')),
    credit       TEXT    NOT NULL CHECK (credit IN ('authorisations', 'commitments', 'provider', 'outside', 'sales', 'refunds', 'disputed', 'losses')),
    amount       INTEGER NOT NULL CHECK (amount > 0),
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    at           INTEGER NOT NULL,
    CHECK (debit <> credit)
);
CREATE INDEX entries_by_payment ON entries (payment_id, sequence);
CREATE INDEX entries_by_order ON entries (order_id, sequence);

-- What moved before there was a ledger.
INSERT INTO entries (payment_id, order_id, cause, debit, credit, amount, currency, at)
    SELECT p.id, p.order_id, o.id,
        CASE o.kind WHEN 'refund' THEN 'refunds' WHEN 'authorise' THEN 'authorisations' WHEN 'mark_paid' THEN 'outside' ELSE 'provider' END,
        CASE o.kind WHEN 'refund' THEN 'provider' WHEN 'authorise' THEN 'commitments' ELSE 'sales' END,
        o.moved_amount, o.moved_currency, p.updated_at
    FROM operations o JOIN payments p ON p.id = o.payment_id
    WHERE o.moved_amount > 0 AND (o.kind IN ('charge', 'capture', 'refund')
        OR o.kind = 'authorise' AND NOT EXISTS (SELECT 1 FROM operations x WHERE x.payment_id = p.id AND x.kind IN ('void', 'capture') AND x.moved_amount > 0)
        OR o.kind = 'mark_paid' AND NOT EXISTS (SELECT 1 FROM operations x WHERE x.payment_id = p.id AND x.kind IN ('charge', 'capture') AND x.moved_amount > 0))
    ORDER BY o.id;

-- +goose StatementBegin
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- +goose StatementEnd

-- Customers' demands to their banks, as the provider tells of them.
CREATE TABLE disputes (
    reference  TEXT    PRIMARY KEY, -- the provider's id
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    status     TEXT    NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    currency   TEXT    NOT NULL CHECK (length(currency) = 3),
    reason     TEXT    NOT NULL,
    opened_at  INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX disputes_by_payment ON disputes (payment_id);

-- The latest comparisons of the provider's books with ours.
CREATE TABLE reconciliations (
    id     TEXT    PRIMARY KEY,
    report TEXT    NOT NULL -- payments.Reconciliation, as JSON
) WITHOUT ROWID;
