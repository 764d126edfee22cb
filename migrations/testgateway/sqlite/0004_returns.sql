-- +goose Up

-- A refund that came back stands in the ledger a second time, as refund_failed.
CREATE TABLE ledger_new (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    operation TEXT    NOT NULL CHECK (operation IN ('charge', 'authorise', 'capture', 'void', 'refund', 'refund_failed')),
    order_id  TEXT    NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount > 0),
    currency  TEXT    NOT NULL,
    key       TEXT    NOT NULL REFERENCES requests (key),
    reference TEXT    NOT NULL,
    charge    TEXT    NOT NULL,               -- reference of the charge that a later movement is about, '' for a charge
    at        INTEGER NOT NULL,
    UNIQUE (key, operation),
    UNIQUE (reference, operation)
);
INSERT INTO ledger_new SELECT sequence, id, operation, order_id, amount, currency, key, reference, charge, at FROM ledger;
DROP TABLE ledger;
ALTER TABLE ledger_new RENAME TO ledger;
CREATE INDEX ledger_by_order ON ledger (order_id, sequence);
CREATE INDEX ledger_by_charge ON ledger (charge) WHERE charge <> '';
