-- A fleet of :machines machines in 200 groups, and a small one beside them. Read by lists.sh.
INSERT INTO user_group (id, name, parent) VALUES (1, 'root', NULL), (2, 'large', 1), (3, 'small', 1);
INSERT INTO user_group (id, name, parent) SELECT 10 + n, 'group ' || n, 2 FROM generate_series(1, 200) n;
INSERT INTO machine_type (id, user_group, name) SELECT n, 1, 'type ' || n FROM generate_series(1, 10) n;
INSERT INTO manufacturer (id, user_group, name) SELECT n, 1, 'maker ' || n FROM generate_series(1, 20) n;
INSERT INTO error_profile (id, user_group, name, machine_type, manufacturer) VALUES (1, 1, 'profile', 1, 1);
INSERT INTO machine_model (id, user_group, name, manufacturer, error_profile)
SELECT n, 1, 'model ' || n, 1, 1 FROM generate_series(1, 50) n;
INSERT INTO location (id, user_group, name, address, postcode, city, country)
SELECT n, 11 + n % 200, 'Location ' || n, 'Street ' || n, (1000 + n % 9000)::text, 'City ' || n % 2000, 'NL'
FROM generate_series(1, :machines / 10) n;
INSERT INTO location (id, user_group, name, address, postcode, city, country)
VALUES (:machines, 3, 'Small', 'Street', '1000', 'City', 'NL');
-- The small group has 100 machines, spread over all ids.
INSERT INTO machine (id, user_group, name, hostname, location, machine_type, machine_model, manufacturer, debtor, tag,
                     active, config_state, updated_at)
SELECT n, small.group, 'Machine ' || n, 'vm-' || n,
       CASE small.group WHEN 3 THEN :machines ELSE 1 + n % (:machines / 10) END,
       1 + n % 10, 1 + n % 50, 1 + n % 20, CASE WHEN n % 3 = 0 THEN n % 5000 END, 'tag ' || n % 777, n % 11 <> 0,
       (ARRAY['scheduled', 'sent', 'applied', 'failed', NULL])[1 + n % 5], now() - n % 100000 * interval '1 minute'
FROM generate_series(1, :machines) n,
     LATERAL (SELECT CASE WHEN n % (:machines / 100) = 0 THEN 3 ELSE 11 + n % 200 END AS group) small;
INSERT INTO machine_presence (machine, seen_at)
SELECT n, now() - n % 2000 * interval '1 minute' FROM generate_series(1, :machines) n;
INSERT INTO api_key (user_group, name, scopes, hash)
SELECT id, name, '{fleet.read,transaction.read,report.read,gateway.use}', sha256(convert_to(:'key' || lpad(id::text, 3, '0'), 'UTF8'))
FROM user_group WHERE id IN (2, 3, 11);
VACUUM ANALYZE;
