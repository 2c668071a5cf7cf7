-- The journal: what was redeemed and what was rolled back. Append-only: balances and counters of
-- vouchers can be recomputed from it (`scrip verify`).

CREATE TABLE redemption (
    -- First 128 bits of SHA-256 over code, machine and order: the idempotency key.
    key           uuid PRIMARY KEY,
    -- The same over what was asked, to tell a repeat from another order under the same id.
    fingerprint   uuid NOT NULL,
    voucher       uuid NOT NULL,
    campaign      bigint NOT NULL,
    machine       bigint NOT NULL,
    location      bigint NOT NULL,
    requester     text NOT NULL,
    order_id      text NOT NULL,
    order_amount  bigint NOT NULL,
    amount_off    bigint NOT NULL CHECK (amount_off >= 0),
    -- A discount's value; a gift's balance after this redemption.
    voucher_value bigint NOT NULL,
    campaign_type text NOT NULL,
    currency      text NOT NULL,
    period_start  timestamptz NOT NULL,
    request       text NOT NULL,
    occurred_at   timestamptz NOT NULL
);
CREATE INDEX redemption_voucher ON redemption (voucher, occurred_at);
CREATE INDEX redemption_campaign ON redemption (campaign, occurred_at);

CREATE TABLE redemption_rollback (
    key           uuid PRIMARY KEY,
    voucher       uuid NOT NULL,
    campaign      bigint NOT NULL,
    machine       bigint NOT NULL,
    location      bigint NOT NULL,
    requester     text NOT NULL,
    order_id      text NOT NULL,
    amount_off    bigint NOT NULL,
    voucher_value bigint NOT NULL,
    currency      text NOT NULL,
    reason        text,
    occurred_at   timestamptz NOT NULL
);
CREATE INDEX redemption_rollback_voucher ON redemption_rollback (voucher, occurred_at);
CREATE INDEX redemption_rollback_campaign ON redemption_rollback (campaign, occurred_at);

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER redemption_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON redemption
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER redemption_rollback_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON redemption_rollback
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Who asked for what, besides the redemptions (which the journal holds): validations, refusals,
-- releases, rollbacks. By month, so that old months can be taken away whole.
CREATE SEQUENCE voucher_log_id CACHE 100;
CREATE TABLE voucher_log (
    id         bigint NOT NULL DEFAULT nextval('voucher_log_id'),
    voucher    uuid NOT NULL,
    action     text NOT NULL,
    success    boolean NOT NULL,
    requester  text NOT NULL,
    location   bigint NOT NULL,
    request    text NOT NULL,
    response   text NOT NULL,
    currency   text NOT NULL,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (created_at);
CREATE INDEX voucher_log_voucher ON voucher_log (voucher, created_at);
CREATE TABLE voucher_log_rest PARTITION OF voucher_log DEFAULT;

-- What customers paid with; a redemption leaves a payment of method 'code'.
CREATE SEQUENCE payment_transaction_id CACHE 100;
CREATE TABLE payment_transaction (
    id          bigint NOT NULL DEFAULT nextval('payment_transaction_id'),
    machine     bigint NOT NULL,
    location    bigint NOT NULL,
    method      text NOT NULL,
    price       bigint NOT NULL,
    currency    text NOT NULL,
    redemption  uuid,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX payment_transaction_occurred ON payment_transaction USING brin (occurred_at);
