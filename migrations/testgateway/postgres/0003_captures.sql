-- +goose Up

-- What a charge does later, beside what its token says.
ALTER TABLE requests ADD COLUMN final BIGINT NOT NULL DEFAULT 1; -- of a capture: what it leaves is free

-- Customers' demands to their banks. A test opens and decides them.
CREATE TABLE disputes (
    reference TEXT COLLATE "C" PRIMARY KEY,
    charge    TEXT COLLATE "C" NOT NULL UNIQUE, -- reference of the charge
    status    TEXT COLLATE "C" NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    amount    BIGINT NOT NULL CHECK (amount > 0),
    currency  TEXT COLLATE "C" NOT NULL
);
