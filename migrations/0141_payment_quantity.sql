-- How often a payment counts in reports: once, and where a redemption is rolled back once less, so that both together
-- count as none.
ALTER TABLE voucher_payment ADD quantity smallint NOT NULL DEFAULT 1;
ALTER TABLE payment_transaction ADD quantity smallint NOT NULL DEFAULT 1;
ALTER TABLE payment_transaction_archive ADD quantity smallint NOT NULL DEFAULT 1;

CREATE OR REPLACE VIEW payment_transaction_ever AS
    SELECT * FROM payment_transaction UNION ALL SELECT * FROM payment_transaction_archive;

DO $make$
DECLARE
    event record;
BEGIN
    FOR event IN
        SELECT * FROM (VALUES ('arrived', 'SELECT 1 AS n, arrived.* FROM arrived'),
                              ('changed', 'SELECT 1 AS n, arrived.* FROM arrived
                                           UNION ALL SELECT -1, gone.* FROM gone')) AS e(word, rows)
    LOOP
        EXECUTE format($function$
            CREATE OR REPLACE FUNCTION payments_%1$s() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
                INSERT INTO payments_rollup AS r
                    (machine, grain, starts, location, user_group, shift, method, type, report_group, currency,
                     quantity, revenue)
                SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
                       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
                       t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
                       sum(t.n * t.quantity), sum(t.n * t.price)
                FROM (%2$s) t,
                     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
                WHERE NOT t.exclude
                GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
                HAVING sum(t.n * t.quantity) <> 0 OR sum(t.n * t.price) <> 0
                ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
                ON CONFLICT (machine, grain, starts, location, user_group, shift, method, type, report_group, currency)
                DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
                RETURN NULL;
            END $body$;
        $function$, event.word, event.rows);
    END LOOP;
END $make$;

CREATE OR REPLACE VIEW payments_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
       t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
       sum(t.quantity)::bigint AS quantity, sum(t.price)::bigint AS revenue
FROM payment_transaction_ever t,
     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
WHERE NOT t.exclude
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

-- Rollbacks from before this migration: the sums follow. Where nothing was paid, any of the two counts less.
DO $make$
DECLARE
    payments text;
BEGIN
    FOREACH payments IN ARRAY ARRAY['voucher_payment', 'payment_transaction', 'payment_transaction_archive'] LOOP
        EXECUTE format('UPDATE %I SET quantity = -1 WHERE redemption IS NOT NULL AND price < 0', payments);
    END LOOP;
    CREATE TEMPORARY TABLE undone ON COMMIT DROP AS
        SELECT max(p.id) AS id
        FROM (SELECT id, redemption FROM payment_transaction_ever WHERE redemption IS NOT NULL AND price = 0) p
        WHERE p.redemption IN (SELECT redemption FROM redemption_rollback WHERE amount_off = 0)
        GROUP BY p.redemption HAVING count(*) > 1;
    FOREACH payments IN ARRAY ARRAY['payment_transaction', 'payment_transaction_archive'] LOOP
        EXECUTE format('UPDATE %I SET quantity = -1 WHERE id IN (SELECT id FROM undone)', payments);
    END LOOP;
END $make$;
