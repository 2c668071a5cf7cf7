-- Sums of sales, payments and events by the clock on the wall, each grain in a table of its own: whoever asks for days
-- reads no hours, and whoever asks for years reads months, a few days and the ragged ends.
--
-- The triggers below keep the sums in the statement that inserts or changes rows. All writers hold the
-- machine's row of machine_presence, so no two of them meet here. Each row is looked at once, however many grains there
-- are: a column that a grain does not tell apart is 0 or empty in its sums. The `…_recount` views sum up the rows anew:
-- what is kept must be the same (`scrip recount`).

-- Sums of sales: by hour without products, by day with products and shifts, by month with products; and sales of days
-- and months without what tells products and shifts apart, which most questions about years do not ask for.
CREATE TABLE sales_rollup (
    machine    bigint NOT NULL,
    grain      text NOT NULL,
    starts     timestamp NOT NULL,
    location   bigint NOT NULL,
    user_group bigint NOT NULL,
    -- 0 where there is none, as for products: both are part of the key.
    shift      bigint NOT NULL,
    product    bigint NOT NULL,
    name       text NOT NULL,
    currency   text NOT NULL,
    quantity   bigint NOT NULL,
    revenue    bigint NOT NULL,
    -- The grain is the same in all of a table: it comes last.
    PRIMARY KEY (machine, starts, location, user_group, shift, product, currency, name, grain)
) PARTITION BY LIST (grain);
CREATE INDEX sales_rollup_user_group ON sales_rollup (user_group, starts);
CREATE TABLE sales_rollup_hour PARTITION OF sales_rollup FOR VALUES IN ('hour') WITH (fillfactor = 85);
CREATE TABLE sales_rollup_day PARTITION OF sales_rollup FOR VALUES IN ('day') WITH (fillfactor = 85);
CREATE TABLE sales_rollup_month PARTITION OF sales_rollup FOR VALUES IN ('month') WITH (fillfactor = 85);
CREATE TABLE sales_rollup_total_day PARTITION OF sales_rollup FOR VALUES IN ('total_day') WITH (fillfactor = 85);
CREATE TABLE sales_rollup_total_month PARTITION OF sales_rollup FOR VALUES IN ('total_month') WITH (fillfactor = 85);

-- Adds new sales to the sums.
CREATE FUNCTION sales_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
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
          FROM (SELECT 1 AS n, arrived.* FROM arrived) rows) t
    GROUP BY machine, location, user_group, currency,
             GROUPING SETS ((hour), (day), (day, shift, product, name), (month), (month, product, name))
    HAVING sum(n * vends) <> 0 OR sum(n * price) <> 0
    ON CONFLICT (machine, grain, starts, location, user_group, shift, product, name, currency)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_arrived AFTER INSERT ON revenue_transaction REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION sales_arrived();
CREATE TRIGGER roll_up_arrived AFTER INSERT ON revenue_transaction_archive REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION sales_arrived();

-- Takes changed sales out of the sums as they were, and adds them as they are.
CREATE FUNCTION sales_changed() RETURNS trigger LANGUAGE plpgsql AS $$
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
          FROM (SELECT 1 AS n, arrived.* FROM arrived
                UNION ALL SELECT -1, gone.* FROM gone) rows) t
    GROUP BY machine, location, user_group, currency,
             GROUPING SETS ((hour), (day), (day, shift, product, name), (month), (month, product, name))
    HAVING sum(n * vends) <> 0 OR sum(n * price) <> 0
    ON CONFLICT (machine, grain, starts, location, user_group, shift, product, name, currency)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_changed AFTER UPDATE ON revenue_transaction REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION sales_changed();
CREATE TRIGGER roll_up_changed AFTER UPDATE ON revenue_transaction_archive REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION sales_changed();

CREATE VIEW sales_recount AS
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

-- ---------------------------------------------------------------------------------------------------------------
-- Sums of payments, without those that reports leave out: by day with shifts, by month without.
CREATE TABLE payments_rollup (
    machine      bigint NOT NULL,
    grain        text NOT NULL,
    starts       timestamp NOT NULL,
    location     bigint NOT NULL,
    user_group   bigint NOT NULL,
    shift        bigint NOT NULL,
    method       text NOT NULL,
    type         text NOT NULL,
    -- Empty where there is none.
    report_group text NOT NULL,
    currency     text NOT NULL,
    quantity     bigint NOT NULL,
    revenue      bigint NOT NULL,
    PRIMARY KEY (machine, starts, location, user_group, shift, method, type, report_group, currency, grain)
) PARTITION BY LIST (grain);
CREATE INDEX payments_rollup_user_group ON payments_rollup (user_group, starts);
CREATE TABLE payments_rollup_day PARTITION OF payments_rollup FOR VALUES IN ('day') WITH (fillfactor = 85);
CREATE TABLE payments_rollup_month PARTITION OF payments_rollup FOR VALUES IN ('month') WITH (fillfactor = 85);

CREATE FUNCTION payments_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_rollup AS r
        (machine, grain, starts, location, user_group, shift, method, type, report_group, currency,
         quantity, revenue)
    SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
           CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
           t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
           sum(t.n * t.quantity), sum(t.n * t.price)
    FROM (SELECT 1 AS n, arrived.* FROM arrived) t,
         LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                         ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
    WHERE NOT t.exclude
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    HAVING sum(t.n * t.quantity) <> 0 OR sum(t.n * t.price) <> 0
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    ON CONFLICT (machine, grain, starts, location, user_group, shift, method, type, report_group, currency)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_arrived AFTER INSERT ON payment_transaction REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION payments_arrived();
CREATE TRIGGER roll_up_arrived AFTER INSERT ON payment_transaction_archive REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION payments_arrived();

