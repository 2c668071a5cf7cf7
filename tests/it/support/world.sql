-- See world.rs.
INSERT INTO user_group (id, name, parent) VALUES (1, 'root', NULL), (2, 'a', 1), (3, 'a1', 2), (4, 'b', 1);
INSERT INTO language (id, user_group, name, language, locale)
VALUES (1, 1, 'English', 'en', 'en-GB'), (2, 1, 'Nederlands', 'nl', 'nl-NL');
INSERT INTO account (id, username, email, language, user_group, email_confirmed)
SELECT id, name, name || '@example.com', 1, id, true FROM user_group;
INSERT INTO machine_type (id, user_group, name) VALUES (1, 1, 'snacks'), (2, 1, 'drinks');
INSERT INTO image (id, user_group) VALUES (1, 1);
INSERT INTO manufacturer (id, user_group, name) VALUES (1, 1, 'Maker');
INSERT INTO error_profile (id, user_group, name, machine_type, manufacturer) VALUES (1, 1, 'Profile', 1, 1);
INSERT INTO error_identity (id, user_group, machine_type, error) VALUES (1, 1, 1, 'jam');
INSERT INTO machine_model (id, user_group, name, manufacturer, error_profile) VALUES (1, 1, 'Model', 1, 1);
INSERT INTO transaction_profile (id, user_group) VALUES (1, 1);
INSERT INTO location (id, user_group, name, address, postcode, city, country, external_ref, time_zone)
SELECT id, id, 'At ' || name, 'Street 1', '1011 AB', 'Amsterdam', 'NL', 'site-' || name,
       CASE name WHEN 'b' THEN 'America/New_York' ELSE 'Europe/Amsterdam' END
FROM user_group;
INSERT INTO location_group (id, user_group, name) SELECT id, id, 'Sites of ' || name FROM user_group;
INSERT INTO location_group_location SELECT id, id FROM user_group;
-- Machines 11 and 12 of group 1, 21 and 22 of group 2, and so on.
INSERT INTO machine (id, user_group, name, hostname, gateway, location, machine_type, machine_model, manufacturer)
SELECT g.id * 10 + n, g.id, format('Machine %s of %s', n, g.name), format('vm-%s-%s', g.name, n),
       9000 + g.id * 10 + n, g.id, n, 1, 1
FROM user_group g, generate_series(1, 2) n;
INSERT INTO machine_group (id, user_group, name) SELECT id, id, 'Firsts of ' || name FROM user_group;
INSERT INTO machine_group_machine SELECT id, id * 10 + 1 FROM user_group;
INSERT INTO alert_group (id, user_group, name) SELECT id, id, 'Technicians of ' || name FROM user_group;

-- What tests add gets higher ids than all of these.
DO $$
DECLARE noun text;
BEGIN
    FOREACH noun IN ARRAY ARRAY['language', 'user_group', 'account', 'machine_type', 'manufacturer', 'machine_model',
                                'error_profile', 'error_identity', 'transaction_profile', 'image', 'location', 'location_group',
                                'machine', 'machine_group', 'alert_group'] LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN id RESTART WITH 100', noun);
    END LOOP;
END $$;
