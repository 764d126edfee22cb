-- +goose Up

-- What a charge does later, beside what its token says.
ALTER TABLE requests ADD COLUMN final INTEGER NOT NULL DEFAULT 1; -- of a capture: what it leaves is free

-- Customers' demands to their banks. A test opens and decides them.
CREATE TABLE disputes (
    reference TEXT    PRIMARY KEY,
    charge    TEXT    NOT NULL UNIQUE, -- reference of the charge
    status    TEXT    NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    amount    INTEGER NOT NULL CHECK (amount > 0),
    currency  TEXT    NOT NULL
) WITHOUT ROWID;
