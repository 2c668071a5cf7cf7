-- The PDF of all coupons of a campaign: the latest that was asked for. Where it stands is what its job
-- says; a campaign without one has no row. `campaign.vouchers_pdf_status` is no longer read.

CREATE TABLE coupon_print (
    campaign bigint PRIMARY KEY REFERENCES campaign ON DELETE CASCADE,
    job      bigint NOT NULL REFERENCES job,
    -- Sheet, bleed, marks and ruler as far as they were asked for; for the rest, the campaign's style.
    options  jsonb NOT NULL,
    asked_at timestamptz NOT NULL
);
CREATE INDEX coupon_print_job ON coupon_print (job);
CREATE INDEX coupon_print_asked_at ON coupon_print (asked_at);

-- A PDF of some thousand of its coupons, in the order of the vouchers' ids.
CREATE TABLE coupon_part (
    campaign     bigint NOT NULL REFERENCES coupon_print ON DELETE CASCADE,
    part         int NOT NULL CHECK (part > 0),
    vouchers     bigint NOT NULL CHECK (vouchers > 0),
    -- The next part begins behind it.
    last_voucher uuid NOT NULL,
    pages        bigint NOT NULL,
    -- What had to be done for texts to fit.
    notes        jsonb NOT NULL,
    length       bigint NOT NULL,
    crc32        bigint NOT NULL,
    -- SHA-256 of the bytes.
    hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
    bytes        bytea NOT NULL,
    PRIMARY KEY (campaign, part)
);
-- It is compressed as it is, and so a slice of it is read without the rest.
ALTER TABLE coupon_part ALTER bytes SET STORAGE EXTERNAL;

-- What a campaign's PDF and that of a single voucher can be.
ALTER TABLE voucher ADD CONSTRAINT voucher_pdf_status CHECK (pdf_status IN ('empty', 'ready')) NOT VALID;

CREATE INDEX job_latest ON job (kind, subject, id);
-- Why a job can't be done as it was asked for, for whoever did.
ALTER TABLE job ADD problem text;
