-- What payments are shown as, in the words that methods have: cashless is card, free is virtual, and tokens can be
-- told apart. Rows, their sums, profiles and charts that stand are renamed. No sum changes, so nothing is summed again.

LOCK TABLE payment_transaction, payment_transaction_archive, payments_rollup, transaction_profile, chart
    IN SHARE ROW EXCLUSIVE MODE;

DO $rename$
DECLARE
    payments text;
BEGIN
    FOREACH payments IN ARRAY ARRAY['payment_transaction', 'payment_transaction_archive'] LOOP
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT payment_transaction_type_check', payments);
        EXECUTE format('ALTER TABLE %I DISABLE TRIGGER roll_up_changed', payments);
        EXECUTE format($update$
            UPDATE %I SET type = CASE type WHEN 'cashless' THEN 'card' ELSE 'virtual' END WHERE type IN ('cashless', 'free')
        $update$, payments);
        EXECUTE format('ALTER TABLE %I ENABLE TRIGGER roll_up_changed', payments);
        EXECUTE format($check$
            ALTER TABLE %I ADD CONSTRAINT payment_transaction_type_check
                CHECK (type IN ('cash', 'card', 'virtual', 'voucher', 'token', 'test', 'other'))
        $check$, payments);
    END LOOP;
END $rename$;

UPDATE payments_rollup SET type = CASE type WHEN 'cashless' THEN 'card' ELSE 'virtual' END
WHERE type IN ('cashless', 'free');

-- The record of changes is of what people do.
ALTER TABLE transaction_profile DISABLE TRIGGER activity;
UPDATE transaction_profile p SET payment_types_map = (
    SELECT jsonb_object_agg(m.method, CASE m.type WHEN 'cashless' THEN 'card' WHEN 'free' THEN 'virtual' ELSE m.type END)
    FROM jsonb_each_text(p.payment_types_map) m(method, type))
WHERE EXISTS (SELECT FROM jsonb_each_text(p.payment_types_map) m(method, type) WHERE m.type IN ('cashless', 'free'));
ALTER TABLE transaction_profile ENABLE TRIGGER activity;

ALTER TABLE chart DISABLE TRIGGER activity;
UPDATE chart c SET criteria = jsonb_set(c.criteria, '{where}', (
    SELECT jsonb_agg(CASE WHEN w.condition ->> 'field' = 'type'
                          THEN jsonb_set(w.condition, '{value}',
                                         regexp_replace(regexp_replace((w.condition -> 'value')::text, '\mcashless\M', 'card', 'g'),
                                                        '\mfree\M', 'virtual', 'g')::jsonb)
                          ELSE w.condition END ORDER BY w.place)
    FROM jsonb_array_elements(c.criteria -> 'where') WITH ORDINALITY w(condition, place)))
WHERE c.criteria ->> 'from' = 'payments'
  AND EXISTS (SELECT FROM jsonb_array_elements(c.criteria -> 'where') w(condition)
              WHERE w.condition ->> 'field' = 'type' AND (w.condition -> 'value')::text ~ '\m(cashless|free)\M');
ALTER TABLE chart ENABLE TRIGGER activity;
