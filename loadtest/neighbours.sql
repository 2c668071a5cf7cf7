-- A second tenant beside the demo's, with a machine and a key of these scopes. Read by neighbours.sh.
WITH neighbour AS (
    INSERT INTO user_group (name, parent)
    SELECT 'Neighbour', id FROM user_group WHERE parent IS NULL ORDER BY id LIMIT 1 RETURNING id),
place AS (
    INSERT INTO location (user_group, name, address, postcode, city, country)
    SELECT id, 'Next door', 'Street 1', '1000', 'City', 'NL' FROM neighbour RETURNING id, user_group),
machine AS (
    INSERT INTO machine (user_group, name, hostname, location, machine_type, machine_model, manufacturer)
    SELECT p.user_group, 'Neighbour', 'neighbour-1', p.id, m.machine_type, m.machine_model, m.manufacturer
    FROM place p, (SELECT machine_type, machine_model, manufacturer FROM machine ORDER BY id LIMIT 1) m)
INSERT INTO api_key (user_group, name, scopes, hash)
SELECT id, 'Neighbour', string_to_array(:'scopes', ','), sha256(convert_to(:'key', 'UTF8')) FROM neighbour
RETURNING user_group;