CREATE FUNCTION payments_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_rollup AS r
        (machine, grain, starts, location, user_group, shift, method, type, report_group, currency,
         quantity, revenue)
    SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
           CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
           t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
           sum(t.n * t.quantity), sum(t.n * t.price)
    FROM (SELECT 1 AS n, arrived.* FROM arrived
          UNION ALL SELECT -1, gone.* FROM gone) t,
         LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                         ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
    WHERE NOT t.exclude
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    HAVING sum(t.n * t.quantity) <> 0 OR sum(t.n * t.price) <> 0
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    ON CONFLICT (machine, grain, starts, location, user_group, shift, method, type, report_group, currency)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, revenue = r.revenue + excluded.revenue;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_changed AFTER UPDATE ON payment_transaction REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION payments_changed();
CREATE TRIGGER roll_up_changed AFTER UPDATE ON payment_transaction_archive REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION payments_changed();

CREATE VIEW payments_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group,
       CASE s.grain WHEN 'day' THEN COALESCE(t.shift, 0) ELSE 0 END AS shift,
       t.method, t.type, COALESCE(t.report_group, '') AS report_group, t.currency,
       sum(t.quantity)::bigint AS quantity, sum(t.price)::bigint AS revenue
FROM payment_transaction_ever t,
     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
WHERE NOT t.exclude
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;

-- ---------------------------------------------------------------------------------------------------------------
-- Sums of events: how often and for how long.
CREATE TABLE events_rollup (
    machine        bigint NOT NULL,
    grain          text NOT NULL,
    starts         timestamp NOT NULL,
    location       bigint NOT NULL,
    user_group     bigint NOT NULL,
    code           text NOT NULL,
    -- 0 where the code is nobody's.
    error_identity bigint NOT NULL,
    type           smallint NOT NULL,
    quantity       bigint NOT NULL,
    -- Seconds, of those that have ended.
    duration       bigint NOT NULL,
    PRIMARY KEY (machine, starts, location, user_group, code, error_identity, type, grain)
) PARTITION BY LIST (grain);
CREATE INDEX events_rollup_user_group ON events_rollup (user_group, starts);
CREATE TABLE events_rollup_day PARTITION OF events_rollup FOR VALUES IN ('day') WITH (fillfactor = 85);
CREATE TABLE events_rollup_month PARTITION OF events_rollup FOR VALUES IN ('month') WITH (fillfactor = 85);

CREATE FUNCTION events_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events_rollup AS r
        (machine, grain, starts, location, user_group, code, error_identity, type, quantity, duration)
    SELECT t.machine, s.grain, s.starts, t.location, t.user_group, t.code,
           COALESCE(t.error_identity, 0) AS error_identity, t.type,
           sum(t.n), sum(t.n * COALESCE(t.duration, 0))
    FROM (SELECT 1 AS n, arrived.* FROM arrived) t,
         LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                         ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(t.n) <> 0 OR sum(t.n * COALESCE(t.duration, 0)) <> 0
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (machine, grain, starts, location, user_group, code, error_identity, type)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, duration = r.duration + excluded.duration;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_arrived AFTER INSERT ON machine_log REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION events_arrived();
CREATE TRIGGER roll_up_arrived AFTER INSERT ON machine_log_archive REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION events_arrived();

CREATE FUNCTION events_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events_rollup AS r
        (machine, grain, starts, location, user_group, code, error_identity, type, quantity, duration)
    SELECT t.machine, s.grain, s.starts, t.location, t.user_group, t.code,
           COALESCE(t.error_identity, 0) AS error_identity, t.type,
           sum(t.n), sum(t.n * COALESCE(t.duration, 0))
    FROM (SELECT 1 AS n, arrived.* FROM arrived UNION ALL SELECT -1, gone.* FROM gone) t,
         LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                         ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    HAVING sum(t.n) <> 0 OR sum(t.n * COALESCE(t.duration, 0)) <> 0
    ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (machine, grain, starts, location, user_group, code, error_identity, type)
    DO UPDATE SET quantity = r.quantity + excluded.quantity, duration = r.duration + excluded.duration;
    RETURN NULL;
END $$;
CREATE TRIGGER roll_up_changed AFTER UPDATE ON machine_log REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION events_changed();
CREATE TRIGGER roll_up_changed AFTER UPDATE ON machine_log_archive REFERENCING NEW TABLE AS arrived OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION events_changed();

CREATE VIEW events_recount AS
SELECT t.machine, s.grain, s.starts, t.location, t.user_group, t.code,
       COALESCE(t.error_identity, 0) AS error_identity, t.type,
       count(*) AS quantity, sum(COALESCE(t.duration, 0))::bigint AS duration
FROM machine_log_ever t,
     LATERAL (VALUES ('day', date_trunc('day', t.occurred_local)),
                     ('month', date_trunc('month', t.occurred_local))) AS s(grain, starts)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

-- ---------------------------------------------------------------------------------------------------------------
-- Returns how often an instant counts in a stretch from one time until before another: once, or where that goes back in
-- time, minus once.
CREATE FUNCTION counts(at timestamp, starts timestamp, ends timestamp) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN at >= starts AND at < ends THEN 1 WHEN at >= ends AND at < starts THEN -1 ELSE 0 END
$$;
