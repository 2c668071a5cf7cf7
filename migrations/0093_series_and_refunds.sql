-- Machines whose own numbers begin again, and vends that were paid back.

ALTER TABLE machine_presence
    -- The series that numbers are of now which are said to be of none: 0 at first, and one less each time that
    -- they are found to have begun again.
    ADD series      bigint NOT NULL DEFAULT 0,
    -- Until when numbers were of the series before.
    ADD series_from timestamptz;

-- A number is the machine's own within a series: one that the machine names, from 1 on, or one that was found, from
-- 0 downwards.
ALTER TABLE revenue_transaction ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE revenue_transaction_archive ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE payment_transaction ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE payment_transaction_archive ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE machine_log ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE machine_log_archive ADD series bigint NOT NULL DEFAULT 0;
ALTER TABLE awaited_sale ADD series bigint NOT NULL DEFAULT 0;

-- Sums up a sale's payments in its currency: paid, and given back.
ALTER TABLE revenue_transaction ADD paid bigint NOT NULL DEFAULT 0, ADD paid_back bigint NOT NULL DEFAULT 0;
ALTER TABLE revenue_transaction_archive ADD paid bigint NOT NULL DEFAULT 0, ADD paid_back bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW revenue_transaction_ever AS
    SELECT * FROM revenue_transaction UNION ALL SELECT * FROM revenue_transaction_archive;
CREATE OR REPLACE VIEW payment_transaction_ever AS
    SELECT * FROM payment_transaction UNION ALL SELECT * FROM payment_transaction_archive;
CREATE OR REPLACE VIEW machine_log_ever AS SELECT * FROM machine_log UNION ALL SELECT * FROM machine_log_archive;

-- Returns the net revenue of a sale: its price less refunds. Change is no refund: it was paid beyond the price.
CREATE FUNCTION net_price(price bigint, paid bigint, paid_back bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT price - GREATEST(LEAST(paid_back - GREATEST(paid - price, 0), price), 0)
$$;

-- Returns the number of vends that a sale counts as: 0 once it was refunded in full.
CREATE FUNCTION net_vends(price bigint, paid bigint, paid_back bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN price > 0 AND net_price(price, paid, paid_back) = 0 THEN 0 ELSE 1 END
$$;

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
                       COALESCE(shift, 0), COALESCE(product, 0), COALESCE(name, ''), currency, sum(n * vends),
                       sum(n * price)
                FROM (SELECT machine, location, user_group, currency, n, name,
                             net_vends(price, paid, paid_back) AS vends, net_price(price, paid, paid_back) AS price,
                             COALESCE(shift, 0) AS shift, COALESCE(product, 0) AS product,
                             date_trunc('hour', occurred_local) AS hour, date_trunc('day', occurred_local) AS day,
                             date_trunc('month', occurred_local) AS month
                      FROM (%2$s) rows) t
                GROUP BY machine, location, user_group, currency,
                         GROUPING SETS ((hour), (day), (day, shift, product, name), (month), (month, product, name))
                HAVING sum(n * vends) <> 0 OR sum(n * price) <> 0
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
       t.currency, sum(net_vends(t.price, t.paid, t.paid_back))::bigint AS quantity,
       sum(net_price(t.price, t.paid, t.paid_back))::bigint AS revenue
FROM revenue_transaction_ever t,
     LATERAL (VALUES ('hour', date_trunc('hour', t.occurred_local)),
                     ('day', date_trunc('day', t.occurred_local)),
                     ('total_day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local)),
                     ('total_month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;

-- Refunds from before this migration: the sums follow.
DO $make$
DECLARE
    sales text;
BEGIN
    FOREACH sales IN ARRAY ARRAY['revenue_transaction', 'revenue_transaction_archive'] LOOP
        EXECUTE format($update$
            UPDATE %I s SET paid = p.paid, paid_back = p.paid_back
            FROM (SELECT t.revenuetransaction, t.currency, COALESCE(sum(t.price) FILTER (WHERE t.price > 0), 0) AS paid,
                         -sum(t.price) FILTER (WHERE t.price < 0) AS paid_back
                  FROM payment_transaction_ever t WHERE t.revenuetransaction IS NOT NULL
                  GROUP BY 1, 2 HAVING bool_or(t.price < 0)) p
            WHERE s.id = p.revenuetransaction AND s.currency = p.currency
        $update$, sales);
    END LOOP;
END $make$;
