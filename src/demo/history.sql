-- Two months of a small fleet's life until `demo.now`, so that there is something to see in reports: each machine sells
-- eight products, fewer of them at weekends, and now and then something is the matter.
WITH sold AS (
    INSERT INTO product (machine, plu, name, report_name, price)
    SELECT m.id, p.plu, p.name, p.report_name, p.price
    FROM machine m, (VALUES (1, 'Coffee', 'COF', 150), (2, 'Cappuccino', 'CAP', 200), (3, 'Tea', 'TEA', 120),
                            (4, 'Hot chocolate', 'CHO', 200), (5, 'Water', 'WAT', 100), (6, 'Crisps', 'CRI', 175),
                            (7, 'Chocolate bar', 'BAR', 160), (8, 'Apple', 'APP', 90)) p(plu, name, report_name, price)
    RETURNING id, machine, plu, name, report_name, price
),
drawn AS (
    SELECT m.id AS machine, m.location, m.user_group, l.time_zone, c.code AS currency, 1 + n % 8 AS plu, n,
           day + interval '7 hours' + interval '13 hours' * ((1 + sin(n * 12.9898 + m.id)) / 2) AS occurred_local
    FROM machine m
    JOIN location l ON l.id = m.location
    JOIN currency c ON c.id = m.currency
    CROSS JOIN generate_series(current_setting('demo.now')::timestamptz - interval '60 days', current_setting('demo.now')::timestamptz, interval '1 day') AS instant
    CROSS JOIN LATERAL (SELECT date_trunc('day', instant AT TIME ZONE l.time_zone) AS day) d
    CROSS JOIN LATERAL generate_series(1, CASE WHEN extract(isodow FROM day) < 6 THEN 14 ELSE 6 END) AS n
),
sales AS (
    INSERT INTO revenue_transaction (machine, location, user_group, time_zone, occurred_at, product, name, internal_ref,
                                     price, original_price, currency, num_payment_transactions)
    SELECT d.machine, d.location, d.user_group, d.time_zone, d.occurred_local AT TIME ZONE d.time_zone, s.id, s.name,
           s.report_name, s.price, s.price, d.currency, 1
    FROM drawn d JOIN sold s ON s.machine = d.machine AND s.plu = d.plu
    WHERE d.occurred_local AT TIME ZONE d.time_zone < current_setting('demo.now')::timestamptz
    RETURNING *
)
INSERT INTO payment_transaction (revenuetransaction, machine, location, user_group, time_zone, occurred_at, method, type,
                                 price, currency)
SELECT id, machine, location, user_group, time_zone, occurred_at, CASE WHEN id % 3 = 0 THEN 'cash' ELSE 'card' END,
       CASE WHEN id % 3 = 0 THEN 'cash' ELSE 'card' END, price, currency
FROM sales;

WITH known AS (
    INSERT INTO error_identity (user_group, machine_type, error)
    SELECT DISTINCT p.user_group, p.machine_type, e.error
    FROM error_profile p, (VALUES ('door_open'), ('water_tank_empty'), ('coin_mech_jam')) e(error)
    RETURNING id, machine_type, error
)
INSERT INTO error_code (user_group, error_identity, error_profile, code)
SELECT p.user_group, k.id, p.id, CASE k.error WHEN 'door_open' THEN 'EGS' WHEN 'water_tank_empty' THEN 'EFA' ELSE 'EAC' END
FROM known k JOIN error_profile p USING (machine_type);

INSERT INTO translation (user_group, key, language, value)
SELECT l.user_group, w.key, l.id, w.value
FROM language l
JOIN (VALUES ('en', 'door_open', 'Door open'), ('en', 'water_tank_empty', 'Water tank empty'),
             ('en', 'coin_mech_jam', 'Coins jammed'), ('nl', 'door_open', 'Deur open'),
             ('nl', 'water_tank_empty', 'Watertank leeg'), ('nl', 'coin_mech_jam', 'Munten zitten vast'))
    AS w(language, key, value) USING (language);

-- The latest of each machine's is still the matter at a few of them.
INSERT INTO machine_log (machine, location, user_group, time_zone, occurred_at, code, error_identity, type, duration, resolved_at)
SELECT m.id, m.location, m.user_group, l.time_zone, at, h.code, e.error_identity, t.type,
       CASE WHEN NOT lasts THEN n * 600 END, CASE WHEN NOT lasts THEN at + n * interval '10 minutes' END
FROM machine m
JOIN location l ON l.id = m.location
CROSS JOIN generate_series(1, 12) n
CROSS JOIN LATERAL (SELECT current_setting('demo.now')::timestamptz - n * interval '5 days' + m.id % 24 * interval '1 hour' AS at,
                           (ARRAY['EGS', 'EFA', 'EAC'])[1 + (n + m.id) % 3] AS code,
                           n = 1 AND m.id % 7 = 0 AS lasts) h
CROSS JOIN LATERAL (SELECT CASE h.code WHEN 'EAC' THEN 3 ELSE 2 END AS type) t
JOIN machine_model k ON k.id = m.machine_model
LEFT JOIN error_code e ON e.error_profile = k.error_profile AND e.code = h.code;
