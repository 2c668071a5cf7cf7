-- An order belongs to its voucher's code as printed. Redemptions of generated codes that were typed with O for 0,
-- or I or L for 1, or have such letters in their prefix, get the id that every spelling leads to: it is made of
-- voucher.key in place of what was typed.
--
-- Where one order was redeemed in two spellings, the first keeps the order; the other stays as it is.

CREATE TEMP TABLE renamed ON COMMIT DROP AS
    SELECT DISTINCT ON (new) old, new
    FROM (
        SELECT r.id AS old, r.occurred_at,
               (left(first_redemption(v.key)::text, 8)
                || left(encode(sha256(convert_to(v.key, 'UTF8') || '\x00' || convert_to(r.machine::text, 'UTF8') || '\x00'
                                      || convert_to(r.order_id, 'UTF8') || '\x00'), 'hex'), 24))::uuid AS new
        FROM redemption r JOIN voucher v ON v.id = r.voucher
        WHERE v.generated
    ) AS one
    WHERE old <> new AND NOT EXISTS (SELECT FROM redemption WHERE id = new)
    ORDER BY new, occurred_at, old;
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
