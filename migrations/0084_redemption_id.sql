-- A redemption's id starts with four bytes of its code, so that the primary key also finds what a voucher
-- was spent on. The index that did lay all over a large journal, page by page.
--
-- Columns get new names: a server of before would look for orders under the ids of before, so it enters
-- nothing any more.

CREATE FUNCTION first_redemption(code text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT rpad(encode(substr(sha256(convert_to(code, 'UTF8') || '\x00'), 1, 4), 'hex'), 32, '0')::uuid
$$;
COMMENT ON FUNCTION first_redemption IS 'The least id that a redemption of a code can have, given voucher.key';

CREATE FUNCTION last_redemption(code text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT rpad(left(first_redemption(code)::text, 8), 32, 'f')::uuid
$$;
COMMENT ON FUNCTION last_redemption IS 'The greatest id that a redemption of a code can have, given voucher.key';

ALTER TABLE redemption RENAME key TO id;
ALTER TABLE redemption_rollback RENAME key TO redemption;

-- What a voucher was spent on, given voucher.key. In variables, so that the planner sees how few ids there are.
CREATE FUNCTION redemptions_of(of_voucher uuid, code text) RETURNS SETOF redemption STABLE ROWS 10 LANGUAGE plpgsql AS $$
DECLARE
    first uuid := first_redemption(code);
    last uuid := last_redemption(code);
BEGIN
    RETURN QUERY SELECT r.* FROM redemption r WHERE r.id BETWEEN first AND last AND r.voucher = of_voucher;
END $$;

CREATE TEMP TABLE renamed ON COMMIT DROP AS
    SELECT r.id AS old, (left(first_redemption(v.key)::text, 8) || left(replace(r.id::text, '-', ''), 24))::uuid AS new
    FROM redemption r JOIN voucher v ON v.id = r.voucher;
ANALYZE renamed;

ALTER TABLE redemption DISABLE TRIGGER redemption_append_only;
ALTER TABLE redemption_rollback DISABLE TRIGGER redemption_rollback_append_only;
UPDATE redemption r SET id = renamed.new FROM renamed WHERE r.id = renamed.old;
UPDATE redemption_rollback b SET redemption = renamed.new FROM renamed WHERE b.redemption = renamed.old;
ALTER TABLE redemption ENABLE TRIGGER redemption_append_only;
ALTER TABLE redemption_rollback ENABLE TRIGGER redemption_rollback_append_only;

UPDATE voucher_payment p SET redemption = renamed.new FROM renamed WHERE p.redemption = renamed.old;
UPDATE payment_transaction p SET redemption = renamed.new FROM renamed WHERE p.redemption = renamed.old;
UPDATE payment_transaction_archive p SET redemption = renamed.new FROM renamed WHERE p.redemption = renamed.old;
UPDATE delivery d SET facts = jsonb_set(d.facts, '{redemption}', to_jsonb(renamed.new))
FROM renamed WHERE d.facts->>'redemption' = renamed.old::text;

DROP INDEX redemption_voucher;
-- Nobody looks for rollbacks by voucher: the voucher log has them.
DROP INDEX redemption_rollback_voucher;

CREATE OR REPLACE FUNCTION put_redemptions_aside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM arrived WHERE redemption IS NOT NULL)
       AND EXISTS (SELECT FROM integration WHERE active AND url IS NOT NULL) THEN
        INSERT INTO delivery (integration, event, lane, machine, facts, occurred_at)
        SELECT l.integration, a.event, a.machine, a.machine,
               jsonb_build_object('id', translate(a.event, '._', '--') || '-' || a.redemption, 'redemption', a.redemption),
               a.occurred_at
        FROM (
            SELECT p.*, CASE WHEN p.price < 0 OR (p.price = 0 AND EXISTS (
                    SELECT FROM redemption_rollback b
                    WHERE b.redemption = p.redemption AND b.occurred_at = p.occurred_at))
                THEN 'voucher.rolled_back' ELSE 'voucher.redeemed' END AS event
            FROM arrived p WHERE p.redemption IS NOT NULL
        ) a JOIN listener l ON l.user_group = a.user_group AND l.event = a.event
        ORDER BY a.occurred_at, a.id;
    END IF;
    RETURN NULL;
END $$;
