-- Sums by grain, each in a table of its own: whoever asks for days reads no hours. And sales of days and
-- months without what tells products and shifts apart, which most questions about years do not ask for.

-- Nobody writes rows meanwhile: what is under way would be summed up by the old rules.
LOCK TABLE revenue_transaction, revenue_transaction_archive, payment_transaction, payment_transaction_archive,
    machine_log, machine_log_archive IN SHARE ROW EXCLUSIVE MODE;

DO $make$
DECLARE
    sums record;
    one text;
BEGIN
    FOR sums IN
        SELECT what || '_rollup' AS now, what || '_before' AS before, grains, keys FROM (VALUES
            ('sales', ARRAY['hour', 'day', 'month', 'total_day', 'total_month'], 'shift, product, currency, name'),
            ('payments', ARRAY['day', 'month'], 'shift, method, type, report_group, currency'),
            ('events', ARRAY['day', 'month'], 'code, error_identity, type')) AS s(what, grains, keys)
    LOOP
        EXECUTE format('ALTER TABLE %1$I DROP CONSTRAINT %2$I; DROP INDEX %3$I; ALTER TABLE %1$I RENAME TO %4$I',
                       sums.now, sums.now || '_pkey', sums.now || '_user_group', sums.before);
        EXECUTE format('CREATE TABLE %I (LIKE %I) PARTITION BY LIST (grain)', sums.now, sums.before);
        FOREACH one IN ARRAY sums.grains LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L) WITH (fillfactor = 85)',
                           sums.now || '_' || one, sums.now, one);
        END LOOP;
        EXECUTE format('INSERT INTO %1$I SELECT * FROM %2$I; DROP TABLE %2$I', sums.now, sums.before);
        -- The grain is the same in all of a table: it comes last.
        EXECUTE format('ALTER TABLE %1$I ADD PRIMARY KEY (machine, starts, location, user_group, %2$s, grain)',
                       sums.now, sums.keys);
        EXECUTE format('CREATE INDEX %I ON %I (user_group, starts)', sums.now || '_user_group', sums.now);
    END LOOP;
END $make$;

INSERT INTO sales_rollup
    (machine, grain, starts, location, user_group, shift, product, name, currency, quantity, revenue)
SELECT machine, 'total_day', date_trunc('day', starts), location, user_group, 0, 0, '', currency,
       sum(quantity), sum(revenue)
FROM sales_rollup WHERE grain = 'hour' GROUP BY 1, 3, 4, 5, 9
UNION ALL
SELECT machine, 'total_month', starts, location, user_group, 0, 0, '', currency, sum(quantity), sum(revenue)
FROM sales_rollup WHERE grain = 'month' GROUP BY 1, 3, 4, 5, 9;

-- Each row is looked at once, however many grains there are: what a grain does not tell apart is none in
-- its sums.
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
            CREATE OR REPLACE FUNCTION sales_%1$s() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
                INSERT INTO sales_rollup AS r
                    (machine, grain, starts, location, user_group, shift, product, name, currency, quantity, revenue)
                SELECT machine,
                       CASE WHEN hour IS NOT NULL THEN 'hour'
                            WHEN product IS NULL THEN CASE WHEN day IS NULL THEN 'total_month' ELSE 'total_day' END
                            WHEN day IS NULL THEN 'month' ELSE 'day' END,
                       COALESCE(hour, day, month), location, user_group,
                       COALESCE(shift, 0), COALESCE(product, 0), COALESCE(name, ''), currency, sum(n), sum(n * price)
                FROM (SELECT machine, location, user_group, currency, n, price, name,
                             COALESCE(shift, 0) AS shift, COALESCE(product, 0) AS product,
                             date_trunc('hour', occurred_local) AS hour, date_trunc('day', occurred_local) AS day,
                             date_trunc('month', occurred_local) AS month
                      FROM (%2$s) rows) t
                GROUP BY machine, location, user_group, currency,
                         GROUPING SETS ((hour), (day), (day, shift, product, name), (month), (month, product, name))
                HAVING sum(n) <> 0 OR sum(n * price) <> 0
                ON CONFLICT (machine, grain, starts, location, user_group, shift, product, name, currency)
                DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
                RETURN NULL;
            END $body$;
        $function$, event.word, event.rows);
    END LOOP;
END $make$;

CREATE OR REPLACE VIEW sales_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
       CASE WHEN s.grain IN ('day', 'month') THEN COALESCE(t.product, 0) ELSE 0 END AS product,
       CASE WHEN s.grain IN ('day', 'month') THEN t.name ELSE '' END AS name,
       t.currency, count(*) AS quantity, sum(t.price)::bigint AS revenue
FROM revenue_transaction_ever t,
     LATERAL (VALUES ('hour', date_trunc('hour', t.occurred_local)),
                     ('day', date_trunc('day', t.occurred_local)),
                     ('total_day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local)),
                     ('total_month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- How often an instant counts in a stretch from one time until before another: once, or where that goes back in
-- time, minus once.
CREATE FUNCTION counts(at timestamp, starts timestamp, ends timestamp) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN at >= starts AND at < ends THEN 1 WHEN at >= ends AND at < starts THEN -1 ELSE 0 END
$$;
