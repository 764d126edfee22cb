-- +goose Up

-- The secret that stands in for customers who were erased: see modules/pricing/internal/pricebook/erase.go. One for each coupon, so that
-- the stand-ins of two coupons can't be put together.
CREATE TABLE stand_ins (
    code   TEXT COLLATE "C" PRIMARY KEY, -- of the promotion
    secret TEXT COLLATE "C" NOT NULL
);

-- +goose Down
DROP TABLE stand_ins;
