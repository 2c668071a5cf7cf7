-- Two years of sales until now, as a sheet to be loaded: read by history.sh behind fleet.sql. Machines sell
-- from seven to nine in the evening, some of their 20 products far more often than others.
UPDATE location SET time_zone = 'America/New_York' WHERE id % 2 = 0;
INSERT INTO product (machine, plu, name, report_name, price)
SELECT m.id, n, 'Product ' || n, 'P-' || n, 50 + n * 10 FROM machine m, generate_series(1, 20) n;

CREATE UNLOGGED TABLE sheet AS
SELECT n, m.id AS machine, m.location, m.user_group, l.time_zone,
       (day + interval '7 hours' + interval '14 hours' * of_day) AT TIME ZONE l.time_zone AS occurred_at,
       p.id AS product, p.name, p.report_name AS internal_ref, p.price,
       CASE WHEN m.id % 10 = 0 THEN 'USD' ELSE 'EUR' END AS currency
FROM generate_series(1, :sales) n
CROSS JOIN LATERAL (
    SELECT 1 + abs(hashint8(n) % :machines) AS machine,
           1 + floor(20 * power((hashint8(n * 7 + 1) & 65535) / 65536.0, 2.5))::int AS plu,
           (now() - interval '2 years' + n * (interval '2 years' / :sales))::date::timestamp AS day,
           (hashint8(n * 13 + 5) & 65535) / 65536.0 AS of_day
) drawn
JOIN machine m ON m.id = drawn.machine
JOIN location l ON l.id = m.location
JOIN product p ON p.machine = m.id AND p.plu = drawn.plu;
CREATE INDEX sheet_n ON sheet (n);

-- What the same rows cost without sums: the same table, the same indexes, the same months.
CREATE TABLE bare_transaction (LIKE revenue_transaction INCLUDING ALL) PARTITION BY RANGE (occurred_at);
CREATE TABLE bare_transaction_rest PARTITION OF bare_transaction DEFAULT;
SELECT make_months(parent, 'occurred_at', (now() - interval '25 months')::date, 27)
FROM unnest(ARRAY['revenue_transaction', 'bare_transaction', 'payment_transaction', 'machine_log']) parent;
VACUUM ANALYZE;
