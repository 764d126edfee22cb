-- +goose Up

-- How the price of an order came about: for whom, by which quote, and by which versions of pricing's rules. The trace is pricing's, in
-- JSON, and belongs to the lines and totals beside it; an order from before has none.
ALTER TABLE orders ADD COLUMN customer_group TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN quote TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN price_trace TEXT COLLATE "C" NOT NULL DEFAULT 'null';

-- +goose Down
SELECT 'the way back is a restored backup' WHERE false;
