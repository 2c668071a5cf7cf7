-- A second tenant beside the demo's, with a machine and a key of these scopes. Read by neighbours.sh.
\set ON_ERROR_STOP on
INSERT INTO user_group (name, parent)
SELECT 'Neighbour', id FROM user_group WHERE parent IS NULL ORDER BY id LIMIT 1;
INSERT INTO location (user_group, name, address, postcode, city, country)
SELECT id, 'Next door', 'Street 1', '1000', 'City', 'NL' FROM user_group WHERE name = 'Neighbour';
INSERT INTO machine (user_group, name, hostname, location, machine_type, machine_model, manufacturer)
SELECT l.user_group, 'Neighbour', 'neighbour-1', l.id, m.machine_type, m.machine_model, m.manufacturer
FROM location l, (SELECT machine_type, machine_model, manufacturer FROM machine ORDER BY id LIMIT 1) m
WHERE l.name = 'Next door';
INSERT INTO api_key (user_group, name, scopes, hash)
SELECT id, 'Neighbour', string_to_array(:'scopes', ','), sha256(convert_to(:'key', 'UTF8'))
FROM user_group WHERE name = 'Neighbour'
RETURNING user_group;
